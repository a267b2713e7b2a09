//! Rule 5: leaving a term, for every cause, and signing `Nullify` again for a higher slot.

use crate::{Effect, Engine, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Equivocation, OperatorIndex, Time, Vote, VoteKind};

/// Why a term is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LeaveCause {
    Progress,
    Finality,
    Cap,
    InvalidProposal,
    Equivocation,
    HandOver,
    LeaderNullify,
    Others,
    Absent,
    ProposalLost,
}

impl LeaveCause {
    fn rule(self) -> Rule {
        match self {
            Self::Progress => Rule::LeaveProgress,
            Self::Finality => Rule::LeaveFinality,
            Self::Cap => Rule::LeaveCap,
            Self::InvalidProposal => Rule::LeaveInvalid,
            Self::Equivocation => Rule::LeaveEquivocation,
            Self::HandOver => Rule::LeaveHandOver,
            Self::LeaderNullify => Rule::LeaveLeaderNullify,
            Self::Others => Rule::LeaveOthers,
            Self::Absent => Rule::LeaveAbsent,
            Self::ProposalLost => Rule::LeaveProposalLost,
        }
    }
}

impl Engine {
    /// Leaves the current term, unless that was done already. From here on no `Notarize` and no `Finalize`
    /// is cast in it, until a finalization heals.
    pub(crate) fn leave(&mut self, cause: LeaveCause, out: &mut Outbox) {
        // With its last slot notarized, the term is over anyway.
        if self.term.left || self.nullify_slot() >= self.config.slots_per_term {
            return;
        }
        self.rules.count(cause.rule());
        self.term.left = true;
        self.term.left_as_absent = cause == LeaveCause::Absent;
        self.nullify(out);
    }

    /// `Nullify` for the slot above every one that is known notarized or was finalized by an own vote.
    fn nullify(&mut self, out: &mut Outbox) {
        assert!(self.term.left, "an operator signs Nullify only when it has left the term");
        let position = self.at_slot(self.nullify_slot());
        assert!(position.slot < self.config.slots_per_term, "a term whose last slot is notarized is not left");
        self.own.nullify(position);
        self.cast(Vote::nullify(position), out);
    }

    fn nullify_slot(&self) -> u32 {
        let finalized = self.own.finalized_slot(self.term.number).map_or(0, |slot| slot + 1);
        self.next_slot().max(finalized)
    }

    /// Whether the own `Nullify` no longer is for the slot above the highest notarized one.
    pub(crate) fn must_nullify_again(&self) -> bool {
        let slot = self.nullify_slot();
        let outdated = self.own.nullified_slot(self.term.number).is_none_or(|said| said < slot);
        self.term.left && outdated && slot < self.config.slots_per_term
    }

    /// A higher notarization turned up, or others left: sign again at once if `f+1` have left.
    pub(crate) fn nullify_again_at_once(&mut self, out: &mut Outbox) {
        let left = self.peers.left(self.finalized_slot()) + 1;
        if self.must_nullify_again() && left > self.config.size.f() {
            self.rules.count(Rule::NullifyAgainAtOnce);
            self.nullify(out);
        }
    }

    /// A higher notarization turned up: sign again at the next re-send.
    pub(crate) fn nullify_again_at_resend(&mut self, out: &mut Outbox) {
        self.rules.count(Rule::NullifyAgainAtResend);
        self.nullify(out);
    }

    /// Another operator sent something.
    pub(crate) fn on_heard(&mut self, now: Time, from: OperatorIndex, vote: Option<Vote>, out: &mut Outbox) {
        if !self.peers.is_other(from) {
            return;
        }
        if self.peers.hear(from) {
            self.rules.count(Rule::ClearAbsent);
        }
        let Some(vote) = vote else { return };
        let position = vote.position;
        let near = position.epoch == self.config.epoch && position.slot < self.config.slots_per_term;
        if !near {
            return;
        }
        self.tell_laggard(now, from, &vote, out);
        if vote.kind != VoteKind::Nullify {
            return;
        }
        if position.term == self.term.number {
            self.peers.nullify(from, position.slot);
            self.follow_others(out);
        } else if position.term == self.term.number + 1 {
            self.peers.nullify_next(from, position.slot);
        }
    }

    /// Leaves after the leader, or after `f+1` others: one of them at least is honest.
    pub(crate) fn follow_others(&mut self, out: &mut Outbox) {
        let finalized = self.finalized_slot();
        if !self.leads() && self.peers.has_left(self.term.leader, finalized) {
            self.leave(LeaveCause::LeaderNullify, out);
        } else if self.peers.left(finalized) > self.config.size.f() {
            self.leave(LeaveCause::Others, out);
        }
        self.nullify_again_at_once(out);
    }

    /// The operator's own wish to hand its term over. It stands for the rest of the term: the slot that is nullified
    /// may become final, which heals.
    pub(crate) fn on_hand_over(&mut self, out: &mut Outbox) {
        if self.leads() {
            self.term.handing_over = true;
            self.leave(LeaveCause::HandOver, out);
        }
    }

    /// Somebody's evidence against a leader.
    pub(crate) fn on_equivocation(&mut self, evidence: Verified<Equivocation>, out: &mut Outbox) {
        let position = evidence.first.position;
        if position.epoch != self.config.epoch {
            return;
        }
        if position.term == self.term.number {
            if !self.term.convicted {
                self.term.convicted = true;
                out.push(Effect::ForwardEquivocation(Box::new(evidence)));
                self.leave(LeaveCause::Equivocation, out);
            }
        } else if position.term == self.term.number + 1 && !self.convicted_next {
            self.convicted_next = true;
            out.push(Effect::ForwardEquivocation(Box::new(evidence)));
        }
    }
}
