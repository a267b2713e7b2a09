//! What the operators left on their disks, read against each other by the checkers of the simulator, after all of
//! them were stopped.
//!
//! Read are the chain store from genesis on, every certificate in it, and every segment that the vote journal ever
//! had. The signatures of all certificates are checked here, since the checkers take them as true.

use crate::archive;
use crate::cluster::{Files, Place};
use crate::load::Ledger;
use alloy_consensus::{Block, TxEnvelope};
use alloy_rlp::Decodable;
use anyhow::Context;
use phalanx_bls::Backend;
use phalanx_checkers::{CommittedBlock, OperatorStore, Setting, StoredBlock, TransactionChecker};
use phalanx_journal::memory::MemoryDisk;
use phalanx_journal::{Disk, Journal, JournalHeader, Segment};
use phalanx_node::config::ClusterFile;
use phalanx_node::keys;
use phalanx_node::store::{ChainOptions, ChainStore, View};
use phalanx_threshold::{BlsMinSig, Domain, ThresholdScheme, digest};
use phalanx_types::{B256, BlockRef, Bytes, Certificate, ClusterSize, OperatorIndex, Record, SignatureBytes, Time};
use std::collections::BTreeSet;
use std::time::Duration;

/// Blocks read at once, and their bytes.
const BLOCKS_AT_ONCE: usize = 256;
const BYTES_AT_ONCE: usize = 32 << 20;
/// The most violations that are shown.
pub(crate) const VIOLATIONS_SHOWN_MAX: usize = 20;

/// What was read, and what is wrong with it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Audit {
    /// The longest chain among the stores.
    pub(crate) blocks: u64,
    pub(crate) transactions: usize,
    /// Different certificates, every signature of which was checked.
    pub(crate) certificates: usize,
    pub(crate) journal_records: usize,
    pub(crate) journal_segments: usize,
    /// Accepted, and in no block.
    pub(crate) lost: Vec<B256>,
    pub(crate) violations: Vec<String>,
}

/// Reads and checks everything.
///
/// # Errors
/// When a store cannot be read: that is worse than a violation.
pub(crate) fn audit(files: &Files, ledger: &Ledger) -> anyhow::Result<Audit> {
    let cluster = &files.cluster;
    let mut stores = Vec::new();
    let mut found = Audit::default();
    for place in &files.places {
        let index = OperatorIndex(u16::from(place.index));
        let what = || format!("the stores of operator {index}");
        let chain = read_chain(place, cluster).with_context(what)?;
        let (journal, segments) = read_journal(place, index, cluster).with_context(what)?;
        found.journal_records += journal.len();
        found.journal_segments += segments;
        stores.push((index, OperatorStore { chain, journal }));
    }
    let setting = Setting {
        size: cluster.size(),
        slots_per_term: cluster.definition.slots_per_term,
        genesis: BlockRef::new(0, cluster.genesis_hash),
        byzantine: BTreeSet::new(),
        // Times are unknown in stores; the suite itself watches for progress.
        liveness_bound: Duration::MAX,
    };
    found.violations = phalanx_checkers::audit(&setting, &stores).iter().map(ToString::to_string).collect();
    check_signatures(cluster, &stores, &mut found)?;
    check_transactions(&stores, ledger, &mut found);
    Ok(found)
}

fn read_chain(place: &Place, cluster: &ClusterFile) -> anyhow::Result<Vec<StoredBlock>> {
    let options = ChainOptions { cluster: cluster.cluster_id, slots_per_term: cluster.definition.slots_per_term };
    let store = ChainStore::open(&place.data().join("chain.redb"), options)?;
    let view = store.reader().view()?;
    let last = view.latest_finalized()?.context("the chain store holds no block, not even genesis")?;
    let mut chain = Vec::new();
    while let Some(from) = chain.last().map_or(Some(1), |block: &StoredBlock| block.reference.number.checked_add(1))
        && from <= last.number
    {
        let blocks = view.blocks(from..=last.number, BLOCKS_AT_ONCE, BYTES_AT_ONCE)?;
        anyhow::ensure!(!blocks.is_empty(), "block {from} is missing, although block {} is final", last.number);
        for stored in blocks {
            let block = stored.block;
            chain.push(StoredBlock {
                reference: block.reference,
                parent_hash: block.parent_hash,
                transactions: transactions(&block.payload)?,
                certificates: certificates(&view, block.reference.number)?,
            });
        }
    }
    Ok(chain)
}

fn certificates(view: &View, number: u64) -> anyhow::Result<Vec<Certificate>> {
    let mut found = view.notarizations(number)?;
    found.extend(view.finalization(number)?);
    Ok(found)
}

fn transactions(payload: &[u8]) -> anyhow::Result<Vec<B256>> {
    let block = Block::<TxEnvelope>::decode(&mut &payload[..]).context("a payload of the store")?;
    Ok(block.body.transactions.iter().map(|transaction| *transaction.hash()).collect())
}

/// All records, from the first segment on. A later segment begins with what was retained of the earlier ones:
/// the checkers know a vote that they have seen.
fn read_journal(place: &Place, index: OperatorIndex, cluster: &ClusterFile) -> anyhow::Result<(Vec<Record>, usize)> {
    let record = &cluster.definition.operators[index.as_usize()];
    let owner = JournalHeader {
        cluster: cluster.cluster_id,
        operator: index,
        share_public_key: Bytes::copy_from_slice(&record.share_key[..]),
    };
    let mut records = Vec::new();
    let segments = archive::segments(place)?;
    for path in &segments {
        let mut disk = MemoryDisk::new();
        disk.replace(Segment::First, &std::fs::read(path)?)?;
        let (_, mut read) =
            Journal::open(disk, owner.clone()).with_context(|| format!("the journal segment {}", path.display()))?;
        records.append(&mut read);
    }
    Ok((records, segments.len()))
}

/// Checks the signature of every certificate under the cluster's one key.
fn check_signatures(
    cluster: &ClusterFile,
    stores: &[(OperatorIndex, OperatorStore)],
    found: &mut Audit,
) -> anyhow::Result<()> {
    let key = keys::public_key(cluster)?;
    // To a verifier the cluster is one signer whose share is the whole key.
    let one = ClusterSize::new(1).context("one is a size")?;
    let scheme = BlsMinSig::new(Backend::detect(), one, key, vec![key])?;
    let domain = Domain::new(cluster.definition.chain_id, cluster.cluster_id);
    let mut certificates: Vec<Certificate> = Vec::new();
    let mut seen = BTreeSet::new();
    for (_, store) in stores {
        let stored = store.chain.iter().flat_map(|block| &block.certificates);
        let journalled = store.journal.iter().filter_map(|record| match record {
            Record::Certificate(certificate) => Some(certificate),
            Record::Vote(_) | Record::Proposal(_) => None,
        });
        let fresh = stored.chain(journalled).filter(|found| seen.insert((found.vote, found.signature)));
        certificates.extend(fresh);
    }
    let items: Vec<(B256, SignatureBytes)> =
        certificates.iter().map(|certificate| (digest(&domain, &certificate.vote), certificate.signature)).collect();
    let verdicts = scheme.verify(&mut rand::rng(), &items);
    let bad = certificates.iter().zip(verdicts).filter(|(_, good)| !good);
    found.violations.extend(bad.map(|(bad, _)| format!("the signature of the {bad} is not the cluster's")));
    found.certificates = certificates.len();
    Ok(())
}

/// Whether each accepted transaction is in the longest chain, and none twice.
fn check_transactions(stores: &[(OperatorIndex, OperatorStore)], ledger: &Ledger, found: &mut Audit) {
    let mut checker = TransactionChecker::new(0);
    for (hash, operator) in &ledger.accepted {
        checker.accepted(Time::ZERO, OperatorIndex(u16::from(*operator)), *hash);
    }
    let Some((operator, longest)) = stores.iter().max_by_key(|(_, store)| store.chain.len()) else { return };
    let mut committed = BTreeSet::new();
    for block in &longest.chain {
        committed.extend(block.transactions.iter().copied());
        let StoredBlock { reference, parent_hash, ref transactions, .. } = *block;
        let block = CommittedBlock { reference, parent_hash, transactions: transactions.clone() };
        let twice = checker.committed(Time::ZERO, *operator, &block).err();
        found.violations.extend(twice.map(|violation| violation.to_string()));
    }
    found.violations.extend(checker.expect_committed(Time::MAX, Time::MAX).err().map(|lost| lost.to_string()));
    found.lost = ledger.accepted.keys().filter(|hash| !committed.contains(*hash)).copied().collect();
    found.transactions = checker.committed_count();
    found.blocks = longest.chain.last().map_or(0, |block| block.reference.number);
}
