//! The consensus block, which is the L2 block: named by the execution block's own hash.

use alloy_primitives::{B256, Bytes};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A block by number and hash.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    RlpEncodable,
    RlpDecodable,
)]
pub struct BlockRef {
    /// The L2 block number; genesis is 0.
    pub number: u64,
    /// The execution block's own hash.
    pub hash: B256,
}

impl BlockRef {
    /// No block at all: what a `Nullify` names.
    pub const NONE: Self = Self { number: 0, hash: B256::ZERO };

    /// The block `hash` at height `number`.
    #[must_use]
    pub const fn new(number: u64, hash: B256) -> Self {
        Self { number, hash }
    }
}

impl fmt::Display for BlockRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.number, self.hash)
    }
}

/// A block with its payload.
///
/// Invariant, kept by whoever constructs it (a [`BlockInspector`] or the builder): `hash` binds every
/// byte of `payload`, and the other fields are read out of it. So a verdict on `hash` is a verdict on
/// the payload, and nobody can poison it with the same hash over other bytes. It says nothing about
/// validity: that is for execution to say.
#[derive(Clone, PartialEq, Eq)]
pub struct Block {
    /// Number and hash.
    pub reference: BlockRef,
    /// The execution block's `parentHash`.
    pub parent_hash: B256,
    /// The execution block's timestamp. Unit: seconds since the Unix epoch.
    pub timestamp_s: u64,
    /// The encoded execution block, opaque to consensus.
    pub payload: Bytes,
}

impl Block {
    /// Whether this block's parent link names `parent` and its number follows.
    #[must_use]
    pub fn extends(&self, parent: BlockRef) -> bool {
        self.parent_hash == parent.hash && Some(self.reference.number) == parent.number.checked_add(1)
    }
}

impl fmt::Debug for Block {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Block")
            .field("reference", &self.reference)
            .field("parent_hash", &self.parent_hash)
            .field("timestamp_s", &self.timestamp_s)
            .field("payload_bytes", &self.payload.len())
            .finish()
    }
}

/// Why bytes are not a block. Blames whoever sent them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a block: {0}")]
pub struct InspectError(pub String);

/// Reads a payload without executing it, and checks that its hash binds all its bytes (canonical
/// encoding, transactions root, withdrawals root). The execution port supplies it.
pub trait BlockInspector: Send + Sync + fmt::Debug {
    /// The block in `payload`.
    ///
    /// # Errors
    /// [`InspectError`] when the bytes are no block, or hold bytes that the hash does not bind.
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError>;
}
