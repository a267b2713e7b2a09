//! Reading the chain store: consistent views, from any thread.

use crate::store::StoreError;
use crate::store::fault::{ChainFile, Fault};
use crate::store::payload_log::{Logged, LoggedBlocks};
use crate::store::tables::{
    FINALIZATIONS, FINALIZED, HEADERS, HeaderRecord, NOTARIZATIONS, NUMBERS, PAYLOADS, POOLED, RECEIPTS, TERMS,
    TRANSACTIONS, block_key, certificate, unseal,
};
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, Position};
use redb::{Database, ReadTransaction, ReadableDatabase, ReadableTable};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::RangeInclusive;
use std::sync::Arc;

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
pub struct Reader {
    database: Arc<Database>,
    file: ChainFile,
    logged: Arc<Logged>,
}

impl Reader {
    pub(super) fn new(database: Arc<Database>, file: ChainFile, logged: Arc<Logged>) -> Self {
        Self { database, file, logged }
    }

    pub(super) fn logged(&self) -> &Arc<Logged> {
        &self.logged
    }

    /// A consistent view of what is durable now. Cheap; drop it soon, since it holds back the reuse of disk
    /// space.
    ///
    /// # Errors
    /// [`StoreError`] when the disk fails.
    pub fn view(&self) -> Result<View, StoreError> {
        // In this order: a payload leaves the log only after it is in the database, so one of the two has it.
        let logged = self.logged.blocks();
        let transaction = self.file.guard("beginning to read", || Ok(self.database.begin_read()?))?;
        Ok(View { transaction, file: self.file.clone(), logged, _open: Arc::clone(&self.database) })
    }
}

/// A consistent view of the store.
///
/// # Errors
/// Every method fails with [`StoreError`] when the disk fails or the file is corrupt, and in no other case.
pub struct View {
    transaction: ReadTransaction,
    file: ChainFile,
    /// Payloads that are not final, and not in the database.
    logged: Arc<LoggedBlocks>,
    /// The file stays open for as long as it is read; dropped after the transaction.
    _open: Arc<Database>,
}

impl fmt::Debug for View {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("View").field("file", &self.file).finish_non_exhaustive()
    }
}

#[allow(clippy::missing_errors_doc, reason = "said once, at the type")]
impl View {
    fn read<T>(&self, what: &str, work: impl FnOnce(&ReadTransaction) -> Result<T, Fault>) -> Result<T, StoreError> {
        self.file.guard(what, || work(&self.transaction))
    }

    /// The latest final block; `None` before genesis was put.
    pub fn latest_finalized(&self) -> Result<Option<BlockRef>, StoreError> {
        self.read("reading the latest final block", latest)
    }

    /// The hash of the final block at a height.
    pub fn finalized_hash(&self, number: u64) -> Result<Option<B256>, StoreError> {
        self.read("reading a final hash", |held| final_hash(held, number))
    }

    /// The final block at a height.
    pub fn block_by_number(&self, number: u64) -> Result<Option<StoredBlock>, StoreError> {
        self.read("reading a block by number", |held| match final_hash(held, number)? {
            Some(hash) => block(held, number, hash),
            None => Ok(None),
        })
    }

    /// A block, final or not.
    pub fn block_by_hash(&self, hash: B256) -> Result<Option<StoredBlock>, StoreError> {
        self.read("reading a block by hash", |held| {
            if let Some(number) = held.open_table(NUMBERS)?.get(&hash.0)?.map(|number| number.value()) {
                return block(held, number, hash);
            }
            let logged = self.logged.iter().find(|(key, _)| key.1 == hash);
            Ok(logged.map(|(_, logged)| logged.read()).transpose()?)
        })
    }

    /// Final blocks at `heights`, in order without gaps; ends at the latest final one, and before it would
    /// pass `count_max` blocks or `bytes_max` bytes of payload (the first block always fits).
    pub fn blocks(
        &self,
        heights: RangeInclusive<u64>,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<StoredBlock>, StoreError> {
        self.read("reading a range of blocks", |held| {
            let mut bound = Bound::new(count_max, bytes_max);
            let mut found = Vec::new();
            for entry in held.open_table(FINALIZED)?.range(heights)? {
                let (number, hash) = entry?;
                let (number, hash) = (number.value(), B256::new(*hash.value()));
                let Some(block) = block(held, number, hash)? else {
                    return Err(Fault::Damaged(format!("the final block {number} is missing")));
                };
                if !bound.admits(block.block.payload.len()) {
                    break;
                }
                found.push(block);
            }
            Ok(found)
        })
    }

    /// The receipts of the final block at a height.
    pub fn receipts(&self, number: u64) -> Result<Option<Bytes>, StoreError> {
        self.read("reading receipts", |held| {
            let sealed = held.open_table(RECEIPTS)?.get(number)?;
            sealed.map(|sealed| unseal("receipts", number, sealed.value())).transpose()
        })
    }

    /// Heights and receipts of the final blocks at `heights`, bounded as [`View::blocks`] is.
    pub fn receipts_range(
        &self,
        heights: RangeInclusive<u64>,
        count_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<(u64, Bytes)>, StoreError> {
        self.read("reading a range of receipts", |held| {
            let mut bound = Bound::new(count_max, bytes_max);
            let mut found = Vec::new();
            for entry in held.open_table(RECEIPTS)?.range(heights)? {
                let (number, sealed) = entry?;
                if !bound.admits(sealed.value().len()) {
                    break;
                }
                found.push((number.value(), unseal("receipts", number.value(), sealed.value())?));
            }
            Ok(found)
        })
    }

    /// Where a final transaction is.
    pub fn transaction(&self, hash: B256) -> Result<Option<TransactionPlace>, StoreError> {
        self.read("looking a transaction up", |held| {
            let place = held.open_table(TRANSACTIONS)?.get(&hash.0)?.map(|place| place.value());
            Ok(place.map(|(number, index)| TransactionPlace { number, index }))
        })
    }

    /// The finalization of the block at exactly this height, where one is held.
    pub fn finalization(&self, number: u64) -> Result<Option<Certificate>, StoreError> {
        self.read("reading a finalization", |held| {
            let found = held.open_table(FINALIZATIONS)?.get(number)?;
            found.map(|found| certificate(found.value())).transpose()
        })
    }

    /// The first finalization at this height or above: it proves the block at this height final.
    pub fn finalization_at_or_above(&self, number: u64) -> Result<Option<Certificate>, StoreError> {
        self.read("reading a finalization", |held| {
            let found = held.open_table(FINALIZATIONS)?.range(number..)?.next().transpose()?;
            found.map(|(_, found)| certificate(found.value())).transpose()
        })
    }

    /// The last finalization at this height or below.
    pub fn finalization_at_or_below(&self, number: u64) -> Result<Option<Certificate>, StoreError> {
        self.read("reading a finalization", |held| {
            let found = held.open_table(FINALIZATIONS)?.range(..=number)?.next_back().transpose()?;
            found.map(|(_, found)| certificate(found.value())).transpose()
        })
    }

    /// The finalization of the greatest height; its block may not be held yet.
    pub fn highest_finalization(&self) -> Result<Option<Certificate>, StoreError> {
        self.finalization_at_or_below(u64::MAX)
    }

    /// Every notarization held of blocks at a height, in order of position.
    pub fn notarizations(&self, number: u64) -> Result<Vec<Certificate>, StoreError> {
        self.read("reading notarizations", |held| notarizations(held, number..=number, usize::MAX))
    }

    /// Notarizations of blocks above the latest final one, in order of height, at most `count_max`.
    pub fn notarizations_above_finalized(&self, count_max: usize) -> Result<Vec<Certificate>, StoreError> {
        self.read("reading notarizations", |held| {
            let from = latest(held)?.map_or(0, |latest| latest.number.saturating_add(1));
            notarizations(held, from..=u64::MAX, count_max)
        })
    }

    /// A finalization, else the first notarization, of exactly this block.
    pub fn certificate_of(&self, block: BlockRef) -> Result<Option<Certificate>, StoreError> {
        if let Some(found) = self.finalization(block.number)?.filter(|found| found.block() == block) {
            return Ok(Some(found));
        }
        Ok(self.notarizations(block.number)?.into_iter().find(|found| found.block() == block))
    }

    /// What ended `terms` of `epoch`: nullifications, and notarizations and finalizations of last slots, in
    /// order of position, at most `count_max`.
    pub fn terms(
        &self,
        epoch: u64,
        terms: RangeInclusive<u64>,
        count_max: usize,
    ) -> Result<Vec<Certificate>, StoreError> {
        self.read("reading what ended terms", |held| {
            let range = (epoch, *terms.start(), 0, 0)..=(epoch, *terms.end(), u32::MAX, u8::MAX);
            let mut found = Vec::new();
            for entry in held.open_table(TERMS)?.range(range)?.take(count_max) {
                found.push(certificate(entry?.1.value())?);
            }
            Ok(found)
        })
    }

    /// Blocks above the latest final one, in order of height, at most `count_max`: what an operator still
    /// holds after a restart, from the database and the log of payloads.
    pub fn unfinalized(&self, count_max: usize) -> Result<Vec<StoredBlock>, StoreError> {
        self.read("reading unfinalized blocks", |held| {
            let from = latest(held)?.map_or(0, |latest| latest.number.saturating_add(1));
            let mut keys: BTreeSet<(u64, B256)> =
                self.logged.range((from, B256::ZERO)..).map(|(key, _)| *key).take(count_max).collect();
            for entry in held.open_table(HEADERS)?.range((from, &[0; 32])..)?.take(count_max) {
                let (key, _) = entry?;
                let (number, hash) = key.value();
                keys.insert((number, B256::new(*hash)));
            }
            let mut found = Vec::new();
            for key in keys.into_iter().take(count_max) {
                found.extend(match block(held, key.0, key.1)? {
                    Some(stored) => Some(stored),
                    None => self.logged.get(&key).map(|logged| logged.read()).transpose()?,
                });
            }
            Ok(found)
        })
    }

    /// Transactions that were accepted from clients and were not final when this view was made, at most
    /// `count_max`: what a restarted operator offers again.
    pub fn pooled(&self, count_max: usize) -> Result<Vec<Bytes>, StoreError> {
        self.read("reading accepted transactions", |held| {
            let mut found = Vec::new();
            for entry in held.open_table(POOLED)?.iter()?.take(count_max) {
                let (_, bytes) = entry?;
                found.push(Bytes::copy_from_slice(bytes.value()));
            }
            Ok(found)
        })
    }
}

/// Counts what a range read has taken.
struct Bound {
    count_left: usize,
    bytes_left: usize,
    empty: bool,
}

impl Bound {
    fn new(count_max: usize, bytes_max: usize) -> Self {
        Self { count_left: count_max, bytes_left: bytes_max, empty: true }
    }

    fn admits(&mut self, bytes: usize) -> bool {
        if self.count_left == 0 || (bytes > self.bytes_left && !self.empty) {
            return false;
        }
        self.count_left -= 1;
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.empty = false;
        true
    }
}

fn latest(held: &ReadTransaction) -> Result<Option<BlockRef>, Fault> {
    let table = held.open_table(FINALIZED)?;
    let last = table.last()?;
    Ok(last.map(|(number, hash)| BlockRef::new(number.value(), B256::new(*hash.value()))))
}

fn final_hash(held: &ReadTransaction, number: u64) -> Result<Option<B256>, Fault> {
    Ok(held.open_table(FINALIZED)?.get(number)?.map(|hash| B256::new(*hash.value())))
}

fn block(held: &ReadTransaction, number: u64, hash: B256) -> Result<Option<StoredBlock>, Fault> {
    let key = block_key(number, &hash);
    let Some(header) = held.open_table(HEADERS)?.get(key)? else { return Ok(None) };
    let HeaderRecord { parent_hash, timestamp_s, positions } = HeaderRecord::from_bytes(header.value())?;
    let Some(sealed) = held.open_table(PAYLOADS)?.get(key)? else {
        return Err(Fault::Damaged(format!("the payload of block {number} ({hash}) is missing")));
    };
    let payload = unseal("payload bytes", number, sealed.value())?;
    let block = Block { reference: BlockRef::new(number, hash), parent_hash, timestamp_s, payload };
    Ok(Some(StoredBlock { block, positions, finalized: final_hash(held, number)? == Some(hash) }))
}

fn notarizations(
    held: &ReadTransaction,
    heights: RangeInclusive<u64>,
    count_max: usize,
) -> Result<Vec<Certificate>, Fault> {
    let range = (*heights.start(), 0, 0, 0)..=(*heights.end(), u64::MAX, u64::MAX, u32::MAX);
    let mut found = Vec::new();
    for entry in held.open_table(NOTARIZATIONS)?.range(range)?.take(count_max) {
        found.push(certificate(entry?.1.value())?);
    }
    Ok(found)
}
