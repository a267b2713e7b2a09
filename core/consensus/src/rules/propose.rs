//! Rule 1: the leader proposes, at its pace, up to D slots above the highest notarized one, and never makes
//! two proposals for one position.

use crate::certificates::Parent;
use crate::{BuildFailure, Effect, Engine, Outbox, Rule};
use phalanx_types::{Block, BlockRef, Position, Time, UnsignedProposal};
use std::sync::Arc;

/// What the next proposal of this leader builds on.
#[derive(Clone, Copy, Debug)]
struct Next {
    slot: u32,
    parent_position: Option<Position>,
    parent: BlockRef,
    /// When it is due, if it is the first one since the term was entered or the operator restarted.
    first_due: Time,
}

impl Engine {
    /// Proposes what is built and due, and asks for the next build when it is time.
    pub(crate) fn propose(&mut self, now: Time, out: &mut Outbox) {
        if let Some(next) = self.next_to_propose() {
            self.propose_ready(now, next, out);
        }
        if let Some(next) = self.next_to_propose() {
            self.ask_for_build(now, next, out);
        }
    }

    /// What to propose next, if this operator leads, has not left, and has room in the window.
    fn next_to_propose(&self) -> Option<Next> {
        if !self.leads() || self.term.left {
            return None;
        }
        let last = self.own.last_proposal();
        let slot = last.map_or(0, |header| header.position.slot + 1);
        // A leader that knows a slot of its own term notarized, but not that it proposed it, lost its
        // journal's end: what it may have proposed above is unknown. It leaves the term alone.
        if slot < self.next_slot() || !self.window_slots().contains(&slot) {
            return None;
        }
        let Some(last) = last else { return self.first_to_propose() };
        Some(Next { slot, parent_position: Some(last.position), parent: last.block, first_due: self.term.entered_at })
    }

    fn first_to_propose(&self) -> Option<Next> {
        let Parent::Justified(parent_position, parent) = self.best_parent_for_first()? else { return None };
        // The grid goes on across terms: one block time after the parent was seen, though the term may be
        // entered later.
        let seen_at = self.blocks.seen_at(parent);
        let first_due = seen_at.map_or(self.term.entered_at, |seen_at| seen_at + self.config.block_time);
        Some(Next { slot: 0, parent_position, parent, first_due })
    }

    /// The parent of the first slot: where a build is under way or done, its parent.
    pub(crate) fn best_parent_for_first(&self) -> Option<Parent> {
        if self.own.last_proposal().is_some() {
            return None;
        }
        Some(self.certificates.best_parent(self.term.number))
    }

    fn propose_ready(&mut self, now: Time, next: Next, out: &mut Outbox) {
        let Some((slot, block)) = self.pace.ready.take() else { return };
        if slot != next.slot || !block.extends(next.parent) {
            return; // Built on a parent that is not the one any more: built again.
        }
        let due = self.pace.due(next.first_due);
        if due > now {
            self.pace.ready = Some((slot, block));
            return;
        }
        let header = UnsignedProposal {
            position: self.at_slot(slot),
            parent_position: next.parent_position.unwrap_or_default(),
            parent_is_genesis: next.parent_position.is_none(),
            block: block.reference,
            parent_hash: block.parent_hash,
        };
        let first = slot == 0;
        self.rules.count(if first { Rule::ProposeFirst } else { Rule::ProposeNext });
        self.pace.proposed(due, now);
        self.own.propose(header);
        self.proposals.offer(header, None);
        self.blocks.insert_built(&block, now);
        let carried =
            if first { self.certificates.carried(next.parent_position, self.term.number) } else { Vec::new() };
        out.push(Effect::Propose { header, justification: carried, block });
    }

    fn ask_for_build(&mut self, now: Time, next: Next, out: &mut Outbox) {
        let Some(at) = self.build_at(next) else { return };
        if at > now {
            return;
        }
        if self.pace.is_retrying() {
            self.rules.count(Rule::BuildAgain);
        }
        self.pace.ask(next.slot, next.parent, now);
        out.push(Effect::Build { position: self.at_slot(next.slot), parent: next.parent });
    }

    /// When to ask for the next build; nothing while one is under way or done, or its parent is not executed.
    fn build_at(&mut self, next: Next) -> Option<Time> {
        let idle = self.pace.building.is_none() && self.pace.ready.is_none();
        if !idle || !self.blocks.is_executed(next.parent) {
            return None;
        }
        let due = self.pace.due(next.first_due);
        Some(self.pace.build_at(due))
    }

    /// When this file needs a tick.
    pub(crate) fn next_proposal(&mut self, _now: Time) -> Option<Time> {
        let next = self.next_to_propose()?;
        if self.pace.ready.is_some() {
            return Some(self.pace.due(next.first_due));
        }
        self.build_at(next)
    }

    /// The answer to a build. One for a term that is over, or for another slot, is let go of.
    pub(crate) fn on_built(&mut self, now: Time, position: Position, result: Result<Arc<Block>, BuildFailure>) {
        let expected = self.pace.building.filter(|building| self.at_slot(building.slot) == position);
        let Some(building) = expected else { return };
        match result {
            Ok(block) if block.extends(building.parent) => self.pace.built(building.slot, block, now),
            Ok(_) | Err(_) => self.pace.build_failed(now),
        }
    }
}
