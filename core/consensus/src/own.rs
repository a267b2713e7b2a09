//! What this operator has itself said, and the assertions that it never contradicts it.
//!
//! Invariants (each asserted where the vote is cast): at most one `Notarize` for each position, in its
//! current term only; a `Nullify` is for a slot above every `Finalize` of its term; a `Finalize` follows a
//! `Nullify` of its term only where a finalization at or above that `Nullify`'s slot lies between. Restored
//! from the journal, they hold across crashes.

use phalanx_types::{BlockRef, Position, UnsignedProposal};
use std::collections::BTreeMap;

/// Own votes and proposals.
#[derive(Clone, Debug, Default, Hash)]
pub(crate) struct Own {
    /// Of the current term, by slot.
    notarized: BTreeMap<u32, BlockRef>,
    /// The highest `Finalize`.
    finalized: Option<(Position, BlockRef)>,
    /// The highest `Nullify`.
    nullified: Option<Position>,
    /// Proposals of the current term, by slot.
    proposed: BTreeMap<u32, UnsignedProposal>,
    term: u64,
}

impl Own {
    /// Enters a term: votes and proposals of earlier ones are not needed any more, since none is ever cast
    /// there again.
    pub(crate) fn enter(&mut self, term: u64) {
        assert!(term >= self.term, "an operator never returns to an earlier term");
        if term > self.term {
            self.notarized.clear();
            self.proposed.clear();
            self.term = term;
        }
    }

    /// Rule 2.
    pub(crate) fn notarize(&mut self, position: Position, block: BlockRef) {
        assert!(position.term == self.term, "an operator votes to notarize in its current term only");
        let before = self.notarized.insert(position.slot, block);
        assert!(before.is_none(), "an operator votes to notarize once at a position, not again at {position}");
    }

    /// Rule 3; `finalized_slot` is the highest finalized slot of the term.
    pub(crate) fn finalize(&mut self, position: Position, block: BlockRef, finalized_slot: Option<u32>) {
        if let Some(nullified) = self.nullified
            && nullified.term == position.term
        {
            let healed = finalized_slot.is_some_and(|slot| slot >= nullified.slot);
            assert!(healed, "no Finalize at {position} after a Nullify at {nullified} without a finalization between");
        }
        if self.finalized.is_none_or(|(highest, _)| highest < position) {
            self.finalized = Some((position, block));
        }
    }

    /// Rule 5.
    pub(crate) fn nullify(&mut self, position: Position) {
        if let Some((finalized, _)) = self.finalized {
            let above = finalized.term != position.term || finalized.slot < position.slot;
            assert!(above, "no Nullify at {position}, at or below the own Finalize at {finalized}");
        }
        assert!(self.nullified.is_none_or(|before| before < position), "a Nullify is only replaced by a higher one");
        self.nullified = Some(position);
    }

    /// Rule 1.
    pub(crate) fn propose(&mut self, header: UnsignedProposal) {
        assert!(header.position.term == self.term, "a leader proposes in its current term only");
        let before = self.proposed.insert(header.position.slot, header);
        assert!(before.is_none(), "a leader proposes once for a position, not again for {}", header.position);
    }

    /// Takes what the journal holds; the current term must be entered before.
    pub(crate) fn restore_notarize(&mut self, position: Position, block: BlockRef) {
        if position.term == self.term {
            let before = self.notarized.insert(position.slot, block);
            assert!(
                before.is_none_or(|before| before == block),
                "the journal holds two votes to notarize at {position}"
            );
        }
    }

    pub(crate) fn restore_finalize(&mut self, position: Position, block: BlockRef) {
        self.finalized = self.finalized.max(Some((position, block)));
    }

    pub(crate) fn restore_nullify(&mut self, position: Position) {
        self.nullified = self.nullified.max(Some(position));
    }

    pub(crate) fn restore_proposal(&mut self, header: UnsignedProposal) {
        if header.position.term == self.term {
            let before = self.proposed.insert(header.position.slot, header);
            assert!(
                before.is_none_or(|before| before == header),
                "the journal holds two proposals for {}",
                header.position
            );
        }
    }

    /// The block voted for at a slot of the current term.
    pub(crate) fn notarized_at(&self, slot: u32) -> Option<BlockRef> {
        self.notarized.get(&slot).copied()
    }

    /// Own votes to notarize above a slot of the current term, ascending.
    pub(crate) fn notarized_from(&self, slot: u32) -> impl Iterator<Item = (u32, BlockRef)> + '_ {
        self.notarized.range(slot..).map(|(slot, block)| (*slot, *block))
    }

    /// The highest `Finalize`.
    pub(crate) fn finalized(&self) -> Option<(Position, BlockRef)> {
        self.finalized
    }

    /// The slot of the highest `Finalize`, where that is of `term`.
    pub(crate) fn finalized_slot(&self, term: u64) -> Option<u32> {
        self.finalized.filter(|(position, _)| position.term == term).map(|(position, _)| position.slot)
    }

    /// The slot of the highest `Nullify`, where that is of `term`.
    pub(crate) fn nullified_slot(&self, term: u64) -> Option<u32> {
        self.nullified.filter(|position| position.term == term).map(|position| position.slot)
    }

    /// The highest own proposal of the current term.
    pub(crate) fn last_proposal(&self) -> Option<&UnsignedProposal> {
        self.proposed.last_key_value().map(|(_, header)| header)
    }

    /// Own proposals from a slot of the current term on, ascending.
    pub(crate) fn proposed_from(&self, slot: u32) -> impl Iterator<Item = &UnsignedProposal> {
        self.proposed.range(slot..).map(|(_, header)| header)
    }

    /// Lets go of votes and proposals below a slot of the current term that is notarized: nothing is cast
    /// there again. The last proposal stays, to build on.
    pub(crate) fn prune_below(&mut self, slot: u32) {
        self.notarized = self.notarized.split_off(&slot);
        let last = self.proposed.last_key_value().map_or(slot, |(last, _)| *last);
        self.proposed = self.proposed.split_off(&slot.min(last));
    }
}
