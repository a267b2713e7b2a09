//! No input makes the engine panic, contradict itself, or hold more than its bounds: random proposals
//! (misplaced, equivocating, invalid), certificates (even contradictory ones), votes, answers, ticks and
//! restarts.

use crate::testing::{Rig, at, block, config, genesis, header};
use crate::{BuildFailure, Effect, Input, Verdict};
use core::time::Duration;
use phalanx_types::{Block, BlockRef, OperatorIndex, Position, Vote, VoteKind};
use std::collections::BTreeMap;
use std::sync::Arc;

struct Walk {
    rig: Rig,
    random: u64,
    blocks: Vec<Arc<Block>>,
    said: BTreeMap<Position, Vote>,
    nullified: Option<Position>,
}

impl Walk {
    fn new(seed: u64) -> Self {
        let mut walk = Self {
            rig: Rig::new(0, 4, 3),
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) + 1,
            blocks: Vec::new(),
            said: BTreeMap::new(),
            nullified: None,
        };
        let me = u16::try_from(walk.below(4)).unwrap();
        let mut settings = config(me, 4, [1, 2, 3, 5][usize::try_from(walk.below(4)).unwrap()]);
        settings.collectors.above = [3, 64][usize::try_from(walk.below(2)).unwrap()];
        settings.pipeline_depth = 1 + u32::try_from(walk.below(3)).unwrap();
        walk.rig = Rig::with(settings);
        walk.rig.validates = walk.below(2) == 0;
        let mut parents = vec![genesis()];
        for salt in 0..12 {
            let parent = parents[usize::try_from(walk.below(parents.len() as u64)).unwrap()];
            let held = block(parent, salt);
            parents.push(held.reference);
            walk.blocks.push(held);
        }
        walk
    }

    fn below(&mut self, bound: u64) -> u64 {
        self.random = self.random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.random >> 33) % bound
    }

    fn block(&mut self) -> Arc<Block> {
        let index = usize::try_from(self.below(self.blocks.len() as u64)).unwrap();
        self.blocks[index].clone()
    }

    /// Mostly near where the engine is.
    fn position(&mut self) -> Position {
        let status = self.rig.engine.status();
        let term = (status.term + self.below(3)).saturating_sub(self.below(2));
        let slot = (status.slot + u32::try_from(self.below(3)).unwrap()).saturating_sub(1);
        at(term, if self.below(3) == 0 { 0 } else { slot })
    }

    fn vote(&mut self) -> Vote {
        let (position, held) = (self.position(), self.block());
        match self.below(3) {
            0 => Vote::notarize(position, held.reference),
            1 => Vote::nullify(position),
            _ => Vote::finalize(position, held.reference),
        }
    }

    fn input(&mut self) -> Input {
        let (position, held) = (self.position(), self.block());
        match self.below(12) {
            0..=2 => {
                let parent = match self.below(3) {
                    0 => None,
                    1 => position.slot.checked_sub(1).map(|slot| at(position.term, slot)),
                    _ => Some(self.position()),
                };
                let header = header(position.term, position.slot, &held, parent);
                Input::Proposal { proposal: self.rig.keys.propose(header, Vec::new()), block: held }
            }
            3 | 4 => {
                let vote = self.vote();
                Input::Certificate(self.rig.keys.certificate(vote))
            }
            5 => {
                let from = OperatorIndex(u16::try_from(self.below(5)).unwrap());
                let vote = self.vote();
                Input::Heard { from, vote: (self.below(4) > 0).then_some(vote) }
            }
            6 => self.verdict(held.reference),
            7 => self.built(),
            8 => Input::Fetched(held),
            9 => Input::Committed(self.rig.engine.status().finalized),
            10 if self.below(10) == 0 => Input::HandOver,
            _ => Input::Tick,
        }
    }

    fn verdict(&mut self, block: BlockRef) -> Input {
        let verdict = match self.below(8) {
            0 => Verdict::Invalid("no".to_owned()),
            1 | 2 => Verdict::Pending,
            _ => Verdict::Valid,
        };
        Input::Validated { block, verdict }
    }

    fn built(&mut self) -> Input {
        let asked = self.rig.log.iter().rev().find_map(|effect| match effect {
            Effect::Build { position, parent } => Some((*position, *parent)),
            _ => None,
        });
        let Some((position, parent)) = asked else { return Input::Tick };
        let result = if self.below(4) == 0 {
            Err(BuildFailure::ParentMissing)
        } else {
            let held = block(parent, 100 + self.below(3));
            self.blocks.push(held.clone());
            Ok(held)
        };
        Input::Built { position, result }
    }

    fn step(&mut self) {
        if self.below(6) == 0 {
            let passed = self.below(900);
            self.rig.pass(Duration::from_millis(passed));
        } else if self.below(40) == 0 && !self.rig.engine.status().halted {
            self.rig.restart(0);
        } else {
            let input = self.input();
            self.rig.step(input);
        }
        self.judge();
    }

    /// What an honest operator never says, restated.
    fn judge(&mut self) {
        for effect in &self.rig.last {
            let Effect::Vote { vote, .. } = effect else { continue };
            match vote.kind {
                VoteKind::Notarize => {
                    let before = self.said.insert(vote.position, *vote);
                    assert!(before.is_none_or(|before| before == *vote), "{vote} after {before:?}");
                }
                VoteKind::Nullify => {
                    assert!(self.nullified < Some(vote.position), "{vote} after {:?}", self.nullified);
                    self.nullified = Some(vote.position);
                }
                VoteKind::Finalize => {
                    let finalized = self.rig.engine.status().finalized_position;
                    let out = self.nullified.filter(|at| at.term == vote.position.term);
                    let healed = out.is_none_or(|out| finalized >= Some(out));
                    let before = self.rig.last.iter().any(|effect| {
                        matches!(effect, Effect::Vote { vote: other, .. }
                            if other.kind == VoteKind::Nullify && other.position.slot > vote.position.slot)
                    });
                    assert!(healed || before, "{vote} while out since {out:?}");
                }
            }
        }
        let status = self.rig.engine.status();
        assert!(status.proposals_held <= crate::PROPOSALS_HELD_MAX);
    }
}

#[test]
fn no_input_makes_the_engine_panic_or_contradict_itself() {
    // More with `PHALANX_WALKS`.
    let walks = std::env::var("PHALANX_WALKS").ok().and_then(|count| count.parse().ok()).unwrap_or(600);
    let mut halted = 0;
    for seed in 0..walks {
        let mut walk = Walk::new(seed);
        for _ in 0..120 {
            walk.step();
        }
        halted += u64::from(walk.rig.engine.status().halted);
    }
    assert!(halted > 0 && halted < walks, "some walks contradict themselves, and some do not: {halted} of {walks}");
}
