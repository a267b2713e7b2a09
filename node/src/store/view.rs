//! Reading the chain store: consistent views, from any thread.

use crate::store::StoreError;
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, Position};
use std::ops::RangeInclusive;

/// A block as it is held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// The block with its payload.
    pub block: Block,
    /// Where it was proposed, as far as was said, oldest first.
    pub positions: Vec<Position>,
    /// Whether it is final.
    pub finalized: bool,
}

/// Where a final transaction is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TransactionPlace {
    /// The block's height.
    pub number: u64,
    /// The transaction's place in the block, from 0.
    pub index: u32,
}

/// A handle for reading; clone it freely.
#[derive(Clone, Debug)]
pub struct Reader {}

impl Reader {
    /// A consistent view of what is durable now. Cheap; drop it soon, since it holds back the reuse of disk
    /// space.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn view(&self) -> Result<View, StoreError> {
        unimplemented!("signatures first")
    }
}

/// A consistent view. Every method fails with [`StoreError`] when the disk fails or the file is corrupt.
#[derive(Debug)]
#[allow(missing_docs, clippy::missing_errors_doc, reason = "signatures first")]
pub struct View {}

#[allow(missing_docs, reason = "signatures first")]
impl View {
    pub fn latest_finalized(&self) -> Result<Option<BlockRef>, StoreError> {
        unimplemented!("signatures first")
    }
    pub fn finalized_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        unimplemented!("{number}")
    }
    /// The final block at a height.
    pub fn block_by_number(&self, number: u64) -> Result<Option<StoredBlock>, StoreError> {
        unimplemented!("{number}")
    }
    /// A block, final or not.
    pub fn block_by_hash(&self, hash: B256) -> Result<Option<StoredBlock>, StoreError> {
        unimplemented!("{hash}")
    }
    /// Final blocks of `heights` in order; stops before `count_max` or `bytes_max` payload bytes is passed (the first
    /// always fits), and at the latest final one.
    pub fn blocks(
        &self,
        heights: RangeInclusive<u64>,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<StoredBlock>, StoreError> {
        unimplemented!("{heights:?} {count_max} {bytes_max}")
    }
    /// The receipts of the final block at a height.
    pub fn receipts(&self, number: u64) -> Result<Option<Bytes>, StoreError> {
        unimplemented!("{number}")
    }
    /// Receipts of final blocks of `heights`, in order, bounded as [`View::blocks`].
    pub fn receipts_range(
        &self,
        heights: RangeInclusive<u64>,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Bytes)>, StoreError> {
        unimplemented!("{heights:?} {count_max} {bytes_max}")
    }
    pub fn transaction(&self, hash: B256) -> Result<Option<TransactionPlace>, StoreError> {
        unimplemented!("{hash}")
    }
    /// The finalization of the block at exactly this height.
    pub fn finalization(&self, number: u64) -> Result<Option<Certificate>, StoreError> {
        unimplemented!("{number}")
    }
    /// The first finalization at this height or above: it proves the block at this height final.
    pub fn finalization_at_or_above(&self, number: u64) -> Result<Option<Certificate>, StoreError> {
        unimplemented!("{number}")
    }
    pub fn highest_finalization(&self) -> Result<Option<Certificate>, StoreError> {
        unimplemented!("signatures first")
    }
    /// Every notarization held at a height, in order of position.
    pub fn notarizations(&self, number: u64) -> Result<Vec<Certificate>, StoreError> {
        unimplemented!("{number}")
    }
    /// A finalization, else a notarization, of exactly this block.
    pub fn certificate_of(&self, block: BlockRef) -> Result<Option<Certificate>, StoreError> {
        unimplemented!("{block}")
    }
    /// Nullifications and last-slot notarizations of `terms` of `epoch`, in order of position, at most `count_max`.
    pub fn terms(
        &self,
        epoch: u64,
        terms: RangeInclusive<u64>,
        count_max: usize,
    ) -> Result<Vec<Certificate>, StoreError> {
        unimplemented!("{epoch} {terms:?} {count_max}")
    }
    /// Blocks above the latest final one, in order of height: what a restarted operator holds. At most `count_max`.
    pub fn unfinalized(&self, count_max: usize) -> Result<Vec<StoredBlock>, StoreError> {
        unimplemented!("{count_max}")
    }
}
