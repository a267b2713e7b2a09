//! Whether a proposal is correctly placed: what protocol.md calls positions and justification.

use crate::certificates::Justification;
use crate::{Engine, fetches};
use phalanx_types::{BlockRef, Position, UnsignedProposal};

/// Where a proposal stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Placement {
    /// Its parent has this operator's vote, or is notarized (and justified, for a first slot).
    Good,
    /// Not yet known. Missing is not invalid. With the terms (from, to) whose certificates are missing.
    Pending(Option<(u64, u64)>),
    /// It never will be.
    Wrong,
}

impl Engine {
    /// Judges a proposal of the current term, for a slot above every notarized one.
    pub(crate) fn placement(&self, header: &UnsignedProposal) -> Placement {
        let Some(parent) = header.parent() else { return Placement::Wrong };
        if header.position.slot >= self.config.slots_per_term {
            return Placement::Wrong;
        }
        match header.position.slot.checked_sub(1) {
            Some(before) => self.placed_in_term(header, before, parent),
            None => self.placed_first(header, parent),
        }
    }

    /// At slot `s > 0` the parent is the block at `s − 1`.
    fn placed_in_term(&self, header: &UnsignedProposal, before: u32, parent: BlockRef) -> Placement {
        let before = self.at_slot(before);
        if header.parent_is_genesis || header.parent_position != before {
            return Placement::Wrong;
        }
        match self.certificates.notarization(before) {
            Some(held) if held.block() == parent => Placement::Good,
            // At a position at most one block can be notarized: this parent never will be.
            Some(_) => Placement::Wrong,
            None if self.own.notarized_at(before.slot) == Some(parent) => Placement::Good,
            None => Placement::Pending(None),
        }
    }

    /// At slot 0 the parent is justified by certificates.
    fn placed_first(&self, header: &UnsignedProposal, parent: BlockRef) -> Placement {
        let position = header.parent_position;
        let named = if header.parent_is_genesis {
            if position != Position::default() {
                return Placement::Wrong;
            }
            None
        } else {
            let earlier = position.epoch == self.config.epoch && position.term < self.term.number;
            if !earlier || position.slot >= self.config.slots_per_term {
                return Placement::Wrong;
            }
            Some(position)
        };
        match self.certificates.justification(named, parent, self.term.number) {
            Justification::Complete => Placement::Good,
            Justification::Impossible => Placement::Wrong,
            Justification::Missing(from, to) => {
                Placement::Pending(Some((from, to.min(from + fetches::TERMS_PER_FETCH_MAX - 1))))
            }
        }
    }
}
