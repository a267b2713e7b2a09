//! Rule 3: on a notarization, finalize by a vote, and complete the term with its last slot.

use crate::{Effect, Engine, HaltReason, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{BlockRef, Certificate, Position, Time, Vote};

impl Engine {
    /// A new notarization, kept already.
    pub(crate) fn on_notarization(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        self.rules.count(Rule::Notarization);
        let position = certificate.position();
        if position.term > self.term.number {
            self.enter(now, position.term, certificate, out); // rule 9
        }
        if !self.stand_behind(now, position, certificate.block(), out) {
            return;
        }
        if position.term == self.term.number {
            self.note_notarized(now, certificate, out);
            self.finalize(position, certificate.block(), out);
            self.forward(certificate, out);
            self.complete_term(now, certificate, out);
        } else {
            self.forward(certificate, out);
        }
    }

    /// A quorum stands behind a block: it is validated even after leaving, and fetched where it is missing.
    /// Says whether it may be followed: a notarized block that is invalid here stops the engine.
    pub(crate) fn stand_behind(&mut self, now: Time, position: Position, block: BlockRef, out: &mut Outbox) -> bool {
        if let Some(reason) = self.blocks.invalid(block).map(str::to_owned) {
            self.rules.count(Rule::HaltInvalid);
            self.halt(HaltReason::NotarizedBlockInvalid { position, block, reason }, out);
            return false;
        }
        // Its proposal may still be under way: votes are smaller than blocks.
        let patience = self.config.resend_interval_min;
        self.clear_block(block, now + patience);
        true
    }

    /// A slot of the current term was notarized or finalized: the bookkeeping of progress.
    pub(crate) fn note_notarized(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        let position = certificate.position();
        if !self.certificates.is_final(position) {
            self.term.notarized(position.slot, now);
        }
        if self.notarized_slot() != Some(position.slot) {
            return;
        }
        self.term.progress_at = now; // rule 5: a new highest notarization
        self.restart_resend(now);
        self.release_own_payloads(position.slot);
        self.own.prune_below(position.slot + 1);
        let keep_from = (position.slot + 1).saturating_sub(self.config.pipeline_depth);
        self.proposals.prune_below(self.at_slot(keep_from));
        out.push(Effect::Notarized(certificate));
        self.nullify_again_at_once(out);
    }

    /// `Finalize`, unless the operator has left the term or something at or above is final already.
    pub(crate) fn finalize(&mut self, position: Position, block: BlockRef, out: &mut Outbox) {
        assert!(position.term == self.term.number, "an operator votes to finalize in its current term only");
        let said = self.own.finalized().is_some_and(|(highest, _)| highest == position);
        if self.term.left || self.certificates.is_final(position) || said {
            return;
        }
        self.rules.count(Rule::Finalize);
        self.own.finalize(position, block, self.finalized_slot());
        self.cast(Vote::finalize(position, block), out);
    }

    /// The last slot of the current term is notarized: on to the next.
    pub(crate) fn complete_term(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        let position = certificate.position();
        if position.term == self.term.number && position.slot + 1 == self.config.slots_per_term {
            self.rules.count(Rule::CompleteTerm);
            self.timeouts.shrink();
            self.enter(now, position.term + 1, certificate, out);
        }
    }
}
