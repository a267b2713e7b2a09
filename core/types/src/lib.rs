//! The vocabulary of Phalanx: ids, positions, blocks, votes, certificates, and how they look on the
//! wire and on disk.
//!
//! Invariants: every type is plain data, ordered and hashable where that makes sense; decoding is strict
//! (canonical RLP, no trailing bytes, every list bounded by a named `*_MAX`). Nothing here checks a
//! signature, reads a clock or does IO; a decoded value is well-formed, not true. Truth is
//! `phalanx_threshold::Verified`.
#![forbid(unsafe_code)]

mod block;
mod certificate;
mod codec;
mod id;
mod message;
mod position;
mod proposal;
mod record;
mod signature;
mod time;
mod vote;

pub use alloy_primitives::{B256, Bytes, keccak256};
pub use block::{Block, BlockInspector, BlockRef, InspectError};
pub use certificate::Certificate;
pub use codec::{DecodeError, WIRE_VERSION, Wire};
pub use id::{ClusterId, ClusterSize, OPERATORS_MAX, OperatorIndex};
pub use message::{
    BLOCK_MESSAGE_BYTES_MAX, BLOCKS_PER_RESPONSE_MAX, CERTIFICATES_PER_RESPONSE_MAX, Message, PAYLOAD_BYTES_MAX,
    RESPONSE_BYTES_MAX, SyncRequest, SyncResponse, TRANSACTION_BYTES_MAX, TRANSACTIONS_PER_MESSAGE_MAX,
    VOTE_MESSAGE_BYTES_MAX,
};
pub use position::Position;
pub use proposal::{Equivocation, JUSTIFICATION_CERTIFICATES_MAX, Proposal, UnsignedProposal};
pub use record::Record;
pub use signature::{IdentitySignature, SignatureBytes, SignatureLengthError};
pub use time::Time;
pub use vote::{SignedVote, Vote, VoteKind};
