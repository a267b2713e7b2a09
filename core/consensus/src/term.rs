//! The term that the operator is in: since when, by what, and whether it has left it.

use core::time::Duration;
use phalanx_threshold::Verified;
use phalanx_types::{Certificate, OperatorIndex, Time};
use std::collections::BTreeMap;

/// The current term.
#[derive(Clone, Debug)]
pub(crate) struct Term {
    pub(crate) number: u64,
    pub(crate) leader: OperatorIndex,
    pub(crate) entered_at: Time,
    /// By what it was entered; nothing for term 0.
    pub(crate) entered_by: Option<Verified<Certificate>>,
    /// Whether the operator has left it, and not healed.
    pub(crate) left: bool,
    /// Whether it left because the leader was marked absent.
    pub(crate) left_as_absent: bool,
    /// Whether the leader equivocated: then leaving never heals.
    pub(crate) convicted: bool,
    /// Whether this operator leads it and wishes to hand it over: then healing does not keep it.
    pub(crate) handing_over: bool,
    /// When the progress timer was last reset.
    pub(crate) progress_at: Time,
    /// When its notarized slots were learnt, above the finalized one.
    notarized_at: BTreeMap<u32, Time>,
}

impl Term {
    pub(crate) fn new(
        number: u64,
        leader: OperatorIndex,
        entered_by: Option<Verified<Certificate>>,
        entered_at: Time,
    ) -> Self {
        Self {
            number,
            leader,
            entered_at,
            entered_by,
            left: false,
            left_as_absent: false,
            convicted: false,
            handing_over: false,
            progress_at: entered_at,
            notarized_at: BTreeMap::new(),
        }
    }

    /// A slot was learnt to be notarized.
    pub(crate) fn notarized(&mut self, slot: u32, now: Time) {
        self.notarized_at.entry(slot).or_insert(now);
    }

    /// A slot was finalized: finality does not lag at or below it.
    pub(crate) fn finalized(&mut self, slot: u32) {
        self.notarized_at = self.notarized_at.split_off(&(slot + 1));
    }

    /// All but times, for the model.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        use core::hash::Hash;
        #[rustfmt::skip]
        let Self {
            number, leader, entered_at: _, entered_by, left, left_as_absent, convicted, handing_over,
            progress_at: _, notarized_at: _,
        } = self;
        (number, leader, entered_by, left, left_as_absent, convicted, handing_over).hash(state);
    }

    /// Rule 5: when finality will lag by more than `bound`, unless it moves.
    pub(crate) fn finality_deadline(&self, bound: Duration) -> Option<Time> {
        let oldest = self.notarized_at.first_key_value().map(|(_, learnt_at)| *learnt_at)?;
        Some(oldest.max(self.entered_at) + bound)
    }
}
