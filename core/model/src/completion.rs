//! From a state on, a fair run: the network brings everything in ten milliseconds, the Byzantine operator is
//! silent for ever, all that was under way is lost, timers run as in production. What then must happen: every
//! honest operator commits something that was not final before. Deterministic.

use crate::explore::Explorer;
use crate::instance::{HONEST, OPERATORS, genesis};
use crate::tree;
use crate::universe::{Universe, members};
use core::time::Duration;
use phalanx_consensus::{Config, Effect, Engine, Input, Missing, Outbox, Recipients, Verdict};
use phalanx_threshold::Verified;
use phalanx_types::{
    B256, Block, BlockRef, Bytes, Certificate, ClusterSize, OperatorIndex, Position, Proposal, Time, Vote, keccak256,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

const DELAY: Duration = Duration::from_millis(10);
const TIMEOUT: Duration = Duration::from_secs(1);
/// When it begins: later than any step of an exploration.
const START: Time = Time::from_micros(1_000_000);
/// A run that has not come to its end by then never will.
const LIMIT: Duration = Duration::from_secs(120);

/// Nothing new became final, or an engine halted.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{why}; at the end: {ends:?}")]
pub struct Stall {
    /// What went wrong.
    pub why: String,
    /// Each honest operator's term, whether it left it, and its committed height.
    pub ends: Vec<(u64, bool, u64)>,
}

#[derive(Clone, Debug)]
enum Wire {
    Vote(Vote),
    Certificate(Verified<Certificate>),
    Proposal(Verified<Proposal>, Arc<Block>),
    Evidence(Box<Verified<phalanx_types::Equivocation>>),
    Block(Arc<Block>),
}

enum Happening {
    Deliver { to: usize, from: OperatorIndex, wire: Wire },
    Answer { to: usize, input: Input },
    Tick { to: usize, at: Time },
}

struct Node {
    seat: OperatorIndex,
    engine: Engine,
    kept: Vec<Verified<Certificate>>,
    store: BTreeMap<B256, Arc<Block>>,
    proposals: BTreeMap<Position, Verified<Proposal>>,
    committed: BlockRef,
    votes: BTreeMap<Vote, BTreeSet<OperatorIndex>>,
    timer: Option<Time>,
}

/// Runs states to their end, and remembers the certificates that it made on the way.
#[derive(Debug, Default)]
pub struct Completion {
    certificates: BTreeMap<Vote, Verified<Certificate>>,
}

impl Completion {
    /// None made yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Goes on from a state of an exploration, by its index; one that [`Explorer::is_within`] the explored terms.
    /// Says how long it took.
    ///
    /// # Errors
    /// [`Stall`] when two minutes do not suffice.
    pub fn run(&mut self, explorer: &Explorer, state: usize) -> Result<Duration, Stall> {
        assert!(explorer.is_within(state), "an operator that is over is not known well enough to go on");
        let universe = explorer.universe();
        let seats = universe.instance.seats();
        let operators = explorer.operators(state);
        let nodes = operators.into_iter().zip(seats).map(|(operator, seat)| Node {
            seat,
            engine: operator.engine.reconfigured(config(universe, seat)),
            kept: members(operator.journal.kept).map(|n| universe.certificates[usize::from(n)]).collect(),
            store: stored(operator.journal.stored, operator.journal.committed),
            proposals: members(operator.journal.proposed)
                .map(|n| &universe.proposals[usize::from(n)])
                .map(|proposal| (proposal.header.position, proposal.clone()))
                .collect(),
            committed: tree::reference(operator.journal.committed),
            votes: BTreeMap::new(),
            timer: None,
        });
        let nodes: Vec<Node> = nodes.collect();
        let finalized = nodes.iter().map(|node| node.engine.status().finalized.number).max().unwrap_or(0);
        let building = operators.map(|operator| operator.building);
        let mut fair =
            Fair { universe, nodes, made: self, queue: BTreeMap::new(), sequence: 0, now: START, halted: None };
        fair.begin(building);
        fair.run(finalized)
    }
}

fn config(universe: &Universe, seat: OperatorIndex) -> Config {
    Config {
        me: seat,
        size: ClusterSize::new(OPERATORS).expect("four operators are a cluster"),
        epoch: 0,
        genesis: genesis(),
        slots_per_term: universe.instance.slots,
        block_time: Duration::from_millis(100),
        pipeline_depth: universe.instance.depth,
        progress_timeout_min: TIMEOUT,
        progress_timeout_max: TIMEOUT * 8,
        finality_lag_min: TIMEOUT * 2,
        finality_lag_max: TIMEOUT * 16,
        resend_interval_min: Duration::from_millis(150),
        resend_interval_max: Duration::from_millis(1_200),
        jitter_seed: u64::from(seat.0) + 1,
        collectors: universe.instance.collecting(),
    }
}

fn stored(blocks: u64, committed: tree::Id) -> BTreeMap<B256, Arc<Block>> {
    let ids = members(blocks.into()).chain(tree::path(committed));
    ids.map(tree::block).map(|block| (block.reference.hash, block)).collect()
}

struct Fair<'a> {
    universe: &'a Universe,
    nodes: Vec<Node>,
    made: &'a mut Completion,
    queue: BTreeMap<(Time, u64), Happening>,
    sequence: u64,
    now: Time,
    halted: Option<String>,
}

impl Fair<'_> {
    /// Builds that were asked for are answered, and all timers are looked at.
    fn begin(&mut self, building: [Option<(Position, BlockRef)>; HONEST]) {
        for (to, asked) in building.into_iter().enumerate() {
            if let Some((position, parent)) = asked {
                self.build(to, position, parent);
            }
            self.input(to, Input::Tick);
        }
    }

    fn run(mut self, finalized: u64) -> Result<Duration, Stall> {
        let until = START + LIMIT;
        let done = |fair: &Self| fair.nodes.iter().all(|node| node.committed.number > finalized);
        while !done(&self) && self.halted.is_none() {
            let Some(((time, _), happening)) = self.queue.pop_first() else { break };
            if time > until {
                break;
            }
            self.now = time;
            self.happen(happening);
        }
        if done(&self) && self.halted.is_none() {
            return Ok(self.now.saturating_since(START));
        }
        let end = |node: &Node| {
            let status = node.engine.status();
            (status.term, status.left, node.committed.number)
        };
        let why = self.halted.unwrap_or_else(|| format!("nothing above height {finalized} is final everywhere"));
        Err(Stall { why, ends: self.nodes.iter().map(end).collect() })
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Deliver { to, from, wire } => self.deliver(to, from, wire),
            Happening::Answer { to, input } => self.input(to, input),
            Happening::Tick { to, at } => {
                if self.nodes[to].timer == Some(at) {
                    self.nodes[to].timer = None;
                    self.input(to, Input::Tick);
                }
            }
        }
    }

    fn push(&mut self, at: Time, happening: Happening) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), happening);
    }

    fn answer(&mut self, to: usize, input: Input) {
        self.push(self.now + DELAY / 10, Happening::Answer { to, input });
    }

    fn input(&mut self, to: usize, input: Input) {
        let mut out = Outbox::new();
        self.nodes[to].engine.step(self.now, input, &mut out);
        for effect in out.drain() {
            self.effect(to, effect);
        }
    }

    fn deliver(&mut self, to: usize, from: OperatorIndex, wire: Wire) {
        let vote = if let Wire::Vote(vote) = &wire { Some(*vote) } else { None };
        self.input(to, Input::Heard { from, vote });
        match wire {
            Wire::Vote(vote) => self.count(to, from, vote),
            Wire::Certificate(certificate) => {
                if self.nodes[to].engine.window().wants_certificate(&certificate) {
                    self.input(to, Input::Certificate(certificate));
                }
            }
            Wire::Proposal(proposal, block) => {
                for certificate in proposal.justification.clone() {
                    let certificate = self.certificate(certificate.vote);
                    self.input(to, Input::Certificate(certificate));
                }
                self.input(to, Input::Proposal { proposal, block });
            }
            Wire::Evidence(evidence) => self.input(to, Input::Equivocation(*evidence)),
            Wire::Block(block) => self.input(to, Input::Fetched(block)),
        }
    }

    /// A quorum of partials makes a certificate.
    fn count(&mut self, to: usize, from: OperatorIndex, vote: Vote) {
        if !self.nodes[to].engine.window().wants_vote(&vote) {
            return;
        }
        let signers = self.nodes[to].votes.entry(vote).or_default();
        if signers.insert(from) && signers.len() == HONEST {
            let certificate = self.certificate(vote);
            self.input(to, Input::Certificate(certificate));
        }
    }

    fn certificate(&mut self, vote: Vote) -> Verified<Certificate> {
        let keys = &self.universe.keys;
        *self.made.certificates.entry(vote).or_insert_with(|| keys.certificate(vote))
    }

    fn broadcast(&mut self, from: usize, wire: &Wire) {
        let seat = self.nodes[from].seat;
        for to in (0..HONEST).filter(|to| *to != from) {
            self.push(self.now + DELAY, Happening::Deliver { to, from: seat, wire: wire.clone() });
        }
    }

    fn send(&mut self, from: usize, to: usize, wire: Wire) {
        let seat = self.nodes[from].seat;
        self.push(self.now + DELAY, Happening::Deliver { to, from: seat, wire });
    }

    fn effect(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Keep(certificate) => self.nodes[index].kept.push(certificate),
            Effect::Vote { vote, recipients } => self.vote(index, vote, &recipients),
            Effect::ResendVote(vote) => self.vote(index, vote, &Recipients::Everyone),
            Effect::Propose { header, justification, block } => {
                let proposal = self.universe.keys.propose(header, justification);
                self.nodes[index].proposals.insert(header.position, proposal.clone());
                self.broadcast(index, &Wire::Proposal(proposal, block));
            }
            Effect::ResendProposal { position, block } => {
                let proposal = self.nodes[index].proposals[&position].clone();
                self.broadcast(index, &Wire::Proposal(proposal, block));
            }
            Effect::Tell { to, certificate } => {
                if let Some(to) = self.nodes.iter().position(|node| node.seat == to) {
                    self.send(index, to, Wire::Certificate(certificate));
                }
            }
            Effect::Forward(certificate) => self.broadcast(index, &Wire::Certificate(certificate)),
            Effect::ForwardEquivocation(evidence) => self.broadcast(index, &Wire::Evidence(evidence)),
            Effect::Build { position, parent } => self.build(index, position, parent),
            Effect::Validate(block) => {
                let reference = block.reference;
                self.nodes[index].store.insert(reference.hash, block);
                self.answer(index, Input::Validated { block: reference, verdict: Verdict::Valid });
            }
            Effect::Commit(certificate) => self.commit(index, certificate.block()),
            Effect::Fetch(missing) => self.fetch(index, missing),
            Effect::SetTimer(at) => {
                self.nodes[index].timer = Some(at);
                self.push(at.max(self.now), Happening::Tick { to: index, at });
            }
            Effect::Halt(reason) => {
                self.halted = Some(format!("operator {} halts: {reason:?}", self.nodes[index].seat))
            }
            Effect::Notarized(_) | Effect::EnteredTerm { .. } | Effect::Discard(_) => {}
        }
    }

    fn vote(&mut self, index: usize, vote: Vote, recipients: &Recipients) {
        let from = self.nodes[index].seat;
        match recipients {
            Recipients::Everyone => self.broadcast(index, &Wire::Vote(vote)),
            Recipients::Only(seats) => {
                for to in 0..HONEST {
                    if to != index && seats.contains(&self.nodes[to].seat) {
                        self.send(index, to, Wire::Vote(vote));
                    }
                }
            }
        }
        self.push(self.now, Happening::Deliver { to: index, from, wire: Wire::Vote(vote) });
    }

    fn build(&mut self, index: usize, position: Position, parent: BlockRef) {
        let number = parent.number + 1;
        let mut payload = parent.hash.to_vec();
        payload.extend(position.term.to_be_bytes());
        let reference = BlockRef::new(number, keccak256(&payload));
        let payload = Bytes::from(payload);
        let block = Arc::new(Block { reference, parent_hash: parent.hash, timestamp_s: number, payload });
        self.nodes[index].store.insert(reference.hash, Arc::clone(&block));
        self.answer(index, Input::Built { position, result: Ok(block) });
    }

    /// Commits what is final; a block that is missing here is looked for where honest operators store them.
    fn commit(&mut self, index: usize, tip: BlockRef) {
        let mut at = tip;
        while at.number > self.nodes[index].committed.number {
            let held = self.nodes.iter().find_map(|node| node.store.get(&at.hash)).cloned();
            let Some(held) = held else {
                self.halted = Some(format!("no honest operator holds block {at}, which is final"));
                return;
            };
            at = BlockRef::new(at.number - 1, held.parent_hash);
            self.nodes[index].store.insert(held.reference.hash, held);
        }
        self.nodes[index].committed = tip;
        self.answer(index, Input::Committed(tip));
    }

    /// Every other honest operator is asked.
    fn fetch(&mut self, index: usize, missing: Missing) {
        for asked in (0..HONEST).filter(|asked| *asked != index) {
            match missing {
                Missing::Block(block) => {
                    if let Some(held) = self.nodes[asked].store.get(&block.hash).cloned() {
                        self.send(asked, index, Wire::Block(held));
                    }
                }
                Missing::Terms { from, to, .. } => {
                    let wanted = self.nodes[asked].kept.clone();
                    for certificate in wanted.into_iter().filter(|held| (from..=to).contains(&held.position().term)) {
                        self.send(asked, index, Wire::Certificate(certificate));
                    }
                }
            }
        }
    }
}
