//! The engine: its state, and the one match over everything that can happen.
//!
//! The state is split into parts that keep their own invariants; what to do on each input is in
//! `crate::rules`, one file for each rule or input. Rules that depend on several things at once (a vote
//! needs a block, its verdict, its parent's certificate, a window) are not triggered by each of these:
//! after every input, `settle` runs the ones that may have become possible, in one place.

#[cfg(feature = "model")]
mod model;

use crate::blocks::Blocks;
use crate::certificates::Certificates;
use crate::collectors::Collecting;
use crate::fetches::Fetches;
use crate::jitter::Jitter;
use crate::own::Own;
use crate::pace::Pace;
use crate::peers::Peers;
use crate::proposals::Proposals;
use crate::rules::resend::Resend;
use crate::term::Term;
use crate::timeouts::Timeouts;
use crate::window::PREVIOUS_TERMS_MAX;
use crate::{Config, Effect, HaltReason, Input, Outbox, Recipients, Restored, RuleCounts, Status, Window};
use phalanx_types::{Position, Time, Vote, VoteKind};

/// One operator's state machine.
#[derive(Clone, Debug)]
pub struct Engine {
    pub(crate) config: Config,
    pub(crate) certificates: Certificates,
    pub(crate) blocks: Blocks,
    pub(crate) proposals: Proposals,
    pub(crate) own: Own,
    pub(crate) peers: Peers,
    pub(crate) term: Term,
    /// To whom votes go, where not to everyone.
    pub(crate) collecting: Option<Collecting>,
    /// Whether the next term's leader was caught with two proposals.
    pub(crate) convicted_next: bool,
    pub(crate) timeouts: Timeouts,
    pub(crate) resend: Resend,
    pub(crate) pace: Pace,
    pub(crate) fetches: Fetches,
    pub(crate) jitter: Jitter,
    pub(crate) rules: RuleCounts,
    timer: Option<Time>,
    pub(crate) halted: bool,
    now: Time,
}

impl Engine {
    /// Starts, or goes on from a journal; an empty `restored` is a first start.
    ///
    /// # Panics
    /// When [`Config::check`] refuses the configuration, or the journal contradicts itself.
    #[must_use]
    pub fn new(config: Config, restored: Restored, now: Time, out: &mut Outbox) -> Self {
        config.check().expect("the configuration was checked before an engine is made");
        let mut engine = Self::at_genesis(config, restored.committed, now);
        engine.restore(restored, now, out);
        engine.settle(now, out);
        engine
    }

    fn at_genesis(config: Config, committed: Option<phalanx_types::BlockRef>, now: Time) -> Self {
        Self {
            certificates: Certificates::new(config.epoch, config.genesis, config.slots_per_term),
            blocks: Blocks::new(committed.unwrap_or(config.genesis)),
            proposals: Proposals::default(),
            own: Own::default(),
            peers: Peers::new(config.size, config.me),
            term: Term::new(0, config.size.leader(0), None, now),
            collecting: Collecting::new(&config),
            convicted_next: false,
            timeouts: Timeouts::new(),
            resend: Resend::default(),
            pace: Pace::new(config.block_time, config.pipeline_depth),
            fetches: Fetches::new(config.resend_interval_min, config.resend_interval_max),
            jitter: Jitter::new(config.jitter_seed),
            rules: RuleCounts::default(),
            timer: None,
            halted: false,
            now,
            config,
        }
    }

    /// Takes one input and says what to do. Nothing blocks; `now` never goes back.
    pub fn step(&mut self, now: Time, input: Input, out: &mut Outbox) {
        if self.halted {
            return;
        }
        // Clocks of several threads may differ by a little: time never goes back in here.
        let now = now.max(self.now);
        self.now = now;
        match input {
            // Rule 2: hold it, and look whether it can be voted for. Rule 5: two for one position.
            Input::Proposal { proposal, block } => self.on_proposal(now, proposal, &block, out),
            // Rules 3, 4, 6, 7 and 9.
            Input::Certificate(certificate) => self.on_certificate(now, certificate, out),
            // Rule 5: who has left, who hands over, who is not absent after all. Rule 8: who lacks what is final.
            Input::Heard { from, vote } => self.on_heard(now, from, vote, out),
            // Rule 5: the leader was caught.
            Input::Equivocation(evidence) => self.on_equivocation(evidence, out),
            // Rule 1: what is to be proposed.
            Input::Built { position, result } => self.on_built(now, position, result),
            // Rule 2: valid, invalid or pending.
            Input::Validated { block, verdict } => self.on_validated(now, block, verdict, out),
            // Rule 9: a missing block.
            Input::Fetched(block) => self.on_fetched(now, &block),
            // Rule 4: the base of all that is unfinalized.
            Input::Committed(block) => self.on_committed(block, out),
            // Rule 5: leave the own term.
            Input::HandOver => self.on_hand_over(out),
            // Rules 5 and 8: what time brings.
            Input::Tick => self.on_tick(now, out),
        }
        self.settle(now, out);
    }

    /// Runs what may have become possible, in an order in which each step may enable the next.
    fn settle(&mut self, now: Time, out: &mut Outbox) {
        if self.halted {
            return;
        }
        self.ask_execution(now, out); // rule 2
        self.propose(now, out); // rule 1
        self.vote(now, out); // rule 2
        self.fetch(now, out); // rule 9
        self.set_timer(now, out);
    }

    fn set_timer(&mut self, now: Time, out: &mut Outbox) {
        let next = [self.next_deadline(), self.blocks.next_retry(), self.fetches.next(), self.next_proposal(now)];
        let Some(next) = next.into_iter().flatten().min() else { return };
        if self.timer != Some(next) {
            self.timer = Some(next);
            out.push(Effect::SetTimer(next));
        }
    }

    /// The timer that was set has passed; the next one is set again even if it is the same.
    pub(crate) fn forget_timer(&mut self) {
        self.timer = None;
    }

    pub(crate) fn halt(&mut self, reason: HaltReason, out: &mut Outbox) {
        self.halted = true;
        out.push(Effect::Halt(reason));
    }

    /// The position of a slot of the current term.
    pub(crate) fn at_slot(&self, slot: u32) -> Position {
        Position::new(self.config.epoch, self.term.number, slot)
    }

    /// The highest notarized slot of the current term.
    pub(crate) fn notarized_slot(&self) -> Option<u32> {
        self.certificates.highest_notarized_slot(self.term.number)
    }

    /// The highest finalized slot of the current term.
    pub(crate) fn finalized_slot(&self) -> Option<u32> {
        self.certificates.finalized_slot(self.term.number)
    }

    /// The lowest slot of the current term above every notarized one.
    pub(crate) fn next_slot(&self) -> u32 {
        self.notarized_slot().map_or(0, |slot| slot + 1)
    }

    /// The slots that are at most `D` above the highest notarized one, and not notarized.
    pub(crate) fn window_slots(&self) -> core::ops::RangeInclusive<u32> {
        let first = self.next_slot();
        first..=(first + self.config.pipeline_depth - 1).min(self.config.slots_per_term - 1)
    }

    pub(crate) fn leads(&self) -> bool {
        self.term.leader == self.config.me
    }

    /// Whether this operator spreads notarizations and finalizations when it learns them: everyone does,
    /// except where there are collectors and it is none.
    pub(crate) fn spreads(&self) -> bool {
        self.collecting.as_ref().is_none_or(Collecting::collects)
    }

    /// Casts a vote: to collectors where there are any, and what leaves a term to everyone.
    pub(crate) fn cast(&self, vote: Vote, out: &mut Outbox) {
        let recipients = match (vote.kind, &self.collecting) {
            (VoteKind::Notarize | VoteKind::Finalize, Some(collecting)) => Recipients::Only(collecting.others()),
            _ => Recipients::Everyone,
        };
        out.push(Effect::Vote { vote, recipients });
    }

    /// What is of interest now, for the filter before any cryptography.
    #[must_use]
    pub fn window(&self) -> Window {
        let notarized_slot = self.notarized_slot();
        let mut previous = [None; PREVIOUS_TERMS_MAX];
        for (index, entry) in (1..).zip(&mut previous) {
            let term = self.term.number.checked_sub(index);
            let highest = term.and_then(|term| self.certificates.highest_notarization(term));
            *entry = highest.map(|held| held.position()).filter(|at| !self.certificates.is_final(*at));
        }
        Window {
            epoch: self.config.epoch,
            term: self.term.number,
            slots_per_term: self.config.slots_per_term,
            pipeline_depth: self.config.pipeline_depth,
            finalized: self.certificates.finalized().map(|held| held.position()),
            notarized_slot,
            notarized_slots: self.certificates.notarized_slots(self.term.number),
            previous,
            terms_wanted: self.fetches.terms(),
            collectors: self.collecting.as_ref().map(Collecting::seats),
            halted: self.halted,
        }
    }

    /// Where the engine stands, for readers.
    #[must_use]
    pub fn status(&self) -> Status {
        let newest = self.certificates.newest_notarization();
        let notarized = newest.map_or(self.config.genesis, |held| held.block());
        let slots = self.window_slots();
        let last = self.proposals.within(self.config.epoch, self.term.number, slots).next_back();
        Status {
            epoch: self.config.epoch,
            term: self.term.number,
            leader: self.term.leader,
            slot: self.next_slot(),
            left: self.term.left,
            proposed: last.map_or(notarized, |held| held.header.block),
            notarized,
            notarized_position: newest.map(|held| held.position()),
            finalized: self.certificates.finalized_block(),
            finalized_position: self.certificates.finalized().map(|held| held.position()),
            committed: self.blocks.base(),
            progress_timeout: self.timeouts.progress(&self.config),
            absent: self.peers.absent(),
            blocks_held: self.blocks.len(),
            certificates_held: self.certificates.len(),
            proposals_held: self.proposals.len(),
            halted: self.halted,
        }
    }

    /// How many missing blocks it remembers, at most [`crate::MISSING_BLOCKS_MAX`].
    #[must_use]
    pub fn missing_blocks(&self) -> usize {
        self.fetches.missing_blocks()
    }

    /// What the payloads that wait for execution take, at most [`crate::HELD_PAYLOAD_BYTES_MAX`]. Unit: bytes.
    #[must_use]
    pub fn payload_bytes(&self) -> usize {
        self.blocks.payload_bytes()
    }

    /// How often each arm of the protocol was taken.
    #[must_use]
    pub fn rule_counts(&self) -> &RuleCounts {
        &self.rules
    }
}
