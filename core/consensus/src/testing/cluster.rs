//! A few engines that exchange effects directly, in virtual time: messages are delayed and lost by a seed,
//! disks are perfect, execution is instant. Safety is asserted after every event.

use super::{Keys, block, genesis};
use crate::{BuildFailure, Config, Effect, Engine, HaltReason, Input, Missing, Outbox, Recipients, Restored, Verdict};
use core::time::Duration;
use phalanx_threshold::Verified;
use phalanx_types::{
    B256, Block, BlockRef, Certificate, Equivocation, OperatorIndex, Position, Proposal, Record, SignedVote, Time,
    Vote, VoteKind,
};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) enum Wire {
    Vote(SignedVote),
    Certificate(Verified<Certificate>),
    Proposal(Verified<Proposal>, Arc<Block>),
    Equivocation(Verified<Equivocation>),
    Block(Arc<Block>),
}

enum Event {
    Deliver { to: usize, from: usize, wire: Wire },
    Tick { to: usize, at: Time },
    Input { to: usize, life: u32, input: Input },
}

pub(crate) struct Node {
    pub(crate) engine: Option<Engine>,
    config: Config,
    life: u32,
    journal: Vec<Record>,
    kept: Vec<Verified<Certificate>>,
    store: BTreeMap<B256, Arc<Block>>,
    pub(crate) committed: Vec<BlockRef>,
    finalization: Option<Verified<Certificate>>,
    votes: BTreeMap<Vote, BTreeMap<OperatorIndex, SignedVote>>,
    timer: Option<Time>,
    pub(crate) halted: Option<HaltReason>,
}

type Filter = Box<dyn Fn(&Wire, usize, usize, Time) -> bool>;

pub(crate) struct Cluster {
    pub(crate) keys: Keys,
    pub(crate) now: Time,
    pub(crate) nodes: Vec<Node>,
    queue: BTreeMap<(Time, u64), Event>,
    sequence: u64,
    random: u64,
    /// How many messages of a thousand are lost.
    pub(crate) loss: u64,
    pub(crate) delay: (Duration, Duration),
    /// Whether a message (from, to) is let through.
    pub(crate) filter: Filter,
    said: BTreeMap<(usize, Position), BlockRef>,
    certified: BTreeSet<Vote>,
    final_chain: BTreeMap<u64, BlockRef>,
    /// Blocks that execution refuses, everywhere.
    pub(crate) invalid: BTreeSet<B256>,
    /// Every `Propose` and the votes to notarize: when, by whom, where.
    pub(crate) proposed: Vec<(Time, usize, Position)>,
}

impl Cluster {
    pub(crate) fn new(n: usize, seed: u64, configure: impl Fn(u16) -> Config) -> Self {
        let nodes = (0..n).map(|index| Node::new(configure(u16::try_from(index).unwrap()))).collect();
        let mut cluster = Self {
            keys: Keys::new(n),
            now: Time::ZERO,
            nodes,
            queue: BTreeMap::new(),
            sequence: 0,
            random: seed,
            loss: 0,
            delay: (Duration::from_millis(5), Duration::from_millis(15)),
            filter: Box::new(|_, _, _, _| true),
            said: BTreeMap::new(),
            certified: BTreeSet::new(),
            final_chain: BTreeMap::new(),
            invalid: BTreeSet::new(),
            proposed: Vec::new(),
        };
        for index in 0..n {
            cluster.start(index);
        }
        cluster
    }

    pub(crate) fn random(&mut self, below: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % below
    }

    pub(crate) fn start(&mut self, index: usize) {
        let node = &mut self.nodes[index];
        assert!(node.engine.is_none(), "an operator is started once");
        let tip = node.committed.last().copied();
        let number = tip.map_or(0, |tip| tip.number);
        let mut blocks: Vec<_> = node.store.values().filter(|held| held.reference.number > number).cloned().collect();
        blocks.sort_by_key(|held| held.reference);
        let restored =
            Restored { records: node.journal.clone(), certificates: node.kept.clone(), blocks, committed: tip };
        node.life += 1;
        node.votes.clear();
        node.timer = None;
        let mut out = Outbox::new();
        let engine = Engine::new(node.config.clone(), restored, self.now, &mut out);
        self.nodes[index].engine = Some(engine);
        self.carry_out(index, &mut out);
    }

    pub(crate) fn crash(&mut self, index: usize) {
        self.nodes[index].engine = None;
    }

    pub(crate) fn engine(&self, index: usize) -> &Engine {
        self.nodes[index].engine.as_ref().expect("the operator is up")
    }

    pub(crate) fn height(&self, index: usize) -> u64 {
        self.nodes[index].committed.last().map_or(0, |tip| tip.number)
    }

    pub(crate) fn heights(&self) -> Vec<u64> {
        (0..self.nodes.len()).map(|index| self.height(index)).collect()
    }

    pub(crate) fn run(&mut self, duration: Duration) {
        let until = self.now + duration;
        while let Some((&(time, sequence), _)) = self.queue.first_key_value() {
            if time > until {
                break;
            }
            self.now = time;
            let event = self.queue.remove(&(time, sequence)).unwrap();
            self.happen(event);
        }
        self.now = until;
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Deliver { to, from, wire } => self.deliver(to, from, wire),
            Event::Tick { to, at } => {
                if self.nodes[to].timer == Some(at) {
                    self.nodes[to].timer = None;
                    self.input(to, Input::Tick);
                }
            }
            Event::Input { to, life, input } => {
                if self.nodes[to].life == life {
                    self.input(to, input);
                }
            }
        }
    }

    fn push(&mut self, at: Time, event: Event) {
        self.sequence += 1;
        self.queue.insert((at, self.sequence), event);
    }

    pub(crate) fn input(&mut self, to: usize, input: Input) {
        let Some(mut engine) = self.nodes[to].engine.take() else { return };
        let mut out = Outbox::new();
        engine.step(self.now, input, &mut out);
        self.nodes[to].engine = Some(engine);
        self.carry_out(to, &mut out);
    }

    fn deliver(&mut self, to: usize, from: usize, wire: Wire) {
        if self.nodes[to].engine.is_none() {
            return;
        }
        let sender = OperatorIndex(u16::try_from(from).unwrap());
        let vote = if let Wire::Vote(signed) = &wire { Some(signed.vote) } else { None };
        self.input(to, Input::Heard { from: sender, vote });
        match wire {
            Wire::Vote(signed) => self.count(to, signed),
            Wire::Certificate(certificate) => {
                if self.engine(to).window().wants_certificate(&certificate) {
                    self.input(to, Input::Certificate(certificate));
                }
            }
            Wire::Proposal(proposal, block) => {
                for certificate in proposal.justification.clone() {
                    let certificate = self.keys.checked(certificate);
                    self.input(to, Input::Certificate(certificate));
                }
                self.input(to, Input::Proposal { proposal, block });
            }
            Wire::Equivocation(evidence) => self.input(to, Input::Equivocation(evidence)),
            Wire::Block(block) => self.input(to, Input::Fetched(block)),
        }
    }

    /// The verify stage: a quorum of partials makes a certificate.
    fn count(&mut self, to: usize, signed: SignedVote) {
        if !self.engine(to).window().wants_vote(&signed.vote) {
            return;
        }
        let partials = self.nodes[to].votes.entry(signed.vote).or_default();
        partials.insert(signed.signer, signed);
        if partials.len() == self.keys.verifier.size().q() {
            let votes: Vec<_> = partials.values().copied().collect();
            let certificate = self.keys.certify(&votes).expect("honest partials make a certificate");
            self.note_certificate(&certificate);
            self.input(to, Input::Certificate(certificate));
        }
    }

    /// Invariants 1 and 2.
    fn note_certificate(&mut self, certificate: &Certificate) {
        if !self.certified.insert(certificate.vote) {
            return;
        }
        let position = certificate.position();
        for other in &self.certified {
            let there = other.position;
            if there.term != position.term {
                continue;
            }
            let pair = (certificate.kind(), other.kind);
            let contradict = match pair {
                (VoteKind::Nullify, VoteKind::Finalize) => position.slot <= there.slot,
                (VoteKind::Finalize, VoteKind::Nullify) => there.slot <= position.slot,
                (VoteKind::Nullify, _) | (_, VoteKind::Nullify) => false,
                _ => there == position && other.block != certificate.block(),
            };
            assert!(!contradict, "{} contradicts {other}", certificate.vote);
        }
    }

    /// Sends, subject to the filter, loss and delay.
    pub(crate) fn send(&mut self, from: usize, to: usize, wire: Wire) {
        if from == to || self.random(1_000) < self.loss || !(self.filter)(&wire, from, to, self.now) {
            return;
        }
        let (least, most) = self.delay;
        let spread = u64::try_from((most - least).as_micros()).unwrap();
        let delay = least + Duration::from_micros(self.random(spread + 1));
        self.push(self.now + delay, Event::Deliver { to, from, wire });
    }

    pub(crate) fn broadcast(&mut self, from: usize, wire: &Wire) {
        for to in 0..self.nodes.len() {
            self.send(from, to, wire.clone());
        }
    }

    fn carry_out(&mut self, index: usize, out: &mut Outbox) {
        let effects: Vec<Effect> = out.drain().collect();
        for effect in effects {
            self.effect(index, effect);
        }
    }

    fn effect(&mut self, index: usize, effect: Effect) {
        match effect {
            Effect::Keep(certificate) => {
                self.nodes[index].journal.push(Record::Certificate(*certificate));
                self.nodes[index].kept.push(certificate);
            }
            Effect::Vote { vote, recipients } => self.cast(index, vote, &recipients),
            Effect::ResendVote(vote) => {
                let signed = self.keys.sign(self.nodes[index].config.me, vote);
                self.broadcast(index, &Wire::Vote(signed));
                self.count_own(index, signed);
            }
            Effect::Propose { header, justification, block } => {
                self.proposed.push((self.now, index, header.position));
                let proposal = self.keys.propose(header, justification);
                self.nodes[index].store.insert(block.reference.hash, Arc::clone(&block));
                self.nodes[index].journal.push(Record::Proposal(proposal.clone().into_inner()));
                self.broadcast(index, &Wire::Proposal(proposal, block));
            }
            Effect::ResendProposal { position, block } => self.propose_again(index, position, &block),
            Effect::Tell { to, certificate } => self.send(index, to.as_usize(), Wire::Certificate(certificate)),
            Effect::Forward(certificate) => self.broadcast(index, &Wire::Certificate(certificate)),
            Effect::ForwardEquivocation(evidence) => self.broadcast(index, &Wire::Equivocation(*evidence)),
            Effect::Build { position, parent } => self.build(index, position, parent),
            Effect::Validate(block) => self.validate(index, &block),
            Effect::Commit(certificate) => self.commit(index, certificate),
            Effect::Fetch(missing) => self.fetch(index, missing),
            Effect::SetTimer(at) => {
                self.nodes[index].timer = Some(at);
                self.push(at.max(self.now), Event::Tick { to: index, at });
            }
            Effect::Halt(reason) => self.nodes[index].halted = Some(reason),
            Effect::Notarized(_) | Effect::EnteredTerm { .. } | Effect::Discard(_) => {}
        }
    }

    /// Invariant 3 is asserted here.
    fn cast(&mut self, index: usize, vote: Vote, recipients: &Recipients) {
        if vote.kind == VoteKind::Notarize {
            let before = self.said.insert((index, vote.position), vote.block);
            assert!(before.is_none_or(|before| before == vote.block), "operator {index} voted twice: {vote}");
        }
        let signed = self.keys.sign(self.nodes[index].config.me, vote);
        self.nodes[index].journal.push(Record::Vote(signed));
        match recipients {
            Recipients::Everyone => self.broadcast(index, &Wire::Vote(signed)),
            Recipients::Only(operators) => {
                for operator in operators.iter() {
                    self.send(index, operator.as_usize(), Wire::Vote(signed));
                }
            }
        }
        self.count_own(index, signed);
    }

    /// One's own vote counts once it is durable: after the effects of this step.
    fn count_own(&mut self, index: usize, signed: SignedVote) {
        if self.nodes[index].engine.is_some() {
            self.push(self.now, Event::Deliver { to: index, from: index, wire: Wire::Vote(signed) });
        }
    }

    fn propose_again(&mut self, index: usize, position: Position, block: &Arc<Block>) {
        let journalled = self.nodes[index].journal.iter().find_map(|record| match record {
            Record::Proposal(proposal) if proposal.header.position == position => Some(proposal.clone()),
            _ => None,
        });
        let journalled = journalled.expect("what is sent again is in the journal");
        let proposal = self.keys.propose(journalled.header, journalled.justification);
        self.broadcast(index, &Wire::Proposal(proposal, Arc::clone(block)));
    }

    fn answer(&mut self, to: usize, after: Duration, input: Input) {
        let life = self.nodes[to].life;
        self.push(self.now + after, Event::Input { to, life, input });
    }

    fn has_executed(&self, index: usize, reference: BlockRef) -> bool {
        reference == genesis() || self.nodes[index].store.contains_key(&reference.hash)
    }

    fn build(&mut self, index: usize, position: Position, parent: BlockRef) {
        let result = if self.has_executed(index, parent) {
            let salt = self.random(1 << 30);
            let block = block(parent, salt);
            self.nodes[index].store.insert(block.reference.hash, Arc::clone(&block));
            Ok(block)
        } else {
            Err(BuildFailure::ParentMissing)
        };
        self.answer(index, Duration::from_millis(2), Input::Built { position, result });
    }

    fn validate(&mut self, index: usize, block: &Arc<Block>) {
        let parent = BlockRef::new(block.reference.number - 1, block.parent_hash);
        let verdict = if self.invalid.contains(&block.reference.hash) {
            Verdict::Invalid("the test says so".to_owned())
        } else if self.has_executed(index, parent) {
            self.nodes[index].store.insert(block.reference.hash, Arc::clone(block));
            Verdict::Valid
        } else {
            Verdict::Pending
        };
        self.answer(index, Duration::from_millis(1), Input::Validated { block: block.reference, verdict });
    }

    /// Commits in order, with what is missing copied from whoever holds it. Invariants 1 and 4.
    fn commit(&mut self, index: usize, certificate: Verified<Certificate>) {
        let tip = self.nodes[index].committed.last().copied().unwrap_or_else(genesis);
        let mut path = Vec::new();
        let mut at = certificate.block();
        while at.number > tip.number {
            let held = self.nodes.iter().find_map(|node| node.store.get(&at.hash)).cloned();
            let held = held.expect("a final block is held by somebody");
            at = BlockRef::new(at.number - 1, held.parent_hash);
            path.push(held);
        }
        assert_eq!(at, tip, "operator {index} commits on top of what it committed before");
        for held in path.into_iter().rev() {
            let reference = held.reference;
            let known = *self.final_chain.entry(reference.number).or_insert(reference);
            assert_eq!(known, reference, "two blocks are final at height {}", reference.number);
            self.nodes[index].store.insert(reference.hash, held);
            self.nodes[index].committed.push(reference);
        }
        self.nodes[index].finalization = Some(certificate);
        self.answer(index, Duration::from_millis(3), Input::Committed(certificate.block()));
    }

    fn fetch(&mut self, index: usize, missing: Missing) {
        let asked = usize::try_from(self.random(u64::try_from(self.nodes.len()).unwrap())).unwrap();
        if asked == index || self.nodes[asked].engine.is_none() {
            return;
        }
        match missing {
            Missing::Block(reference) => {
                if let Some(held) = self.nodes[asked].store.get(&reference.hash).cloned() {
                    self.send(asked, index, Wire::Block(held));
                }
            }
            Missing::Terms { from, to, .. } => {
                let node = &self.nodes[asked];
                let terms = from..=to;
                let mut held: Vec<_> =
                    node.kept.iter().filter(|held| terms.contains(&held.position().term)).copied().collect();
                held.extend(node.finalization);
                for certificate in held {
                    self.send(asked, index, Wire::Certificate(certificate));
                }
            }
        }
    }
}

impl Node {
    fn new(config: Config) -> Self {
        Self {
            engine: None,
            config,
            life: 0,
            journal: Vec::new(),
            kept: Vec::new(),
            store: BTreeMap::new(),
            committed: Vec::new(),
            finalization: None,
            votes: BTreeMap::new(),
            timer: None,
            halted: None,
        }
    }
}
