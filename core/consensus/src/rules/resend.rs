//! Rule 8: while a term makes no progress, say again what others may have missed, with jitter and
//! back-off. Nobody needs reliable delivery, only repetition.

use crate::{Effect, Engine, Outbox, Rule};
use core::time::Duration;
use phalanx_types::{Time, Vote};

/// When to send again next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Resend {
    pub(crate) at: Option<Time>,
    pause: Duration,
}

impl Resend {
    /// The same with another pause, for the model.
    #[cfg(feature = "model")]
    pub(crate) fn reconfigure(&mut self, pause: Duration) {
        self.pause = pause;
    }
}

impl Engine {
    /// There was progress: the next re-send starts from the shortest interval. That is longer than a block
    /// takes, so that a healthy term is silent.
    pub(crate) fn restart_resend(&mut self, now: Time) {
        let pause = self.config.resend_interval_min.max(self.config.block_time * 3 / 2);
        let at = (self.config.size.n() > 1).then(|| now + self.jitter.spread(pause));
        self.resend = Resend { at, pause };
    }

    /// Sends again, and waits longer the next time.
    pub(crate) fn on_resend_due(&mut self, now: Time, out: &mut Outbox) {
        let longest = self.config.resend_interval_max.max(self.config.block_time * 3 / 2);
        let pause = (self.resend.pause * 2).min(longest);
        self.resend = Resend { at: Some(now + self.jitter.spread(self.resend.pause)), pause };
        self.send_again(out);
    }

    /// Everything that rule 8 lists.
    pub(crate) fn send_again(&mut self, out: &mut Outbox) {
        self.rules.count(Rule::Resend);
        self.send_certificates_again(out);
        self.send_proposals_again(out);
        let (term, next) = (self.term.number, self.next_slot());
        let depth = usize::try_from(self.config.pipeline_depth).expect("a u32 fits in a usize");
        for (slot, block) in self.own.notarized_from(next).take(depth) {
            out.push(Effect::ResendVote(Vote::notarize(self.at_slot(slot), block)));
        }
        if let Some((position, block)) = self.own.finalized()
            && !self.certificates.is_final(position)
        {
            out.push(Effect::ResendVote(Vote::finalize(position, block)));
        }
        if self.must_nullify_again() {
            self.nullify_again_at_resend(out);
        } else if let Some(slot) = self.own.nullified_slot(term)
            && self.term.left
        {
            out.push(Effect::ResendVote(Vote::nullify(self.at_slot(slot))));
        }
    }

    /// The highest finalization, the certificate by which the term was entered, and its highest
    /// notarization: what pulls others to where this operator is.
    fn send_certificates_again(&mut self, out: &mut Outbox) {
        let highest = self.certificates.highest_notarization(self.term.number).copied();
        let mut sent = Vec::with_capacity(3);
        for certificate in [self.certificates.finalized().copied(), self.term.entered_by, highest].into_iter().flatten()
        {
            if !sent.contains(&certificate.vote) {
                sent.push(certificate.vote);
                out.push(Effect::Forward(certificate));
            }
        }
    }

    /// A leader's proposals above the highest notarized slot.
    fn send_proposals_again(&mut self, out: &mut Outbox) {
        if self.term.left || !self.leads() {
            return;
        }
        let mut again = Vec::new();
        for header in self.own.proposed_from(self.next_slot()) {
            if let Some(block) = self.blocks.payload(header.block) {
                again.push(Effect::ResendProposal { position: header.position, block: block.clone() });
            }
        }
        for effect in again {
            self.rules.count(Rule::ResendProposal);
            out.push(effect);
        }
    }
}
