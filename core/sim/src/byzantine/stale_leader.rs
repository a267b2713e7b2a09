//! As a leader begins some of its terms not on the newest block but on one below it, as if what was built since had
//! never been, and votes for that; mostly it says so before its term has begun, so that it is judged before the newest
//! block is final. What it lacks is what justifies it: certificates that the slots it passes over were nullified.
//! Besides that it is honest.

use super::{Behaviour, Powers, Sending, relay};
use crate::payload::Payload;
use phalanx_types::{
    B256, BlockRef, Bytes, Certificate, Message, OperatorIndex, Position, Proposal, UnsignedProposal, Vote, VoteKind,
};
use std::collections::BTreeMap;

/// Headers, and positions of its own, remembered: the newest.
const REMEMBERED_MAX: usize = 64;
/// So many of its terms begin below the newest block, told of early. Unit: parts per million.
const EARLY_PPM: u32 = 300_000;
/// The same, told of in time. Unit: parts per million.
const IN_TIME_PPM: u32 = 200_000;
/// It passes over so many blocks at most.
const PASSED_OVER_MAX: u64 = 3;

/// A proposal of its own.
#[derive(Clone, Debug)]
struct Shown {
    proposal: Proposal,
    payload: Bytes,
}

impl Shown {
    fn message(&self) -> Message {
        Message::Proposal { proposal: Box::new(self.proposal.clone()), payload: self.payload.clone() }
    }
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct StaleLeader {
    /// By number and hash of their blocks.
    headers: BTreeMap<(u64, B256), UnsignedProposal>,
    /// What it shows at the first slots of its terms; `None` where it is honest.
    shown: BTreeMap<Position, Option<Shown>>,
}

impl StaleLeader {
    fn remember(&mut self, header: UnsignedProposal) {
        self.headers.insert((header.block.number, header.block.hash), header);
        while self.headers.len() > REMEMBERED_MAX {
            self.headers.pop_first();
        }
    }

    fn header(&self, block: BlockRef) -> Option<&UnsignedProposal> {
        self.headers.get(&(block.number, block.hash))
    }

    /// Decides, once, what is shown at a first slot of its own.
    fn decide(&mut self, position: Position, shown: Option<Shown>) {
        self.shown.insert(position, shown);
        while self.shown.len() > REMEMBERED_MAX {
            self.shown.pop_first();
        }
    }

    /// A proposal at `position` in the place of `newest` or one of those below it, with other content.
    fn stale(
        &self,
        powers: &mut Powers<'_>,
        position: Position,
        newest: UnsignedProposal,
        (payload, justification): (&Bytes, &[Certificate]),
    ) -> Option<Shown> {
        let mut instead_of = newest;
        for _ in 1..powers.random.between(1, PASSED_OVER_MAX) {
            instead_of = *instead_of.parent().and_then(|parent| self.header(parent)).unwrap_or(&instead_of);
        }
        let mut content = Payload::decode(payload).ok()?;
        (content.number, content.parent_hash) = (instead_of.block.number, instead_of.parent_hash);
        content.salt = !content.salt;
        content.transactions.clear();
        let block = content.to_block();
        let header = UnsignedProposal { position, block: block.reference, ..instead_of };
        let identity = powers.keys.identity(powers.me);
        let proposal = identity.sign_proposal(&powers.keys.domain, powers.me, header, justification.to_vec());
        Some(Shown { proposal, payload: block.payload })
    }

    fn in_time(&mut self, powers: &mut Powers<'_>, proposal: &Proposal, payload: &Bytes) -> Option<Shown> {
        let position = proposal.header.position;
        if position.slot > 0 {
            return None;
        }
        if !self.shown.contains_key(&position) {
            let below = proposal.header.parent().and_then(|parent| self.header(parent)).copied();
            let stale = below
                .filter(|_| powers.random.chance(IN_TIME_PPM))
                .and_then(|below| self.stale(powers, position, below, (payload, &proposal.justification)));
            self.decide(position, stale);
        }
        self.shown.get(&position).cloned().flatten()
    }
}

impl Behaviour for StaleLeader {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let instead = match message {
            Message::Proposal { proposal, payload } => {
                self.remember(proposal.header);
                self.in_time(powers, proposal, payload).map(|shown| shown.message())
            }
            Message::Vote(signed) if signed.vote.kind != VoteKind::Nullify => {
                let shown = self.shown.get(&signed.vote.position).and_then(Option::as_ref);
                shown.map(|shown| powers.vote(Vote { block: shown.proposal.header.block, ..signed.vote }))
            }
            _ => None,
        };
        relay(to, instead.as_ref().unwrap_or(message), out);
    }

    fn receive(&mut self, powers: &mut Powers<'_>, _from: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let Message::Proposal { proposal, payload } = message else { return };
        let (header, position) = (proposal.header, proposal.header.position);
        self.remember(header);
        let first = Position { term: position.term + 1, slot: 0, ..position };
        let before_its_own =
            position.slot + 1 == powers.engine.slots_per_term && powers.size.leader(first.term) == powers.me;
        if before_its_own && !self.shown.contains_key(&first) && powers.random.chance(EARLY_PPM) {
            let stale = self.stale(powers, first, header, (payload, &proposal.justification));
            if let Some(shown) = &stale {
                let others: Vec<OperatorIndex> = powers.others().collect();
                relay(&others, &shown.message(), out);
                relay(&others, &powers.vote(Vote::notarize(first, shown.proposal.header.block)), out);
            }
            self.decide(first, stale);
        }
    }
}
