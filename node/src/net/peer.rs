//! One peer: its counters, and the connection to it, if there is one.

use crate::net::tls::{Spki, spki};
use crate::net::{Handler, LANES, Lane, LaneLimits, LaneStatus, Limits, PeerConfig, PeerStatus};
use arc_swap::ArcSwapOption;
use bytes::Bytes;
use quinn::{Connection, VarInt};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;
use tokio::sync::mpsc;

/// Why a connection was closed, as the other end sees it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Close {
    /// The operator stops.
    Shutdown = 0,
    /// A newer connection of the same peer took its place.
    Replaced = 1,
    /// The other end broke the protocol.
    Protocol = 2,
}

impl Close {
    pub(super) fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }
}

/// Counts of one lane.
#[derive(Debug, Default)]
pub(super) struct LaneCounters {
    pub(super) sent_frames: AtomicU64,
    pub(super) sent_bytes: AtomicU64,
    pub(super) received_frames: AtomicU64,
    pub(super) received_bytes: AtomicU64,
    pub(super) send_dropped: AtomicU64,
    pub(super) receive_dropped: AtomicU64,
}

/// Adds to a counter that nothing is ordered by.
pub(super) fn count(counter: &AtomicU64, amount: usize) {
    counter.fetch_add(amount as u64, Ordering::Relaxed);
}

/// Frames that wait to be sent on one lane of one connection.
#[derive(Debug)]
pub(super) struct LaneQueue {
    sender: mpsc::Sender<Bytes>,
    bytes: Arc<AtomicUsize>,
    bytes_max: usize,
}

/// The other end of a [`LaneQueue`].
pub(super) struct LaneBacklog {
    receiver: mpsc::Receiver<Bytes>,
    bytes: Arc<AtomicUsize>,
}

fn lane_queue(limits: &LaneLimits) -> (LaneQueue, LaneBacklog) {
    let (sender, receiver) = mpsc::channel(limits.queue_frames_max);
    let bytes = Arc::new(AtomicUsize::new(0));
    let backlog = LaneBacklog { receiver, bytes: Arc::clone(&bytes) };
    (LaneQueue { sender, bytes, bytes_max: limits.queue_bytes_max }, backlog)
}

impl LaneQueue {
    /// False when there is no room.
    fn push(&self, frame: Bytes) -> bool {
        let length = frame.len();
        let before = self.bytes.fetch_add(length, Ordering::Relaxed);
        let fits = before == 0 || before.saturating_add(length) <= self.bytes_max;
        let pushed = fits && self.sender.try_send(frame).is_ok();
        if !pushed {
            self.bytes.fetch_sub(length, Ordering::Relaxed);
        }
        pushed
    }

    fn frames(&self) -> usize {
        self.sender.max_capacity() - self.sender.capacity()
    }
}

impl LaneBacklog {
    /// The next frame, once there is one; `None` when the link was given up.
    pub(super) async fn next(&mut self) -> Option<Bytes> {
        self.receiver.recv().await
    }

    /// The next frame, if one waits already.
    pub(super) fn next_now(&mut self) -> Option<Bytes> {
        self.receiver.try_recv().ok()
    }

    /// Gives the room of what was written back.
    pub(super) fn written(&self, bytes: usize) {
        self.bytes.fetch_sub(bytes, Ordering::Relaxed);
    }
}

/// A connection in use.
#[derive(Debug)]
pub(super) struct Link {
    pub(super) connection: Connection,
    queues: [LaneQueue; LANES],
    since: SystemTime,
}

impl Link {
    pub(super) fn new(connection: Connection, limits: &Limits) -> (Arc<Self>, [LaneBacklog; LANES]) {
        let [(votes, votes_backlog), (blocks, blocks_backlog), (transactions, transactions_backlog)] =
            Lane::ALL.map(|lane| lane_queue(limits.lane(lane)));
        let link = Self { connection, queues: [votes, blocks, transactions], since: SystemTime::now() };
        (Arc::new(link), [votes_backlog, blocks_backlog, transactions_backlog])
    }
}

/// One peer.
#[derive(Debug)]
pub(super) struct Peer {
    pub(super) config: PeerConfig,
    pub(super) lanes: [LaneCounters; LANES],
    link: ArcSwapOption<Link>,
    /// Held while the link changes, so that the handler hears of changes in their order.
    changing: Mutex<()>,
}

impl Peer {
    pub(super) fn new(config: PeerConfig) -> Self {
        Self { config, lanes: Default::default(), link: ArcSwapOption::empty(), changing: Mutex::new(()) }
    }

    pub(super) fn spki(&self) -> Spki {
        spki(&self.config.identity_public_key)
    }

    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.link.load_full()
    }

    /// Queues a frame. False, and counted, when it was dropped.
    pub(super) fn send(&self, lane: Lane, frame: Bytes, limits: &Limits) -> bool {
        let fits = frame.len() <= limits.lane(lane).frame_bytes_max;
        let link = self.link.load();
        let sent = fits && link.as_ref().is_some_and(|link| link.queues[lane.as_usize()].push(frame));
        if !sent {
            count(&self.lanes[lane.as_usize()].send_dropped, 1);
            metrics::counter!("phalanx_net_send_dropped_frames_total", "lane" => lane.name()).increment(1);
        }
        sent
    }

    /// Puts a new connection in place; an older one is closed at once.
    pub(super) fn install(&self, link: &Arc<Link>, handler: &dyn Handler) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(old) = self.link.swap(Some(Arc::clone(link))) {
            old.connection.close(Close::Replaced.code(), b"replaced by a newer connection");
        }
        handler.connected(self.config.index);
    }

    /// Takes a connection away that ended, unless a newer one is in its place.
    pub(super) fn remove(&self, link: &Arc<Link>, handler: &dyn Handler) {
        let _changing = self.changing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.link.load().as_ref().is_some_and(|current| Arc::ptr_eq(current, link)) {
            self.link.store(None);
            handler.disconnected(self.config.index);
        }
    }

    pub(super) fn status(&self) -> PeerStatus {
        let link = self.link();
        let load = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let lanes = Lane::ALL.map(|lane| {
            let counters = &self.lanes[lane.as_usize()];
            LaneStatus {
                sent_frames: load(&counters.sent_frames),
                sent_bytes: load(&counters.sent_bytes),
                received_frames: load(&counters.received_frames),
                received_bytes: load(&counters.received_bytes),
                send_dropped: load(&counters.send_dropped),
                receive_dropped: load(&counters.receive_dropped),
                queued_frames: link.as_ref().map_or(0, |link| link.queues[lane.as_usize()].frames()),
            }
        });
        PeerStatus {
            index: self.config.index,
            name: self.config.name.clone(),
            connected: link.is_some(),
            since: link.as_ref().map(|link| link.since),
            remote: link.as_ref().map(|link| link.connection.remote_address()),
            rtt: link.as_ref().map(|link| link.connection.rtt()),
            lanes,
        }
    }
}
