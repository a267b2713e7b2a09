//! Every certificate above the highest finalization, and that finalization: what justifies a parent, and
//! what must never be there together.
//!
//! Invariants: nothing at or below the finalized position is held; at one position at most one block is
//! notarized; no nullification `(t, u)` is held beside a finalization `(t, v)`, `u ≤ v`. A certificate
//! that would break them is returned as a conflict: more than `f` operators are Byzantine.

mod runs;

use crate::window::REMEMBERED_SLOTS;
use phalanx_threshold::Verified;
use phalanx_types::{BlockRef, Certificate, JUSTIFICATION_CERTIFICATES_MAX, Position, VoteKind};
use runs::Runs;
use std::collections::BTreeMap;

/// How many terms above the finalized one certificates are held for. A cluster whose terms are all
/// nullified for months without a block would reach it, and stand still until people look.
pub const UNFINALIZED_TERMS_MAX: u64 = 1 << 20;

/// What became of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    /// It is new, and held now.
    New,
    /// It says nothing new.
    Known,
    /// It contradicts this one.
    Conflict(Verified<Certificate>),
}

/// On what a first slot is built.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Parent {
    /// A justified block, and where it stands; genesis stands nowhere.
    Justified(Option<Position>, BlockRef),
    /// It is not known how this term was left.
    Unknown(u64),
}

/// Whether a first slot's parent is justified.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Justification {
    /// By certificates that are held.
    Complete,
    /// Certificates of these terms are missing, inclusive.
    Missing(u64, u64),
    /// Another block is notarized there: it never will be.
    Impossible,
}

/// The store.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Certificates {
    epoch: u64,
    genesis: BlockRef,
    slots_per_term: u32,
    finalized: Option<Verified<Certificate>>,
    notarized: BTreeMap<Position, Verified<Certificate>>,
    nullified: BTreeMap<Position, Verified<Certificate>>,
    /// The terms that are nullified from their first slot.
    skipped: Runs,
}

impl Certificates {
    pub(crate) fn new(epoch: u64, genesis: BlockRef, slots_per_term: u32) -> Self {
        let (notarized, nullified) = (BTreeMap::new(), BTreeMap::new());
        Self { epoch, genesis, slots_per_term, finalized: None, notarized, nullified, skipped: Runs::default() }
    }

    /// Takes a certificate of this epoch in.
    pub(crate) fn add(&mut self, certificate: Verified<Certificate>) -> Added {
        let position = certificate.position();
        assert!(position.epoch == self.epoch, "certificates of other epochs are dropped before they are added");
        if position.slot >= self.slots_per_term || self.is_final(position) {
            return self.contradicted_below(&certificate).map_or(Added::Known, Added::Conflict);
        }
        let far = self.finalized_term().saturating_add(UNFINALIZED_TERMS_MAX);
        if certificate.kind() != VoteKind::Finalize && position.term > far {
            return Added::Known;
        }
        match certificate.kind() {
            VoteKind::Notarize => self.add_notarization(certificate),
            VoteKind::Nullify => self.add_nullification(certificate),
            VoteKind::Finalize => self.add_finalization(certificate),
        }
    }

    /// What is at or below the finalized position is of no use, but may still be a contradiction.
    fn contradicted_below(&self, certificate: &Certificate) -> Option<Verified<Certificate>> {
        let finalized = self.finalized?;
        let (position, last) = (certificate.position(), finalized.position());
        let contradicts = match certificate.kind() {
            VoteKind::Nullify => position.term == last.term && position.slot <= last.slot,
            VoteKind::Notarize | VoteKind::Finalize => position == last && certificate.block() != finalized.block(),
        };
        contradicts.then_some(finalized)
    }

    fn add_notarization(&mut self, certificate: Verified<Certificate>) -> Added {
        match self.notarized.get(&certificate.position()) {
            Some(known) if known.block() != certificate.block() => Added::Conflict(*known),
            Some(_) => Added::Known,
            None => {
                self.notarized.insert(certificate.position(), certificate);
                Added::New
            }
        }
    }

    fn add_nullification(&mut self, certificate: Verified<Certificate>) -> Added {
        if self.nullified.contains_key(&certificate.position()) {
            return Added::Known;
        }
        self.nullified.insert(certificate.position(), certificate);
        if certificate.position().slot == 0 {
            self.skipped.insert(certificate.position().term);
        }
        Added::New
    }

    fn add_finalization(&mut self, certificate: Verified<Certificate>) -> Added {
        let position = certificate.position();
        let first = Position { slot: 0, ..position };
        if let Some((_, nullification)) = self.nullified.range(first..=position).next() {
            return Added::Conflict(*nullification);
        }
        if let Some(known) = self.notarized.get(&position)
            && known.block() != certificate.block()
        {
            return Added::Conflict(*known);
        }
        // A later position holds a descendant, whose number is larger.
        if let Some(finalized) = self.finalized
            && certificate.block().number <= finalized.block().number
        {
            return Added::Conflict(finalized);
        }
        self.finalized = Some(certificate);
        let above = Position { slot: position.slot + 1, ..position };
        self.notarized = self.notarized.split_off(&above);
        self.nullified = self.nullified.split_off(&above);
        self.skipped.prune(position.term);
        Added::New
    }

    /// The highest finalization.
    pub(crate) fn finalized(&self) -> Option<&Verified<Certificate>> {
        self.finalized.as_ref()
    }

    /// The highest finalized block.
    pub(crate) fn finalized_block(&self) -> BlockRef {
        self.finalized.map_or(self.genesis, |finalized| finalized.block())
    }

    /// Whether a position is at or below the highest finalized one.
    pub(crate) fn is_final(&self, position: Position) -> bool {
        self.finalized.is_some_and(|finalized| position <= finalized.position())
    }

    /// The highest finalized slot of a term.
    pub(crate) fn finalized_slot(&self, term: u64) -> Option<u32> {
        self.finalized.map(|finalized| finalized.position()).filter(|at| at.term == term).map(|at| at.slot)
    }

    fn finalized_term(&self) -> u64 {
        self.finalized.map_or(0, |finalized| finalized.position().term)
    }

    /// What proves the block at a position notarized; a finalization does.
    pub(crate) fn notarization(&self, position: Position) -> Option<&Verified<Certificate>> {
        let final_there = self.finalized.as_ref().filter(|finalized| finalized.position() == position);
        final_there.or_else(|| self.notarized.get(&position))
    }

    /// The certificate of the highest notarized slot of a term.
    pub(crate) fn highest_notarization(&self, term: u64) -> Option<&Verified<Certificate>> {
        let last = self.notarized.range(self.positions(term)).next_back().map(|(_, held)| held);
        last.or_else(|| self.finalized.as_ref().filter(|finalized| finalized.position().term == term))
    }

    /// The highest notarized slot of a term.
    pub(crate) fn highest_notarized_slot(&self, term: u64) -> Option<u32> {
        self.highest_notarization(term).map(|held| held.position().slot)
    }

    /// Bit `i` says that the slot `i` below the highest notarized one of a term is notarized by a
    /// certificate above the finalized position.
    pub(crate) fn notarized_slots(&self, term: u64) -> u128 {
        let Some(highest) = self.highest_notarized_slot(term) else { return 0 };
        let descending = self.notarized.range(self.positions(term)).rev().map(|(at, _)| highest - at.slot);
        descending.take_while(|below| *below < REMEMBERED_SLOTS).fold(0, |bits, below| bits | 1 << below)
    }

    /// The newest notarization or finalization of all.
    pub(crate) fn newest_notarization(&self) -> Option<&Verified<Certificate>> {
        self.notarized.last_key_value().map(|(_, held)| held).or(self.finalized.as_ref())
    }

    /// The nullification of a position.
    pub(crate) fn nullification(&self, position: Position) -> Option<&Verified<Certificate>> {
        self.nullified.get(&position)
    }

    /// Notarizations above the finalized position, in ascending order.
    pub(crate) fn unfinalized(&self) -> impl DoubleEndedIterator<Item = &Verified<Certificate>> {
        self.notarized.values()
    }

    /// The highest position that any held certificate moves an operator past or into: the term that it is
    /// in, and the certificate by which it entered that term.
    pub(crate) fn current_term(&self) -> (u64, Option<Verified<Certificate>>) {
        let last_slot = self.slots_per_term - 1;
        let entered = |held: &Verified<Certificate>| {
            let position = held.position();
            let left = !held.notarizes() || position.slot == last_slot;
            (if left { position.term + 1 } else { position.term }, *held)
        };
        let nullified = self.nullified.last_key_value().map(|(_, held)| entered(held));
        let notarized = self.newest_notarization().map(entered);
        // What ended the term before proves the entry better than what was notarized since.
        [notarized, nullified].into_iter().flatten().fold((0, None), |best, (term, held)| {
            if term > best.0 || (term == best.0 && !held.notarizes()) { (term, Some(held)) } else { best }
        })
    }

    /// How many are held.
    pub(crate) fn len(&self) -> usize {
        self.notarized.len() + self.nullified.len() + usize::from(self.finalized.is_some())
    }

    fn positions(&self, term: u64) -> core::ops::RangeInclusive<Position> {
        Position::new(self.epoch, term, 0)..=Position::new(self.epoch, term, u32::MAX)
    }

    /// Justification, clause 2: whether a term may be left behind its slot `slot`.
    fn ends_after(&self, position: Position) -> bool {
        let next = Position { slot: position.slot + 1, ..position };
        next.slot == self.slots_per_term || self.nullified.contains_key(&next)
    }

    /// The highest justified parent of a first slot of `term`.
    pub(crate) fn best_parent(&self, term: u64) -> Parent {
        // Every term from here on may be skipped; the one below may not.
        let first = self.skipped.first_below(term);
        let lowest = first.saturating_sub(1);
        let terms = Position::new(self.epoch, lowest, 0)..Position::new(self.epoch, term, 0);
        let notarized = self.notarized.range(terms.clone()).rev().map(|(_, held)| held);
        let finalized = self.finalized.iter().filter(|held| terms.contains(&held.position()));
        match notarized.chain(finalized).find(|held| self.ends_after(held.position())) {
            Some(parent) => Parent::Justified(Some(parent.position()), parent.block()),
            None if first == 0 => Parent::Justified(None, self.genesis),
            None => Parent::Unknown(lowest),
        }
    }

    /// Whether the certificates held justify `parent` at `position` (or genesis) for a first slot of `term`.
    pub(crate) fn justification(&self, position: Option<Position>, parent: BlockRef, term: u64) -> Justification {
        let Some(position) = position else {
            return if parent == self.genesis { self.nullified_from(0, term) } else { Justification::Impossible };
        };
        match self.notarization(position) {
            Some(held) if held.block() != parent => Justification::Impossible,
            Some(_) if self.ends_after(position) => self.nullified_from(position.term + 1, term),
            _ => Justification::Missing(position.term, self.last_missing(position.term, term)),
        }
    }

    /// Justification, clause 3.
    fn nullified_from(&self, from: u64, term: u64) -> Justification {
        let first = self.skipped.first_missing(from);
        if first >= term {
            Justification::Complete
        } else {
            Justification::Missing(first, self.last_missing(first, term))
        }
    }

    /// The last term below `term` that is not nullified from its first slot, or `first`.
    fn last_missing(&self, first: u64, term: u64) -> u64 {
        self.skipped.first_below(term).saturating_sub(1).max(first)
    }

    /// What a proposal of a first slot carries: the parent's notarization, what ended its term, and as many
    /// nullifications of the terms between as fit, the latest ones first; receivers fetch the rest.
    pub(crate) fn carried(&self, position: Option<Position>, term: u64) -> Vec<Certificate> {
        let own = position.and_then(|position| self.notarization(position));
        let end = position.and_then(|position| self.nullification(Position { slot: position.slot + 1, ..position }));
        let from = position.map_or(0, |position| position.term + 1);
        let between = (from..term).rev().filter_map(|below| self.nullification(Position::new(self.epoch, below, 0)));
        own.into_iter().chain(end).chain(between).take(JUSTIFICATION_CERTIFICATES_MAX).map(|held| **held).collect()
    }
}
