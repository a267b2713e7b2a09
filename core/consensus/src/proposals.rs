//! The proposals that are held: of the current term around its highest notarized slot, and of the next
//! term's first slots. At most one for each position: a second one convicts its leader.

use crate::PIPELINE_DEPTH_MAX;
use phalanx_threshold::Verified;
use phalanx_types::{Position, Proposal, UnsignedProposal};
use std::collections::BTreeMap;

/// The most proposals that are held: D below the highest notarized slot and 2D above it, and the first D of
/// the next term.
pub const PROPOSALS_HELD_MAX: usize = 4 * PIPELINE_DEPTH_MAX as usize;

/// One that is held.
#[derive(Clone, Debug)]
pub(crate) struct Held {
    pub(crate) header: UnsignedProposal,
    /// With the leader's signature; absent for this operator's own.
    pub(crate) signed: Option<Verified<Proposal>>,
    /// Whether it has reset the progress timer, which it does once.
    pub(crate) counted: bool,
}

/// What became of a proposal.
#[derive(Debug)]
pub(crate) enum Offered {
    /// It is held now.
    New,
    /// The same is held already.
    Known,
    /// Another one is held for its position.
    Other(Box<Held>),
}

/// The proposals of the current term and the next.
#[derive(Clone, Debug, Default)]
pub(crate) struct Proposals {
    held: BTreeMap<Position, Held>,
}

impl Proposals {
    /// Holds a proposal, unless its position is taken.
    pub(crate) fn offer(&mut self, header: UnsignedProposal, signed: Option<Verified<Proposal>>) -> Offered {
        match self.held.get(&header.position) {
            Some(held) if held.header == header => Offered::Known,
            Some(held) => Offered::Other(Box::new(held.clone())),
            None => {
                assert!(self.held.len() < PROPOSALS_HELD_MAX, "proposals are held for a bounded range of slots");
                self.held.insert(header.position, Held { header, signed, counted: false });
                Offered::New
            }
        }
    }

    /// The proposals of `slots` (from, to; inclusive) of a term, in ascending order.
    pub(crate) fn within(
        &self,
        epoch: u64,
        term: u64,
        slots: core::ops::RangeInclusive<u32>,
    ) -> impl DoubleEndedIterator<Item = &Held> {
        let first = Position::new(epoch, term, *slots.start());
        // An empty range of slots is one of positions too, which `BTreeMap` would refuse.
        let last = Position::new(epoch, term, (*slots.end()).max(*slots.start()));
        let empty = slots.is_empty();
        self.held.range(first..=last).map(|(_, held)| held).filter(move |_| !empty)
    }

    /// The proposal for a position.
    pub(crate) fn at(&self, position: Position) -> Option<&Held> {
        self.held.get(&position)
    }

    /// A valid proposal in the window is seen: whether for the first time.
    pub(crate) fn count(&mut self, position: Position) -> bool {
        self.held.get_mut(&position).is_some_and(|held| !core::mem::replace(&mut held.counted, true))
    }

    /// Lets go of everything below a position.
    pub(crate) fn prune_below(&mut self, position: Position) {
        if self.held.first_key_value().is_some_and(|(lowest, _)| *lowest < position) {
            self.held = self.held.split_off(&position);
        }
    }

    /// What is held, for the model. `counted` only resets a timer.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        use core::hash::Hash;
        let Self { held } = self;
        held.len().hash(state);
        for Held { header, signed, counted: _ } in held.values() {
            (header, signed.is_some()).hash(state);
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.held.len()
    }
}
