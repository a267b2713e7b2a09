//! Everything that can be said within the bounds, numbered: votes, certificates and proposals, so that sets of
//! them are bits of one word; and which certificates must never exist together.

use crate::instance::{Instance, OPERATORS, SLOTS_MAX};
use crate::tree::{self, Id};
use phalanx_threshold::{Ballot, Domain, Identity, PartialSigner, Verified, Verifier, digest, toy};
use phalanx_types::{
    B256, Certificate, ClusterId, ClusterSize, Equivocation, OperatorIndex, Position, Proposal, SignedVote,
    UnsignedProposal, Vote, VoteKind,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::sync::Arc;

/// A set of votes, certificates or proposals, by number.
pub(crate) type Set = u128;
const SET_MAX: usize = 128;

/// The numbers in a set.
pub(crate) fn members(mut set: Set) -> impl Iterator<Item = u8> {
    core::iter::from_fn(move || {
        let lowest = u8::try_from(set.trailing_zeros()).expect("at most 128");
        set &= set.wrapping_sub(1);
        (lowest < 128).then_some(lowest)
    })
}

/// The keys of the model's cluster.
#[derive(Debug)]
pub(crate) struct Keys {
    verifier: Verifier,
    signers: Vec<toy::ToySigner>,
    identities: Vec<Identity>,
}

impl Keys {
    pub(crate) fn new() -> Self {
        let size = ClusterSize::new(OPERATORS).expect("four operators are a cluster");
        let mut random = ChaCha12Rng::seed_from_u64(1);
        let (scheme, signers) = toy::deal(&mut random, size);
        let identities: Vec<Identity> = size.operators().map(|_| Identity::generate(&mut random)).collect();
        let public = identities.iter().map(Identity::public).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, Arc::new(scheme), public).expect("one identity for each operator");
        Self { verifier, signers, identities }
    }

    fn sign(&self, signer: OperatorIndex, vote: Vote) -> SignedVote {
        let partial = self.signers[signer.as_usize()].sign(&digest(self.verifier.domain(), &vote));
        SignedVote { vote, signer, partial }
    }

    /// What a quorum that says `vote` makes.
    pub(crate) fn certificate(&self, vote: Vote) -> Verified<Certificate> {
        let signed = self.verifier.size().operators().map(|signer| self.sign(signer, vote));
        let ballot = Ballot { vote, partials: signed.map(|signed| (signed.signer, signed.partial.into())).collect() };
        let mut random = ChaCha12Rng::seed_from_u64(2);
        let certified = self.verifier.certify(&mut random, vec![ballot]).pop();
        certified.and_then(|certified| certified.certificate).expect("everyone is a quorum")
    }

    /// A proposal by the leader of its term.
    pub(crate) fn propose(&self, header: UnsignedProposal, justification: Vec<Certificate>) -> Verified<Proposal> {
        let leader = self.verifier.size().leader(header.position.term).as_usize();
        let signed = self.verifier.own_proposal(&self.identities[leader], header, justification);
        signed.expect("a leader signs with its own identity")
    }
}

/// The tables.
#[derive(Debug)]
pub(crate) struct Universe {
    pub(crate) instance: Instance,
    pub(crate) keys: Keys,
    pub(crate) votes: Vec<Vote>,
    vote_numbers: BTreeMap<Vote, u8>,
    pub(crate) certificates: Vec<Verified<Certificate>>,
    /// For each certificate, those that must not exist beside it.
    pub(crate) conflicts: Vec<Set>,
    /// For each certificate, those that are let go of once it is durable: what is final makes them useless.
    pub(crate) superseded: Vec<Set>,
    pub(crate) proposals: Vec<Verified<Proposal>>,
    proposal_numbers: BTreeMap<UnsignedProposal, u8>,
    /// Proposals of the Byzantine operator's terms: it can make all of them, at any time.
    pub(crate) byzantine_proposals: Set,
    /// For each term that the Byzantine operator leads, evidence against it.
    pub(crate) evidence: BTreeMap<u64, Verified<Equivocation>>,
}

impl Universe {
    pub(crate) fn new(instance: &Instance) -> Self {
        let slots = u32::try_from(instance.terms).unwrap_or(u32::MAX).saturating_mul(instance.slots);
        assert!((1..=SLOTS_MAX).contains(&slots), "the model has from one to {SLOTS_MAX} slots, not {slots}");
        assert!((1..=2).contains(&instance.siblings), "one or two blocks stand on one parent");
        assert!(usize::from(instance.byzantine) < OPERATORS, "the Byzantine operator has a seat");
        let keys = Keys::new();
        let headers = headers(instance);
        let votes = votes(instance, &headers);
        assert!(votes.len() <= SET_MAX && headers.len() <= SET_MAX, "what can be said fits in a set");
        let numbers = 0_u8..;
        let proposals: Vec<_> = headers.iter().map(|header| keys.propose(*header, Vec::new())).collect();
        let leads = |proposal: &Verified<Proposal>| proposal.leader.0 == instance.byzantine;
        let byzantine_proposals = members(Set::MAX)
            .zip(&proposals)
            .filter(|(_, proposal)| leads(proposal))
            .fold(0, |set, (n, _)| set | 1 << n);
        Self {
            vote_numbers: votes.iter().copied().zip(numbers.clone()).collect(),
            certificates: votes.iter().map(|vote| keys.certificate(*vote)).collect(),
            conflicts: votes.iter().map(|vote| set_of(&votes, |other| conflict(vote, other))).collect(),
            superseded: votes.iter().map(|vote| set_of(&votes, |other| supersedes(vote, other))).collect(),
            proposal_numbers: headers.iter().copied().zip(numbers).collect(),
            evidence: evidence(&proposals, leads),
            byzantine_proposals,
            proposals,
            votes,
            keys,
            instance: instance.clone(),
        }
    }

    /// The number of a vote, if it lies within the bounds.
    pub(crate) fn vote(&self, vote: &Vote) -> Option<u8> {
        self.vote_numbers.get(vote).copied()
    }

    /// The number of a proposal, if it lies within the bounds.
    pub(crate) fn proposal(&self, header: &UnsignedProposal) -> Option<u8> {
        self.proposal_numbers.get(header).copied()
    }

    /// The votes of a set.
    pub(crate) fn votes_in(&self, set: Set) -> impl Iterator<Item = Vote> + '_ {
        members(set).map(|number| self.votes[usize::from(number)])
    }

    /// The proposed headers of a set.
    pub(crate) fn headers_in(&self, set: Set) -> impl Iterator<Item = UnsignedProposal> + '_ {
        members(set).map(|number| self.proposals[usize::from(number)].header)
    }
}

fn set_of(votes: &[Vote], predicate: impl Fn(&Vote) -> bool) -> Set {
    votes.iter().zip(0..).filter(|(vote, _)| predicate(vote)).fold(0, |set, (_, number)| set | 1 << number)
}

/// Every proposal: each block at each position where it can stand, on each position of its parent.
fn headers(instance: &Instance) -> Vec<UnsignedProposal> {
    let mut headers: Vec<UnsignedProposal> = Vec::new();
    for term in 0..instance.terms {
        for slot in 0..instance.slots {
            let position = Position::new(0, term, slot);
            let parents: Vec<(Option<Position>, Id)> = match slot.checked_sub(1) {
                Some(before) => standing(&headers, |at| at == Position::new(0, term, before)),
                None => [(None, 0)].into_iter().chain(standing(&headers, |at| at.term < term)).collect(),
            };
            for (parent_position, parent) in parents {
                for salt in 0..instance.siblings {
                    headers.push(header(position, parent_position, tree::child(parent, salt)));
                }
            }
        }
    }
    headers
}

fn standing(headers: &[UnsignedProposal], place: impl Fn(Position) -> bool) -> Vec<(Option<Position>, Id)> {
    let there = headers.iter().filter(|header| place(header.position));
    let mut parents: Vec<_> = there.map(|header| (Some(header.position), tree::id(header.block))).collect();
    parents.sort_unstable();
    parents.dedup();
    parents
}

fn header(position: Position, parent_position: Option<Position>, block: Id) -> UnsignedProposal {
    UnsignedProposal {
        position,
        parent_position: parent_position.unwrap_or_default(),
        parent_is_genesis: parent_position.is_none(),
        block: tree::reference(block),
        parent_hash: tree::reference(tree::parent(block)).hash,
    }
}

fn votes(instance: &Instance, headers: &[UnsignedProposal]) -> Vec<Vote> {
    let blocks = headers.iter().flat_map(|header| {
        [Vote::notarize(header.position, header.block), Vote::finalize(header.position, header.block)]
    });
    let positions = (0..instance.terms).flat_map(|term| (0..instance.slots).map(move |slot| (term, slot)));
    let nullify = positions.map(|(term, slot)| Vote::nullify(Position::new(0, term, slot)));
    let mut votes: Vec<Vote> = blocks.chain(nullify).collect();
    votes.sort_unstable();
    votes.dedup();
    votes
}

fn evidence(
    proposals: &[Verified<Proposal>],
    leads: impl Fn(&Verified<Proposal>) -> bool,
) -> BTreeMap<u64, Verified<Equivocation>> {
    let mut evidence = BTreeMap::new();
    for first in proposals.iter().filter(|proposal| leads(proposal)) {
        for second in proposals {
            if let Some(found) = Verified::between(first, second) {
                evidence.entry(first.header.position.term).or_insert(found);
            }
        }
    }
    evidence
}

/// Invariants 1 and 2 and what their proof says on the way: (a) one notarization for a position, (b) no
/// nullification at or below a finalization of its term, (c) a linear chain within a term, (d) everything
/// notarized above what is final descends from it.
fn conflict(one: &Vote, other: &Vote) -> bool {
    conflicts_upwards(one, other) || conflicts_upwards(other, one)
}

fn conflicts_upwards(low: &Vote, high: &Vote) -> bool {
    let same_term = low.position.term == high.position.term;
    match (low.kind, high.kind) {
        (VoteKind::Nullify, VoteKind::Finalize) => same_term && low.position.slot <= high.position.slot,
        (VoteKind::Nullify, _) | (_, VoteKind::Nullify) => false,
        _ if low.position == high.position => low.block != high.block,
        _ if low.position > high.position || !(same_term || low.kind == VoteKind::Finalize) => false,
        _ => low.block == high.block || !tree::descends(tree::id(high.block), tree::id(low.block)),
    }
}

/// Whether a durable certificate makes another one useless.
fn supersedes(durable: &Vote, other: &Vote) -> bool {
    durable.kind == VoteKind::Finalize && durable != other && other.position <= durable.position
}

#[cfg(test)]
mod tests {
    use super::*;

    fn universe() -> Universe {
        Universe::new(&Instance::new(2, 2, 0))
    }

    #[test]
    fn everything_within_the_bounds_is_numbered_once() {
        let universe = universe();
        let counts = |kind| universe.votes.iter().filter(|vote| vote.kind == kind).count();
        // 2 blocks at (0, 0), 4 at (0, 1), 2 + 4 + 8 at (1, 0), 4 + 8 + 16 at (1, 1).
        assert_eq!(universe.proposals.len(), 2 + 4 + 14 + 28);
        assert_eq!((counts(VoteKind::Notarize), counts(VoteKind::Finalize), counts(VoteKind::Nullify)), (48, 48, 4));
        assert_eq!(universe.byzantine_proposals.count_ones(), 6);
        assert_eq!(universe.evidence.len(), 1);
    }

    #[test]
    fn conflicts_are_those_of_the_invariants() {
        let at = |term, slot| Position::new(0, term, slot);
        let (a, b, on_a) = (tree::reference(1), tree::reference(2), tree::reference(3));
        let pairs = [
            (Vote::notarize(at(0, 0), a), Vote::notarize(at(0, 0), b), true),
            (Vote::notarize(at(0, 0), a), Vote::finalize(at(0, 0), b), true),
            (Vote::notarize(at(0, 0), a), Vote::finalize(at(0, 0), a), false),
            (Vote::nullify(at(0, 0)), Vote::finalize(at(0, 0), a), true),
            (Vote::nullify(at(0, 0)), Vote::finalize(at(0, 1), on_a), true),
            (Vote::nullify(at(0, 1)), Vote::finalize(at(0, 0), a), false),
            (Vote::nullify(at(0, 0)), Vote::notarize(at(0, 0), a), false),
            (Vote::notarize(at(0, 0), b), Vote::notarize(at(0, 1), on_a), true),
            (Vote::finalize(at(0, 0), a), Vote::notarize(at(1, 0), b), true),
            (Vote::finalize(at(0, 0), a), Vote::notarize(at(1, 0), on_a), false),
            (Vote::finalize(at(0, 0), a), Vote::notarize(at(1, 0), a), true),
            (Vote::notarize(at(0, 0), a), Vote::notarize(at(1, 0), b), false),
            (Vote::notarize(at(0, 0), a), Vote::finalize(at(1, 0), b), false),
        ];
        for (one, other, expected) in pairs {
            assert_eq!(conflict(&one, &other), expected, "{one} beside {other}");
            assert_eq!(conflict(&other, &one), expected, "{other} beside {one}");
        }
    }
}
