//! The finalized state: the file, and above it the diffs that are not in the file yet.
//!
//! Invariants: `runs` are ascending and start right above what `base` and `flushing` hold; a crash loses at
//! most [`REPLAY_BLOCKS_MAX`] blocks, which the caller replays.
//!
//! Diffs are merged by sixteens, so that a read looks through few of them; a batch is handed to the writer
//! when it is large, and with an fsync when it is old. No block waits for the disk unless the writer falls
//! [`REPLAY_BLOCKS_MAX`] blocks or [`UNWRITTEN_BYTES_MAX`] behind.

use super::super::genesis::ChainSpec;
use super::super::state::{Layer, StateView};
use super::super::store::{Job, Opened, Snapshot, Writer};
use super::super::{ExecutionError, REPLAY_BLOCKS_MAX};
use alloy_consensus::Header;
use phalanx_types::BlockRef;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// How many diffs of one size are merged into one of the next size.
const MERGE_FAN: usize = 16;
/// How often a diff is merged at most: 16² blocks in one.
const MERGE_LEVEL_MAX: u8 = 2;
/// A batch of this size is written, without fsync. Unit: bytes.
const BATCH_BYTES_MAX: usize = 8 << 20;
/// What may wait for the writer before blocks wait too. Unit: bytes.
const UNWRITTEN_BYTES_MAX: usize = 64 << 20;
/// The state is made durable when this many blocks are not.
const DURABLE_BLOCKS_MAX: u64 = 512;
/// The state is made durable when its last durable moment is this long ago.
const DURABLE_INTERVAL_MAX: Duration = Duration::from_secs(5);

#[derive(Debug)]
struct RunOfBlocks {
    level: u8,
    layer: Arc<Layer>,
}

/// What the writer is writing.
#[derive(Debug)]
struct Flushing {
    layers: Vec<Arc<Layer>>,
    number: u64,
    durable: bool,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Finalized {
    spec: Arc<ChainSpec>,
    header: Header,
    reference: BlockRef,
    runs: Vec<RunOfBlocks>,
    runs_bytes: usize,
    flushing: Option<Flushing>,
    base: Arc<Snapshot>,
    writer: Writer,
    durable_number: u64,
    durable_at: Instant,
    view: StateView,
}

impl Finalized {
    pub(super) fn start(opened: Opened, spec: Arc<ChainSpec>) -> Result<Self, ExecutionError> {
        let Opened { database, snapshot, header } = opened;
        let reference = BlockRef::new(header.number, header.hash_slow());
        let writer = Writer::start(database, snapshot.blame().clone())?;
        let view = StateView::new(reference, header.clone(), Arc::clone(&spec), Vec::new(), Arc::clone(&snapshot));
        Ok(Self {
            spec,
            reference,
            runs: Vec::new(),
            runs_bytes: 0,
            flushing: None,
            base: snapshot,
            writer,
            durable_number: header.number,
            durable_at: Instant::now(),
            header,
            view,
        })
    }

    pub(super) fn reference(&self) -> BlockRef {
        self.reference
    }

    /// The finalized state.
    pub(super) fn view(&self) -> StateView {
        self.view.clone()
    }

    /// The state of a block above: `layers`, newest first, over the finalized state.
    pub(super) fn view_above(&self, reference: BlockRef, header: Header, mut layers: Vec<Arc<Layer>>) -> StateView {
        layers.extend(self.runs.iter().rev().map(|run| Arc::clone(&run.layer)));
        if let Some(flushing) = &self.flushing {
            layers.extend(flushing.layers.iter().rev().cloned());
        }
        StateView::new(reference, header, Arc::clone(&self.spec), layers, Arc::clone(&self.base))
    }

    /// Makes the child `reference` of the finalized block the finalized block. [`Self::maintain`] must follow.
    pub(super) fn push(&mut self, reference: BlockRef, header: Header, layer: Arc<Layer>) {
        assert!(header.parent_hash == self.reference.hash, "blocks become final in order");
        self.reference = reference;
        self.header = header;
        self.runs_bytes += layer.bytes;
        self.runs.push(RunOfBlocks { level: 0, layer });
    }

    /// Merges diffs, takes what the writer finished, gives it what is due, and renews the view.
    pub(super) fn maintain(&mut self) -> Result<(), ExecutionError> {
        self.merge();
        let written = self.take_written(false).and_then(|()| {
            let behind = self.reference.number - self.durable_number >= REPLAY_BLOCKS_MAX;
            if behind || self.runs_bytes > UNWRITTEN_BYTES_MAX {
                self.take_written(true)?;
            }
            let durable = self.is_durable_due();
            if (durable || self.runs_bytes > BATCH_BYTES_MAX) && !self.writer.is_busy() {
                self.give(durable);
            }
            Ok(())
        });
        self.renew_view();
        written
    }

    /// Writes everything down and waits for it.
    pub(super) fn write_down(&mut self, durable: bool) -> Result<(), ExecutionError> {
        let written = self.take_written(true).and_then(|()| {
            if self.durable_number < self.reference.number {
                self.give(durable);
            }
            self.take_written(true)
        });
        self.renew_view();
        written
    }

    fn is_durable_due(&self) -> bool {
        let blocks = self.reference.number - self.durable_number;
        blocks >= DURABLE_BLOCKS_MAX || (blocks > 0 && self.durable_at.elapsed() >= DURABLE_INTERVAL_MAX)
    }

    fn merge(&mut self) {
        for level in 0..MERGE_LEVEL_MAX {
            let Some(first) = self.runs.iter().position(|run| run.level == level) else { continue };
            if self.runs.len() - first < MERGE_FAN {
                continue;
            }
            let mut merged = Layer::default();
            self.runs.drain(first..).for_each(|run| merged.absorb(&run.layer));
            merged.measure();
            self.runs.push(RunOfBlocks { level: level + 1, layer: Arc::new(merged) });
        }
        self.runs_bytes = self.runs.iter().map(|run| run.layer.bytes).sum();
    }

    fn give(&mut self, durable: bool) {
        let layers: Vec<_> = self.runs.drain(..).map(|run| run.layer).collect();
        self.runs_bytes = 0;
        self.writer.give(Job { layers: layers.clone(), header: self.header.clone(), durable });
        self.flushing = Some(Flushing { layers, number: self.header.number, durable });
    }

    fn take_written(&mut self, wait: bool) -> Result<(), ExecutionError> {
        let Some(written) = self.writer.take(wait) else { return Ok(()) };
        let flushed = self.flushing.take().expect("the writer was busy with it");
        match written {
            Ok(snapshot) => self.base = snapshot,
            Err(error) => {
                // Nothing was written: these diffs still stand between the file and the newer ones.
                let back = flushed.layers.into_iter().map(|layer| RunOfBlocks { level: MERGE_LEVEL_MAX, layer });
                self.runs.splice(..0, back);
                return Err(error);
            }
        }
        if flushed.durable {
            self.durable_number = flushed.number;
            self.durable_at = Instant::now();
        }
        Ok(())
    }

    fn renew_view(&mut self) {
        self.view = self.view_above(self.reference, self.header.clone(), Vec::new());
    }
}
