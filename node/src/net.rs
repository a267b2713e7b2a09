//! The QUIC mesh between operators: mutually authenticated connections that carry opaque frames.
//!
//! Each pair of operators shares one connection: the operator with the lower index dials, the other
//! accepts. TLS 1.3 with raw public keys (RFC 7250) proves the Ed25519 identity key of both ends; a key
//! that is not in the cluster file is refused in the handshake, and so is any key but that of the seat
//! that was dialled. The ALPN names protocol, version and cluster id.
//!
//! Invariants: nothing here grows without a named bound; `Mesh::send` never waits; a lane's frames arrive
//! in the order in which they were sent, each once or not at all; a frame that is not sent or not taken is
//! counted. What frames mean, and sending again what was lost, is left to others.

mod accept;
mod config;
mod dial;
mod error;
mod frame;
mod handler;
mod link;
mod peer;
mod rate;
mod request;
mod status;
mod tls;
mod transport;

#[cfg(test)]
mod tests;

pub use config::{
    IdentitySeed, LANES, Lane, LaneLimits, Limits, MeshConfig, PeerConfig, REQUEST_BYTES_MAX, REQUESTS_PER_PEER_MAX,
    TRANSACTION_FRAME_BYTES_MAX,
};
pub use error::NetError;
pub use handler::Handler;
pub use status::{LaneStatus, PeerStatus};

use bytes::Bytes;
use peer::{Close, Peer};
use phalanx_types::OperatorIndex;
use quinn::{Endpoint, TokioRuntime};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::net::{SocketAddr, UdpSocket};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// How long a shutdown waits for peers to hear of it.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_secs(1);
/// How often the gauges of connections and queues are set.
const GAUGES_INTERVAL: Duration = Duration::from_secs(1);

/// What every task of a mesh shares.
struct Shared {
    index: OperatorIndex,
    limits: Limits,
    /// In order of index.
    peers: Vec<Arc<Peer>>,
    handler: Arc<dyn Handler>,
    endpoint: Endpoint,
    address: SocketAddr,
    closing: watch::Sender<bool>,
}

impl Shared {
    fn peer(&self, index: OperatorIndex) -> Option<&Arc<Peer>> {
        let place = self.peers.binary_search_by_key(&index, |peer| peer.config.index).ok()?;
        self.peers.get(place)
    }
}

/// A running mesh. Dropping it ends every connection; [`Mesh::shutdown`] also waits until the peers have heard.
pub struct Mesh {
    shared: Arc<Shared>,
    tasks: Mutex<JoinSet<()>>,
}

impl fmt::Debug for Mesh {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (index, address) = (self.shared.index, self.shared.address);
        f.debug_struct("Mesh").field("index", &index).field("address", &address).finish_non_exhaustive()
    }
}

impl Mesh {
    /// Binds the socket and begins to dial and accept, on the current tokio runtime.
    ///
    /// # Errors
    /// [`NetError`] when the configuration contradicts itself or the socket cannot be bound.
    pub async fn start(config: MeshConfig, handler: Arc<dyn Handler>) -> Result<Self, NetError> {
        let bind_failed = |source| NetError::IoBind { address: config.bind, source };
        let socket = UdpSocket::bind(config.bind).map_err(bind_failed)?;
        Self::start_on(socket, config, handler)
    }

    /// Starts on a socket that is bound already; `config.bind` is not looked at.
    fn start_on(socket: UdpSocket, config: MeshConfig, handler: Arc<dyn Handler>) -> Result<Self, NetError> {
        check(&config)?;
        let identity = tls::Identity::new(&config.identity, config.cluster)?;
        let mut peers: Vec<_> = config.peers.iter().cloned().map(|peer| Arc::new(Peer::new(peer))).collect();
        peers.sort_by_key(|peer| peer.config.index);
        let (lower, higher): (Vec<_>, Vec<_>) = peers.iter().partition(|peer| peer.config.index < config.index);
        let accepted = lower.iter().map(|peer| peer.spki()).collect();
        let transport = transport::transport();
        let mut server = quinn::ServerConfig::with_crypto(Arc::new(identity.acceptor(accepted)?));
        server.transport_config(Arc::clone(&transport));
        transport::bound_incoming(&mut server);
        let bind_failed = |source| NetError::IoBind { address: config.bind, source };
        let settings = transport::endpoint(&config.identity);
        let endpoint = Endpoint::new(settings, Some(server), socket, Arc::new(TokioRuntime)).map_err(bind_failed)?;
        let mut dialled = Vec::new();
        for peer in higher {
            let mut client = quinn::ClientConfig::new(Arc::new(identity.dialler(peer.spki())?));
            client.transport_config(Arc::clone(&transport));
            dialled.push((Arc::clone(peer), client));
        }
        let address = endpoint.local_addr().map_err(bind_failed)?;
        let (index, limits) = (config.index, config.limits);
        let shared =
            Arc::new(Shared { index, limits, peers, handler, endpoint, address, closing: watch::Sender::new(false) });
        let mut tasks = JoinSet::new();
        tasks.spawn(accept::keep_accepting(Arc::clone(&shared)));
        tasks.spawn(keep_gauges(Arc::clone(&shared)));
        for (peer, client) in dialled {
            tasks.spawn(dial::keep_dialling(Arc::clone(&shared), peer, client));
        }
        Ok(Self { shared, tasks: Mutex::new(tasks) })
    }

    /// The address that the socket is bound to.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Queues `frame` for `to`. Never waits, and may be called from any thread. False when the frame was
    /// dropped (and counted): no connection, a full queue, or a frame above the lane's bound. Also false for
    /// an operator that is no peer.
    pub fn send(&self, to: OperatorIndex, lane: Lane, frame: Bytes) -> bool {
        self.shared.peer(to).is_some_and(|peer| peer.send(lane, frame, &self.shared.limits))
    }

    /// Queues `frame` for every peer; for how many it was queued.
    pub fn broadcast(&self, lane: Lane, frame: &Bytes) -> usize {
        let queued = |peer: &&Arc<Peer>| peer.send(lane, frame.clone(), &self.shared.limits);
        self.shared.peers.iter().filter(queued).count()
    }

    /// Asks `to`, and waits for its whole answer, at most `timeout`. At most [`REQUESTS_PER_PEER_MAX`] are
    /// under way to one peer; more wait their turn.
    ///
    /// # Errors
    /// [`NetError`] when there is no connection, the peer refuses or answers too much, or time is up.
    pub async fn request(&self, to: OperatorIndex, request: Bytes, timeout: Duration) -> Result<Bytes, NetError> {
        let limits = &self.shared.limits;
        let (actual, max) = (request.len(), limits.request_bytes_max);
        if actual > max {
            return Err(NetError::MisuseRequestTooLarge { actual, max });
        }
        let peer = self.shared.peer(to).ok_or(NetError::MisuseUnknownPeer(to))?;
        if *self.shared.closing.borrow() {
            return Err(NetError::Shutdown);
        }
        let link = peer.link().ok_or(NetError::PeerNotConnected(to))?;
        request::ask(to, &link, request, limits, timeout).await
    }

    /// Every peer, in order of index.
    #[must_use]
    pub fn status(&self) -> Vec<PeerStatus> {
        self.shared.peers.iter().map(|peer| peer.status()).collect()
    }

    /// Closes every connection, tells the peers, and waits (bounded) until they have heard it.
    pub async fn shutdown(&self) {
        self.shared.closing.send_replace(true);
        self.shared.endpoint.close(Close::Shutdown.code(), b"the operator stops");
        // Peers that are gone do not acknowledge: the bound is for them.
        let _ = timeout(SHUTDOWN_TIMEOUT, self.shared.endpoint.wait_idle()).await;
        let mut tasks = std::mem::take(&mut *self.tasks.lock().unwrap_or_else(PoisonError::into_inner));
        tasks.shutdown().await;
    }
}

/// Refuses a configuration that contradicts itself.
fn check(config: &MeshConfig) -> Result<(), NetError> {
    let misuse = |what: String| Err(NetError::MisuseConfig(what));
    let mut indexes = BTreeSet::from([config.index]);
    let mut keys = BTreeMap::from([(config.identity.public_key(), config.index)]);
    for peer in &config.peers {
        if !indexes.insert(peer.index) {
            return misuse(format!("operator {} is named twice", peer.index));
        }
        if let Some(other) = keys.insert(peer.identity_public_key, peer.index) {
            return misuse(format!("operators {other} and {} have the same identity key", peer.index));
        }
    }
    for lane in Lane::ALL {
        let limits = config.limits.lane(lane);
        let counts = [limits.queue_frames_max, limits.queue_bytes_max, limits.frame_bytes_max];
        if counts.contains(&0) || limits.frames_per_second_max == 0 || limits.bytes_per_second_max == 0 {
            return misuse(format!("every limit of the {lane} lane must be above 0"));
        }
        if u32::try_from(limits.frame_bytes_max).is_err() {
            return misuse(format!("frames of the {lane} lane must stay below 4 GiB"));
        }
    }
    Ok(())
}

/// Shows connections and queues in the metrics.
async fn keep_gauges(shared: Arc<Shared>) {
    let mut ticks = tokio::time::interval(GAUGES_INTERVAL);
    loop {
        ticks.tick().await;
        let mut connected = 0_u32;
        for peer in &shared.peers {
            let status = peer.status();
            connected += u32::from(status.connected);
            let name = status.index.to_string();
            for lane in Lane::ALL {
                let queued = u32::try_from(status.lane(lane).queued_frames).unwrap_or(u32::MAX);
                metrics::gauge!("phalanx_net_queued_frames", "peer" => name.clone(), "lane" => lane.name())
                    .set(f64::from(queued));
            }
            let rtt = status.rtt.unwrap_or_default().as_secs_f64();
            metrics::gauge!("phalanx_net_rtt_seconds", "peer" => name).set(rtt);
        }
        metrics::gauge!("phalanx_net_connected_peers").set(f64::from(connected));
    }
}
