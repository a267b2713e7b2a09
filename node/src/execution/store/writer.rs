//! The thread that writes finalized state to the file, so that no block waits for the disk.
//!
//! Invariant: jobs are written in the order in which they are given, one at a time.

use super::super::ExecutionError;
use super::super::state::Layer;
use super::tables::{self, ACCOUNT_NODES, ACCOUNTS, BLOCK_HASHES, CODES, META, STORAGE, STORAGE_NODES};
use super::{BLOCK_HASHES_MAX, Blame, Snapshot};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, U256};
use crossbeam::channel::{Receiver, Sender, bounded};
use redb::{Database, Durability, WriteTransaction};
use std::sync::Arc;
use std::thread::JoinHandle;

/// A run of finalized blocks to be written.
#[derive(Debug)]
pub(in crate::execution) struct Job {
    /// What they change, oldest first.
    pub(in crate::execution) layers: Vec<Arc<Layer>>,
    /// The header of the last of them.
    pub(in crate::execution) header: Header,
    /// Whether a crash must not undo it.
    pub(in crate::execution) durable: bool,
}

/// What is written once, with genesis.
pub(super) struct Marks {
    pub(super) format: u64,
    pub(super) genesis: B256,
}

/// The writing thread. Holds at most one job.
#[derive(Debug)]
pub(in crate::execution) struct Writer {
    jobs: Option<Sender<Job>>,
    results: Receiver<Result<Arc<Snapshot>, ExecutionError>>,
    thread: Option<JoinHandle<()>>,
    busy: bool,
}

impl Writer {
    /// Starts the thread, which owns the file from now on.
    pub(in crate::execution) fn start(database: Database, blame: Blame) -> Result<Self, ExecutionError> {
        let (jobs, inbox) = bounded::<Job>(1);
        let (outbox, results) = bounded(1);
        let starting = blame.clone();
        let thread = std::thread::Builder::new()
            .name("phalanx-state".to_owned())
            .spawn(move || {
                for job in inbox {
                    let result = write(&database, &blame, &job, None)
                        .and_then(|()| Snapshot::take(&database, &blame).map(Arc::new));
                    drop(job);
                    if outbox.send(result).is_err() {
                        break;
                    }
                }
            })
            .map_err(|error| starting.io(error))?;
        Ok(Self { jobs: Some(jobs), results, thread: Some(thread), busy: false })
    }

    /// Whether a job is being written.
    pub(in crate::execution) fn is_busy(&self) -> bool {
        self.busy
    }

    /// Gives a job to an idle thread.
    pub(in crate::execution) fn give(&mut self, job: Job) {
        assert!(!self.busy, "the writer takes one job at a time");
        let jobs = self.jobs.as_ref().expect("the writer stops only when it is dropped");
        jobs.send(job).expect("the writer's thread ends only after its channel");
        self.busy = true;
    }

    /// The file after the job that was given last, if it is done; with `wait`, once it is done. `None` when
    /// no job was given, or it is not done.
    pub(in crate::execution) fn take(&mut self, wait: bool) -> Option<Result<Arc<Snapshot>, ExecutionError>> {
        if !self.busy {
            return None;
        }
        let result = if wait {
            self.results.recv().expect("the writer's thread answers every job")
        } else {
            self.results.try_recv().ok()?
        };
        self.busy = false;
        Some(result)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.jobs = None;
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the state writer panicked; what it was writing is undone at the next start");
        }
    }
}

/// Makes the tables of a new file.
pub(super) fn create_tables(database: &Database, blame: &Blame) -> Result<(), ExecutionError> {
    let create = |transaction: WriteTransaction| -> Result<(), redb::Error> {
        transaction.open_table(ACCOUNTS)?;
        transaction.open_table(STORAGE)?;
        transaction.open_table(CODES)?;
        transaction.open_table(ACCOUNT_NODES)?;
        transaction.open_table(STORAGE_NODES)?;
        transaction.open_table(BLOCK_HASHES)?;
        transaction.open_table(META)?;
        transaction.commit()?;
        Ok(())
    };
    let transaction = database.begin_write().map_err(|error| blame.of(error))?;
    create(transaction).map_err(|error| blame.of(error))
}

/// Takes the file to the state after `job`, in one transaction.
pub(super) fn write(
    database: &Database,
    blame: &Blame,
    job: &Job,
    marks: Option<&Marks>,
) -> Result<(), ExecutionError> {
    let mut merged;
    let layer = match job.layers.as_slice() {
        [only] => only.as_ref(),
        layers => {
            merged = Layer::default();
            layers.iter().for_each(|layer| merged.absorb(layer));
            &merged
        }
    };
    let transact = || -> Result<(), redb::Error> {
        let mut transaction = database.begin_write()?;
        transaction.set_durability(if job.durable { Durability::Immediate } else { Durability::None })?;
        write_flat(&transaction, layer)?;
        write_nodes(&transaction, layer)?;
        write_meta(&transaction, layer, &job.header, marks)?;
        transaction.commit()?;
        Ok(())
    };
    transact().map_err(|error| blame.of(error))
}

fn write_flat(transaction: &WriteTransaction, layer: &Layer) -> Result<(), redb::Error> {
    let mut accounts = transaction.open_table(ACCOUNTS)?;
    let mut changed: Vec<_> = layer.accounts.iter().collect();
    changed.sort_unstable_by_key(|(address, _)| **address);
    for (address, record) in changed {
        match record {
            Some(record) => accounts.insert(&*address.0, &record.to_bytes())?,
            None => accounts.remove(&*address.0)?,
        };
    }
    let mut storage = transaction.open_table(STORAGE)?;
    for address in &layer.wiped {
        let (first, last) = (tables::slot_key(*address, U256::ZERO), tables::slot_key(*address, U256::MAX));
        storage.retain_in::<&[u8; 52], _>(&first..=&last, |_, _| false)?;
    }
    let mut changed: Vec<_> = layer.storage.iter().collect();
    changed.sort_unstable_by_key(|(slot, _)| **slot);
    for ((address, slot), value) in changed {
        let key = tables::slot_key(*address, *slot);
        if value.is_zero() {
            storage.remove(&key)?;
        } else {
            storage.insert(&key, &value.to_be_bytes::<32>())?;
        }
    }
    let mut codes = transaction.open_table(CODES)?;
    for (hash, code) in &layer.codes {
        codes.insert(&hash.0, code.original_byte_slice())?;
    }
    Ok(())
}

fn write_nodes(transaction: &WriteTransaction, layer: &Layer) -> Result<(), redb::Error> {
    let mut account_nodes = transaction.open_table(ACCOUNT_NODES)?;
    let mut changed: Vec<_> = layer.account_nodes.iter().collect();
    changed.sort_unstable_by_key(|(path, _)| path.as_slice());
    for (path, node) in changed {
        account_nodes.insert(path.as_slice(), node.as_ref())?;
    }
    let mut storage_nodes = transaction.open_table(STORAGE_NODES)?;
    for address in &layer.wiped {
        let (first, last) = (tables::node_key(*address, &[]), tables::node_key(*address, &[u8::MAX]));
        storage_nodes.retain_in(first.as_slice()..last.as_slice(), |_, _| false)?;
    }
    let mut owners: Vec<(&Address, _)> = layer.storage_nodes.iter().collect();
    owners.sort_unstable_by_key(|(owner, _)| **owner);
    for (owner, nodes) in owners {
        for (path, node) in nodes {
            storage_nodes.insert(tables::node_key(*owner, path).as_slice(), node.as_ref())?;
        }
    }
    Ok(())
}

fn write_meta(
    transaction: &WriteTransaction,
    layer: &Layer,
    header: &Header,
    marks: Option<&Marks>,
) -> Result<(), redb::Error> {
    let mut hashes = transaction.open_table(BLOCK_HASHES)?;
    for (number, hash) in &layer.blocks {
        hashes.insert(number, &hash.0)?;
    }
    hashes.retain_in(..header.number.saturating_sub(BLOCK_HASHES_MAX), |_, _| false)?;
    let mut meta = transaction.open_table(META)?;
    meta.insert(tables::META_HEADER, alloy_rlp::encode(header).as_slice())?;
    if let Some(marks) = marks {
        meta.insert(tables::META_FORMAT, marks.format.to_be_bytes().as_slice())?;
        meta.insert(tables::META_GENESIS, marks.genesis.as_slice())?;
    }
    Ok(())
}
