//! Carries the engine's work to execution, chain store and catch-up, and their results back.
//!
//! One stage thread, which never waits: what the executor has no room for stays here, and while there is
//! too much of it no more work is taken from the engine. Invariant: `Validated(Valid)` and `Built(Ok)` reach
//! the engine only when the block is executed *and* durable here.

use crate::driver::chain_writer::{ChainWriter, Urgency};
use crate::driver::executor::{ExecutorHandle, Task};
use crate::driver::fetcher::Fetcher;
use crate::driver::health::Health;
use crate::driver::latency::LatencyMeter;
use crate::driver::payload_writer::PayloadWriter;
use crate::driver::stage_thread::{Turn, Waker};
use crate::execution;
use crate::store::Write;
use crossbeam::channel::{Receiver, Sender, bounded};
use phalanx_consensus::{BuildFailure, HaltReason, Missing, Verdict};
use phalanx_pipeline::{Outcome, Outlet, Results, Work};
use phalanx_sync::{Action, Answer, CatchUp, RequestId};
use phalanx_types::{B256, Block, BlockRef, ClusterSize, OperatorIndex, Position, Time};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Events on their way to the coordinator. More than everything that can be under way at once, so that
/// nobody waits to report.
const EVENTS_MAX: usize = 16_384;
/// The most tasks kept back for the executor before no more work is taken from the engine.
const TASKS_KEPT_MAX: usize = 1_024;
/// The most events and pieces of work handled in one turn.
const ITEMS_PER_TURN_MAX: usize = 256;
/// How far below the newest final block siblings are kept. Unit: blocks.
const SIBLINGS_KEPT_BLOCKS: u64 = 64;
/// How often siblings are pruned. Unit: blocks.
const PRUNE_EVERY_BLOCKS: u64 = 256;

/// Something that the coordinator is told.
#[derive(Debug)]
pub(crate) enum Event {
    /// Execution has spoken.
    Verdict { block: BlockRef, verdict: execution::Verdict },
    /// A block's payload is durable.
    Stored(BlockRef),
    /// A block was built and is durable, or could not be built.
    Built { position: Position, result: Result<Arc<Block>, BuildFailure> },
    /// Everything up to here is committed.
    Committed(BlockRef),
    /// There is a connection.
    PeerConnected(OperatorIndex),
    /// There is none any more.
    PeerDisconnected(OperatorIndex),
    /// A request was answered; payloads are inspected, certificates checked.
    Answered { id: RequestId, peer: OperatorIndex, answer: Answer },
    /// A request brought nothing.
    Unanswered(RequestId),
}

/// Tells the coordinator. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Events {
    sender: Sender<Event>,
    waker: Waker,
}

impl Events {
    pub(crate) fn new(waker: Waker) -> (Self, Receiver<Event>) {
        let (sender, receiver) = bounded(EVENTS_MAX);
        (Self { sender, waker }, receiver)
    }

    pub(crate) fn send(&self, event: Event) {
        // The coordinator is gone only when the operator stops.
        let _ = self.sender.send(event);
        self.waker.wake();
    }
}

/// What is known of a block that the engine asked about.
#[derive(Debug, Default)]
struct Inquiry {
    stored: bool,
    verdict: Option<Verdict>,
    /// Whether the engine waits for an answer.
    asked: bool,
    /// When its proposal came, or was made; taken once it is final.
    proposed: Option<Time>,
}

/// Numbers that others read.
#[derive(Clone, Debug, Default)]
pub(crate) struct Progress {
    pub(crate) target: Arc<AtomicU64>,
    pub(crate) committed: Arc<AtomicU64>,
}

/// See the module's page.
pub(crate) struct Coordinator {
    pub(crate) work: Outlet<Work>,
    pub(crate) results: Results,
    pub(crate) events: Receiver<Event>,
    pub(crate) own_events: Events,
    pub(crate) catch_up: CatchUp,
    pub(crate) executor: ExecutorHandle,
    pub(crate) writer: ChainWriter,
    pub(crate) payloads: PayloadWriter,
    pub(crate) fetcher: Fetcher,
    pub(crate) size: ClusterSize,
    pub(crate) health: Arc<Health>,
    pub(crate) progress: Progress,
    pub(crate) proposal_to_final: Arc<LatencyMeter>,
    pub(crate) state: State,
}

/// What the coordinator remembers.
#[derive(Debug, Default)]
pub(crate) struct State {
    inquiries: BTreeMap<(u64, B256), Inquiry>,
    connected: BTreeSet<OperatorIndex>,
    tasks: VecDeque<Task>,
    outcomes: VecDeque<Outcome>,
    pruned_at: u64,
}

impl Coordinator {
    /// One turn of the stage thread.
    pub(crate) fn turn(&mut self, now: Time) -> Turn {
        let mut handled = 0;
        while handled < ITEMS_PER_TURN_MAX {
            let Ok(event) = self.events.try_recv() else { break };
            self.event(event, now);
            handled += 1;
        }
        while handled < ITEMS_PER_TURN_MAX && self.state.tasks.len() < TASKS_KEPT_MAX {
            let Some(work) = self.work.pop() else { break };
            self.work(work, now);
            handled += 1;
        }
        if self.catch_up.wake_at().is_some_and(|due| due <= now) {
            self.catch_up.tick(now);
        }
        self.act();
        self.hand_over();
        self.report();
        Turn { busy: handled > 0, wake_at: self.catch_up.wake_at() }
    }

    fn event(&mut self, event: Event, now: Time) {
        match event {
            Event::Verdict { block, verdict } => self.verdict(block, verdict),
            Event::Stored(block) => {
                self.inquiry(block).stored = true;
                self.answer(block);
            }
            Event::Built { position, result } => {
                if let Ok(block) = &result {
                    self.inquiry(block.reference).proposed.get_or_insert(now);
                    self.catch_up.block(Arc::clone(block), now);
                }
                self.state.outcomes.push_back(Outcome::Built { position, result });
            }
            Event::Committed(block) => self.committed(block, now),
            Event::PeerConnected(peer) => {
                self.state.connected.insert(peer);
                self.peers_changed(now);
            }
            Event::PeerDisconnected(peer) => {
                self.state.connected.remove(&peer);
                self.peers_changed(now);
            }
            Event::Answered { id, peer, answer } => self.catch_up.answered(id, peer, answer, now),
            Event::Unanswered(id) => self.catch_up.failed(id, now),
        }
    }

    fn peers_changed(&mut self, now: Time) {
        self.catch_up.set_peers(self.state.connected.iter().copied().collect(), now);
    }

    fn work(&mut self, work: Work, now: Time) {
        match work {
            Work::Build { position, parent } => self.state.tasks.push_back(Task::Build { position, parent }),
            Work::Validate(block) => self.validate(block, now),
            Work::Commit(finalization) => {
                self.measure(finalization.block().number, now);
                self.catch_up.finalized(finalization, now);
            }
            Work::Fetch(Missing::Block(block)) => self.catch_up.want_block(block, now),
            Work::Fetch(Missing::Terms { epoch, from, to }) => self.catch_up.want_terms(epoch, from, to, now),
            Work::Keep(certificate) => {
                self.writer.write(vec![Write::PutCertificate(certificate.into_inner())], Urgency::Later, None);
            }
            Work::Notarized(certificate) => {
                self.state.tasks.push_back(Task::Notarized(certificate.into_inner()));
            }
            Work::EnteredTerm { position, leader } => {
                metrics::counter!("phalanx_terms_entered_total").increment(1);
                tracing::info!(term = position.term, %leader, "term entered");
            }
            Work::Discard(hash) => tracing::debug!(%hash, "a block that cannot become final was let go of"),
            Work::Halt(reason) => self.halt(&reason),
        }
    }

    /// The blocks up to `number` are final: how long did each take?
    fn measure(&mut self, number: u64, now: Time) {
        let last = (number, B256::repeat_byte(0xff));
        for (_, inquiry) in self.state.inquiries.range_mut(..=last) {
            if let Some(proposed) = inquiry.proposed.take() {
                let latency = now.saturating_since(proposed);
                self.proposal_to_final.record(latency);
                metrics::histogram!("phalanx_proposal_to_final_seconds").record(latency);
            }
        }
    }

    fn halt(&self, reason: &HaltReason) {
        self.health.fatal(match reason {
            HaltReason::NotarizedBlockInvalid { position, block, reason } => format!(
                "block {block} at {position} is notarized by a quorum and invalid here ({reason}): compare this \
                 operator's genesis, release and state with the others' before it is started again"
            ),
            HaltReason::ConflictingCertificates { first, second } => format!(
                "{first} conflicts with {second}: more than f operators are Byzantine; keep this operator's data \
                 directory as evidence"
            ),
        });
    }

    fn inquiry(&mut self, block: BlockRef) -> &mut Inquiry {
        self.state.inquiries.entry((block.number, block.hash)).or_default()
    }

    /// Stores and executes at the same time; answered when both are done.
    fn validate(&mut self, block: Arc<Block>, now: Time) {
        let reference = block.reference;
        self.catch_up.block(Arc::clone(&block), now);
        let inquiry = self.inquiry(reference);
        inquiry.asked = true;
        inquiry.proposed.get_or_insert(now);
        inquiry.verdict = None;
        if !inquiry.stored {
            let events = self.own_events.clone();
            let stored = Box::new(move || events.send(Event::Stored(reference)));
            self.payloads.write(Block::clone(&block), None, stored);
        }
        self.state.tasks.push_back(Task::Validate(block));
    }

    fn verdict(&mut self, block: BlockRef, verdict: execution::Verdict) {
        let verdict = match verdict {
            execution::Verdict::Valid => Verdict::Valid,
            execution::Verdict::Invalid(reason) => Verdict::Invalid(reason),
            execution::Verdict::MissingParent { .. } | execution::Verdict::Early { .. } => Verdict::Pending,
        };
        self.inquiry(block).verdict = Some(verdict);
        self.answer(block);
    }

    fn answer(&mut self, block: BlockRef) {
        let inquiry = self.inquiry(block);
        let Some(verdict) = inquiry.verdict.clone().filter(|_| inquiry.asked) else { return };
        if verdict == Verdict::Valid && !inquiry.stored {
            return;
        }
        inquiry.asked = false;
        self.state.outcomes.push_back(Outcome::Validated { block, verdict });
    }

    fn committed(&mut self, block: BlockRef, now: Time) {
        self.progress.committed.store(block.number, Ordering::Relaxed);
        self.state.inquiries = self.state.inquiries.split_off(&(block.number + 1, B256::ZERO));
        self.catch_up.committed(block, now);
        self.state.outcomes.push_back(Outcome::Committed(block));
        if block.number >= self.state.pruned_at + PRUNE_EVERY_BLOCKS {
            self.state.pruned_at = block.number;
            let below = block.number.saturating_sub(SIBLINGS_KEPT_BLOCKS);
            self.writer.write(vec![Write::PruneUnfinalized { below }], Urgency::Later, None);
        }
    }

    /// Carries catch-up's actions out.
    fn act(&mut self) {
        for action in self.catch_up.drain().collect::<Vec<_>>() {
            match action {
                Action::Request { id, to, request } => self.fetcher.fetch(id, to, request),
                Action::Commit { blocks, finalization } => {
                    let finalization = finalization.into_inner();
                    self.state.tasks.push_back(Task::Commit { blocks, finalization });
                }
                Action::Fetched(block) => self.state.outcomes.push_back(Outcome::Fetched(block)),
                Action::Blame { peer, reason } => {
                    metrics::counter!("phalanx_peer_faults_total", "peer" => peer.to_string()).increment(1);
                    tracing::warn!(%peer, reason, "a peer answered falsely");
                }
            }
        }
    }

    /// Gives tasks to the executor and outcomes to the engine, as far as they have room.
    fn hand_over(&mut self) {
        while let Some(task) = self.state.tasks.pop_front() {
            if let Some(task) = self.executor.try_send(task) {
                self.state.tasks.push_front(task);
                break;
            }
        }
        while let Some(outcome) = self.state.outcomes.pop_front() {
            if let Err(outcome) = self.results.push(outcome) {
                self.state.outcomes.push_front(outcome);
                break;
            }
        }
    }

    fn report(&self) {
        let target = self.catch_up.target();
        let committed = self.catch_up.committed_block().number;
        self.progress.target.store(target, Ordering::Relaxed);
        let quorum = self.state.connected.len() + 1 >= self.size.q();
        self.health.set_ready(quorum && target <= committed + crate::driver::status::SYNCED_LAG_BLOCKS_MAX);
    }
}
