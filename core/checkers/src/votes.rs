//! Invariant 3, and "durable before sent": what one honest operator signs, in the order of its journal,
//! over its whole life. A crash does not make it forget.

use crate::violation::had_signed;
use crate::{Broken, Violation};
use core::time::Duration;
use phalanx_types::{
    BlockRef, Certificate, ClusterSize, OperatorIndex, Position, Record, Time, UnsignedProposal, Vote, VoteKind,
};
use std::collections::{BTreeMap, BTreeSet};

/// A vote that was cast before its leader was convicted may become durable after that, but not by more than this.
const CAST_BEFORE_CONVICTION: Duration = Duration::from_secs(1);

/// What the operator signed and knew in one term.
#[derive(Clone, Debug, Default)]
struct Term {
    notarize: BTreeMap<u32, BlockRef>,
    finalize: BTreeMap<u32, BlockRef>,
    nullify: BTreeSet<u32>,
    proposed: BTreeMap<u32, UnsignedProposal>,
    /// Notarizations and finalizations in the journal.
    notarized: BTreeMap<u32, BlockRef>,
    /// The highest finalization that it has seen, in the journal or not.
    finalized: Option<u32>,
    /// Since when the operator has known its leader for an equivocator: it leaves, and nothing heals that.
    convicted: Option<Time>,
}

impl Term {
    /// The slot at which the operator has left the term, unless a finalization has healed that.
    fn left(&self) -> Option<u32> {
        let left = *self.nullify.last()?;
        let healed = self.finalized.is_some_and(|finalized| finalized >= left);
        (!healed).then_some(left)
    }
}

/// Watches one honest operator.
#[derive(Clone, Debug)]
pub struct VoteChecker {
    operator: OperatorIndex,
    size: ClusterSize,
    slots_per_term: u32,
    terms: BTreeMap<(u64, u64), Term>,
    /// The highest term that the journal's certificates lead to, as (epoch, term).
    entered: (u64, u64),
}

impl VoteChecker {
    /// For `operator`, one of `size`, where terms have `slots_per_term` slots.
    #[must_use]
    pub fn new(operator: OperatorIndex, size: ClusterSize, slots_per_term: u32) -> Self {
        Self { operator, size, slots_per_term, terms: BTreeMap::new(), entered: (0, 0) }
    }

    /// A record became durable.
    ///
    /// # Errors
    /// The [`Broken`] rule, when the record breaks one given those before it.
    pub fn durable(&mut self, at: Time, record: &Record) -> Result<(), Violation> {
        let broken = match record {
            Record::Certificate(certificate) => {
                self.journalled(certificate);
                self.saw(certificate);
                None
            }
            Record::Vote(signed) => self.voted(at, signed.vote),
            Record::Proposal(proposal) => self.proposed(&proposal.header),
        };
        self.result(at, broken)
    }

    /// The operator holds this certificate, in the journal or not.
    pub fn saw(&mut self, certificate: &Certificate) {
        if certificate.kind() == VoteKind::Finalize {
            let slot = certificate.position().slot;
            let term = self.term(certificate.position());
            term.finalized = Some(term.finalized.map_or(slot, |known| known.max(slot)));
        }
    }

    /// The operator showed others evidence against the leader of this term.
    pub fn convicted(&mut self, at: Time, position: Position) {
        self.term(position).convicted.get_or_insert(at);
    }

    /// The operator starts again. Evidence is not in its journal.
    pub fn restarted(&mut self) {
        self.terms.values_mut().for_each(|term| term.convicted = None);
    }

    /// A vote left the operator.
    ///
    /// # Errors
    /// [`Broken::SentVoteNotDurable`].
    pub fn sent(&mut self, at: Time, vote: Vote) -> Result<(), Violation> {
        let term = self.term(vote.position);
        let slot = vote.position.slot;
        let durable = match vote.kind {
            VoteKind::Notarize => term.notarize.get(&slot) == Some(&vote.block),
            VoteKind::Finalize => term.finalize.get(&slot) == Some(&vote.block),
            VoteKind::Nullify => term.nullify.contains(&slot),
        };
        self.result(at, (!durable).then_some(Broken::SentVoteNotDurable(vote)))
    }

    /// A proposal left the operator.
    ///
    /// # Errors
    /// [`Broken::SentProposalNotDurable`].
    pub fn sent_proposal(&mut self, at: Time, header: &UnsignedProposal) -> Result<(), Violation> {
        let durable = self.term(header.position).proposed.get(&header.position.slot) == Some(header);
        self.result(at, (!durable).then_some(Broken::SentProposalNotDurable(header.position)))
    }

    fn result(&self, at: Time, broken: Option<Broken>) -> Result<(), Violation> {
        broken.map_or(Ok(()), |broken| Err(Violation::new(at, self.operator, broken)))
    }

    fn term(&mut self, position: Position) -> &mut Term {
        self.terms.entry((position.epoch, position.term)).or_default()
    }

    fn journalled(&mut self, certificate: &Certificate) {
        let position = certificate.position();
        let last = position.slot + 1 >= self.slots_per_term;
        let next = certificate.kind() == VoteKind::Nullify || last;
        self.entered = self.entered.max((position.epoch, position.term + u64::from(next)));
        if certificate.notarizes() {
            self.term(position).notarized.insert(position.slot, certificate.block());
        }
    }

    fn voted(&mut self, at: Time, vote: Vote) -> Option<Broken> {
        if (vote.position.epoch, vote.position.term) > self.entered {
            return Some(Broken::Unsupported { vote, lacking: "a certificate by which its term was entered" });
        }
        let convicted = self.term(vote.position).convicted;
        if let Some(since) = convicted
            && vote.kind != VoteKind::Nullify
            && at > since + CAST_BEFORE_CONVICTION
        {
            return Some(Broken::VotedAfterConviction { vote, since });
        }
        match vote.kind {
            VoteKind::Notarize => self.voted_notarize(vote),
            VoteKind::Nullify => self.voted_nullify(vote),
            VoteKind::Finalize => self.voted_finalize(vote),
        }
    }

    fn voted_notarize(&mut self, vote: Vote) -> Option<Broken> {
        let Vote { position, block, .. } = vote;
        let term = self.term(position);
        if let Some(first) = term.notarize.get(&position.slot) {
            return (*first != block).then_some(Broken::VotedTwice { first: *first, second: vote });
        }
        if let Some(slot) = term.left() {
            return Some(Broken::VotedAfterLeaving { vote, left: Position { slot, ..position } });
        }
        if let Some(below) = position.slot.checked_sub(1)
            && !term.notarize.contains_key(&below)
            && !term.notarized.contains_key(&below)
        {
            return Some(Broken::Unsupported { vote, lacking: "a vote for its parent, or a notarization of it," });
        }
        term.notarize.insert(position.slot, block);
        None
    }

    fn voted_finalize(&mut self, vote: Vote) -> Option<Broken> {
        let Vote { position, block, .. } = vote;
        let term = self.term(position);
        if let Some(first) = term.finalize.get(&position.slot) {
            return (*first != block).then_some(Broken::VotedTwice { first: *first, second: vote });
        }
        if let Some(slot) = term.left() {
            return Some(Broken::VotedAfterLeaving { vote, left: Position { slot, ..position } });
        }
        if term.notarized.get(&position.slot) != Some(&block) {
            return Some(Broken::Unsupported { vote, lacking: "the notarization of its block" });
        }
        term.finalize.insert(position.slot, block);
        None
    }

    fn voted_nullify(&mut self, vote: Vote) -> Option<Broken> {
        let position = vote.position;
        let term = self.term(position);
        if !term.nullify.insert(position.slot) {
            return None;
        }
        let finalized = term.finalize.last_key_value().map(|(slot, _)| (*slot, had_signed(VoteKind::Finalize)));
        let notarized = term.notarized.last_key_value().map(|(slot, _)| (*slot, had_signed(VoteKind::Notarize)));
        if let Some((slot, knew)) = finalized.max(notarized)
            && slot >= position.slot
        {
            return Some(Broken::NullifiedBelow { vote, knew, above: Position { slot, ..position } });
        }
        if let Some(below) = position.slot.checked_sub(1)
            && !term.finalize.contains_key(&below)
            && !term.notarized.contains_key(&below)
        {
            return Some(Broken::Unsupported { vote, lacking: "the notarization of the slot below" });
        }
        None
    }

    fn proposed(&mut self, header: &UnsignedProposal) -> Option<Broken> {
        let position = header.position;
        let mine = self.size.leader(position.term) == self.operator;
        let entered = (position.epoch, position.term) <= self.entered;
        let term = self.term(position);
        if let Some(first) = term.proposed.get(&position.slot) {
            let twice = Broken::ProposedTwice { first: *first, second: *header };
            return (first != header).then_some(twice);
        }
        let why = if !mine {
            "in another leader's term"
        } else if !entered {
            "without a certificate by which the term was entered in its journal"
        } else if term.left().is_some() {
            "after leaving the term"
        } else {
            term.proposed.insert(position.slot, *header);
            return None;
        };
        Some(Broken::ProposedOutOfTurn { position, why })
    }
}
