//! Invariant 2 and (a), over all certificates that exist and all that the adversary could make: votes of
//! honest operators that, with the shares of every Byzantine one, reach the quorum.

use crate::{Broken, Violation};
use phalanx_types::{BlockRef, OperatorIndex, Position, Time, Vote, VoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// What is known of one term.
#[derive(Clone, Debug, Default)]
struct Term {
    lowest_nullified: Option<u32>,
    highest_finalized: Option<u32>,
    notarized: BTreeMap<u32, BlockRef>,
}

/// Keeps the certificates of every term.
#[derive(Clone, Debug)]
pub struct CertificateChecker {
    /// How many honest votes the adversary needs for a certificate.
    honest_votes_min: usize,
    terms: BTreeMap<(u64, u64), Term>,
    signers: BTreeMap<Vote, BTreeSet<OperatorIndex>>,
}

impl CertificateChecker {
    /// For a quorum of `quorum`, `byzantine` of which may be Byzantine.
    #[must_use]
    pub fn new(quorum: usize, byzantine: usize) -> Self {
        let honest_votes_min = quorum.saturating_sub(byzantine).max(1);
        Self { honest_votes_min, terms: BTreeMap::new(), signers: BTreeMap::new() }
    }

    /// Whether a certificate of `vote` exists or can be made.
    #[must_use]
    pub fn is_possible(&self, vote: &Vote) -> bool {
        let position = vote.position;
        let Some(term) = self.terms.get(&(position.epoch, position.term)) else { return false };
        match vote.kind {
            VoteKind::Notarize => term.notarized.get(&position.slot) == Some(&vote.block),
            VoteKind::Nullify => term.lowest_nullified.is_some_and(|slot| slot <= position.slot),
            VoteKind::Finalize => {
                term.highest_finalized.is_some_and(|slot| slot >= position.slot)
                    && term.notarized.get(&position.slot) == Some(&vote.block)
            }
        }
    }

    /// An honest operator signed `vote`, for the first time or again. Returns whether a certificate of it
    /// can be made now.
    ///
    /// # Errors
    /// As [`CertificateChecker::exists`], when that certificate contradicts another.
    pub fn signed(&mut self, at: Time, operator: OperatorIndex, vote: Vote) -> Result<bool, Violation> {
        let signers = self.signers.entry(vote).or_default();
        if !signers.insert(operator) || signers.len() < self.honest_votes_min {
            return Ok(false);
        }
        self.exists(at, operator, vote).map(|()| true)
    }

    /// A certificate of `vote` exists, or can be made.
    ///
    /// # Errors
    /// [`Broken::TwoNotarizations`] or [`Broken::NullifiedAndFinalized`].
    pub fn exists(&mut self, at: Time, operator: OperatorIndex, vote: Vote) -> Result<(), Violation> {
        let Vote { kind, position, block } = vote;
        let term = self.terms.entry((position.epoch, position.term)).or_default();
        match kind {
            VoteKind::Nullify => lower(&mut term.lowest_nullified, position.slot),
            VoteKind::Notarize => {}
            VoteKind::Finalize => raise(&mut term.highest_finalized, position.slot),
        }
        if kind != VoteKind::Nullify {
            let first = *term.notarized.entry(position.slot).or_insert(block);
            if first != block {
                let broken = Broken::TwoNotarizations { position, first, second: block };
                return Err(Violation::new(at, operator, broken));
            }
        }
        match (term.lowest_nullified, term.highest_finalized) {
            (Some(nullified), Some(finalized)) if nullified <= finalized => {
                let of = |slot| Position { slot, ..position };
                let broken = Broken::NullifiedAndFinalized { nullified: of(nullified), finalized: of(finalized) };
                Err(Violation::new(at, operator, broken))
            }
            _ => Ok(()),
        }
    }
}

fn lower(lowest: &mut Option<u32>, slot: u32) {
    *lowest = Some(lowest.map_or(slot, |known| known.min(slot)));
}

fn raise(highest: &mut Option<u32>, slot: u32) {
    *highest = Some(highest.map_or(slot, |known| known.max(slot)));
}
