//! The thread that owns execution: builds, validates and commits, in the order asked for.
//!
//! Invariants: a block's `Finalize` is durable in the chain store before execution commits it, so that
//! after a crash the state is never ahead of the chain; `latest` is published after both. The thread is
//! fed by the coordinator, which never has more than [`EXECUTOR_TASKS_MAX`] tasks waiting here.

use crate::driver::chain_view::{ChainView, SharedChainView};
use crate::driver::chain_writer::{ChainWriter, Urgency};
use crate::driver::clock::Clock;
use crate::driver::coordinator::{Event, Events};
use crate::driver::executed::{finalize_write, rpc_block};
use crate::driver::health::Health;
use crate::driver::payload_writer::PayloadWriter;
use crate::driver::transactions::{Selection, Transactions};
use crate::execution::{BuildAttributes, Embedded, ExecutedBlock, StateReader, Verdict};
use crate::rpc::backend::RpcBlock;
use crate::rpc::events::{BlockEvent, EventFeed};
use crate::store::Write;
use alloy_primitives::{Address, B256, Bytes};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use phalanx_consensus::BuildFailure;
use phalanx_types::{Block, BlockRef, Certificate, Position};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most tasks that wait for the executor.
pub(crate) const EXECUTOR_TASKS_MAX: usize = 256;
/// How many executed final blocks may wait for the chain store before execution waits for it too; well below
/// what execution holds unfinalized.
const UNSTORED_BLOCKS_MAX: usize = 512;
/// One commit holds at least one block, and takes the count past its bound by at most its own.
const UNSTORED_COMMITS_MAX: usize = 2 * UNSTORED_BLOCKS_MAX;
/// The most blocks that are made final at once, so that a long catch-up is on disk step by step.
const STORED_TOGETHER_MAX: usize = 256;

/// How often a wait for the chain store looks whether this operator has to stop.
const STORED_POLL: Duration = Duration::from_millis(500);

/// What the executor is asked to do.
#[derive(Debug)]
pub(crate) enum Task {
    /// Build on `parent`; answered by `Event::Built`.
    Build { position: Position, parent: BlockRef },
    /// Execute; answered by `Event::Verdict`.
    Validate(Arc<Block>),
    /// Execute where that was not done, store, commit; answered by `Event::Committed`.
    Commit { blocks: Vec<Arc<Block>>, finalization: Certificate },
    /// This is the newest notarized block.
    Notarized(Certificate),
}

/// What a leader decides about its blocks.
#[derive(Clone, Debug)]
pub(crate) struct BuildSettings {
    pub(crate) beneficiary: Address,
    pub(crate) gas_limit: u64,
    pub(crate) extra_data: Bytes,
    /// The most bytes of a payload.
    pub(crate) payload_bytes_max: usize,
    /// How long a build may take transactions in.
    pub(crate) time_max: Duration,
}

/// A commit that waits for the chain store.
#[derive(Debug)]
struct Unstored {
    tip: BlockRef,
    blocks: usize,
    finalization: Certificate,
}

/// The commits that wait for the chain store, and the way on which they come back.
#[derive(Debug)]
struct Storing {
    stored: Sender<Unstored>,
    receiver: Receiver<Unstored>,
    /// Blocks under way.
    blocks: usize,
}

impl Storing {
    fn new() -> Self {
        // The acknowledgement must never block, so there is room for every commit.
        let (stored, receiver) = bounded(UNSTORED_COMMITS_MAX);
        Self { stored, receiver, blocks: 0 }
    }
}

/// Everything that the thread owns or reaches.
pub(crate) struct Executor {
    pub(crate) engine: Embedded,
    pub(crate) reader: StateReader,
    pub(crate) clock: Clock,
    pub(crate) settings: BuildSettings,
    pub(crate) transactions: Transactions,
    pub(crate) writer: ChainWriter,
    pub(crate) payloads: PayloadWriter,
    pub(crate) events: Events,
    pub(crate) view: Arc<SharedChainView>,
    pub(crate) feed: EventFeed,
    pub(crate) health: Arc<Health>,
}

/// Sends tasks to the thread.
#[derive(Clone, Debug)]
pub(crate) struct ExecutorHandle {
    tasks: Sender<Task>,
}

impl ExecutorHandle {
    /// Hands a task over; gives it back when the executor has too many.
    pub(crate) fn try_send(&self, task: Task) -> Option<Task> {
        self.tasks.try_send(task).err().map(crossbeam::channel::TrySendError::into_inner)
    }

    /// Tasks that wait.
    pub(crate) fn queued(&self) -> usize {
        self.tasks.len()
    }
}

impl Executor {
    /// Starts the thread.
    pub(crate) fn spawn(self) -> std::io::Result<(ExecutorHandle, JoinHandle<()>)> {
        let (tasks, receiver) = bounded(EXECUTOR_TASKS_MAX);
        let thread = std::thread::Builder::new().name("executor".to_owned()).spawn(move || self.run(&receiver))?;
        Ok((ExecutorHandle { tasks }, thread))
    }

    fn run(mut self, tasks: &Receiver<Task>) {
        let _watch = self.health.watch("executor");
        let mut storing = Storing::new();
        let stored = storing.receiver.clone();
        loop {
            let done = if storing.blocks < UNSTORED_BLOCKS_MAX {
                crossbeam::channel::select_biased! {
                    recv(stored) -> commit => commit.map_err(|_| ())
                        .and_then(|commit| self.commit_stored(&commit, &mut storing)),
                    recv(tasks) -> task => task.map_err(|_| ()).and_then(|task| self.perform(task, &mut storing)),
                }
            } else {
                self.await_stored(&mut storing)
            };
            if done.is_err() || self.health.fatal_reason().is_some() {
                break;
            }
        }
        if let Err(error) = self.engine.flush() {
            tracing::error!(%error, "the state could not be flushed; it is replayed at the next start");
        }
    }

    /// Carries one task out. An error ends the thread.
    fn perform(&mut self, task: Task, storing: &mut Storing) -> Result<(), ()> {
        match task {
            Task::Build { position, parent } => self.build(position, parent),
            Task::Validate(block) => {
                let verdict = self.validate(&block, self.clock.wall_s())?;
                self.events.send(Event::Verdict { block: block.reference, verdict });
            }
            Task::Commit { blocks, finalization } => return self.commit(&blocks, finalization, storing),
            Task::Notarized(certificate) => self.notarized(&certificate),
        }
        Ok(())
    }

    fn fail(&self, what: &str, error: &dyn std::fmt::Display) {
        self.health.fatal(format!("{what}: {error}"));
    }

    fn validate(&mut self, block: &Block, now_s: u64) -> Result<Verdict, ()> {
        let begin = Instant::now();
        self.engine.remember_senders(self.transactions.recovered_senders());
        let verdict = self.engine.validate(block, now_s).map_err(|error| self.fail("execution failed", &error))?;
        metrics::histogram!("phalanx_execution_validate_seconds").record(begin.elapsed());
        Ok(verdict)
    }

    fn build(&mut self, position: Position, parent: BlockRef) {
        let begin = Instant::now();
        let result = self.build_on(parent, begin);
        metrics::histogram!("phalanx_execution_build_seconds").record(begin.elapsed());
        match result {
            Ok(executed) => {
                let block = Arc::new(executed.block.clone());
                let events = self.events.clone();
                // Built means durable: a leader's proposal survives its crash.
                let acknowledge = move || events.send(Event::Built { position, result: Ok(block) });
                self.payloads.write(executed.block.clone(), Some(position), Box::new(acknowledge));
            }
            Err(failure) => self.events.send(Event::Built { position, result: Err(failure) }),
        }
    }

    fn build_on(&mut self, parent: BlockRef, begin: Instant) -> Result<Arc<ExecutedBlock>, BuildFailure> {
        let state = self.reader.at(parent.hash).ok_or(BuildFailure::ParentMissing)?;
        let mut selection = match self.transactions.is_empty() {
            true => Selection::default(),
            false => self.transactions.select(state, self.settings.gas_limit),
        };
        let attributes = BuildAttributes {
            timestamp_s: self.clock.wall_s(),
            beneficiary: self.settings.beneficiary,
            gas_limit: self.settings.gas_limit,
            extra_data: self.settings.extra_data.clone(),
            prev_randao: B256::ZERO,
            payload_bytes_max: self.settings.payload_bytes_max,
            deadline: Some(begin + self.settings.time_max),
        };
        let built = self.engine.build(parent.hash, &attributes, &mut selection);
        self.transactions.report(selection);
        built.map_err(|error| BuildFailure::Refused(error.to_string()))
    }

    /// Executes what was not, and asks the chain store to make it final. Where execution has no room for a
    /// block, those before it become final first.
    fn commit(&mut self, blocks: &[Arc<Block>], finalization: Certificate, storing: &mut Storing) -> Result<(), ()> {
        let mut group = Vec::new();
        for block in blocks {
            let executed = loop {
                if let Some(executed) = self.execute_final(block)? {
                    break executed;
                }
                self.store(&mut group, finalization, Urgency::Now, storing);
                if storing.blocks == 0 {
                    self.fail("execution has no room, and nothing waits to become final, before", &block.reference);
                    return Err(());
                }
                self.await_stored(storing)?;
            };
            group.push(executed);
            if group.len() == STORED_TOGETHER_MAX {
                self.store(&mut group, finalization, Urgency::Soon, storing);
            }
        }
        self.store(&mut group, finalization, Urgency::Soon, storing);
        Ok(())
    }

    /// Asks the chain store to make these final: a prefix of what `finalization` makes final.
    fn store(
        &mut self,
        group: &mut Vec<Arc<ExecutedBlock>>,
        finalization: Certificate,
        urgency: Urgency,
        storing: &mut Storing,
    ) {
        let Some(tip) = group.last().map(|executed| executed.reference()) else { return };
        let blocks = group.len();
        let mut writes = Vec::with_capacity(2 * blocks + 1);
        for executed in group.drain(..) {
            writes.push(Write::PutPayload { block: executed.block.clone(), position: None });
            writes.push(finalize_write(&executed));
        }
        writes.push(Write::PutCertificate(finalization));
        self.engine.pin(tip.hash);
        storing.blocks += blocks;
        let stored = storing.stored.clone();
        let acknowledge = move || {
            let _ = stored.send(Unstored { tip, blocks, finalization });
        };
        self.writer.write(writes, urgency, Some(Box::new(acknowledge)));
    }

    /// Waits until the oldest commit under way is stored, and commits it.
    fn await_stored(&mut self, storing: &mut Storing) -> Result<(), ()> {
        let commit = loop {
            match storing.receiver.recv_timeout(STORED_POLL) {
                Ok(commit) => break commit,
                Err(RecvTimeoutError::Timeout) if self.health.fatal_reason().is_none() => {}
                Err(_) => return Err(()),
            }
        };
        self.commit_stored(&commit, storing)
    }

    /// A final block's execution, done now where it was not before; `None` while there is no room for it. The
    /// cluster has certified it: if it is invalid here, then this operator must not go on.
    fn execute_final(&mut self, block: &Block) -> Result<Option<Arc<ExecutedBlock>>, ()> {
        if let Some(executed) = self.engine.executed(block.reference.hash) {
            return Ok(Some(executed));
        }
        match self.validate(block, u64::MAX)? {
            Verdict::Valid => {}
            // No timestamp is early by that clock: too many blocks wait to become final.
            Verdict::Early { .. } => return Ok(None),
            verdict @ (Verdict::Invalid(_) | Verdict::MissingParent { .. }) => {
                let what = format!("the finalized block {} does not execute here", block.reference);
                self.fail(&what, &format!("{verdict:?}"));
                return Err(());
            }
        }
        let executed = self.engine.executed(block.reference.hash);
        if executed.is_none() {
            self.fail("execution forgot a block that it just executed", &block.reference);
        }
        executed.map(Some).ok_or(())
    }

    fn commit_stored(&mut self, commit: &Unstored, storing: &mut Storing) -> Result<(), ()> {
        storing.blocks -= commit.blocks;
        let begin = Instant::now();
        let committed =
            self.engine.commit(commit.tip.hash).map_err(|error| self.fail("execution cannot commit", &error))?;
        metrics::histogram!("phalanx_execution_commit_seconds").record(begin.elapsed());
        let mut view = ChainView::clone(&self.view.load());
        let mut published = Vec::with_capacity(committed.len());
        for executed in &committed {
            let known = view.by_hash(executed.reference().hash).cloned();
            let block = known.unwrap_or_else(|| Arc::new(rpc_block(executed, None)));
            view.finalize(Arc::clone(&block));
            published.push(block);
        }
        self.view.publish(view);
        self.transactions.committed(committed);
        for block in published {
            metrics::gauge!("phalanx_height_finalized").set(block.block.header.number as f64);
            self.feed.publish_block(BlockEvent::Finalized(block, commit.finalization));
        }
        self.events.send(Event::Committed(commit.tip));
        Ok(())
    }

    /// Shows the notarized chain as `pending`, as far as it is executed here.
    fn notarized(&mut self, certificate: &Certificate) {
        let mut view = ChainView::clone(&self.view.load());
        let finalized = view.finalized().reference();
        let mut chain = Vec::new();
        let mut cursor = certificate.block().hash;
        while cursor != finalized.hash {
            let held = view.by_hash(cursor).cloned();
            let position = (cursor == certificate.block().hash).then(|| certificate.position());
            let block = match held {
                Some(block) => block,
                None => match self.engine.executed(cursor) {
                    Some(executed) => Arc::new(rpc_block(&executed, position)),
                    // Not executed here yet, or below what is final: nothing to show.
                    None => return,
                },
            };
            if block.block.header.number <= finalized.number {
                return;
            }
            cursor = block.block.header.parent_hash;
            chain.push(block);
        }
        chain.reverse();
        let newest: Option<Arc<RpcBlock>> = chain.last().cloned();
        view.set_notarized(chain);
        self.view.publish(view);
        if let Some(block) = newest {
            metrics::gauge!("phalanx_height_notarized").set(block.block.header.number as f64);
            self.feed.publish_block(BlockEvent::Notarized(block, *certificate));
        }
    }
}

#[cfg(test)]
mod tests;
