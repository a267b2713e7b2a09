//! The chain store's single writer: a batch of writes is one durable transaction.

use crate::store::StoreError;
use crate::store::fault::{ChainFile, Fault};
use crate::store::payload_log::Logged;
use crate::store::tables::{
    BlockKey, FINALIZATIONS, FINALIZED, HEADERS, HeaderRecord, META, META_PRUNED_BELOW, NOTARIZATIONS, NUMBERS,
    NotarizationKey, PAYLOADS, POOLED, RECEIPTS, SEAL_BYTES, TERMS, TRANSACTIONS, TermKey, block_key, certificate,
    seal_into,
};
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, Position, VoteKind, Wire};
use redb::{Database, Durability, ReadableTable, Table, WriteTransaction};
use std::sync::Arc;
use std::time::Instant;

/// The most positions that are kept of one block; older ones are forgotten.
pub const POSITIONS_PER_BLOCK_MAX: usize = 16;
/// The most writes in one batch.
pub const WRITES_PER_BATCH_MAX: usize = 16_384;
/// The most heights that one [`Write::PruneUnfinalized`] clears; the next one goes on from there.
pub const PRUNED_HEIGHTS_PER_WRITE_MAX: u64 = 1_024;

/// One change to the chain store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Keep a block, final or not. Putting it again only adds its position. A block at or below the latest
    /// final height that is not final is not kept: it never will be final.
    PutPayload {
        /// The block.
        block: Block,
        /// Where it is proposed, where that is known (genesis and synced blocks have none).
        position: Option<Position>,
    },
    /// Make a block final: its payload is held, and it extends the latest final block (or is the first one,
    /// genesis). Doing it again changes nothing.
    Finalize {
        /// The block.
        block: BlockRef,
        /// Its receipts, as the caller encodes them.
        receipts: Bytes,
        /// Its transactions' hashes, in order.
        transactions: Vec<B256>,
    },
    /// Keep a certificate of any kind. The first one held for a vote stays.
    PutCertificate(Certificate),
    /// Keep a transaction that was accepted from a client until it is final, as EIP-2718 bytes.
    PutPooled {
        /// Its hash.
        hash: B256,
        /// Its bytes.
        transaction: Bytes,
    },
    /// Forget a transaction that can never become final. One that is final is forgotten by `Finalize`.
    RemovePooled {
        /// Its hash.
        hash: B256,
    },
    /// Forget blocks (and their notarizations) numbered below `below` that are not final; heights above the
    /// latest final one are never touched.
    PruneUnfinalized {
        /// The first height that is kept.
        below: u64,
    },
}

/// The one writer. Owned by one thread.
#[derive(Debug)]
pub struct Writer {
    database: Arc<Database>,
    file: ChainFile,
    slots_per_term: u32,
    logged: Arc<Logged>,
    failed: bool,
}

impl Writer {
    pub(super) fn new(database: Arc<Database>, file: ChainFile, slots_per_term: u32, logged: Arc<Logged>) -> Self {
        Self { database, file, slots_per_term, logged, failed: false }
    }

    /// Applies `writes` in order, all or none, and returns once they are durable. At most
    /// [`WRITES_PER_BATCH_MAX`].
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch is held. After any error but [`StoreError::Misuse`] the
    /// writer refuses everything: the operator must stop.
    pub fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::IoEarlier { file: self.file.path().to_path_buf() });
        }
        if writes.len() > WRITES_PER_BATCH_MAX {
            return Err(StoreError::Misuse(format!("{} writes at once, at most {WRITES_PER_BATCH_MAX}", writes.len())));
        }
        if writes.is_empty() {
            return Ok(());
        }
        let started = Instant::now();
        let outcome = self.file.guard("writing a batch", || self.transact(writes));
        self.failed = outcome.as_ref().is_err_and(|error| !error.is_misuse());
        metrics::histogram!("phalanx_store_commit_seconds").record(started.elapsed().as_secs_f64());
        self.logged.finalize_through(outcome?.map(|latest| latest.number));
        Ok(())
    }

    /// The latest final block after it.
    fn transact(&self, writes: &[Write]) -> Result<Option<BlockRef>, Fault> {
        let mut transaction = self.database.begin_write()?;
        transaction.set_durability(Durability::Immediate)?;
        // Costs a second sync of this file, and saves reading all of it at the start after a crash.
        transaction.set_quick_repair(true);
        let mut tables = Tables::open(&transaction)?;
        for write in writes {
            match write {
                Write::PutPayload { block, position } => tables.put_payload(block, *position)?,
                Write::Finalize { block, receipts, transactions } => tables.finalize(*block, receipts, transactions)?,
                Write::PutCertificate(held) => tables.put_certificate(held, self.slots_per_term)?,
                Write::PutPooled { hash, transaction } => {
                    tables.pooled.insert(&hash.0, transaction.as_ref())?;
                }
                Write::RemovePooled { hash } => {
                    tables.pooled.remove(&hash.0)?;
                }
                Write::PruneUnfinalized { below } => tables.prune(*below)?,
            }
        }
        let latest = tables.latest_finalized()?;
        drop(tables);
        transaction.commit()?;
        Ok(latest)
    }
}

/// Every table, open for writing.
pub(super) struct Tables<'t> {
    pub(super) meta: Table<'t, &'static str, &'static [u8]>,
    headers: Table<'t, BlockKey, &'static [u8]>,
    payloads: Table<'t, BlockKey, &'static [u8]>,
    numbers: Table<'t, &'static [u8; 32], u64>,
    finalized: Table<'t, u64, &'static [u8; 32]>,
    receipts: Table<'t, u64, &'static [u8]>,
    transactions: Table<'t, &'static [u8; 32], (u64, u32)>,
    notarizations: Table<'t, NotarizationKey, &'static [u8]>,
    finalizations: Table<'t, u64, &'static [u8]>,
    terms: Table<'t, TermKey, &'static [u8]>,
    pooled: Table<'t, &'static [u8; 32], &'static [u8]>,
}

impl<'t> Tables<'t> {
    pub(super) fn open(transaction: &'t WriteTransaction) -> Result<Self, Fault> {
        Ok(Self {
            meta: transaction.open_table(META)?,
            headers: transaction.open_table(HEADERS)?,
            payloads: transaction.open_table(PAYLOADS)?,
            numbers: transaction.open_table(NUMBERS)?,
            finalized: transaction.open_table(FINALIZED)?,
            receipts: transaction.open_table(RECEIPTS)?,
            transactions: transaction.open_table(TRANSACTIONS)?,
            notarizations: transaction.open_table(NOTARIZATIONS)?,
            finalizations: transaction.open_table(FINALIZATIONS)?,
            terms: transaction.open_table(TERMS)?,
            pooled: transaction.open_table(POOLED)?,
        })
    }

    fn latest_finalized(&self) -> Result<Option<BlockRef>, Fault> {
        let last = self.finalized.last()?;
        Ok(last.map(|(number, hash)| BlockRef::new(number.value(), B256::new(*hash.value()))))
    }

    fn is_final(&self, block: BlockRef) -> Result<bool, Fault> {
        Ok(self.finalized.get(block.number)?.is_some_and(|hash| *hash.value() == block.hash.0))
    }

    fn put_payload(&mut self, block: &Block, position: Option<Position>) -> Result<(), Fault> {
        let BlockRef { number, ref hash } = block.reference;
        let key = block_key(number, hash);
        let held = self.headers.get(key)?.map(|held| HeaderRecord::from_bytes(held.value())).transpose()?;
        if let Some(mut header) = held {
            let Some(position) = position.filter(|position| !header.positions.contains(position)) else {
                return Ok(());
            };
            if header.positions.len() == POSITIONS_PER_BLOCK_MAX {
                header.positions.remove(0);
            }
            header.positions.push(position);
            self.headers.insert(key, header.to_bytes().as_slice())?;
            return Ok(());
        }
        if self.latest_finalized()?.is_some_and(|latest| number <= latest.number) {
            return Ok(());
        }
        let header = HeaderRecord {
            parent_hash: block.parent_hash,
            timestamp_s: block.timestamp_s,
            positions: position.into_iter().collect(),
        };
        self.headers.insert(key, header.to_bytes().as_slice())?;
        self.numbers.insert(&hash.0, number)?;
        seal_into(self.payloads.insert_reserve(key, SEAL_BYTES + block.payload.len())?.as_mut(), &block.payload);
        Ok(())
    }

    fn finalize(&mut self, block: BlockRef, receipts: &Bytes, transactions: &[B256]) -> Result<(), Fault> {
        if self.is_final(block)? {
            return Ok(());
        }
        let header = self.headers.get(block_key(block.number, &block.hash))?;
        let header = header.map(|held| HeaderRecord::from_bytes(held.value())).transpose()?;
        let Some(header) = header else {
            return Err(
                StoreError::Misuse(format!("block {block} cannot become final: its payload is not held")).into()
            );
        };
        if let Some(latest) = self.latest_finalized()?
            && (block.number != latest.number + 1 || header.parent_hash != latest.hash)
        {
            let message = format!("block {block} cannot become final: the latest final block is {latest}");
            return Err(StoreError::Misuse(message).into());
        }
        self.finalized.insert(block.number, &block.hash.0)?;
        seal_into(self.receipts.insert_reserve(block.number, SEAL_BYTES + receipts.len())?.as_mut(), receipts);
        for (index, hash) in (0_u32..).zip(transactions) {
            self.transactions.insert(&hash.0, (block.number, index))?;
            self.pooled.remove(&hash.0)?;
        }
        Ok(())
    }

    fn put_certificate(&mut self, held: &Certificate, slots_per_term: u32) -> Result<(), Fault> {
        let (block, Position { epoch, term, slot }) = (held.block(), held.position());
        let bytes = held.to_wire();
        match held.kind() {
            VoteKind::Notarize => insert_new(&mut self.notarizations, (block.number, epoch, term, slot), &bytes)?,
            VoteKind::Finalize => {
                let earlier = self.finalizations.get(block.number)?;
                let earlier = earlier.map(|earlier| certificate(earlier.value())).transpose()?;
                if let Some(earlier) = earlier.filter(|earlier| earlier.block() != block) {
                    return Err(StoreError::Misuse(format!("{held} contradicts {earlier}: the cluster forked")).into());
                }
                insert_new(&mut self.finalizations, block.number, &bytes)?;
            }
            VoteKind::Nullify => {}
        }
        if held.kind() == VoteKind::Nullify || slot.checked_add(1) == Some(slots_per_term) {
            insert_new(&mut self.terms, (epoch, term, slot, held.kind().as_u8()), &bytes)?;
        }
        Ok(())
    }

    fn prune(&mut self, below: u64) -> Result<(), Fault> {
        let Some(latest) = self.latest_finalized()? else { return Ok(()) };
        let held = self.meta.get(META_PRUNED_BELOW)?.and_then(|held| <[u8; 8]>::try_from(held.value()).ok());
        let from = held.map_or(0, u64::from_be_bytes);
        let to = below.min(latest.number + 1).min(from.saturating_add(PRUNED_HEIGHTS_PER_WRITE_MAX));
        if from >= to {
            return Ok(());
        }
        for number in from..to {
            self.prune_height(number)?;
        }
        self.meta.insert(META_PRUNED_BELOW, to.to_be_bytes().as_slice())?;
        Ok(())
    }

    fn prune_height(&mut self, number: u64) -> Result<(), Fault> {
        let Some(kept) = self.finalized.get(number)?.map(|hash| B256::new(*hash.value())) else { return Ok(()) };
        let mut doomed = Vec::new();
        for entry in self.headers.range((number, &[0x00; 32])..=(number, &[0xff; 32]))? {
            let (key, _) = entry?;
            doomed.push(B256::new(*key.value().1));
        }
        doomed.retain(|hash| *hash != kept);
        for hash in &doomed {
            self.headers.remove(block_key(number, hash))?;
            self.payloads.remove(block_key(number, hash))?;
            self.numbers.remove(&hash.0)?;
        }
        let mut strays = Vec::new();
        for entry in self.notarizations.range((number, 0, 0, 0)..=(number, u64::MAX, u64::MAX, u32::MAX))? {
            let (key, held) = entry?;
            if certificate(held.value())?.block().hash != kept {
                strays.push(key.value());
            }
        }
        for key in strays {
            self.notarizations.remove(key)?;
        }
        Ok(())
    }
}

/// Inserts where there is nothing yet.
fn insert_new<'k, K: redb::Key + 'static>(
    table: &mut Table<'_, K, &'static [u8]>,
    key: K::SelfType<'k>,
    value: &[u8],
) -> Result<(), Fault> {
    if table.get(&key)?.is_none() {
        table.insert(&key, value)?;
    }
    Ok(())
}
