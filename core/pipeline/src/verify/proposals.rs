//! Proposals: one header for each position, bound to its payload; a second one convicts its leader.
//!
//! Invariant: what is remembered was signed by the leader of its position and lies within the window, so
//! nobody else can fill this memory, and a leader only to the window's size.

use super::{REPEAT_INTERVAL, VerifyStage};
use crate::counters::DropReason;
use phalanx_consensus::Window;
use phalanx_threshold::Verified;
use phalanx_types::{Block, Bytes, Equivocation, OperatorIndex, Position, Proposal, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// Positions remembered: more than any window spans.
pub(super) const POSITIONS_MAX: usize = 1_024;

#[derive(Debug)]
struct Seen {
    proposal: Verified<Proposal>,
    /// When it was passed to the engine.
    passed_at: Option<Time>,
    /// It came with a payload that is not its block: no further payload is hashed for it.
    spoiled: bool,
}

#[derive(Debug, Default)]
pub(super) struct Proposals {
    seen: BTreeMap<Position, Seen>,
    convicted: BTreeSet<Position>,
    passed: Vec<(Verified<Proposal>, Arc<Block>)>,
}

impl Proposals {
    pub(super) fn len(&self) -> usize {
        self.seen.len().max(self.convicted.len())
    }

    pub(super) fn is_convicted(&self, position: Position) -> bool {
        self.convicted.contains(&position)
    }

    pub(super) fn convict(&mut self, position: Position) {
        self.convicted.insert(position);
        if self.convicted.len() > POSITIONS_MAX {
            self.convicted.pop_first();
        }
    }

    /// What was found good in this turn.
    pub(super) fn take_passed(&mut self) -> Vec<(Verified<Proposal>, Arc<Block>)> {
        core::mem::take(&mut self.passed)
    }

    pub(super) fn prune(&mut self, window: &Window) {
        self.seen.retain(|_, seen| window.wants_proposal(&seen.proposal.header));
        self.convicted.retain(|position| {
            position.epoch == window.epoch && window.finalized.is_none_or(|finalized| *position > finalized)
        });
    }

    fn remember(&mut self, proposal: Verified<Proposal>) {
        self.seen.insert(proposal.header.position, Seen { proposal, passed_at: None, spoiled: false });
        if self.seen.len() > POSITIONS_MAX {
            self.seen.pop_first();
        }
    }
}

impl VerifyStage {
    pub(super) fn take_proposal(&mut self, from: OperatorIndex, proposal: Proposal, payload: Bytes, now: Time) {
        self.heard.entry(from).or_insert(false);
        let position = proposal.header.position;
        let refused = match self.identify(from, proposal, now) {
            Ok(()) => self.inspect(position, payload, now),
            Err(reason) => Err(reason),
        };
        if let Err(reason) = refused {
            self.wiring.counters.drop_one(reason);
        }
    }

    /// Whether the header is the leader's, and the one that it signed for this position; it is then
    /// remembered. Cheapest checks first.
    fn identify(&mut self, from: OperatorIndex, proposal: Proposal, now: Time) -> Result<(), DropReason> {
        let position = proposal.header.position;
        if self.wiring.verifier.size().leader(position.term) != from {
            return Err(DropReason::BadProposal);
        }
        if !self.snapshot.window.wants_proposal(&proposal.header) {
            return Err(DropReason::OutsideWindow);
        }
        if self.proposals.is_convicted(position) {
            return Err(DropReason::Duplicate);
        }
        if let Some(seen) = self.proposals.seen.get(&position)
            && seen.proposal.header == proposal.header
        {
            return Ok(());
        }
        if self.culprits.contains(from, now) && !self.culprits.grant(from, now) {
            return Err(DropReason::CulpritRefused);
        }
        let Ok(verified) = self.wiring.verifier.proposal(proposal) else {
            self.blame(from, now);
            return Err(DropReason::BadProposal);
        };
        match self.proposals.seen.get(&position) {
            None => {
                self.proposals.remember(verified);
                Ok(())
            }
            Some(seen) => {
                let evidence = Verified::<Equivocation>::between(&seen.proposal, &verified)
                    .expect("one leader signed two different headers for one position");
                self.pass_evidence(evidence);
                Err(DropReason::ConflictingVote)
            }
        }
    }

    /// Binds the payload to the header that is remembered, and passes both on, after the justification.
    fn inspect(&mut self, position: Position, payload: Bytes, now: Time) -> Result<(), DropReason> {
        let seen = self.proposals.seen.get_mut(&position).ok_or(DropReason::OutsideWindow)?;
        let recent = seen.passed_at.is_some_and(|passed| now.saturating_since(passed) < REPEAT_INTERVAL);
        if recent || seen.spoiled {
            return Err(DropReason::Duplicate);
        }
        let header = seen.proposal.header;
        let block = self.wiring.inspector.inspect(payload).ok();
        let named = block.filter(|block| block.reference == header.block && block.parent_hash == header.parent_hash);
        let Some(block) = named else {
            seen.spoiled = true;
            return Err(DropReason::BadPayload);
        };
        seen.passed_at = Some(now);
        let proposal = seen.proposal.clone();
        for certificate in &proposal.justification {
            // Hints: what is known or wrong is left out, and what is missing is fetched.
            if let Err(reason) = self.take_hint(proposal.leader, *certificate, now) {
                self.wiring.counters.drop_one(reason);
            }
        }
        self.proposals.passed.push((proposal, Arc::new(block)));
        Ok(())
    }
}
