//! Errors, one enum for each party that can be at fault.

use phalanx_types::{OperatorIndex, Position};

/// A value that its sender should not have sent. Names no sender: the caller knows who that is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PeerError {
    /// A threshold signature, partial or recovered, that is no valid signature of its digest.
    #[error("the threshold signature does not verify")]
    Signature,
    /// An identity signature that is no valid signature of its header.
    #[error("the identity signature of operator {0} does not verify")]
    IdentitySignature(OperatorIndex),
    /// A vote that names a block where it should not, or names none where it should.
    #[error("a Nullify names no block, a Notarize or Finalize names one")]
    VoteMalformed,
    /// A proposal by somebody else than the leader of its term.
    #[error("operator {actual} does not lead {position}, operator {expected} does")]
    NotLeader {
        /// Where the proposal stands.
        position: Position,
        /// Who leads there.
        expected: OperatorIndex,
        /// Who claims to.
        actual: OperatorIndex,
    },
    /// A dealing that is malformed, or whose proof fails.
    #[error("the dealing is invalid: {0}")]
    Dealing(&'static str),
    /// Evidence of equivocation about two different positions.
    #[error("no equivocation: the two proposals are for different positions, {0} and {1}")]
    DifferentPositions(Position, Position),
    /// Evidence of equivocation that holds the same proposal twice.
    #[error("no equivocation: both proposals at {0} are the same")]
    SameProposal(Position),
}

/// Keys or arguments that whoever configured or called this should not have given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MisuseError {
    /// Bytes that are no public key.
    #[error("not a public key: {0}")]
    PublicKey(phalanx_bls::BlsError),
    /// Bytes that are no identity key.
    #[error("not an identity key: 32 bytes of an Ed25519 point of large order are expected")]
    IdentityKey,
    /// Bytes that are no encryption key.
    #[error("not an encryption key: 32 bytes of an X25519 public key of prime order are expected")]
    EncryptionKey,
    /// Keys of somebody else than the operator who is said to take part.
    #[error("the identity or encryption key is not that of operator {0}")]
    NotOurSeat(OperatorIndex),
    /// Text that is not hexadecimal of the right length.
    #[error("{what} has {expected} bytes in hexadecimal")]
    Hex {
        /// What was expected.
        what: &'static str,
        /// How long it is. Unit: bytes.
        expected: usize,
    },
    /// Bytes that are no secret share: zero, or not below the group's order.
    #[error("not a secret share: 32 big-endian bytes of a number from 1 to the group's order, exclusive, are expected")]
    SecretShare,
    /// Another number of keys than there are operators.
    #[error("{actual} {what}, but the cluster has {expected} operators")]
    Count {
        /// What was counted.
        what: &'static str,
        /// How many there are.
        actual: usize,
        /// How many operators there are.
        expected: usize,
    },
    /// Share keys that are not the shares of the cluster's key.
    #[error(
        "the share keys do not belong to the cluster's public key: keys of different clusters, or in another order"
    )]
    Inconsistent,
    /// An identity asked to sign where another operator leads.
    #[error("this identity is not that of operator {leader}, who leads {position}")]
    NotOurTerm {
        /// Where the proposal stands.
        position: Position,
        /// Who leads there.
        leader: OperatorIndex,
    },
}
