//! What the pipeline counts, for metrics. Numbers only grow; readers take them at any time.

use core::sync::atomic::{AtomicU64, Ordering};

/// A number that only grows.
#[derive(Debug, Default)]
pub struct Counter(AtomicU64);

impl Counter {
    /// Its value.
    #[must_use]
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    pub(crate) fn add(&self, count: usize) {
        self.0.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn increment(&self) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

/// Why a message, or a part of one, went no further.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum DropReason {
    /// The sender has no seat, or is ourselves.
    UnknownSender,
    /// The sender sends faster than its ring is drained.
    RingFull,
    /// A kind of message that does not go through the pipeline.
    Misrouted,
    /// Signed by another operator than the sender.
    SignerNotSender,
    /// Of no use to the engine now: another epoch, final already, or too far ahead.
    OutsideWindow,
    /// Seen before.
    Duplicate,
    /// A vote whose certificate is known.
    AlreadyCertified,
    /// A second, different vote of one kind at one position by one sender.
    ConflictingVote,
    /// A threshold signature that does not verify.
    BadSignature,
    /// A proposal or evidence with a wrong signature, by no leader, or that proves nothing.
    BadProposal,
    /// A payload that is no block, or not the one that the header names.
    BadPayload,
    /// More checks for a known culprit than it is granted.
    CulpritRefused,
}

impl DropReason {
    /// All of them, in the order of their numbers.
    pub const ALL: [Self; 12] = [
        Self::UnknownSender,
        Self::RingFull,
        Self::Misrouted,
        Self::SignerNotSender,
        Self::OutsideWindow,
        Self::Duplicate,
        Self::AlreadyCertified,
        Self::ConflictingVote,
        Self::BadSignature,
        Self::BadProposal,
        Self::BadPayload,
        Self::CulpritRefused,
    ];

    /// A label for metrics.
    #[must_use]
    pub const fn label(self) -> &'static str {
        match self {
            Self::UnknownSender => "unknown_sender",
            Self::RingFull => "ring_full",
            Self::Misrouted => "misrouted",
            Self::SignerNotSender => "signer_not_sender",
            Self::OutsideWindow => "outside_window",
            Self::Duplicate => "duplicate",
            Self::AlreadyCertified => "already_certified",
            Self::ConflictingVote => "conflicting_vote",
            Self::BadSignature => "bad_signature",
            Self::BadProposal => "bad_proposal",
            Self::BadPayload => "bad_payload",
            Self::CulpritRefused => "culprit_refused",
        }
    }

    const fn index(self) -> usize {
        match self {
            Self::UnknownSender => 0,
            Self::RingFull => 1,
            Self::Misrouted => 2,
            Self::SignerNotSender => 3,
            Self::OutsideWindow => 4,
            Self::Duplicate => 5,
            Self::AlreadyCertified => 6,
            Self::ConflictingVote => 7,
            Self::BadSignature => 8,
            Self::BadProposal => 9,
            Self::BadPayload => 10,
            Self::CulpritRefused => 11,
        }
    }
}

/// Everything that is counted. Unit: items, except where it says bytes.
#[derive(Debug, Default)]
pub struct Counters {
    /// Messages taken in by the ingress.
    pub messages: Counter,
    dropped: [Counter; DropReason::ALL.len()],
    /// Partials collected, one's own among them.
    pub partials: Counter,
    /// Certificates made here out of partials.
    pub certificates_recovered: Counter,
    /// Certificates received that verified.
    pub certificates_received: Counter,
    /// Times that an operator was caught with a wrong signature.
    pub culprits: Counter,
    /// Leaders caught with two proposals, once for each position.
    pub equivocations: Counter,
    /// Proposals passed to the engine.
    pub proposals: Counter,
    /// Batches checked.
    pub batches: Counter,
    /// Ballots and certificates in them.
    pub batch_items: Counter,
    /// Ballots whose recovery failed and whose partials were searched for culprits.
    pub bisections: Counter,
    /// Inputs that the engine was stepped with.
    pub inputs: Counter,
    /// Own votes signed.
    pub votes_signed: Counter,
    /// Own proposals signed.
    pub proposals_signed: Counter,
    /// Own votes and proposals sent again.
    pub resends: Counter,
    /// Votes and re-sends that were not carried out because their position is final already.
    pub intents_stale: Counter,
    /// Group commits of the journal.
    pub commits: Counter,
    /// Records in them.
    pub records: Counter,
    /// Bytes in them. Unit: bytes.
    pub commit_bytes: Counter,
    /// Compactions of the journal.
    pub compactions: Counter,
}

impl Counters {
    /// How often something was dropped for this reason.
    #[must_use]
    pub fn dropped(&self, reason: DropReason) -> u64 {
        self.dropped[reason.index()].get()
    }

    pub(crate) fn drop_one(&self, reason: DropReason) {
        self.dropped[reason.index()].increment();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_reason_has_its_own_number() {
        for (number, reason) in DropReason::ALL.into_iter().enumerate() {
            assert_eq!(reason.index(), number, "{}", reason.label());
        }
    }
}
