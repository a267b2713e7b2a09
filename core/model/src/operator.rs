//! One operator: its engine, what is durable there, and one event carried out to its end.
//!
//! Execution, the block store and fetches answer at once and well: whatever depends on a late answer may as
//! well be brought late by the network. A crash may come after any record; what it loses was not sent.

use crate::judge::{Journal, Judge};
use crate::recorder::Recorder;
use crate::tree;
use crate::universe::{Universe, members};
use core::time::Duration;
use phalanx_consensus::{Effect, Engine, Input, Missing, Outbox, Restored, Verdict};
use phalanx_types::{BlockRef, OperatorIndex, Position, Record, SignedVote, Time, VoteKind};
use std::collections::VecDeque;

/// Between two steps: longer than every duration in the model's configuration.
const STEP: Duration = Duration::from_micros(10);
/// How often an engine may find more to do by itself before something must be wrong.
const ROUNDS_MAX: usize = 64;

/// One operator between two events.
#[derive(Clone, Debug)]
pub(crate) struct Operator {
    pub(crate) engine: Engine,
    pub(crate) journal: Journal,
    /// What its engine asked to be built, and was not answered yet.
    pub(crate) building: Option<(Position, BlockRef)>,
    pub(crate) now: Time,
}

/// What an event led to.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The operator goes on.
    Next(Box<Operator>),
    /// A rule is broken, by what the operator did.
    Broken(String),
}

impl Operator {
    /// An operator that starts for the first time.
    pub(crate) fn new(universe: &Universe, me: OperatorIndex) -> Self {
        let mut out = Outbox::new();
        let engine = Engine::new(universe.instance.config(me), Restored::default(), Time::ZERO, &mut out);
        let before = Self { engine, journal: Journal::default(), building: None, now: Time::ZERO };
        let mut run = Run::new(universe, before);
        run.carry_out(&mut out);
        run.operator
    }

    /// Whether it has left the explored terms behind.
    pub(crate) fn is_over(&self, universe: &Universe) -> bool {
        self.engine.status().term >= universe.instance.terms
    }

    /// What tells it apart from others of its seat, and the blocks that it knows of.
    pub(crate) fn record(&self, universe: &Universe) -> (Vec<u8>, u64) {
        let mut recorder = Recorder::default();
        let Journal { said, kept, proposed, stored, committed } = self.journal;
        core::hash::Hash::hash(&(said, proposed), &mut recorder);
        let is_over = self.is_over(universe);
        if !is_over {
            core::hash::Hash::hash(&(kept, stored, committed), &mut recorder);
            self.engine.behaviour(&mut recorder);
        }
        let votes = universe.votes_in(said | if is_over { 0 } else { kept });
        let blocks = votes.filter(|vote| vote.kind != VoteKind::Nullify).map(|vote| vote.block);
        let blocks = blocks.chain(universe.headers_in(proposed).map(|header| header.block));
        let known =
            blocks.fold(recorder.blocks | if is_over { 0 } else { stored }, |set, block| set | 1 << tree::id(block));
        (recorder.bytes, tree::with_ancestors(known) & !1)
    }

    /// Takes one input; with `crashes`, also every way in which a crash cuts it short.
    pub(crate) fn step(&self, universe: &Universe, input: Input, crashes: bool) -> Vec<Outcome> {
        let mut run = Run::new(universe, self.clone());
        run.input(input);
        run.settle();
        run.outcomes(crashes)
    }

    /// Crashes, and starts again from the journal; with `crashes`, it may crash again on the way.
    pub(crate) fn restart(&self, universe: &Universe, me: OperatorIndex, crashes: bool) -> Vec<Outcome> {
        restart(universe, me, self.journal, self.now, crashes)
    }
}

fn restart(universe: &Universe, me: OperatorIndex, journal: Journal, now: Time, crashes: bool) -> Vec<Outcome> {
    let now = now + STEP;
    let mut out = Outbox::new();
    let engine = Engine::new(universe.instance.config(me), restored(universe, me, &journal), now, &mut out);
    let mut run = Run::new(universe, Operator { engine, journal, building: None, now });
    run.carry_out(&mut out);
    run.settle();
    run.outcomes(crashes)
}

/// What a journal and a store bring back.
pub(crate) fn restored(universe: &Universe, me: OperatorIndex, journal: &Journal) -> Restored {
    let certificates: Vec<_> = members(journal.kept).map(|number| universe.certificates[usize::from(number)]).collect();
    let kept = certificates.iter().map(|held| Record::Certificate(**held));
    // No engine looks at its own partials again.
    let said = members(journal.said).map(|number| &universe.certificates[usize::from(number)]);
    let said = said.map(|held| Record::Vote(SignedVote { vote: held.vote, signer: me, partial: held.signature }));
    let proposed = members(journal.proposed).map(|number| universe.proposals[usize::from(number)].clone());
    let proposed = proposed.map(|proposal| Record::Proposal(proposal.into_inner()));
    Restored {
        records: kept.chain(said).chain(proposed).collect(),
        certificates,
        blocks: members(journal.stored.into()).map(tree::block).collect(),
        committed: (journal.committed > 0).then(|| tree::reference(journal.committed)),
    }
}

/// One event on its way.
struct Run<'a> {
    universe: &'a Universe,
    operator: Operator,
    /// The journal after each record but the last.
    cuts: Vec<Journal>,
    recorded: usize,
    broken: Option<String>,
}

impl<'a> Run<'a> {
    fn new(universe: &'a Universe, operator: Operator) -> Self {
        Self { universe, operator, cuts: Vec::new(), recorded: 0, broken: None }
    }

    fn input(&mut self, input: Input) {
        self.operator.now = self.operator.now + STEP;
        let mut out = Outbox::new();
        self.operator.engine.step(self.operator.now, input, &mut out);
        self.carry_out(&mut out);
    }

    /// Lets the engine do what only waits for time: fetch a block whose proposal may have been under way.
    fn settle(&mut self) {
        for _ in 0..ROUNDS_MAX {
            if self.broken.is_some() || self.operator.is_over(self.universe) {
                return;
            }
            let before = self.operator.record(self.universe).0;
            self.input(Input::Heard { from: OperatorIndex(u16::MAX), vote: None }); // nobody, so nothing new
            if self.operator.record(self.universe).0 == before {
                return;
            }
        }
        self.broken = Some("finds more to do without end".to_owned());
    }

    fn carry_out(&mut self, out: &mut Outbox) {
        let mut open: VecDeque<Effect> = out.drain().collect();
        while let Some(effect) = open.pop_front() {
            if self.broken.is_some() {
                return;
            }
            let Some(answer) = self.effect(effect) else { continue };
            let mut more = Outbox::new();
            self.operator.engine.step(self.operator.now, answer, &mut more);
            open.extend(more.drain());
        }
    }

    /// Carries one effect out; what it is answered with at once.
    fn effect(&mut self, effect: Effect) -> Option<Input> {
        let journal = &mut self.operator.journal;
        match effect {
            Effect::Keep(certificate) => {
                let number = self.universe.vote(&certificate.vote)?;
                self.durable(|journal, universe| {
                    journal.kept = (journal.kept | 1 << number) & !universe.superseded[usize::from(number)];
                });
            }
            Effect::Vote { vote, .. } => {
                let number = self.universe.vote(&vote)?; // else it is of a later term
                self.broken = Judge { universe: self.universe, journal }.vote(&vote);
                self.durable(|journal, _| journal.said |= 1 << number);
            }
            Effect::Propose { header, .. } => {
                let number = self.universe.proposal(&header)?;
                self.broken = Judge { universe: self.universe, journal }.proposal(&header);
                self.durable(|journal, _| journal.proposed |= 1 << number);
            }
            Effect::ResendVote(vote) => {
                let number = self.universe.vote(&vote)?;
                if journal.said >> number & 1 == 0 {
                    self.broken = Some(format!("sends {vote} again, which it never signed"));
                }
            }
            Effect::Validate(block) => {
                journal.stored |= 1 << tree::id(block.reference);
                return Some(Input::Validated { block: block.reference, verdict: Verdict::Valid });
            }
            Effect::Build { position, parent } => self.operator.building = Some((position, parent)),
            Effect::Commit(certificate) => {
                let (before, committed) = (journal.committed, tree::id(certificate.block()));
                if !tree::descends(committed, before) {
                    self.broken = Some(format!("commits {} after {}", certificate.block(), tree::reference(before)));
                }
                journal.committed = committed;
                let height = tree::reference(committed).number;
                let above = members(journal.stored.into()).filter(|id| tree::reference(*id).number > height);
                journal.stored = above.fold(0, |set, id| set | 1 << id);
                return Some(Input::Committed(certificate.block()));
            }
            Effect::Fetch(Missing::Block(block)) => return Some(Input::Fetched(tree::block(tree::id(block)))),
            Effect::Discard(hash) => {
                let id = tree::id_of_hash(hash.as_slice()).expect("the model's blocks only");
                journal.stored &= !(1 << id);
            }
            Effect::Halt(reason) => self.broken = Some(format!("halts: {reason:?}")),
            // What is sent is what the journal holds, and may arrive at any time, or never.
            Effect::Forward(_)
            | Effect::Tell { .. }
            | Effect::ForwardEquivocation(_)
            | Effect::ResendProposal { .. } => {}
            Effect::Fetch(Missing::Terms { .. }) | Effect::Notarized(_) | Effect::EnteredTerm { .. } => {}
            Effect::SetTimer(_) => {}
        }
        None
    }

    fn durable(&mut self, change: impl Fn(&mut Journal, &Universe)) {
        if self.recorded > 0 {
            self.cuts.push(self.operator.journal);
        }
        self.recorded += 1;
        change(&mut self.operator.journal, self.universe);
    }

    fn outcomes(mut self, crashes: bool) -> Vec<Outcome> {
        let me = self.operator.engine.seat();
        let mut outcomes = Vec::new();
        if crashes && self.broken.is_none() {
            for cut in core::mem::take(&mut self.cuts) {
                outcomes.extend(restart(self.universe, me, cut, self.operator.now, true));
            }
        }
        outcomes.push(match self.broken {
            Some(why) => Outcome::Broken(format!("operator {me} {why}")),
            None => Outcome::Next(Box::new(self.operator)),
        });
        outcomes
    }
}
