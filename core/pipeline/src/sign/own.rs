//! What this operator signed and keeps: the memory that re-sends come from, and the last line against
//! double voting, which trusts the engine for nothing.
//!
//! Invariants, checked against everything in the journal before each signature:
//! - one `Notarize`, one `Finalize` and one proposal for each position, and the proposal agrees with the
//!   `Notarize`;
//! - no `Nullify(t, s)` once `Finalize(t, v)`, `v ≥ s`, is signed;
//! - no `Notarize` or `Finalize` in a term left by `Nullify(t, u)`, unless a finalization at or above
//!   `(t, u)` healed it (rule 6);
//! - nothing new at or below the highest kept finalization, under which memory is let go of.

use crate::error::RestoreError;
use phalanx_types::{OperatorIndex, Position, Proposal, Record, SignedVote, UnsignedProposal, Vote, VoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// Records beyond twice what the last pruning left, after which the next one comes.
const PRUNE_SLACK: usize = 256;

/// How an intended signature stands to what is signed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing<T> {
    /// Nothing speaks against it.
    Fresh,
    /// It was signed already.
    Signed(T),
    /// Its position is final: there is no use for it, and no memory to judge it by.
    Stale,
    /// It must not be signed.
    Contradiction(String),
}

#[derive(Debug)]
pub(super) struct OwnRecords {
    me: OperatorIndex,
    slots_per_term: u32,
    /// Everything that a compaction must retain, in order.
    log: Vec<Record>,
    prune_at: usize,
    votes: BTreeMap<(VoteKind, Position), SignedVote>,
    proposals: BTreeMap<Position, Proposal>,
    kept: BTreeSet<Vote>,
    /// The highest kept finalization.
    floor: Option<Position>,
}

impl OwnRecords {
    pub(super) fn restore(records: Vec<Record>, me: OperatorIndex, slots_per_term: u32) -> Result<Self, RestoreError> {
        let mut own = Self {
            me,
            slots_per_term,
            log: Vec::new(),
            prune_at: PRUNE_SLACK,
            votes: BTreeMap::new(),
            proposals: BTreeMap::new(),
            kept: BTreeSet::new(),
            floor: None,
        };
        for record in records {
            own.check_restored(&record).map_err(RestoreError::IoContradiction)?;
            own.push(record);
        }
        Ok(own)
    }

    fn check_restored(&self, record: &Record) -> Result<(), String> {
        match record {
            Record::Certificate(_) => Ok(()),
            Record::Vote(signed) if signed.signer != self.me => {
                Err(format!("it holds a vote of operator {}", signed.signer))
            }
            Record::Vote(signed) => match self.votes.get(&(signed.vote.kind, signed.vote.position)) {
                Some(other) if other.vote != signed.vote => {
                    Err(format!("it holds both {} and {}", other.vote, signed.vote))
                }
                _ => Ok(()),
            },
            Record::Proposal(proposal) => match self.proposals.get(&proposal.header.position) {
                Some(other) if other.header != proposal.header => {
                    Err(format!("it holds two proposals for {}", proposal.header.position))
                }
                _ => Ok(()),
            },
        }
    }

    /// Remembers a record that is journalled, or is about to be in this group.
    pub(super) fn push(&mut self, record: Record) {
        match &record {
            Record::Certificate(certificate) => {
                self.kept.insert(certificate.vote);
                if certificate.kind() == VoteKind::Finalize {
                    self.floor = self.floor.max(Some(certificate.position()));
                }
            }
            Record::Vote(signed) => {
                self.votes.insert((signed.vote.kind, signed.vote.position), *signed);
            }
            Record::Proposal(proposal) => {
                self.proposals.insert(proposal.header.position, proposal.clone());
            }
        }
        self.log.push(record);
        if self.log.len() >= self.prune_at {
            self.prune();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.log.len()
    }

    /// What a compaction retains.
    pub(super) fn retained(&self) -> &[Record] {
        &self.log
    }

    pub(super) fn keeps(&self, certified: &Vote) -> bool {
        self.kept.contains(certified)
    }

    pub(super) fn signed_vote(&self, vote: &Vote) -> Option<SignedVote> {
        self.votes.get(&(vote.kind, vote.position)).filter(|signed| signed.vote == *vote).copied()
    }

    pub(super) fn proposal(&self, position: Position) -> Option<&Proposal> {
        self.proposals.get(&position)
    }

    pub(super) fn standing_of_vote(&self, vote: &Vote) -> Standing<SignedVote> {
        if let Some(signed) = self.votes.get(&(vote.kind, vote.position)) {
            if signed.vote == *vote {
                return Standing::Signed(*signed);
            }
            return Standing::Contradiction(format!("{vote}, but {} is signed", signed.vote));
        }
        if self.is_final(vote.position) {
            return Standing::Stale;
        }
        let against = match vote.kind {
            VoteKind::Notarize => self.other_proposal(vote).or_else(|| self.left(vote)),
            VoteKind::Finalize => self.left(vote),
            VoteKind::Nullify => self.finalized_above(vote),
        };
        against.map_or(Standing::Fresh, Standing::Contradiction)
    }

    pub(super) fn standing_of_proposal(&self, header: &UnsignedProposal) -> Standing<Proposal> {
        let position = header.position;
        if let Some(proposal) = self.proposals.get(&position) {
            if proposal.header == *header {
                return Standing::Signed(proposal.clone());
            }
            let (new, old) = (header.block, proposal.header.block);
            return Standing::Contradiction(format!("a proposal of {new} at {position}, but {old} is proposed there"));
        }
        if self.is_final(position) {
            return Standing::Stale;
        }
        match self.votes.get(&(VoteKind::Notarize, position)) {
            Some(signed) if signed.vote.block != header.block => {
                let what = format!("a proposal of {} at {position}, but {} is signed", header.block, signed.vote);
                Standing::Contradiction(what)
            }
            _ => Standing::Fresh,
        }
    }

    fn is_final(&self, position: Position) -> bool {
        self.floor.is_some_and(|floor| position <= floor)
    }

    fn other_proposal(&self, vote: &Vote) -> Option<String> {
        let proposal = self.proposals.get(&vote.position).filter(|proposal| proposal.header.block != vote.block)?;
        Some(format!("{vote}, but one's own proposal there is {}", proposal.header.block))
    }

    /// Whether the vote's term was left and not healed.
    fn left(&self, vote: &Vote) -> Option<String> {
        let Position { epoch, term, .. } = vote.position;
        let nullify = self.highest(VoteKind::Nullify, Position::new(epoch, term, 0))?;
        let healed = self.floor.is_some_and(|floor| floor >= nullify.vote.position);
        (!healed).then(|| format!("{vote}, but {} is signed", nullify.vote))
    }

    /// Whether `Finalize` is signed at or above the slot from which on the vote leaves.
    fn finalized_above(&self, vote: &Vote) -> Option<String> {
        let finalize = self.highest(VoteKind::Finalize, vote.position)?;
        Some(format!("{vote}, but {} is signed", finalize.vote))
    }

    /// The highest own vote of a kind in the term of `from`, at or above `from`.
    fn highest(&self, kind: VoteKind, from: Position) -> Option<&SignedVote> {
        let last = Position::new(from.epoch, from.term, u32::MAX);
        self.votes.range((kind, from)..=(kind, last)).next_back().map(|(_, signed)| signed)
    }

    /// Lets go of what the highest finalization makes useless.
    pub(super) fn prune(&mut self) {
        if let Some(floor) = self.floor {
            // A leader that restarts goes on from its last proposal, also when that is final.
            let last = self.proposals.last_key_value().map(|(position, _)| *position);
            let is_open = |position: Position| position > floor || Some(position) == last;
            let mut log = core::mem::take(&mut self.log);
            log.retain(|record| match record {
                Record::Certificate(certificate) => self.must_keep(&certificate.vote, floor),
                Record::Vote(signed) => signed.vote.position > floor,
                Record::Proposal(proposal) => is_open(proposal.header.position),
            });
            self.log = log;
            self.votes.retain(|(_, position), _| *position > floor);
            self.proposals.retain(|position, _| is_open(*position));
            let mut kept = core::mem::take(&mut self.kept);
            kept.retain(|vote| self.must_keep(vote, floor));
            self.kept = kept;
        }
        self.prune_at = 2 * self.log.len() + PRUNE_SLACK;
    }

    /// Everything above the highest finalization, that finalization, and those by which its term was
    /// entered.
    fn must_keep(&self, certified: &Vote, floor: Position) -> bool {
        let position = certified.position;
        if position > floor || (position == floor && certified.kind == VoteKind::Finalize) {
            return true;
        }
        let entered = position.epoch == floor.epoch && position.term.checked_add(1) == Some(floor.term);
        let ended = certified.kind == VoteKind::Nullify || position.slot.checked_add(1) == Some(self.slots_per_term);
        entered && ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::{B256, BlockRef, Certificate, IdentitySignature};

    const ME: OperatorIndex = OperatorIndex(1);

    fn at(term: u64, slot: u32) -> Position {
        Position::new(0, term, slot)
    }

    fn block(byte: u8) -> BlockRef {
        BlockRef::new(u64::from(byte), B256::repeat_byte(byte))
    }

    fn signed(vote: Vote) -> Record {
        Record::Vote(SignedVote { vote, signer: ME, partial: [0; 48].into() })
    }

    fn kept(vote: Vote) -> Record {
        Record::Certificate(Certificate { vote, signature: [0; 48].into() })
    }

    fn header(position: Position, block: BlockRef) -> UnsignedProposal {
        UnsignedProposal {
            position,
            parent_position: Position::default(),
            parent_is_genesis: true,
            block,
            parent_hash: B256::ZERO,
        }
    }

    fn proposed(position: Position, block: BlockRef) -> Record {
        let signature = IdentitySignature(Default::default());
        Record::Proposal(Proposal { header: header(position, block), leader: ME, signature, justification: Vec::new() })
    }

    fn own(records: Vec<Record>) -> OwnRecords {
        OwnRecords::restore(records, ME, 50).expect("consistent")
    }

    fn refuses(own: &OwnRecords, vote: Vote) -> bool {
        matches!(own.standing_of_vote(&vote), Standing::Contradiction(_))
    }

    #[test]
    fn one_block_at_each_position() {
        let own = own(vec![
            signed(Vote::notarize(at(0, 0), block(1))),
            signed(Vote::finalize(at(0, 0), block(1))),
            proposed(at(0, 1), block(3)),
        ]);
        assert!(refuses(&own, Vote::notarize(at(0, 0), block(2))));
        assert!(refuses(&own, Vote::finalize(at(0, 0), block(2))));
        assert!(refuses(&own, Vote::notarize(at(0, 1), block(4))), "against one's own proposal");
        assert!(matches!(own.standing_of_vote(&Vote::notarize(at(0, 0), block(1))), Standing::Signed(_)));
        assert_eq!(own.standing_of_vote(&Vote::notarize(at(0, 1), block(3))), Standing::Fresh);
        assert!(matches!(own.standing_of_proposal(&header(at(0, 1), block(4))), Standing::Contradiction(_)));
        assert!(matches!(own.standing_of_proposal(&header(at(0, 0), block(4))), Standing::Contradiction(_)));
        assert!(matches!(own.standing_of_proposal(&header(at(0, 1), block(3))), Standing::Signed(_)));
        assert_eq!(own.standing_of_proposal(&header(at(0, 2), block(4))), Standing::Fresh);
    }

    #[test]
    fn no_nullify_below_a_finalize() {
        let own = own(vec![signed(Vote::finalize(at(3, 5), block(1)))]);
        assert!(refuses(&own, Vote::nullify(at(3, 5))));
        assert!(refuses(&own, Vote::nullify(at(3, 0))));
        assert_eq!(own.standing_of_vote(&Vote::nullify(at(3, 6))), Standing::Fresh);
        assert_eq!(own.standing_of_vote(&Vote::nullify(at(2, 0))), Standing::Fresh);
        assert_eq!(own.standing_of_vote(&Vote::nullify(at(4, 0))), Standing::Fresh);
    }

    #[test]
    fn a_term_that_was_left_is_left_until_healed() {
        let nullified = vec![signed(Vote::nullify(at(3, 2))), signed(Vote::nullify(at(3, 4)))];
        let votes = [Vote::notarize(at(3, 6), block(1)), Vote::finalize(at(3, 6), block(1))];
        let left = own(nullified.clone());
        let below = own([nullified.clone(), vec![kept(Vote::finalize(at(3, 3), block(2)))]].concat());
        let healed = own([nullified, vec![kept(Vote::finalize(at(3, 4), block(2)))]].concat());
        for vote in votes {
            assert!(refuses(&left, vote), "{vote}");
            assert!(refuses(&below, vote), "a finalization below the highest Nullify heals nothing: {vote}");
            assert_eq!(healed.standing_of_vote(&vote), Standing::Fresh, "{vote}");
        }
        assert_eq!(left.standing_of_vote(&Vote::notarize(at(4, 0), block(1))), Standing::Fresh);
    }

    #[test]
    fn nothing_new_below_the_highest_finalization() {
        let mut own = own(vec![
            signed(Vote::notarize(at(3, 4), block(1))),
            kept(Vote::nullify(at(2, 9))),
            kept(Vote::notarize(at(2, 8), block(7))),
            kept(Vote::finalize(at(3, 4), block(1))),
            proposed(at(3, 3), block(8)),
            proposed(at(3, 4), block(1)),
            signed(Vote::notarize(at(3, 5), block(2))),
        ]);
        own.prune();
        assert_eq!(own.standing_of_vote(&Vote::notarize(at(3, 4), block(9))), Standing::Stale);
        assert_eq!(own.standing_of_vote(&Vote::nullify(at(2, 0))), Standing::Stale);
        assert!(refuses(&own, Vote::notarize(at(3, 5), block(9))));
        let expected = [
            kept(Vote::nullify(at(2, 9))),
            kept(Vote::finalize(at(3, 4), block(1))),
            proposed(at(3, 4), block(1)),
            signed(Vote::notarize(at(3, 5), block(2))),
        ];
        assert_eq!(own.retained(), expected, "entry, finalization, last proposal, and what is above");
        let again = OwnRecords::restore(own.retained().to_vec(), ME, 50).expect("consistent");
        assert_eq!(again.floor, Some(at(3, 4)));
    }

    #[test]
    fn memory_is_bounded_by_what_is_not_final() {
        let mut own = own(Vec::new());
        for slot in 0..10_000 {
            own.push(signed(Vote::notarize(at(0, slot), block(1))));
            own.push(kept(Vote::finalize(at(0, slot), block(1))));
            assert!(own.len() <= PRUNE_SLACK + 8, "{} records at slot {slot}", own.len());
        }
    }

    #[test]
    fn a_journal_that_contradicts_itself_is_refused() {
        let double = vec![signed(Vote::notarize(at(0, 0), block(1))), signed(Vote::notarize(at(0, 0), block(2)))];
        assert!(matches!(OwnRecords::restore(double, ME, 50), Err(RestoreError::IoContradiction(_))));
        let double = vec![proposed(at(0, 0), block(1)), proposed(at(0, 0), block(2))];
        assert!(matches!(OwnRecords::restore(double, ME, 50), Err(RestoreError::IoContradiction(_))));
        let foreign = vec![signed(Vote::nullify(at(0, 0)))];
        assert!(matches!(OwnRecords::restore(foreign, OperatorIndex(2), 50), Err(RestoreError::IoContradiction(_))));
    }
}
