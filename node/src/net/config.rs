//! What a mesh is told: who it is, who its peers are, and its bounds.

use phalanx_types::{BLOCK_MESSAGE_BYTES_MAX, ClusterId, OperatorIndex, RESPONSE_BYTES_MAX, VOTE_MESSAGE_BYTES_MAX};
use std::fmt;
use std::net::SocketAddr;
use zeroize::Zeroizing;

/// How many lanes there are.
pub const LANES: usize = 3;

/// The largest frame on the transaction lane; whoever batches transactions stops before it. Unit: bytes.
pub const TRANSACTION_FRAME_BYTES_MAX: usize = 1 << 20;
/// The largest request. Unit: bytes.
pub const REQUEST_BYTES_MAX: usize = 64 << 10;
/// The most requests that a peer may have open at once, in each direction.
pub const REQUESTS_PER_PEER_MAX: u32 = 4;

/// One long-lived stream in each direction, with a priority of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Lane {
    /// Votes, certificates, evidence: sent before anything else.
    Votes,
    /// Proposals with their payload.
    Blocks,
    /// Transactions on their way to every mempool.
    Transactions,
}

impl Lane {
    /// Every lane, in order of priority.
    pub const ALL: [Self; LANES] = [Self::Votes, Self::Blocks, Self::Transactions];

    /// The lane's place in [`Lane::ALL`], for use in arrays.
    #[must_use]
    pub const fn as_usize(self) -> usize {
        match self {
            Self::Votes => 0,
            Self::Blocks => 1,
            Self::Transactions => 2,
        }
    }

    /// The lane's name in logs and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Votes => "votes",
            Self::Blocks => "blocks",
            Self::Transactions => "transactions",
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// The seed of an operator's Ed25519 identity key (RFC 8032). Erased when dropped, never printed.
#[derive(Clone)]
pub struct IdentitySeed(Zeroizing<[u8; 32]>);

impl IdentitySeed {
    /// From the 32 bytes of the seed.
    #[must_use]
    pub fn new(seed: [u8; 32]) -> Self {
        Self(Zeroizing::new(seed))
    }

    /// The seed itself.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The public key that the cluster file carries.
    #[must_use]
    pub fn public_key(&self) -> [u8; 32] {
        ed25519_dalek::SigningKey::from_bytes(&self.0).verifying_key().to_bytes()
    }
}

impl fmt::Debug for IdentitySeed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("IdentitySeed(..)")
    }
}

/// Another operator, as the cluster file names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerConfig {
    /// Its seat.
    pub index: OperatorIndex,
    /// Its name, for people.
    pub name: String,
    /// The public key of its Ed25519 identity.
    pub identity_public_key: [u8; 32],
    /// Where it listens: `host:port`, resolved anew at each dial.
    pub address: String,
}

/// Everything that a mesh is told.
#[derive(Clone, Debug)]
pub struct MeshConfig {
    /// This operator's identity.
    pub identity: IdentitySeed,
    /// This operator's seat.
    pub index: OperatorIndex,
    /// The cluster, named in the ALPN.
    pub cluster: ClusterId,
    /// Every other operator.
    pub peers: Vec<PeerConfig>,
    /// Where to listen, and where dials come from.
    pub bind: SocketAddr,
    /// The bounds.
    pub limits: Limits,
}

/// The bounds of one lane, for each peer and direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LaneLimits {
    /// The largest frame. Unit: bytes.
    pub frame_bytes_max: usize,
    /// The most frames that wait to be sent.
    pub queue_frames_max: usize,
    /// The most bytes that wait to be sent (one frame always fits).
    pub queue_bytes_max: usize,
    /// The sustained rate at which frames are read. Unit: frames/s. A burst of one second is free.
    pub frames_per_second_max: u32,
    /// The sustained rate at which bytes are read. Unit: bytes/s. A burst of one second is free.
    pub bytes_per_second_max: u64,
}

/// The bounds of a mesh.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Of each lane, in the order of [`Lane::ALL`].
    pub lanes: [LaneLimits; LANES],
    /// The largest request. Unit: bytes.
    pub request_bytes_max: usize,
    /// The largest response. Unit: bytes.
    pub response_bytes_max: usize,
}

impl Limits {
    /// The bounds of `lane`.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &LaneLimits {
        &self.lanes[lane.as_usize()]
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            lanes: [
                LaneLimits {
                    frame_bytes_max: VOTE_MESSAGE_BYTES_MAX,
                    queue_frames_max: 4_096,
                    queue_bytes_max: 4 << 20,
                    frames_per_second_max: 20_000,
                    bytes_per_second_max: 16 << 20,
                },
                LaneLimits {
                    frame_bytes_max: BLOCK_MESSAGE_BYTES_MAX,
                    queue_frames_max: 256,
                    queue_bytes_max: 4 * BLOCK_MESSAGE_BYTES_MAX,
                    frames_per_second_max: 2_000,
                    bytes_per_second_max: 256 << 20,
                },
                LaneLimits {
                    frame_bytes_max: TRANSACTION_FRAME_BYTES_MAX,
                    queue_frames_max: 4_096,
                    queue_bytes_max: 16 << 20,
                    frames_per_second_max: 20_000,
                    bytes_per_second_max: 64 << 20,
                },
            ],
            request_bytes_max: REQUEST_BYTES_MAX,
            response_bytes_max: RESPONSE_BYTES_MAX + (64 << 10),
        }
    }
}
