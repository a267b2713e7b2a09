//! Real meshes on loopback: what arrives, who is refused, what a restart does, and that bounds hold.

mod admission;
mod bounds;
mod carriage;
mod requests;
mod restart;

use crate::net::tls::{Identity, SERVER_NAME};
use crate::net::{Handler, IdentitySeed, Lane, Limits, Mesh, MeshConfig, PeerConfig, PeerStatus, transport};
use bytes::Bytes;
use phalanx_types::{B256, ClusterId, OperatorIndex};
use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// No test waits longer than this for something that must happen. Far above what it takes.
pub(super) const PATIENCE: Duration = Duration::from_secs(20);
pub(super) const CLUSTER: ClusterId = ClusterId(B256::repeat_byte(3));

pub(super) type Answer = Box<dyn Fn(OperatorIndex, Bytes) -> Option<Bytes> + Send + Sync>;

/// What a mesh handed over.
pub(super) struct Recorder {
    pub(super) frames: Mutex<Vec<(OperatorIndex, Lane, Bytes)>>,
    pub(super) connects: AtomicUsize,
    pub(super) disconnects: AtomicUsize,
    room: usize,
    answer: Answer,
}

impl Recorder {
    pub(super) fn new() -> Arc<Self> {
        Self::with(usize::MAX, Box::new(|_, request| Some(request)))
    }

    pub(super) fn with(room: usize, answer: Answer) -> Arc<Self> {
        let (connects, disconnects) = (AtomicUsize::new(0), AtomicUsize::new(0));
        Arc::new(Self { frames: Mutex::default(), connects, disconnects, room, answer })
    }

    pub(super) fn count(&self) -> usize {
        self.frames.lock().unwrap().len()
    }

    /// What came from `from` on `lane`, in order.
    pub(super) fn received(&self, from: u16, lane: Lane) -> Vec<Bytes> {
        let frames = self.frames.lock().unwrap();
        let ours = |found: &&(OperatorIndex, Lane, Bytes)| found.0 == OperatorIndex(from) && found.1 == lane;
        frames.iter().filter(ours).map(|found| found.2.clone()).collect()
    }
}

impl Handler for Recorder {
    fn frame(&self, from: OperatorIndex, lane: Lane, frame: Bytes) -> bool {
        let mut frames = self.frames.lock().unwrap();
        let room = frames.len() < self.room;
        if room {
            frames.push((from, lane, frame));
        }
        room
    }

    fn request(&self, from: OperatorIndex, request: Bytes) -> Option<Bytes> {
        (self.answer)(from, request)
    }

    fn connected(&self, _peer: OperatorIndex) {
        self.connects.fetch_add(1, Ordering::SeqCst);
    }

    fn disconnected(&self, _peer: OperatorIndex) {
        self.disconnects.fetch_add(1, Ordering::SeqCst);
    }
}

/// Waits until `reached`, and fails the test if that does not come.
pub(super) async fn eventually(what: &str, reached: impl Fn() -> bool) {
    let waited = tokio::time::timeout(PATIENCE, async {
        while !reached() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    });
    assert!(waited.await.is_ok(), "waited {PATIENCE:?} in vain: {what}");
}

pub(super) fn seed(index: u16) -> IdentitySeed {
    IdentitySeed::new([u8::try_from(index).unwrap() + 1; 32])
}

/// Operators that can be started, each on a port of its own.
pub(super) struct Cluster {
    pub(super) configs: Vec<MeshConfig>,
    sockets: Vec<Option<UdpSocket>>,
}

impl Cluster {
    pub(super) fn new(n: u16) -> Self {
        let sockets: Vec<_> = (0..n).map(|_| UdpSocket::bind("127.0.0.1:0").unwrap()).collect();
        let addresses: Vec<SocketAddr> = sockets.iter().map(|socket| socket.local_addr().unwrap()).collect();
        let peer = |index: u16| PeerConfig {
            index: OperatorIndex(index),
            name: format!("operator-{index}"),
            identity_public_key: seed(index).public_key(),
            address: addresses[usize::from(index)].to_string(),
        };
        let configs = (0..n)
            .map(|index| MeshConfig {
                identity: seed(index),
                index: OperatorIndex(index),
                cluster: CLUSTER,
                peers: (0..n).filter(|other| *other != index).map(peer).collect(),
                bind: addresses[usize::from(index)],
                limits: Limits::default(),
            })
            .collect();
        Self { configs, sockets: sockets.into_iter().map(Some).collect() }
    }

    /// Starts one operator, the first time on the socket that was bound for it.
    pub(super) async fn start(&mut self, index: u16, handler: &Arc<Recorder>) -> Mesh {
        let config = self.configs[usize::from(index)].clone();
        let handler = Arc::clone(handler) as Arc<dyn Handler>;
        match self.sockets[usize::from(index)].take() {
            Some(socket) => Mesh::start_on(socket, config, handler).unwrap(),
            None => Mesh::start(config, handler).await.unwrap(),
        }
    }
}

/// Two connected meshes.
pub(super) async fn pair(cluster: &mut Cluster, handlers: [&Arc<Recorder>; 2]) -> (Mesh, Mesh) {
    let (low, high) = (cluster.start(0, handlers[0]).await, cluster.start(1, handlers[1]).await);
    eventually("both connected", || connected(&low, 1) && connected(&high, 0)).await;
    (low, high)
}

pub(super) fn status(mesh: &Mesh, peer: u16) -> PeerStatus {
    mesh.status().into_iter().find(|status| status.index == OperatorIndex(peer)).unwrap()
}

pub(super) fn connected(mesh: &Mesh, peer: u16) -> bool {
    status(mesh, peer).connected
}

/// A bare connection as operator `index` to a mesh that is operator `to`: for saying what a mesh would not.
pub(super) async fn intrude(
    index: u16,
    to: u16,
    address: SocketAddr,
) -> Result<(quinn::Endpoint, quinn::Connection), quinn::ConnectionError> {
    let identity = Identity::new(&seed(index), CLUSTER).unwrap();
    let expected = crate::net::tls::spki(&seed(to).public_key());
    let mut config = quinn::ClientConfig::new(Arc::new(identity.dialler(expected).unwrap()));
    config.transport_config(transport::transport());
    let endpoint = quinn::Endpoint::client("127.0.0.1:0".parse().unwrap()).unwrap();
    let connection = endpoint.connect_with(config, address, SERVER_NAME).unwrap().await?;
    Ok((endpoint, connection))
}
