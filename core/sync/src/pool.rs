//! Blocks that are known and not yet handed on: live proposals and fetched ranges, by hash.
//!
//! Bounded by count and bytes. When it is full the highest blocks go first: they can be fetched again,
//! and what is lowest is what catch-up needs next.

use phalanx_types::{B256, Block, BlockRef};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// The most blocks held.
pub const POOL_BLOCKS_MAX: usize = 4_096;
/// The most payload bytes held.
pub const POOL_BYTES_MAX: usize = 128 << 20;

#[derive(Debug, Default)]
pub(crate) struct Pool {
    by_hash: BTreeMap<B256, Arc<Block>>,
    by_number: BTreeSet<(u64, B256)>,
    bytes: usize,
}

impl Pool {
    pub(crate) fn insert(&mut self, block: Arc<Block>) {
        let reference = block.reference;
        let bytes = block.payload.len();
        if self.by_hash.insert(reference.hash, block).is_none() {
            self.by_number.insert((reference.number, reference.hash));
            self.bytes += bytes;
        }
        while self.by_hash.len() > POOL_BLOCKS_MAX || self.bytes > POOL_BYTES_MAX {
            let Some((_, hash)) = self.by_number.last().copied() else { break };
            self.remove(hash);
        }
    }

    pub(crate) fn get(&self, hash: B256) -> Option<&Arc<Block>> {
        self.by_hash.get(&hash)
    }

    pub(crate) fn remove(&mut self, hash: B256) {
        if let Some(block) = self.by_hash.remove(&hash) {
            self.by_number.remove(&(block.reference.number, hash));
            self.bytes -= block.payload.len();
        }
    }

    /// Lets go of everything at or below `number`.
    pub(crate) fn prune(&mut self, number: u64) {
        while let Some((lowest, hash)) = self.by_number.first().copied() {
            if lowest > number {
                break;
            }
            self.remove(hash);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    /// Walks from `tip` down to `base`. `Ok`: the blocks above `base` up to `tip`, ascending. `Err`: the
    /// block that is missing, or `None` when the chain leads past `base` (it does not contain it).
    pub(crate) fn chain(&self, base: BlockRef, tip: BlockRef) -> Result<Vec<Arc<Block>>, Option<BlockRef>> {
        let mut blocks = Vec::new();
        let mut cursor = tip;
        while cursor.number > base.number {
            let block = self.get(cursor.hash).ok_or(Some(cursor))?;
            if block.reference.number != cursor.number {
                return Err(None);
            }
            blocks.push(Arc::clone(block));
            cursor = BlockRef::new(cursor.number - 1, block.parent_hash);
        }
        if cursor != base {
            return Err(None);
        }
        blocks.reverse();
        Ok(blocks)
    }
}
