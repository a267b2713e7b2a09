//! The QUIC mesh between operators: mutually authenticated connections that carry opaque frames.
//!
//! Each pair of operators shares one connection: the operator with the lower index dials, the other
//! accepts. TLS 1.3 with raw public keys (RFC 7250) proves the Ed25519 identity key of both ends; a key
//! that is not in the cluster file is refused in the handshake, and so is any key but that of the seat
//! that was dialled. The ALPN names protocol, version and cluster id.
//!
//! Invariants: nothing here grows without a named bound; `Mesh::send` never waits; a lane's frames arrive
//! in the order in which they were sent, or not at all; a frame that is not sent or not taken is counted.
//! What frames mean, and sending again what was lost, is left to others.

mod config;
mod error;
mod handler;
mod status;

pub use config::{
    IdentitySeed, LANES, Lane, LaneLimits, Limits, MeshConfig, PeerConfig, REQUEST_BYTES_MAX, REQUESTS_PER_PEER_MAX,
    TRANSACTION_FRAME_BYTES_MAX,
};
pub use error::NetError;
pub use handler::Handler;
pub use status::{LaneStatus, PeerStatus};

use bytes::Bytes;
use phalanx_types::OperatorIndex;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// A running mesh.
#[derive(Debug)]
pub struct Mesh {}

impl Mesh {
    /// Binds the socket and begins to dial and accept, on the current tokio runtime.
    ///
    /// # Errors
    /// [`NetError`] when the configuration contradicts itself or the socket cannot be bound.
    pub async fn start(config: MeshConfig, handler: Arc<dyn Handler>) -> Result<Self, NetError> {
        let _ = (config, handler);
        unimplemented!("signatures first")
    }

    /// The address that the socket is bound to.
    #[must_use]
    pub fn local_address(&self) -> SocketAddr {
        unimplemented!("signatures first")
    }

    /// Queues `frame` for `to`. Never waits, may be called from any thread. False when the frame was
    /// dropped (and counted): no connection, a full queue, a frame above the lane's bound, or no such peer.
    pub fn send(&self, to: OperatorIndex, lane: Lane, frame: Bytes) -> bool {
        let _ = (to, lane, frame);
        unimplemented!("signatures first")
    }

    /// Queues `frame` for every peer; the number of peers for which it was queued.
    pub fn broadcast(&self, lane: Lane, frame: &Bytes) -> usize {
        let _ = (lane, frame);
        unimplemented!("signatures first")
    }

    /// Asks `to`, and waits for its whole answer, at most `timeout`.
    ///
    /// # Errors
    /// [`NetError`] when there is no connection, the peer refuses or answers too much, or time is up.
    pub async fn request(&self, to: OperatorIndex, request: Bytes, timeout: Duration) -> Result<Bytes, NetError> {
        let _ = (to, request, timeout);
        unimplemented!("signatures first")
    }

    /// Every peer, in order of index.
    #[must_use]
    pub fn status(&self) -> Vec<PeerStatus> {
        unimplemented!("signatures first")
    }

    /// Closes every connection, tells the peers, and waits (bounded) until they have heard it.
    pub async fn shutdown(&self) {
        unimplemented!("signatures first")
    }
}
