//! Partials of operators that were caught lying: each is checked alone, a few in a turn, after what honest operators
//! sent, so that a liar costs others a bounded time and cannot spoil a recovery again.
//!
//! Invariant: operators take turns, and each has at most [`SUSPECTS_PER_OPERATOR_MAX`] partials here.

use crate::counters::DropReason;
use phalanx_consensus::Window;
use phalanx_types::{OperatorIndex, SignatureBytes, Vote};
use std::collections::{BTreeMap, VecDeque};

/// Partials of one operator that wait: the votes of a few slots.
pub(super) const SUSPECTS_PER_OPERATOR_MAX: usize = 16;

#[derive(Debug, Default)]
pub(super) struct Suspects {
    by_operator: BTreeMap<OperatorIndex, VecDeque<(Vote, SignatureBytes)>>,
    /// Whose turn it was last.
    last: Option<OperatorIndex>,
}

impl Suspects {
    pub(super) fn add(&mut self, vote: Vote, signer: OperatorIndex, partial: SignatureBytes) -> Result<(), DropReason> {
        let waiting = self.by_operator.entry(signer).or_default();
        if waiting.len() >= SUSPECTS_PER_OPERATOR_MAX {
            return Err(DropReason::CulpritRefused);
        }
        waiting.push_back((vote, partial));
        Ok(())
    }

    /// The oldest of the next operator in turn.
    pub(super) fn pop(&mut self) -> Option<(Vote, OperatorIndex, SignatureBytes)> {
        let next = self.last.and_then(|last| last.0.checked_add(1)).map_or(OperatorIndex(0), OperatorIndex);
        let signer = *self.by_operator.range(next..).chain(&self.by_operator).next()?.0;
        let waiting = self.by_operator.get_mut(&signer)?;
        let (vote, partial) = waiting.pop_front()?;
        if waiting.is_empty() {
            self.by_operator.remove(&signer);
        }
        self.last = Some(signer);
        Some((vote, signer, partial))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_operator.is_empty()
    }

    /// Of whoever has most.
    pub(super) fn fullest(&self) -> usize {
        self.by_operator.values().map(VecDeque::len).max().unwrap_or(0)
    }

    /// Lets go of what the engine has no use for any more.
    pub(super) fn prune(&mut self, window: &Window) {
        self.by_operator.retain(|_, waiting| {
            waiting.retain(|(vote, _)| window.wants_vote(vote));
            !waiting.is_empty()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::notarize;

    #[test]
    fn operators_take_turns_and_each_has_little_room() {
        let mut suspects = Suspects::default();
        for slot in 0..20 {
            let fits = usize::try_from(slot).expect("small") < SUSPECTS_PER_OPERATOR_MAX;
            let added = suspects.add(notarize(slot), OperatorIndex(3), [1; 48].into());
            assert_eq!(added, if fits { Ok(()) } else { Err(DropReason::CulpritRefused) });
        }
        suspects.add(notarize(0), OperatorIndex(1), [1; 48].into()).expect("room of its own");
        suspects.add(notarize(1), OperatorIndex(1), [1; 48].into()).expect("room of its own");
        assert_eq!(suspects.fullest(), SUSPECTS_PER_OPERATOR_MAX);
        let order: Vec<_> = (0..5).filter_map(|_| suspects.pop()).map(|(vote, from, _)| (from.0, vote)).collect();
        let expected = [(1, 0), (3, 0), (1, 1), (3, 1), (3, 2)].map(|(from, slot)| (from, notarize(slot)));
        assert_eq!(order, expected);
        while suspects.pop().is_some() {}
        assert!(suspects.is_empty());
    }
}
