//! What an engine has use for now: a small copy for the cheap filter before any cryptography.
//!
//! It implements the memory rule: for each sender votes from the finalized slot to the highest notarized
//! one + 2D of the current term, the first D slots of the next, and its highest `Nullify` in both (which
//! of a sender's is the highest is for the collector of votes to remember). Everything else is dropped
//! unseen. The engine checks again, exactly: this only has to be cheap, and never wrong about what is
//! needed.

use crate::CollectorSeats;
use phalanx_types::{Certificate, Position, UnsignedProposal, Vote, VoteKind};

/// How many terms before the current one can still be finalized by votes.
pub const PREVIOUS_TERMS_MAX: usize = 2;

/// How far below the highest notarized slot the window remembers which slots are notarized.
pub(crate) const REMEMBERED_SLOTS: u32 = 128;

/// What is of interest to an engine.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Window {
    /// The epoch; nothing of any other is of interest.
    pub epoch: u64,
    /// The term that the operator is in.
    pub term: u64,
    /// `W`.
    pub slots_per_term: u32,
    /// `D`.
    pub pipeline_depth: u32,
    /// The highest finalized position.
    pub finalized: Option<Position>,
    /// The highest notarized slot of the current term.
    pub notarized_slot: Option<u32>,
    /// Bit `i` says that slot `notarized_slot − i` of the current term is known notarized.
    pub notarized_slots: u128,
    /// The highest notarized, unfinalized slots of earlier terms.
    pub previous: [Option<Position>; PREVIOUS_TERMS_MAX],
    /// Terms whose certificates were asked for, inclusive.
    pub terms_wanted: Option<(u64, u64)>,
    /// Who collects votes; `None` where they go to everyone.
    pub collectors: Option<CollectorSeats>,
    /// Nothing is of interest any more.
    pub halted: bool,
}

impl Window {
    /// Whether a vote can still become something useful.
    #[must_use]
    pub fn wants_vote(&self, vote: &Vote) -> bool {
        let position = vote.position;
        if self.halted || position.epoch != self.epoch || position.slot >= self.slots_per_term {
            return false;
        }
        if self.is_final(position) {
            return false;
        }
        match vote.kind {
            VoteKind::Nullify => self.is_this_or_next(position.term),
            VoteKind::Notarize => self.is_near(position) && !self.is_known_notarized(position),
            VoteKind::Finalize => self.is_near(position) || self.previous.contains(&Some(position)),
        }
    }

    /// Whether a vote that is of no use itself shows that its sender lacks what is final: the engine tells it
    /// (rule 8).
    #[must_use]
    pub fn shows_laggard(&self, vote: &Vote) -> bool {
        let Some(collectors) = &self.collectors else { return false };
        let position = vote.position;
        let is_near = position.epoch == self.epoch && position.slot < self.slots_per_term;
        !self.halted && is_near && self.is_final(position) && collectors.shows_lack(vote)
    }

    /// Whether a certificate says something new. Answers to own requests need no such check.
    #[must_use]
    pub fn wants_certificate(&self, certificate: &Certificate) -> bool {
        let position = certificate.position();
        if self.halted || position.epoch != self.epoch || position.slot >= self.slots_per_term {
            return false;
        }
        if self.is_final(position) {
            return false;
        }
        if self.terms_wanted.is_some_and(|(from, to)| (from..=to).contains(&position.term)) {
            return true;
        }
        match certificate.kind() {
            VoteKind::Finalize => true,
            VoteKind::Nullify => position.term >= self.term,
            VoteKind::Notarize => position.term >= self.term && !self.is_known_notarized(position),
        }
    }

    /// Whether a proposal may be held (rule 2), or may bring a block that is missing.
    #[must_use]
    pub fn wants_proposal(&self, header: &UnsignedProposal) -> bool {
        let position = header.position;
        let in_epoch = !self.halted && position.epoch == self.epoch;
        in_epoch && !self.is_final(position) && self.is_near(position)
    }

    /// Whether a position is within the slots of which votes and proposals are held.
    #[must_use]
    pub fn is_near(&self, position: Position) -> bool {
        if position.slot >= self.slots_per_term {
            return false;
        }
        if position.term == self.term {
            // The slots above the highest notarized one start at 0 while there is none.
            let above = self.notarized_slot.map_or(0, |slot| u64::from(slot) + 1);
            return u64::from(position.slot) < above + 2 * u64::from(self.pipeline_depth);
        }
        self.term.checked_add(1) == Some(position.term) && position.slot < self.pipeline_depth
    }

    fn is_final(&self, position: Position) -> bool {
        self.finalized.is_some_and(|finalized| position <= finalized)
    }

    fn is_this_or_next(&self, term: u64) -> bool {
        term == self.term || self.term.checked_add(1) == Some(term)
    }

    fn is_known_notarized(&self, position: Position) -> bool {
        let Some(highest) = self.notarized_slot else { return false };
        if position.term != self.term || position.slot > highest {
            return false;
        }
        let below = highest - position.slot;
        below >= REMEMBERED_SLOTS || self.notarized_slots >> below & 1 == 1
    }
}
