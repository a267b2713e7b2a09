//! Opens what is on disk, in the order in which one part depends on another, and brings it into agreement:
//! the state is replayed up to the newest final block, the journal is checked, and nothing is started.

use crate::config::{ClusterFile, OperatorConfig};
use crate::driver::executed::{empty_rpc_block, no_receipts, rpc_block_from_store};
use crate::execution::{Embedded, EmbeddedInspector, EmbeddedOptions, Genesis, Verdict};
use crate::keys::OperatorKeys;
use crate::rpc::backend::RpcBlock;
use crate::store::{ChainOptions, ChainStore, DirLock, FileDisk, PayloadLog, Reader, StoredBlock, View, Write, Writer};
use anyhow::{Context, bail, ensure};
use phalanx_consensus::Restored;
use phalanx_journal::{Journal, JournalHeader};
use phalanx_mempool::{Limits, Rules};
use phalanx_threshold::Verifier;
use phalanx_types::{BlockInspector, BlockRef, Bytes};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// The most unfinalized blocks that a restarted operator takes up again.
const RESTORED_BLOCKS_MAX: usize = 1_024;
/// The most accepted transactions that a restarted operator offers again.
const RESTORED_TRANSACTIONS_MAX: usize = 65_536;
/// Blocks read at once while the state is replayed, and their bytes.
const REPLAY_BLOCKS: usize = 256;
const REPLAY_BYTES: usize = 32 << 20;
/// How often a replay says how far it is.
const REPLAY_REPORT_INTERVAL: Duration = Duration::from_secs(2);

/// Everything that is on disk.
pub(super) struct Opened {
    pub(super) lock: DirLock,
    pub(super) genesis: BlockRef,
    pub(super) embedded: Embedded,
    pub(super) inspector: Arc<dyn BlockInspector>,
    pub(super) writer: Writer,
    pub(super) payloads: PayloadLog,
    pub(super) reader: Reader,
    pub(super) journal: Journal<FileDisk>,
    pub(super) restored: Restored,
    pub(super) pooled: Vec<Bytes>,
    /// The newest final block.
    pub(super) newest: Arc<RpcBlock>,
}

impl Opened {
    pub(super) fn open(
        config: &OperatorConfig,
        cluster: &ClusterFile,
        keys: &OperatorKeys,
        verifier: &Verifier,
    ) -> anyhow::Result<Self> {
        let directory = &config.data_dir;
        std::fs::create_dir_all(directory)
            .with_context(|| format!("cannot make the data directory {}", directory.display()))?;
        let lock = DirLock::acquire(directory)?;
        let genesis = Genesis::new(cluster.definition.genesis.clone()).context("the genesis of the cluster file")?;
        let options = ChainOptions { cluster: cluster.cluster_id, slots_per_term: cluster.definition.slots_per_term };
        let store = ChainStore::open(&directory.join("chain.redb"), options)?;
        let payloads = PayloadLog::open(&directory.join("payloads"), &store)?;
        let (mut writer, reader) = store.split();
        begin_chain(&mut writer, &reader, &genesis)?;
        let state = directory.join("state");
        std::fs::create_dir_all(&state)
            .with_context(|| format!("cannot make the state directory {}", state.display()))?;
        let mut embedded = Embedded::open(&state, &genesis, EmbeddedOptions::default())?;
        let view = reader.view()?;
        let finalized = view.latest_finalized()?.context("the chain store holds no block, not even genesis")?;
        replay(&mut embedded, &view, finalized)?;
        let blocks: Vec<_> =
            view.unfinalized(RESTORED_BLOCKS_MAX)?.into_iter().map(|stored| Arc::new(stored.block)).collect();
        // The journal is made before the first payload is logged.
        let has_taken_part = finalized.number > 0 || !blocks.is_empty();
        let (journal, records) = open_journal(directory, cluster, keys, has_taken_part)?;
        let committed = (finalized.number > 0).then_some(finalized);
        let restored = phalanx_pipeline::restore(records, blocks, committed, verifier, &mut rand::rng())?;
        let newest = newest_block(&view, &genesis, finalized)?;
        let pooled = view.pooled(RESTORED_TRANSACTIONS_MAX)?;
        tracing::info!(
            finalized = finalized.number,
            unfinalized = restored.blocks.len(),
            journal_records = restored.records.len(),
            "what is on disk is opened"
        );
        Ok(Self {
            lock,
            genesis: genesis.reference(),
            embedded,
            inspector: Arc::new(EmbeddedInspector),
            writer,
            payloads,
            reader,
            journal,
            restored,
            pooled,
            newest,
        })
    }
}

/// A chain starts with genesis; one that has a different one is another chain.
pub(super) fn begin_chain(writer: &mut Writer, reader: &Reader, genesis: &Genesis) -> anyhow::Result<()> {
    let stored = reader.view()?.finalized_hash(0)?;
    let expected = genesis.reference();
    match stored {
        Some(hash) => ensure!(
            hash == expected.hash,
            "the chain store begins with genesis {hash}, the cluster file makes {}: use the cluster's own data \
             directory",
            expected.hash
        ),
        None => writer.apply(&[
            Write::PutPayload { block: genesis.block().clone(), position: None },
            Write::Finalize { block: expected, receipts: no_receipts(), transactions: Vec::new() },
        ])?,
    }
    Ok(())
}

/// Executes the final blocks that the state has not seen.
fn replay(embedded: &mut Embedded, view: &View, finalized: BlockRef) -> anyhow::Result<()> {
    let start = embedded.finalized();
    ensure!(
        start.number <= finalized.number,
        "the state is at block {start}, ahead of the chain store at {finalized}: the chain store was replaced by an \
         older one; restore the newer one, or delete the state directory as well to follow the older"
    );
    let (begin, mut reported) = (Instant::now(), Instant::now());
    while embedded.finalized().number < finalized.number {
        let from = embedded.finalized().number + 1;
        let blocks = view.blocks(from..=finalized.number, REPLAY_BLOCKS, REPLAY_BYTES)?;
        let Some(last) = blocks.last().map(|stored| stored.block.reference) else {
            bail!(
                "the chain store lacks block {from}, although block {finalized} is final: it is damaged; delete the \
                   data directory except the journal to fetch the chain again"
            );
        };
        for StoredBlock { block, .. } in &blocks {
            let verdict = embedded.validate(block, u64::MAX)?;
            ensure!(
                verdict == Verdict::Valid,
                "the final block {} does not execute here ({verdict:?}): delete the state directory and start again",
                block.reference
            );
        }
        embedded.commit(last.hash)?;
        if reported.elapsed() >= REPLAY_REPORT_INTERVAL {
            reported = Instant::now();
            tracing::info!(block = last.number, of = finalized.number, "the state is replayed");
        }
    }
    if start.number < finalized.number {
        let blocks = finalized.number - start.number;
        tracing::info!(
            blocks,
            seconds = begin.elapsed().as_secs_f64(),
            "the state was replayed to the newest final block"
        );
    }
    Ok(())
}

fn open_journal(
    directory: &Path,
    cluster: &ClusterFile,
    keys: &OperatorKeys,
    has_taken_part: bool,
) -> anyhow::Result<(Journal<FileDisk>, Vec<phalanx_types::Record>)> {
    let path = directory.join("journal");
    let record = &cluster.definition.operators[keys.index.as_usize()];
    let header = JournalHeader {
        cluster: cluster.cluster_id,
        operator: keys.index,
        share_public_key: Bytes::copy_from_slice(&record.share_key[..]),
    };
    let context = || format!("the vote journal in {}", path.display());
    let mut disk = FileDisk::open(&path)?;
    // Before one is made: else the next start would find it, and go on.
    if !Journal::is_there(&mut disk, &header).with_context(context)? && !keys.without_journal {
        ensure!(
            keys.unused.is_set()? && !has_taken_part,
            "the vote journal in {} is missing, and this share is not a new one: without it, it could vote twice at one \
             position. Put the journal back. If it is lost for good, see --without-journal of `phalanx run`",
            path.display()
        );
    }
    let (journal, records) = Journal::open(disk, header).with_context(context)?;
    keys.unused.clear()?;
    Ok((journal, records))
}

fn newest_block(view: &View, genesis: &Genesis, finalized: BlockRef) -> anyhow::Result<Arc<RpcBlock>> {
    let block = if finalized.number == 0 {
        empty_rpc_block(genesis.block())
    } else {
        let stored = view.block_by_number(finalized.number)?.context("the newest final block is not held")?;
        let receipts = view.receipts(finalized.number)?.context("the newest final block's receipts are not held")?;
        rpc_block_from_store(&stored.block, &receipts, stored.positions.last().copied()).map(Arc::new)
    };
    block.map_err(anyhow::Error::msg)
}

/// What transactions are checked against without any state.
pub(super) fn rules(config: &OperatorConfig, cluster: &ClusterFile) -> Rules {
    Rules { chain_id: cluster.definition.chain_id, block_gas_limit: config.gas_limit, unprotected_allowed: false }
}

/// The mempool's bounds.
pub(super) fn mempool_limits(config: &OperatorConfig) -> Limits {
    Limits {
        transactions_max: config.mempool_transactions_max,
        bytes_max: config.mempool_bytes_max,
        sender_transactions_max: config.mempool_transactions_per_sender_max,
        nonce_gap_max: config.mempool_nonce_gap_max,
        peer_transactions_max: (config.mempool_transactions_max / 2).max(1),
        ..Limits::default()
    }
}
