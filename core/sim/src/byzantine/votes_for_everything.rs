//! Votes for every block that anyone proposes or votes for, with all three kinds of vote, to everyone. Alone
//! it is harmless; with an equivocating leader it is what `f + 1` Byzantine operators fork a chain with.

use super::{Behaviour, Powers, Sending};
use phalanx_types::{BlockRef, Message, OperatorIndex, Position, Vote};
use std::collections::BTreeSet;

/// Votes remembered as cast, the newest.
const CAST_MAX: usize = 4_096;

/// See the module's page.
#[derive(Debug, Default)]
pub struct VotesForEverything {
    cast: BTreeSet<(Position, BlockRef)>,
}

impl Behaviour for VotesForEverything {
    fn receive(&mut self, powers: &mut Powers<'_>, _: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let (position, block) = match message {
            Message::Proposal { proposal, .. } => (proposal.header.position, proposal.header.block),
            Message::Vote(vote) if vote.vote.block != BlockRef::NONE => (vote.vote.position, vote.vote.block),
            _ => return,
        };
        if !self.cast.insert((position, block)) {
            return;
        }
        while self.cast.len() > CAST_MAX {
            self.cast.pop_first();
        }
        let votes = [Vote::notarize(position, block), Vote::finalize(position, block), Vote::nullify(position)];
        for vote in votes {
            let message = powers.vote(vote);
            out.extend(powers.others().map(|to| Sending { to, message: message.clone() }));
        }
    }
}
