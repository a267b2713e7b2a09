//! Links by this process, where the kernel has no netem: every namespace holds the addresses of all operators,
//! those of the others belong to sockets of this process, and what arrives at one of them leaves, after what the
//! link does to it, from its counterpart in the namespace of the operator whose address it is.
//!
//! Operators send and receive at one UDP port, so a datagram keeps the addresses that it would have had on a
//! wire. What is lost on the way is what a wire carries besides datagrams (ICMP, ECN).

use super::{Conditions, ip_inside, mesh_address, namespace};
use anyhow::Context;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::net::SocketAddrV4;
use std::os::fd::AsFd;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

/// How many packets a direction holds back; more are lost.
const PACKETS_MAX: usize = 20_000;
/// The largest datagram. Unit: bytes.
const DATAGRAM_BYTES_MAX: usize = 65_536;

/// One direction of one link.
#[derive(Debug, Default)]
struct Direction {
    conditions: Mutex<Conditions>,
}

/// All links.
#[derive(Debug)]
pub(super) struct Relay {
    /// By sender, then by receiver.
    directions: Vec<Vec<Arc<Direction>>>,
}

impl Relay {
    /// Makes perfect links and serves them for as long as this process lives.
    pub(super) async fn start(operators: u8, seed: u64) -> anyhow::Result<Self> {
        let mut sockets = Vec::new();
        for inside in 0..operators {
            // On the loopback device the whole network is local.
            ip_inside(inside, &format!("address add {}/24 dev lo", mesh_address(inside).ip()))?;
            let opened = tokio::task::spawn_blocking(move || open(inside, operators)).await??;
            sockets.push(opened.into_iter().map(|socket| socket.map(Arc::new)).collect::<Vec<_>>());
        }
        let mut directions = Vec::new();
        for from in 0..operators {
            let mut row = Vec::new();
            for to in 0..operators {
                let direction = Arc::new(Direction::default());
                row.push(Arc::clone(&direction));
                let arrives = &sockets[usize::from(from)][usize::from(to)];
                let leaves = &sockets[usize::from(to)][usize::from(from)];
                if let (Some(arrives), Some(leaves)) = (arrives, leaves) {
                    let random = ChaCha8Rng::seed_from_u64(seed ^ (u64::from(from) << 8 | u64::from(to)));
                    let (arrives, leaves) = (Arc::clone(arrives), Arc::clone(leaves));
                    let carrier = Carrier {
                        direction,
                        leaves,
                        to: mesh_address(to),
                        random,
                        held: BinaryHeap::new(),
                        order: 0,
                        busy_until: Instant::now(),
                    };
                    tokio::spawn(carrier.carry(arrives));
                }
            }
            directions.push(row);
        }
        Ok(Self { directions })
    }

    /// Worsens one direction.
    pub(super) fn set(&self, from: u8, to: u8, conditions: Conditions) {
        let direction = &self.directions[usize::from(from)][usize::from(to)];
        *direction.conditions.lock().unwrap_or_else(PoisonError::into_inner) = conditions;
    }
}

/// Opens a socket at the address of every other operator, in the namespace of `inside`.
fn open(inside: u8, operators: u8) -> anyhow::Result<Vec<Option<UdpSocket>>> {
    let runtime = tokio::runtime::Handle::current();
    // A thread of its own: it stays in that namespace until it ends, its sockets for ever.
    let opening = std::thread::spawn(move || -> anyhow::Result<Vec<Option<UdpSocket>>> {
        let _runtime = runtime.enter();
        let path = format!("/run/netns/{}", namespace(inside));
        let file = File::open(&path).with_context(|| path.clone())?;
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).context(path)?;
        let open = |other: u8| -> anyhow::Result<Option<UdpSocket>> {
            if other == inside {
                return Ok(None);
            }
            let socket = std::net::UdpSocket::bind(mesh_address(other))?;
            socket.set_nonblocking(true)?;
            Ok(Some(UdpSocket::from_std(socket)?))
        };
        (0..operators).map(open).collect()
    });
    opening.join().map_err(|_| anyhow::anyhow!("opening the sockets of the relay panicked"))?
}

/// A datagram on its way: when it is due, its place among those due then, and itself.
type Held = Reverse<(Instant, u64, Vec<u8>)>;

/// Carries one direction.
struct Carrier {
    direction: Arc<Direction>,
    leaves: Arc<UdpSocket>,
    to: SocketAddrV4,
    random: ChaCha8Rng,
    held: BinaryHeap<Held>,
    order: u64,
    /// Until when earlier packets take all of the link's rate.
    busy_until: Instant,
}

impl Carrier {
    async fn carry(mut self, arrives: Arc<UdpSocket>) {
        let mut buffer = vec![0; DATAGRAM_BYTES_MAX];
        loop {
            let due = self.held.peek().map(|Reverse((due, ..))| *due);
            let due = async {
                match due {
                    Some(due) => sleep_until(due).await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                received = arrives.recv_from(&mut buffer) => {
                    if let Ok((length, _)) = received {
                        self.take(&buffer[..length]).await;
                    }
                }
                () = due => {
                    let Some(Reverse((_, _, packet))) = self.held.pop() else { continue };
                    self.leave(&packet).await;
                }
            }
        }
    }

    async fn take(&mut self, packet: &[u8]) {
        let conditions = *self.direction.conditions.lock().unwrap_or_else(PoisonError::into_inner);
        if conditions.cut || self.random.random_bool(conditions.loss) {
            return;
        }
        if conditions == Conditions::default() && self.held.is_empty() {
            return self.leave(packet).await;
        }
        let copies = if self.random.random_bool(conditions.duplicate) { 2 } else { 1 };
        for _ in 0..copies {
            if self.held.len() >= PACKETS_MAX {
                return;
            }
            let due = self.due(&conditions, packet.len());
            self.held.push(Reverse((due, self.order, packet.to_vec())));
            self.order += 1;
        }
    }

    /// When a packet that arrives now leaves.
    fn due(&mut self, conditions: &Conditions, bytes: usize) -> Instant {
        let mut start = Instant::now();
        if let Some(rate_kbit) = conditions.rate_kbit {
            let takes = Duration::from_micros(bytes as u64 * 8_000 / u64::from(rate_kbit.max(1)));
            self.busy_until = self.busy_until.max(start) + takes;
            start = self.busy_until;
        }
        let jitter = conditions.jitter.mul_f64(self.random.random_range(0.0..=2.0));
        start + (conditions.delay + jitter).saturating_sub(conditions.jitter)
    }

    async fn leave(&self, packet: &[u8]) {
        // What cannot be sent is lost, as on any network.
        let _ = self.leaves.send_to(packet, self.to).await;
    }
}
