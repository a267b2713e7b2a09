//! A connection at work: three lanes out, three lanes in, and requests.

use crate::net::frame::{FrameFault, FrameReader, FrameWriter, tag};
use crate::net::peer::{Close, LaneBacklog, Link, Peer, count};
use crate::net::rate::TokenBucket;
use crate::net::{Handler, LANES, Lane, Limits, request};
use quinn::{Connection, ConnectionError, RecvStream, SendStream, WriteError};
use std::sync::Arc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

/// How much is gathered into one write. Unit: bytes.
const COALESCED_BYTES_MAX: usize = 64 << 10;

/// Priorities of streams: QUIC sends what is ready of the highest one first.
const fn priority(lane: Lane) -> i32 {
    match lane {
        Lane::Votes => 3,
        Lane::Blocks => 2,
        Lane::Transactions => 1,
    }
}

/// Why a link ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum LinkEnd {
    /// The connection is gone.
    #[error("{0}")]
    Connection(#[from] ConnectionError),
    /// The peer broke the protocol.
    #[error("it sent {0}")]
    Frame(FrameFault),
    /// The peer stopped or repeated a lane.
    #[error("it {0}")]
    Protocol(&'static str),
}

impl From<FrameFault> for LinkEnd {
    fn from(fault: FrameFault) -> Self {
        match fault {
            FrameFault::Lost(quinn::ReadError::ConnectionLost(error)) => Self::Connection(error),
            fault => Self::Frame(fault),
        }
    }
}

impl From<WriteError> for LinkEnd {
    fn from(error: WriteError) -> Self {
        match error {
            WriteError::ConnectionLost(error) => Self::Connection(error),
            _ => Self::Protocol("stopped reading a lane"),
        }
    }
}

impl LinkEnd {
    /// Whether the peer is to blame, and its connection is to be closed.
    fn blames_peer(&self) -> bool {
        !matches!(self, Self::Connection(_))
    }
}

/// Opens the lanes outwards: the first thing that a peer hears, and how it knows that it was let in.
pub(super) async fn open_lanes(connection: &Connection) -> Result<[SendStream; LANES], LinkEnd> {
    let mut opened = Vec::with_capacity(LANES);
    for lane in Lane::ALL {
        let mut stream = connection.open_uni().await?;
        // Fails only on a stream that was closed; then so does the write.
        let _ = stream.set_priority(priority(lane));
        stream.write_all(&[tag(lane)]).await?;
        opened.push(stream);
    }
    Ok(<[SendStream; LANES]>::try_from(opened).expect("one stream was opened for each lane"))
}

/// Carries frames and requests until the connection ends; returns why it did.
pub(super) async fn run(
    peer: &Arc<Peer>,
    handler: &Arc<dyn Handler>,
    limits: Limits,
    connection: Connection,
    outwards: [SendStream; LANES],
    first: Option<RecvStream>,
) -> LinkEnd {
    let (link, backlogs) = Link::new(connection.clone(), &limits);
    peer.install(&link, handler.as_ref());
    let _removed = Removal { peer, link: &link, handler: handler.as_ref() };
    let mut tasks = JoinSet::new();
    for ((lane, stream), backlog) in Lane::ALL.into_iter().zip(outwards).zip(backlogs) {
        tasks.spawn(write_lane(Arc::clone(peer), lane, stream, backlog));
    }
    tasks.spawn(read_lanes(Arc::clone(peer), Arc::clone(handler), limits, connection.clone(), first));
    tasks.spawn(request::serve(Arc::clone(peer), Arc::clone(handler), limits, connection.clone()));
    let end = match tasks.join_next().await {
        Some(Ok(end)) => end,
        _ => LinkEnd::Protocol("met a panic of this operator's own"),
    };
    tasks.shutdown().await;
    if end.blames_peer() {
        connection.close(Close::Protocol.code(), end.to_string().as_bytes());
    }
    end
}

/// Takes the link away however [`run`] ends: by itself, or by being given up.
struct Removal<'a> {
    peer: &'a Peer,
    link: &'a Arc<Link>,
    handler: &'a dyn Handler,
}

impl Drop for Removal<'_> {
    fn drop(&mut self) {
        self.peer.remove(self.link, self.handler);
    }
}

/// Writes what is queued, at once, all that waits in one go.
async fn write_lane(peer: Arc<Peer>, lane: Lane, mut stream: SendStream, mut backlog: LaneBacklog) -> LinkEnd {
    let counters = &peer.lanes[lane.as_usize()];
    let mut writer = FrameWriter::default();
    loop {
        let Some(frame) = backlog.next().await else { return LinkEnd::Protocol("was given up") };
        let (mut frames, mut bytes) = (1, frame.len());
        writer.push(&frame);
        while writer.bytes() < COALESCED_BYTES_MAX {
            let Some(frame) = backlog.next_now() else { break };
            writer.push(&frame);
            frames += 1;
            bytes += frame.len();
        }
        if let Err(error) = stream.write_all_chunks(&mut writer.take()).await {
            return error.into();
        }
        backlog.written(bytes);
        count(&counters.sent_frames, frames);
        count(&counters.sent_bytes, bytes);
    }
}

/// Accepts the peer's lanes, each once, and reads them.
async fn read_lanes(
    peer: Arc<Peer>,
    handler: Arc<dyn Handler>,
    limits: Limits,
    connection: Connection,
    mut first: Option<RecvStream>,
) -> LinkEnd {
    let mut readers = JoinSet::new();
    let opened = Arc::new(std::sync::Mutex::new([false; LANES]));
    loop {
        let stream = match first.take() {
            Some(stream) => stream,
            None => tokio::select! {
                stream = connection.accept_uni() => match stream {
                    Ok(stream) => stream,
                    Err(error) => return error.into(),
                },
                Some(end) = readers.join_next() => {
                    return end.unwrap_or(LinkEnd::Protocol("met a panic of this operator's own"));
                }
            },
        };
        let (peer, handler, opened) = (Arc::clone(&peer), Arc::clone(&handler), Arc::clone(&opened));
        readers.spawn(async move {
            let mut reader = FrameReader::new(stream);
            match reader.lane().await {
                Ok(lane) => {
                    let again = {
                        let mut opened = opened.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                        std::mem::replace(&mut opened[lane.as_usize()], true)
                    };
                    if again {
                        return LinkEnd::Protocol("opened a lane twice");
                    }
                    read_lane(&peer, handler.as_ref(), &limits, lane, reader).await
                }
                Err(fault) => fault.into(),
            }
        });
    }
}

/// Reads one lane, no faster than its limits allow: the peer is held back by QUIC's flow control.
async fn read_lane(
    peer: &Peer,
    handler: &dyn Handler,
    limits: &Limits,
    lane: Lane,
    mut reader: FrameReader,
) -> LinkEnd {
    let bounds = limits.lane(lane);
    let counters = &peer.lanes[lane.as_usize()];
    let mut frames = TokenBucket::new(u64::from(bounds.frames_per_second_max), Instant::now());
    let mut bytes = TokenBucket::new(bounds.bytes_per_second_max, Instant::now());
    loop {
        let frame = match reader.next(lane, bounds.frame_bytes_max).await {
            Ok(Some(frame)) => frame,
            Ok(None) => return LinkEnd::Protocol("closed a lane"),
            Err(fault) => return fault.into(),
        };
        let length = frame.len();
        if handler.frame(peer.config.index, lane, frame) {
            count(&counters.received_frames, 1);
            count(&counters.received_bytes, length);
        } else {
            count(&counters.receive_dropped, 1);
            metrics::counter!("phalanx_net_receive_dropped_frames_total", "lane" => lane.name()).increment(1);
        }
        let now = Instant::now();
        let wait = frames.take(1, now).max(bytes.take(length, now));
        if !wait.is_zero() {
            sleep(wait).await;
        }
    }
}
