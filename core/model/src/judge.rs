//! What an honest operator may sign, restated over what its journal holds: invariant 3, "durable before
//! sent", and the clauses of rules 1, 2, 3 and 5 that safety rests on. Shares no code with the engine.

use crate::tree;
use crate::universe::{Set, Universe};
use phalanx_types::{BlockRef, Certificate, Position, UnsignedProposal, Vote, VoteKind};

/// What is durable at one operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Journal {
    /// Own votes, of all times.
    pub(crate) said: Set,
    /// Certificates above the highest finalization, and that.
    pub(crate) kept: Set,
    /// Own proposals, of all times.
    pub(crate) proposed: Set,
    /// Blocks with their payloads, above what is committed, as a mask.
    pub(crate) stored: u64,
    /// The newest committed block.
    pub(crate) committed: tree::Id,
}

/// Judges what one operator adds to its journal.
#[derive(Debug)]
pub(crate) struct Judge<'a> {
    pub(crate) universe: &'a Universe,
    pub(crate) journal: &'a Journal,
}

impl Judge<'_> {
    /// Why a vote must not be signed now.
    pub(crate) fn vote(&self, vote: &Vote) -> Option<String> {
        let broken = match vote.kind {
            VoteKind::Notarize => self.notarize(vote.position, vote.block),
            VoteKind::Finalize => self.finalize(vote.position, vote.block),
            VoteKind::Nullify => self.nullify(vote.position),
        };
        broken.or_else(|| self.entered(vote.position.term)).map(|why| format!("signs {vote} {why}"))
    }

    /// Why a proposal must not be made now.
    pub(crate) fn proposal(&self, header: &UnsignedProposal) -> Option<String> {
        let position = header.position;
        let twice = self.universe.headers_in(self.journal.proposed).any(|before| before.position == position);
        let why = if twice {
            Some("for the second time")
        } else if self.left(position.term).is_some() {
            Some("after leaving the term")
        } else {
            self.entered(position.term)
        };
        why.map(|why| format!("proposes {} at {position} {why}", header.block))
    }

    fn said(&self) -> impl Iterator<Item = Vote> + '_ {
        self.universe.votes_in(self.journal.said)
    }

    fn kept(&self) -> impl Iterator<Item = &Certificate> + '_ {
        crate::universe::members(self.journal.kept).map(|number| &*self.universe.certificates[usize::from(number)])
    }

    /// What is proved notarized at a position.
    fn notarized(&self, position: Position) -> Option<BlockRef> {
        self.kept().find(|held| held.notarizes() && held.position() == position).map(Certificate::block)
    }

    fn nullified(&self, position: Position) -> bool {
        self.kept().any(|held| held.vote == Vote::nullify(position))
    }

    /// The slot at which a term was left, unless that was healed.
    fn left(&self, term: u64) -> Option<u32> {
        let of_term = |vote: &Vote, kind| vote.kind == kind && vote.position.term == term;
        let nullified = self.said().filter(|vote| of_term(vote, VoteKind::Nullify));
        let slot = nullified.map(|vote| vote.position.slot).max()?;
        let healed = self.kept().any(|held| of_term(&held.vote, VoteKind::Finalize) && held.position().slot >= slot);
        (!healed).then_some(slot)
    }

    /// Durable with the vote: by what its term was entered.
    fn entered(&self, term: u64) -> Option<&'static str> {
        let last = self.universe.instance.slots - 1;
        let leads_to = |held: &Certificate| {
            let ends = !held.notarizes() || held.position().slot == last;
            held.position().term + u64::from(ends)
        };
        let entered = term == 0 || self.kept().any(|held| leads_to(held) >= term);
        (!entered).then_some("without a certificate in its journal that leads to the term")
    }

    fn notarize(&self, position: Position, block: BlockRef) -> Option<&'static str> {
        if self.said().any(|vote| vote.kind == VoteKind::Notarize && vote.position == position) {
            return Some("for the second time");
        }
        if self.left(position.term).is_some() {
            return Some("after leaving the term");
        }
        let parent = tree::parent(tree::id(block));
        let placed = match position.slot.checked_sub(1) {
            Some(slot) => self.stands_at(Position { slot, ..position }, tree::reference(parent)),
            None => self.justified(position, parent),
        };
        (!placed).then_some("without what its parent needs")
    }

    fn stands_at(&self, position: Position, parent: BlockRef) -> bool {
        match self.notarized(position) {
            Some(held) => held == parent,
            None => self.said().any(|vote| vote == Vote::notarize(position, parent)),
        }
    }

    /// The three clauses of a first slot's justification, for any position at which the parent may stand.
    fn justified(&self, position: Position, parent: tree::Id) -> bool {
        let skipped = |from: u64| (from..position.term).all(|term| self.nullified(Position::new(0, term, 0)));
        if parent == 0 {
            return skipped(0);
        }
        let last = self.universe.instance.slots - 1;
        self.kept().any(|held| {
            let at = held.position();
            let ends = at.slot == last || self.nullified(Position { slot: at.slot + 1, ..at });
            held.notarizes() && held.block() == tree::reference(parent) && ends && skipped(at.term + 1)
        })
    }

    fn finalize(&self, position: Position, block: BlockRef) -> Option<&'static str> {
        if self.left(position.term).is_some() {
            return Some("after leaving the term");
        }
        (self.notarized(position) != Some(block)).then_some("without its notarization in the journal")
    }

    fn nullify(&self, position: Position) -> Option<&'static str> {
        let of_term = |at: Position| at.term == position.term;
        let finalized = self.said().filter(|vote| vote.kind == VoteKind::Finalize && of_term(vote.position));
        let notarized = self.kept().filter(|held| held.notarizes() && of_term(held.position()));
        let highest = finalized.map(|vote| vote.position.slot).chain(notarized.map(|held| held.position().slot)).max();
        if highest.is_some_and(|slot| slot >= position.slot) {
            return Some("at or below what it knows notarized or signed Finalize for");
        }
        let next = highest.map_or(0, |slot| slot + 1);
        (next != position.slot).then_some("above a slot that it does not know notarized")
    }
}
