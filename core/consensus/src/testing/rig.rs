//! One engine under a test's hand: it is told what happened, and asked what it did.

use super::{Keys, at, config, ms};
use crate::{Config, Effect, Engine, Input, Outbox, Restored, Rule, Verdict};
use core::time::Duration;
use phalanx_threshold::Verified;
use phalanx_types::{
    Block, BlockRef, Certificate, OperatorIndex, Position, Record, Time, UnsignedProposal, Vote, VoteKind,
};
use std::sync::Arc;

pub(crate) struct Rig {
    pub(crate) engine: Engine,
    pub(crate) keys: Keys,
    pub(crate) now: Time,
    /// Everything that was ever asked for.
    pub(crate) log: Vec<Effect>,
    /// What the last input led to.
    pub(crate) last: Vec<Effect>,
    /// Answers `Validate` with `Valid` at once.
    pub(crate) validates: bool,
    /// When the timer is set to.
    pub(crate) timer: Option<Time>,
    journal: Vec<Record>,
    kept: Vec<Verified<Certificate>>,
    stored: Vec<Arc<Block>>,
    pub(crate) config: Config,
}

impl Rig {
    pub(crate) fn new(me: u16, n: usize, slots_per_term: u32) -> Self {
        Self::with(config(me, n, slots_per_term))
    }

    pub(crate) fn with(config: Config) -> Self {
        let keys = Keys::new(config.size.n());
        let mut out = Outbox::new();
        let engine = Engine::new(config.clone(), Restored::default(), ms(0), &mut out);
        let mut rig = Self {
            engine,
            keys,
            now: ms(0),
            log: Vec::new(),
            last: Vec::new(),
            validates: true,
            timer: None,
            journal: Vec::new(),
            kept: Vec::new(),
            stored: Vec::new(),
            config,
        };
        rig.carry_out(&mut out);
        rig
    }

    /// Crashes, and starts again from what is durable, without its last `lost` records.
    pub(crate) fn restart(&mut self, lost: usize) {
        let restored = self.restored(lost);
        self.restart_from(restored);
    }

    pub(crate) fn restored(&self, lost: usize) -> Restored {
        let records = self.journal[..self.journal.len() - lost].to_vec();
        let durable = |certificate: &&Verified<Certificate>| {
            records.iter().any(|record| matches!(record, Record::Certificate(held) if *held == ***certificate))
        };
        let certificates = self.kept.iter().filter(durable).copied().collect();
        Restored { records, certificates, blocks: self.stored.clone(), committed: None }
    }

    pub(crate) fn restart_from(&mut self, restored: Restored) {
        let mut out = Outbox::new();
        self.journal = restored.records.clone();
        self.engine = Engine::new(self.config.clone(), restored, self.now, &mut out);
        self.carry_out(&mut out);
    }

    pub(crate) fn records(&self) -> usize {
        self.journal.len()
    }

    fn carry_out(&mut self, out: &mut Outbox) {
        self.last.clear();
        let mut open: Vec<Effect> = out.drain().collect();
        while !open.is_empty() {
            let mut answers = Outbox::new();
            for effect in open {
                self.note(&effect);
                if let Effect::Validate(block) = &effect
                    && self.validates
                {
                    self.stored.push(Arc::clone(block));
                    let input = Input::Validated { block: block.reference, verdict: Verdict::Valid };
                    self.engine.step(self.now, input, &mut answers);
                }
                self.log.push(effect.clone());
                self.last.push(effect);
            }
            open = answers.drain().collect();
        }
    }

    fn note(&mut self, effect: &Effect) {
        match effect {
            Effect::Keep(certificate) => {
                self.journal.push(Record::Certificate(**certificate));
                self.kept.push(*certificate);
            }
            Effect::Vote { vote, .. } => {
                self.journal.push(Record::Vote(self.keys.sign(self.config.me, *vote)));
            }
            Effect::Propose { header, justification, block } => {
                self.stored.push(Arc::clone(block));
                let proposal = self.keys.propose(*header, justification.clone());
                self.journal.push(Record::Proposal(proposal.into_inner()));
            }
            Effect::SetTimer(time) => self.timer = Some(*time),
            _ => {}
        }
    }

    pub(crate) fn step(&mut self, input: Input) -> &mut Self {
        let mut out = Outbox::new();
        self.engine.step(self.now, input, &mut out);
        self.carry_out(&mut out);
        self
    }

    /// Lets time pass, ticking whenever a timer is due.
    pub(crate) fn pass(&mut self, duration: Duration) -> &mut Self {
        let until = self.now + duration;
        let mut seen = Vec::new();
        let mut ticks = 0;
        while let Some(due) = self.timer.filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.timer = None;
            self.step(Input::Tick);
            seen.append(&mut self.last);
            ticks += 1;
            assert!(ticks < 10_000, "the engine sets timers without end");
        }
        self.now = until;
        self.last = seen;
        self
    }

    pub(crate) fn certificate(&mut self, vote: Vote) -> &mut Self {
        let certificate = self.keys.certificate(vote);
        self.step(Input::Certificate(certificate))
    }

    pub(crate) fn notarization(&mut self, term: u64, slot: u32, block: BlockRef) -> &mut Self {
        self.certificate(Vote::notarize(at(term, slot), block))
    }

    pub(crate) fn finalization(&mut self, term: u64, slot: u32, block: BlockRef) -> &mut Self {
        self.certificate(Vote::finalize(at(term, slot), block))
    }

    pub(crate) fn nullification(&mut self, term: u64, slot: u32) -> &mut Self {
        self.certificate(Vote::nullify(at(term, slot)))
    }

    /// A proposal of `block` at `(term, slot)`, on what stands at `parent` (genesis if nowhere).
    pub(crate) fn proposal(&mut self, term: u64, slot: u32, block: &Arc<Block>, parent: Option<Position>) -> &mut Self {
        let header = header(term, slot, block, parent);
        let proposal = self.keys.propose(header, Vec::new());
        self.step(Input::Proposal { proposal, block: Arc::clone(block) })
    }

    /// The proposals of a chain, from slot `from` of a term on; the first one stands on `parent`.
    pub(crate) fn proposals(&mut self, term: u64, from: u32, blocks: &[Arc<Block>], parent: Option<Position>) {
        for (slot, block) in (from..).zip(blocks) {
            let parent = if slot == from { parent } else { Some(at(term, slot - 1)) };
            self.proposal(term, slot, block, parent);
        }
    }

    pub(crate) fn heard(&mut self, from: u16, vote: Option<Vote>) -> &mut Self {
        self.step(Input::Heard { from: OperatorIndex(from), vote })
    }

    pub(crate) fn built(&mut self, position: Position, block: &Arc<Block>) -> &mut Self {
        self.step(Input::Built { position, result: Ok(Arc::clone(block)) })
    }

    /// The own votes that the last input led to.
    pub(crate) fn votes(&self) -> Vec<Vote> {
        votes(&self.last)
    }

    /// All own votes of a kind, ever.
    pub(crate) fn all_votes(&self, kind: VoteKind) -> Vec<Position> {
        votes(&self.log).into_iter().filter(|vote| vote.kind == kind).map(|vote| vote.position).collect()
    }

    pub(crate) fn did(&self, predicate: impl Fn(&Effect) -> bool) -> bool {
        self.last.iter().any(predicate)
    }

    /// The index of the first effect of the last input that is so.
    pub(crate) fn index(&self, predicate: impl Fn(&Effect) -> bool) -> Option<usize> {
        self.last.iter().position(predicate)
    }

    pub(crate) fn rule(&self, rule: Rule) -> u64 {
        self.engine.rule_counts().of(rule)
    }
}

pub(crate) fn header(term: u64, slot: u32, block: &Block, parent: Option<Position>) -> UnsignedProposal {
    UnsignedProposal {
        position: at(term, slot),
        parent_position: parent.unwrap_or_default(),
        parent_is_genesis: parent.is_none(),
        block: block.reference,
        parent_hash: block.parent_hash,
    }
}

fn votes(effects: &[Effect]) -> Vec<Vote> {
    effects
        .iter()
        .filter_map(|effect| match effect {
            Effect::Vote { vote, .. } => Some(*vote),
            _ => None,
        })
        .collect()
}
