//! Rule 2, first half: proposals are held, bounded, until they can be judged; two for one position convict
//! their leader (rule 5).

use crate::proposals::Offered;
use crate::{Engine, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Block, Position, Proposal, Time};
use std::sync::Arc;

impl Engine {
    pub(crate) fn on_proposal(
        &mut self,
        now: Time,
        proposal: Verified<Proposal>,
        block: &Arc<Block>,
        out: &mut Outbox,
    ) {
        let header = proposal.header;
        assert!(
            block.reference == header.block && block.parent_hash == header.parent_hash,
            "a proposal comes with the block that it names"
        );
        let leads = proposal.leader == self.config.size.leader(header.position.term);
        if !leads || header.position.epoch != self.config.epoch {
            return;
        }
        if !self.has_room_for(header.position) {
            // Too late to be voted for; but a quorum may stand behind a block that is missing here.
            self.take_if_missing(now, block);
            return;
        }
        match self.proposals.offer(header, Some(proposal.clone())) {
            Offered::New => self.hold(now, block),
            Offered::Known => self.take_if_missing(now, block),
            Offered::Other(held) => {
                let evidence = held.signed.and_then(|signed| Verified::between(&signed, &proposal));
                if let Some(evidence) = evidence {
                    self.on_equivocation(evidence, out);
                }
                self.take_if_missing(now, block);
            }
        }
    }

    fn hold(&mut self, now: Time, block: &Arc<Block>) {
        self.rules.count(Rule::HoldProposal);
        if self.blocks.insert(block, now) && self.fetches.wants_block(block.reference) {
            self.fetches.got_block(block.reference);
            self.clear_block(block.reference, now);
        }
    }

    /// Whether a proposal for a position is held now: within 2D of the highest notarized slot, or among the
    /// first D of the next term, above what is final, and while there is room for its block.
    fn has_room_for(&self, position: Position) -> bool {
        let term = self.term.number;
        let (slots, depth) = (self.config.slots_per_term, self.config.pipeline_depth);
        let near = if position.term == term {
            // Not far below either, so that late copies are compared with what was held.
            let lowest = self.next_slot().saturating_sub(depth);
            position.slot >= lowest && position.slot < slots.min(self.next_slot().saturating_add(2 * depth))
        } else {
            position.term == term + 1 && position.slot < depth.min(slots)
        };
        near && !self.certificates.is_final(position) && !self.blocks.is_full(position.slot == 0)
    }

    fn take_if_missing(&mut self, now: Time, block: &Arc<Block>) {
        if self.fetches.wants_block(block.reference) {
            self.on_fetched(now, block);
        }
    }
}
