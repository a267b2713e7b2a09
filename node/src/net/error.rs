//! What goes wrong in a mesh, by who is to blame.

use phalanx_types::OperatorIndex;
use std::net::SocketAddr;
use std::time::Duration;

/// Why the mesh could not do what it was asked.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// The configuration contradicts itself.
    #[error("the mesh's configuration: {0}")]
    MisuseConfig(String),
    /// No operator has that index.
    #[error("there is no operator {0} among the peers")]
    MisuseUnknownPeer(OperatorIndex),
    /// The request itself is too large.
    #[error("a request of {actual} bytes, at most {max}")]
    MisuseRequestTooLarge {
        /// Bytes of the request.
        actual: usize,
        /// The bound.
        max: usize,
    },
    /// There is no connection to the peer now.
    #[error("operator {0} is not connected")]
    PeerNotConnected(OperatorIndex),
    /// The connection ended before the answer.
    #[error("the connection to operator {peer} ended: {reason}")]
    PeerLost {
        /// Which peer.
        peer: OperatorIndex,
        /// Why it ended.
        reason: String,
    },
    /// The peer declined to answer.
    #[error("operator {0} refused the request")]
    PeerRefused(OperatorIndex),
    /// The peer answered more than it may.
    #[error("operator {peer} answered with more than {max} bytes")]
    PeerResponseTooLarge {
        /// Which peer.
        peer: OperatorIndex,
        /// The bound.
        max: usize,
    },
    /// The peer did not answer in time.
    #[error("operator {peer} did not answer within {timeout:?}")]
    PeerTimeout {
        /// Which peer.
        peer: OperatorIndex,
        /// How long it had.
        timeout: Duration,
    },
    /// The socket could not be bound.
    #[error("cannot bind the mesh's UDP socket to {address}: {source}")]
    IoBind {
        /// Where.
        address: SocketAddr,
        /// Why.
        source: std::io::Error,
    },
    /// The mesh was shut down.
    #[error("the mesh is shut down")]
    Shutdown,
}
