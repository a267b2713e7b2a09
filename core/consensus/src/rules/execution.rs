//! What execution says of blocks (rule 2).

use crate::{Engine, HaltReason, Outbox, Rule, Verdict};
use phalanx_types::{BlockRef, Time};

impl Engine {
    pub(crate) fn on_validated(&mut self, now: Time, block: BlockRef, verdict: Verdict, out: &mut Outbox) {
        match verdict {
            Verdict::Valid => {
                if self.blocks.set_valid(block) {
                    self.pace.retry_now();
                    self.release_payload(block);
                }
            }
            Verdict::Pending => self.blocks.set_pending(block, now),
            Verdict::Invalid(reason) => self.on_invalid(block, &reason, out),
        }
    }

    /// Execution has the payload now. A leader keeps its own, to send them again.
    fn release_payload(&mut self, block: BlockRef) {
        let own = self.own.proposed_from(0).any(|header| header.block == block);
        if !own {
            self.blocks.drop_payload(block);
        }
    }

    /// What is notarized is not proposed again: a leader lets go of the payloads up to a slot.
    pub(crate) fn release_own_payloads(&mut self, slot: u32) {
        let notarized = self.own.proposed_from(0).take_while(|header| header.position.slot <= slot);
        let blocks: Vec<BlockRef> = notarized.map(|header| header.block).collect();
        for block in blocks {
            self.blocks.drop_payload(block);
        }
    }

    /// A block and all that build on it are invalid. Where one of them is notarized, this operator stops,
    /// and loudly. Where one is proposed in the current term, `vote` leaves it.
    fn on_invalid(&mut self, block: BlockRef, reason: &str, out: &mut Outbox) {
        let invalid = self.blocks.set_invalid(block, reason);
        let finalized = self.certificates.finalized();
        let notarized = self.certificates.unfinalized().chain(finalized).find(|held| invalid.contains(&held.block()));
        if let Some(held) = notarized.copied() {
            self.rules.count(Rule::HaltInvalid);
            let (position, block) = (held.position(), held.block());
            self.halt(HaltReason::NotarizedBlockInvalid { position, block, reason: reason.to_owned() }, out);
        }
    }
}
