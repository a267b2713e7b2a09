//! Certificates that verified: they are not checked again, and their partials are not collected.

use super::REPEAT_INTERVAL;
use phalanx_consensus::Window;
use phalanx_threshold::Verified;
use phalanx_types::{BlockRef, Certificate, Time, Vote, VoteKind};
use std::collections::BTreeMap;

/// Certificates remembered. What does not fit is checked again when it comes again.
pub(super) const KNOWN_CERTIFICATES_MAX: usize = 8_192;

#[derive(Debug)]
struct Known {
    certificate: Verified<Certificate>,
    passed_at: Time,
}

/// What to do with a certificate that came in.
#[derive(Debug)]
pub(super) enum Intake {
    /// Check it.
    New,
    /// It verified and was passed on a moment ago.
    Known,
    /// It verified, but was passed on a while ago: pass this one on again.
    Repeat(Verified<Certificate>),
}

#[derive(Debug, Default)]
pub(super) struct KnownCertificates {
    by_vote: BTreeMap<Vote, Known>,
}

impl KnownCertificates {
    pub(super) fn intake(&mut self, certificate: &Certificate, now: Time) -> Intake {
        match self.by_vote.get_mut(&certificate.vote) {
            None => Intake::New,
            Some(known) if now.saturating_since(known.passed_at) < REPEAT_INTERVAL => Intake::Known,
            Some(known) => {
                known.passed_at = now;
                Intake::Repeat(known.certificate)
            }
        }
    }

    pub(super) fn get(&self, vote: &Vote) -> Option<Verified<Certificate>> {
        self.by_vote.get(vote).map(|known| known.certificate)
    }

    /// Whether there is nothing to gain from another partial of `vote`. A finalization counts as a
    /// notarization everywhere.
    pub(super) fn certifies(&self, vote: &Vote) -> bool {
        let finalizes = || self.by_vote.contains_key(&Vote::finalize(vote.position, vote.block));
        self.by_vote.contains_key(vote) || (vote.kind == VoteKind::Notarize && finalizes())
    }

    /// Whether this certificate, if it is genuine, cannot stand beside what verified before: more than `f` operators
    /// would be Byzantine. The window has no use for it, but the engine must see it.
    pub(super) fn contradicts(&self, vote: &Vote, window: &Window) -> bool {
        if vote.position.epoch != window.epoch {
            return false;
        }
        if vote.kind == VoteKind::Nullify {
            return window.finalized.is_some_and(|last| vote.position.term == last.term && vote.position <= last);
        }
        [VoteKind::Notarize, VoteKind::Finalize].into_iter().any(|kind| {
            let lowest = Vote { kind, block: BlockRef::NONE, ..*vote };
            let mut same_position = self.by_vote.range(lowest..).take_while(|(known, _)| known.kind == kind);
            same_position.next().is_some_and(|(known, _)| known.position == vote.position && known.block != vote.block)
        })
    }

    pub(super) fn insert(&mut self, certificate: Verified<Certificate>, now: Time) {
        self.by_vote.insert(certificate.vote, Known { certificate, passed_at: now });
        if self.by_vote.len() > KNOWN_CERTIFICATES_MAX {
            self.by_vote.pop_first();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.by_vote.len()
    }

    /// Keeps what is final at the highest position: it may yet be contradicted.
    pub(super) fn prune(&mut self, window: &Window) {
        self.by_vote.retain(|vote, _| {
            vote.position.epoch == window.epoch && window.finalized.is_none_or(|finalized| vote.position >= finalized)
        });
    }
}
