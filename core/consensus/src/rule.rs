//! The arms of the protocol, counted, so that a simulation can show that each of them was taken.

/// An arm of a rule of `docs/PROTOCOL.md`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(usize)]
pub enum Rule {
    /// Rule 1: the first slot of a term was proposed.
    ProposeFirst,
    /// Rule 1: a later slot was proposed.
    ProposeNext,
    /// Rule 1: a build was asked for again.
    BuildAgain,
    /// Rule 2: a proposal was held.
    HoldProposal,
    /// Rule 2: a block was notarized by a vote.
    Notarize,
    /// Rule 2: execution could not say yet, and was asked again.
    ValidateAgain,
    /// Rule 2: a notarized block is invalid here.
    HaltInvalid,
    /// Two certificates contradict each other.
    HaltConflict,
    /// Rule 3: a notarization was learnt.
    Notarization,
    /// Rule 3: it was finalized by a vote.
    Finalize,
    /// Rule 3: the last slot of a term completed it.
    CompleteTerm,
    /// Rule 4: a finalization was learnt.
    Finalization,
    /// Rule 5: the progress timer ran out.
    LeaveProgress,
    /// Rule 5: finality lags.
    LeaveFinality,
    /// Rule 5: the term lasts too long.
    LeaveCap,
    /// Rule 5: an invalid proposal.
    LeaveInvalid,
    /// Rule 5: the leader equivocated.
    LeaveEquivocation,
    /// Rule 5: this operator hands its term over.
    LeaveHandOver,
    /// Rule 5: the leader hands its term over.
    LeaveLeaderNullify,
    /// Rule 5: `f+1` others have left.
    LeaveOthers,
    /// Rule 5: the leader is marked absent.
    LeaveAbsent,
    /// Rule 5: a leader was marked absent.
    MarkAbsent,
    /// Rule 5: a mark was cleared by a message.
    ClearAbsent,
    /// Rule 5: `Nullify` was signed again, at once, for a higher slot.
    NullifyAgainAtOnce,
    /// Rule 5: `Nullify` was signed again, at a re-send, for a higher slot.
    NullifyAgainAtResend,
    /// Rule 6: a finalization healed the operator.
    Heal,
    /// Rule 7: a nullification was learnt.
    Nullification,
    /// Rule 8: votes and certificates were sent again.
    Resend,
    /// Rule 8: a leader's proposals were sent again.
    ResendProposal,
    /// Rule 8: whoever still votes for what is final was told so.
    TellLaggard,
    /// Rule 9: a certificate of a later term moved the operator there.
    CatchUp,
    /// Rule 9: a block was asked for.
    FetchBlock,
    /// Rule 9: certificates of terms were asked for.
    FetchTerms,
    /// A restart: the engine went on from a journal.
    Restore,
    /// A restart: a leader left the term whose journalled proposal it no longer holds.
    LeaveProposalLost,
}

impl Rule {
    /// How many there are.
    pub const COUNT: usize = Self::ALL.len();

    /// Every arm, in order.
    pub const ALL: [Self; 35] = [
        Self::ProposeFirst,
        Self::ProposeNext,
        Self::BuildAgain,
        Self::HoldProposal,
        Self::Notarize,
        Self::ValidateAgain,
        Self::HaltInvalid,
        Self::HaltConflict,
        Self::Notarization,
        Self::Finalize,
        Self::CompleteTerm,
        Self::Finalization,
        Self::LeaveProgress,
        Self::LeaveFinality,
        Self::LeaveCap,
        Self::LeaveInvalid,
        Self::LeaveEquivocation,
        Self::LeaveHandOver,
        Self::LeaveLeaderNullify,
        Self::LeaveOthers,
        Self::LeaveAbsent,
        Self::MarkAbsent,
        Self::ClearAbsent,
        Self::NullifyAgainAtOnce,
        Self::NullifyAgainAtResend,
        Self::Heal,
        Self::Nullification,
        Self::Resend,
        Self::ResendProposal,
        Self::TellLaggard,
        Self::CatchUp,
        Self::FetchBlock,
        Self::FetchTerms,
        Self::Restore,
        Self::LeaveProposalLost,
    ];
}

/// How often each arm was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RuleCounts([u64; Rule::COUNT]);

impl Default for RuleCounts {
    fn default() -> Self {
        Self([0; Rule::COUNT])
    }
}

impl RuleCounts {
    pub(crate) fn count(&mut self, rule: Rule) {
        self.0[rule as usize] += 1;
    }

    /// How often one arm was taken.
    #[must_use]
    pub fn of(&self, rule: Rule) -> u64 {
        self.0[rule as usize]
    }

    /// Each arm with its count.
    pub fn iter(&self) -> impl Iterator<Item = (Rule, u64)> + '_ {
        Rule::ALL.into_iter().map(|rule| (rule, self.of(rule)))
    }

    /// Adds the counts of another engine.
    pub fn add(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine += theirs;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_arm_stands_at_its_own_index() {
        for (index, rule) in Rule::ALL.into_iter().enumerate() {
            assert_eq!(rule as usize, index, "{rule:?} is listed in the order of its declaration");
        }
    }
}
