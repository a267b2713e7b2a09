//! Rule 9: what is missing is fetched, blocks by hash and certificates by range of terms. (Certificates of
//! later positions move the operator there: see `enter`.)

use crate::certificates::Parent;
use crate::fetches::TERMS_PER_FETCH_MAX;
use crate::rules::placement::Placement;
use crate::{Effect, Engine, Missing, Outbox, Rule};
use phalanx_types::{Block, BlockRef, Time};
use std::sync::Arc;

impl Engine {
    /// A quorum stands behind a block, or behind a descendant of it: execution may be asked about it; it,
    /// or the parent that is missing below it, is asked for at `ask_at`.
    pub(crate) fn clear_block(&mut self, block: BlockRef, ask_at: Time) {
        if let Some(missing) = self.blocks.clear(block)
            && missing.number > self.certificates.finalized_block().number
        {
            self.fetches.want_block(missing, ask_at);
        }
    }

    /// A block that was missing. Its parent may be missing too.
    pub(crate) fn on_fetched(&mut self, now: Time, block: &Arc<Block>) {
        let reference = block.reference;
        if self.fetches.wants_block(reference) && self.blocks.insert(block, now) {
            self.fetches.got_block(reference);
            self.clear_block(reference, now);
        }
    }

    /// Asks for what is missing, as often as its back-off allows.
    pub(crate) fn fetch(&mut self, now: Time, out: &mut Outbox) {
        if self.fetches.take_overflow() {
            let notarized: Vec<BlockRef> = self.certificates.unfinalized().map(|held| held.block()).collect();
            for block in notarized {
                self.clear_block(block, now);
            }
        }
        for block in self.fetches.due_blocks(now) {
            self.rules.count(Rule::FetchBlock);
            out.push(Effect::Fetch(Missing::Block(block)));
        }
        let terms = self.missing_terms();
        self.fetches.want_terms(terms);
        if let Some((from, to)) = self.fetches.due_terms(now) {
            self.rules.count(Rule::FetchTerms);
            out.push(Effect::Fetch(Missing::Terms { epoch: self.config.epoch, from, to }));
        }
    }

    /// The terms whose certificates are needed to judge the proposal of the current term's first slot, or
    /// to make it.
    fn missing_terms(&self) -> Option<(u64, u64)> {
        if self.term.left || self.notarized_slot().is_some() {
            return None;
        }
        if self.leads() {
            let Parent::Unknown(to) = self.best_parent_for_first()? else { return None };
            let lowest = self.certificates.finalized().map_or(0, |held| held.position().term);
            return Some((lowest.max((to + 1).saturating_sub(TERMS_PER_FETCH_MAX)), to));
        }
        let held = self.proposals.at(self.at_slot(0))?;
        match self.placement(&held.header) {
            Placement::Pending(terms) => terms,
            Placement::Good | Placement::Wrong => None,
        }
    }
}
