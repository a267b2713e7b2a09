//! Rule 4: on a finalization, commit. Rule 6: it may heal the operator.

use crate::rules::leave::LeaveCause;
use crate::{Effect, Engine, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{BlockRef, Certificate, Position, Time};

impl Engine {
    /// A new, higher finalization, kept already. It counts as a notarization everywhere.
    pub(crate) fn on_finalization(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        self.rules.count(Rule::Finalization);
        let position = certificate.position();
        if position.term > self.term.number {
            self.enter(now, position.term, certificate, out); // rule 9
        }
        if !self.stand_behind(now, position, certificate.block(), out) {
            return;
        }
        self.commit(now, certificate, out);
        if position.term == self.term.number {
            self.term.finalized(position.slot);
            self.heal(now, position, out);
            self.note_notarized(now, certificate, out);
            self.follow_others(out);
        }
        self.proposals.prune_below(Position { slot: position.slot + 1, ..position });
        self.forward(certificate, out);
        self.complete_term(now, certificate, out);
    }

    /// Commits a finalized block and its ancestors. Those that are held are handed to execution first, so
    /// that whoever commits finds them: whoever stands behind a block has cleared its ancestors.
    pub(crate) fn commit(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        let block = certificate.block();
        self.ask_execution(now, out);
        self.fetches.finalized(block.number);
        if block.number > self.blocks.base().number {
            out.push(Effect::Commit(certificate));
        }
        for hash in self.blocks.finalize(block) {
            out.push(Effect::Discard(hash));
        }
    }

    /// Rule 6: the own votes to leave can never become a certificate, so the operator is back in the term.
    fn heal(&mut self, now: Time, finalized: Position, out: &mut Outbox) {
        let nullified = self.own.nullified_slot(self.term.number);
        let outvoted = nullified.is_some_and(|slot| slot <= finalized.slot);
        if !self.term.left || self.term.convicted || !outvoted {
            return;
        }
        self.rules.count(Rule::Heal);
        self.term.left = false;
        self.term.left_as_absent = false;
        self.term.progress_at = now;
        self.restart_resend(now);
        self.finalize_highest(out);
        if self.term.handing_over {
            self.leave(LeaveCause::HandOver, out);
        }
    }

    /// Rule 3, on what is held: after healing or a restart, the highest notarized slot is finalized by a
    /// vote.
    pub(crate) fn finalize_highest(&mut self, out: &mut Outbox) {
        if let Some(highest) = self.certificates.highest_notarization(self.term.number).copied() {
            self.finalize(highest.position(), highest.block(), out);
        }
    }

    /// Everything up to a block is committed and executed here.
    pub(crate) fn on_committed(&mut self, block: BlockRef, out: &mut Outbox) {
        for hash in self.blocks.commit(block) {
            out.push(Effect::Discard(hash));
        }
        self.fetches.finalized(block.number);
        self.pace.retry_now();
    }
}
