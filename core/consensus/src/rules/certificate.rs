//! Certificates, however they come: kept first, so that they are durable before any vote that relies on
//! them leaves; then rule 3, 4 or 7. Two that contradict each other stop the engine.

use crate::certificates::Added;
use crate::{Effect, Engine, HaltReason, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Certificate, Time, VoteKind};

impl Engine {
    pub(crate) fn on_certificate(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        if certificate.position().epoch != self.config.epoch {
            return;
        }
        match self.certificates.add(certificate) {
            Added::Known => return,
            Added::Conflict(known) => {
                self.rules.count(Rule::HaltConflict);
                let (first, second) = (Box::new(known.into_inner()), Box::new(certificate.into_inner()));
                self.halt(HaltReason::ConflictingCertificates { first, second }, out);
                return;
            }
            Added::New => {}
        }
        out.push(Effect::Keep(certificate));
        match certificate.kind() {
            VoteKind::Notarize => self.on_notarization(now, certificate, out),
            VoteKind::Nullify => self.on_nullification(now, certificate, out),
            VoteKind::Finalize => self.on_finalization(now, certificate, out),
        }
    }

    /// Spreads a notarization or finalization, once.
    pub(crate) fn forward(&self, certificate: Verified<Certificate>, out: &mut Outbox) {
        if self.spreads() {
            out.push(Effect::Forward(certificate));
        }
    }
}
