//! The engine stage: the one thread that owns the consensus engine.
//!
//! It feeds the engine verified inputs, the driver's results and ticks, and sends each effect where it is
//! carried out, in order. An effect that finds its ring full is kept, and nothing more is fed in until it
//! is through: so what is kept is at most what one step asks for.

use crate::counters::Counters;
use crate::ring::{Depth, Ring};
use crate::sign::{Intent, Outbound};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stage::{Progress, Stage};
use phalanx_consensus::{BuildFailure, Effect, Engine, HaltReason, Input, Missing, Outbox, Recipients, Verdict};
use phalanx_threshold::Verified;
use phalanx_types::{B256, Block, BlockRef, Certificate, Message, OperatorIndex, Position, Time};
use std::collections::VecDeque;
use std::sync::Arc;

/// Work that waits for the driver.
pub const WORK_RING_MAX: usize = 1_024;
/// Results that wait for the engine. As many as there can be work, but the driver must keep taking work
/// while this is full.
pub const RESULTS_RING_MAX: usize = 1_024;
/// Inputs fed to the engine in one turn, before readers see a new snapshot.
pub const INPUTS_PER_TURN_MAX: usize = 64;

/// What the driver does for the engine, in order.
#[derive(Clone, Debug)]
pub enum Work {
    /// Build a block for `position` on `parent`; answer with [`Outcome::Built`].
    Build {
        /// The position.
        position: Position,
        /// The parent, executed here already or soon.
        parent: BlockRef,
    },
    /// Store and execute a block; answer with [`Outcome::Validated`], once for each time that it is asked.
    Validate(Arc<Block>),
    /// This block and all its ancestors are final: commit them in order; answer with
    /// [`Outcome::Committed`].
    Commit(Verified<Certificate>),
    /// Ask other operators; blocks come back as [`Outcome::Fetched`], certificates through
    /// [`crate::Ingress::push_fetched`].
    Fetch(Missing),
    /// Serve this certificate to others. (The sign stage journals it.)
    Keep(Verified<Certificate>),
    /// The newest notarized block changed, for `pending`.
    Notarized(Verified<Certificate>),
    /// A term was entered.
    EnteredTerm {
        /// Its first position.
        position: Position,
        /// Its leader.
        leader: OperatorIndex,
    },
    /// An unfinalized block that no longer can become final may be forgotten.
    Discard(B256),
    /// The engine has stopped for good: people must look.
    Halt(HaltReason),
}

/// What came of the driver's work, and what people ask for.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// The answer to [`Work::Build`]. An `Ok` block's payload is durable and executed.
    Built {
        /// The position asked for.
        position: Position,
        /// The block, or why there is none.
        result: Result<Arc<Block>, BuildFailure>,
    },
    /// The answer to [`Work::Validate`].
    Validated {
        /// The block asked about.
        block: BlockRef,
        /// What execution says.
        verdict: Verdict,
    },
    /// A block fetched because of [`Work::Fetch`].
    Fetched(Arc<Block>),
    /// Everything up to this block is committed and executed here.
    Committed(BlockRef),
    /// Hand the leadership over.
    HandOver,
}

impl From<Outcome> for Input {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Built { position, result } => Self::Built { position, result },
            Outcome::Validated { block, verdict } => Self::Validated { block, verdict },
            Outcome::Fetched(block) => Self::Fetched(block),
            Outcome::Committed(block) => Self::Committed(block),
            Outcome::HandOver => Self::HandOver,
        }
    }
}

/// The driver's way to the engine. Cloneable.
#[derive(Clone, Debug)]
pub struct Results(pub(crate) Arc<Ring<Outcome>>);

impl Results {
    /// Hands a result in.
    ///
    /// # Errors
    /// Gives it back when the ring is full: keep it and try again, and go on taking work meanwhile.
    pub fn push(&self, outcome: Outcome) -> Result<(), Outcome> {
        self.0.push(outcome)
    }

    /// How full the ring is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.0.depth()
    }
}

/// What the stage is wired to.
#[derive(Debug)]
pub(crate) struct EngineWiring {
    pub(crate) verified: Arc<Ring<Input>>,
    pub(crate) results: Arc<Ring<Outcome>>,
    pub(crate) intents: Arc<Ring<Intent>>,
    pub(crate) outbound: Arc<Ring<Outbound>>,
    pub(crate) work: Arc<Ring<Work>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) counters: Arc<Counters>,
}

/// The second stage.
#[derive(Debug)]
pub struct EngineStage {
    engine: Engine,
    wiring: EngineWiring,
    outbox: Outbox,
    deadline: Option<Time>,
    published: Snapshot,
    intents: VecDeque<Intent>,
    outbound: VecDeque<Outbound>,
    work: VecDeque<Work>,
}

impl EngineStage {
    /// `outbox` holds what the engine asked for when it was made.
    pub(crate) fn new(engine: Engine, outbox: Outbox, wiring: EngineWiring) -> Self {
        let published = Snapshot { window: engine.window(), status: engine.status() };
        let mut stage = Self {
            engine,
            wiring,
            outbox,
            deadline: None,
            published,
            intents: VecDeque::new(),
            outbound: VecDeque::new(),
            work: VecDeque::new(),
        };
        stage.route();
        stage
    }

    /// The engine, for gauges and for checkers.
    #[must_use]
    pub fn engine(&self) -> &Engine {
        &self.engine
    }

    fn next_input(&mut self, now: Time) -> Option<Input> {
        if self.deadline.is_some_and(|deadline| deadline <= now) {
            self.deadline = None;
            return Some(Input::Tick);
        }
        self.wiring.results.pop().map(Input::from).or_else(|| self.wiring.verified.pop())
    }

    /// Sends each effect to whoever carries it out.
    fn route(&mut self) {
        let everyone = |message| Outbound::Send { recipients: Recipients::Everyone, message };
        for effect in self.outbox.drain() {
            match effect {
                Effect::Keep(certificate) => {
                    self.intents.push_back(Intent::Keep(*certificate));
                    self.work.push_back(Work::Keep(certificate));
                }
                Effect::Vote { vote, recipients } => self.intents.push_back(Intent::Vote { vote, recipients }),
                Effect::Propose { header, justification, block } => {
                    self.intents.push_back(Intent::Propose { header, justification, block });
                }
                Effect::ResendVote(vote) => self.intents.push_back(Intent::ResendVote(vote)),
                Effect::ResendProposal { position, block } => {
                    self.intents.push_back(Intent::ResendProposal { position, block });
                }
                // Certificates and evidence prove themselves: they need no journal, and wait for none.
                Effect::Forward(certificate) => self.outbound.push_back(everyone(Message::Certificate(*certificate))),
                Effect::Tell { to, certificate } => self.outbound.push_back(Outbound::Send {
                    recipients: Recipients::Only(Arc::new([to])),
                    message: Message::Certificate(*certificate),
                }),
                Effect::ForwardEquivocation(evidence) => {
                    self.outbound.push_back(everyone(Message::Equivocation(Box::new(evidence.into_inner()))));
                }
                Effect::Build { position, parent } => self.work.push_back(Work::Build { position, parent }),
                Effect::Validate(block) => self.work.push_back(Work::Validate(block)),
                Effect::Commit(certificate) => self.work.push_back(Work::Commit(certificate)),
                Effect::Fetch(missing) => self.work.push_back(Work::Fetch(missing)),
                Effect::Notarized(certificate) => self.work.push_back(Work::Notarized(certificate)),
                Effect::SetTimer(deadline) => self.deadline = Some(deadline),
                Effect::EnteredTerm { position, leader } => {
                    self.work.push_back(Work::EnteredTerm { position, leader });
                }
                Effect::Discard(hash) => self.work.push_back(Work::Discard(hash)),
                Effect::Halt(reason) => self.work.push_back(Work::Halt(reason)),
            }
        }
    }

    fn flush(&mut self) -> bool {
        let intents = self.wiring.intents.flush(&mut self.intents);
        let outbound = self.wiring.outbound.flush(&mut self.outbound);
        let work = self.wiring.work.flush(&mut self.work);
        intents && outbound && work
    }

    fn publish(&mut self) {
        let snapshot = Snapshot { window: self.engine.window(), status: self.engine.status() };
        if snapshot != self.published {
            self.published = snapshot.clone();
            self.wiring.snapshots.publish(snapshot);
        }
    }
}

impl Stage for EngineStage {
    fn name(&self) -> &'static str {
        "engine"
    }

    fn turn(&mut self, now: Time) -> Progress {
        let mut inputs = 0;
        let mut has_room = self.flush();
        while has_room && inputs < INPUTS_PER_TURN_MAX {
            let Some(input) = self.next_input(now) else { break };
            self.engine.step(now, input, &mut self.outbox);
            self.route();
            has_room = self.flush();
            inputs += 1;
        }
        self.wiring.counters.inputs.add(inputs);
        if inputs > 0 {
            self.publish();
        }
        // Without room a timer that runs out can do nothing: whoever makes room wakes the stage.
        Progress { did_work: inputs > 0, wake_at: self.deadline.filter(|_| has_room) }
    }
}
