//! Votes as soon as it hears of a block, to notarize it and to finalize it: before it knows the payload valid, the
//! parent, or any notarization. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex, Vote};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct EarlyVotes;

impl Behaviour for EarlyVotes {
    fn receive(&mut self, powers: &mut Powers<'_>, _: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let Message::Proposal { proposal, .. } = message else { return };
        let (position, block) = (proposal.header.position, proposal.header.block);
        let others: Vec<OperatorIndex> = powers.others().collect();
        for vote in [Vote::finalize(position, block), Vote::notarize(position, block)] {
            relay(&others, &powers.vote(vote), out);
        }
    }
}
