//! Rule 1: proposing, its pace, its window, its justification.

use crate::testing::{BLOCK_TIME, Rig, at, block, chain, config, genesis, ms};
use crate::{BuildFailure, Effect, Input, Rule};
use core::time::Duration;
use phalanx_types::{
    Block, BlockRef, JUSTIFICATION_CERTIFICATES_MAX, Position, Time, UnsignedProposal, Vote, VoteKind,
};
use std::sync::Arc;

fn builds(rig: &Rig) -> Vec<Position> {
    let asked = |effect: &Effect| if let Effect::Build { position, .. } = effect { Some(*position) } else { None };
    rig.last.iter().filter_map(asked).collect()
}

fn proposals(effects: &[Effect]) -> Vec<UnsignedProposal> {
    let proposed = |effect: &Effect| if let Effect::Propose { header, .. } = effect { Some(*header) } else { None };
    effects.iter().filter_map(proposed).collect()
}

/// Answers every build at once until `until`; says when each slot was proposed.
fn lead(rig: &mut Rig, until: Time) -> Vec<(Time, u32)> {
    let mut proposed: Vec<(Time, u32)> = Vec::new();
    let mut open = rig.log.clone();
    loop {
        for header in proposals(&open) {
            proposed.push((rig.now, header.position.slot));
        }
        let build = open.iter().find_map(|effect| match effect {
            Effect::Build { position, parent } => Some((*position, *parent)),
            _ => None,
        });
        if let Some((position, parent)) = build {
            rig.built(position, &block(parent, 0));
        } else if let Some(due) = rig.timer.filter(|due| *due <= until) {
            rig.pass(due.saturating_since(rig.now));
        } else {
            return proposed;
        }
        open = core::mem::take(&mut rig.last);
    }
}

#[test]
fn the_leader_proposes_on_a_grid_up_to_the_window() {
    let mut rig = Rig::new(0, 4, 50);
    let proposed = lead(&mut rig, ms(900));
    let expected: Vec<_> = (0..4).map(|slot| (ms(100 * u64::from(slot)), slot)).collect();
    assert_eq!(proposed, expected, "D = 4 slots while none is notarized, one each block time");
    assert_eq!(rig.all_votes(VoteKind::Notarize).len(), 4, "a leader votes for its own proposals");
}

#[test]
fn a_notarization_opens_the_window_and_a_stall_is_made_up_for_by_at_most_d_slots() {
    let mut rig = Rig::new(0, 4, 50);
    lead(&mut rig, ms(800));
    let (_, last) = rig_chain(&rig).pop().unwrap();
    rig.pass(Duration::from_millis(10));
    rig.notarization(0, 3, last.reference);
    rig.log.clone_from(&rig.last);
    let start = rig.now;
    let proposed = lead(&mut rig, start + Duration::from_millis(30));
    assert_eq!(proposed.iter().map(|(_, slot)| *slot).collect::<Vec<_>>(), [4, 5, 6, 7], "the window, no more");
    let fifth = proposed[3].0.saturating_since(start);
    assert!(fifth <= Duration::from_millis(30), "at most D are made up for at once: {fifth:?}");
}

fn rig_chain(rig: &Rig) -> Vec<(Position, Arc<Block>)> {
    let proposed = |effect: &Effect| match effect {
        Effect::Propose { header, block, .. } => Some((header.position, Arc::clone(block))),
        _ => None,
    };
    rig.log.iter().filter_map(proposed).collect()
}

#[test]
fn the_pace_does_not_drift() {
    let mut rig = Rig::new(0, 1, 1_000);
    let (mut slot, mut times, mut parent) = (0, Vec::new(), genesis());
    // Builds take 7 ms and timers are 3 ms late; every slot is notarized at once.
    let mut pending = rig.log.clone();
    while times.len() < 100 {
        for effect in core::mem::take(&mut pending) {
            match effect {
                Effect::Build { position, parent: on } => {
                    assert_eq!(on, parent);
                    rig.now = rig.now + Duration::from_millis(7);
                    rig.built(position, &block(on, 0));
                    pending.append(&mut rig.last);
                }
                Effect::Propose { header, .. } => {
                    times.push(rig.now);
                    parent = header.block;
                    rig.finalization(0, slot, parent);
                    slot += 1;
                    pending.append(&mut rig.last);
                }
                _ => {}
            }
        }
        if pending.is_empty() {
            rig.now = rig.now.max(rig.timer.unwrap()) + Duration::from_millis(3);
            rig.step(Input::Tick);
            pending.append(&mut rig.last);
        }
    }
    let took = times[99].saturating_since(times[0]);
    assert!(took <= BLOCK_TIME * 99 + Duration::from_millis(20), "100 slots took {took:?}");
    assert!(took >= BLOCK_TIME * 99 - Duration::from_millis(20), "100 slots took {took:?}");
}

#[test]
fn who_does_not_lead_or_has_left_does_not_propose() {
    let mut rig = Rig::new(1, 4, 8);
    rig.pass(Duration::from_millis(500));
    assert!(builds(&rig).is_empty() && proposals(&rig.log).is_empty(), "operator 0 leads term 0");

    let mut rig = Rig::new(0, 4, 8);
    assert!(rig.did(|effect| matches!(effect, Effect::Build { .. })));
    rig.step(Input::HandOver);
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 0))]);
    assert_eq!(rig.rule(Rule::LeaveHandOver), 1);
    rig.built(at(0, 0), &block(genesis(), 0)).pass(Duration::from_millis(500));
    assert!(proposals(&rig.log).is_empty(), "a leader that has left its term stops");
}

#[test]
fn a_failed_build_is_tried_again_with_a_pause() {
    let mut rig = Rig::new(0, 4, 8);
    let refused = || Input::Built { position: at(0, 0), result: Err(BuildFailure::Refused("sick".to_owned())) };
    rig.step(refused());
    assert!(builds(&rig).is_empty(), "not at once");
    rig.pass(Duration::from_millis(5));
    assert_eq!(builds(&rig), [at(0, 0)]);
    rig.step(refused()).pass(Duration::from_millis(5));
    assert!(builds(&rig).is_empty(), "later each time");
    rig.pass(Duration::from_millis(5));
    assert_eq!(builds(&rig), [at(0, 0)]);
    assert_eq!(rig.rule(Rule::BuildAgain), 2);
}

#[test]
fn an_answer_to_no_question_is_ignored() {
    let mut rig = Rig::new(0, 4, 8);
    rig.built(at(0, 1), &block(genesis(), 0)).built(at(5, 0), &block(genesis(), 0));
    assert!(proposals(&rig.log).is_empty());
    rig.built(at(0, 0), &block(block(genesis(), 3).reference, 0));
    assert!(proposals(&rig.log).is_empty(), "a block on another parent is not what was asked for");
}

#[test]
fn the_first_slot_waits_for_its_parent_and_carries_its_justification() {
    let mut rig = Rig::new(1, 4, 2);
    let blocks = chain(genesis(), 2, 0);
    rig.proposals(0, 0, &blocks, None);
    rig.notarization(0, 1, blocks[1].reference);
    assert_eq!(rig.engine.status().term, 1, "the last slot completes the term");
    assert!(builds(&rig).is_empty(), "the pace goes on across terms");
    rig.pass(BLOCK_TIME);
    assert_eq!(builds(&rig), [at(1, 0)]);
    rig.built(at(1, 0), &block(blocks[1].reference, 0)).pass(Duration::from_millis(5));
    let Some(Effect::Propose { header, justification, .. }) =
        rig.log.iter().find(|effect| matches!(effect, Effect::Propose { .. }))
    else {
        panic!("the first slot is proposed");
    };
    assert_eq!((header.parent_position, header.parent_is_genesis), (at(0, 1), false));
    assert_eq!(
        justification.iter().map(|held| held.vote).collect::<Vec<_>>(),
        [Vote::notarize(at(0, 1), blocks[1].reference)]
    );
}

#[test]
fn the_grid_goes_on_across_terms_though_the_next_one_is_entered_late() {
    let mut rig = Rig::new(1, 4, 4);
    let blocks = chain(genesis(), 4, 0);
    rig.proposals(0, 0, &blocks, None);
    let seen = rig.now;
    rig.pass(BLOCK_TIME * 2 + BLOCK_TIME / 2);
    rig.notarization(0, 3, blocks[3].reference);
    rig.log.clone_from(&rig.last);
    let proposed: Vec<_> =
        lead(&mut rig, seen + BLOCK_TIME * 4).iter().map(|(at, slot)| (at.saturating_since(seen), *slot)).collect();
    let late = BLOCK_TIME * 2 + BLOCK_TIME / 2;
    let expected = [(late, 0), (late, 1), (BLOCK_TIME * 3, 2), (BLOCK_TIME * 4, 3)];
    assert_eq!(proposed, expected, "two were due when the term was entered; the others come on their grid");
}

#[test]
fn a_leader_far_ahead_carries_at_most_k_certificates() {
    let mut rig = Rig::new(0, 4, 8);
    let first = block(genesis(), 0);
    rig.notarization(0, 0, first.reference);
    rig.nullification(0, 1);
    for term in 1..40 {
        rig.nullification(term, 0);
    }
    rig.proposal(40, 0, &first, None); // its own term: nobody else's proposal counts, but the block is there
    rig.step(Input::Fetched(first.clone()));
    rig.pass(BLOCK_TIME * 2);
    rig.built(at(40, 0), &block(first.reference, 1)).pass(BLOCK_TIME);
    let carried = rig.log.iter().find_map(|effect| match effect {
        Effect::Propose { header, justification, .. } => Some((header.parent_position, justification.clone())),
        _ => None,
    });
    let (parent, carried) = carried.expect("term 40 is led by operator 0");
    assert_eq!(parent, at(0, 0), "the highest justified parent");
    assert_eq!(carried.len(), JUSTIFICATION_CERTIFICATES_MAX);
    assert_eq!(carried[0].vote, Vote::notarize(at(0, 0), first.reference));
    assert_eq!(carried[1].vote, Vote::nullify(at(0, 1)));
}

#[test]
fn the_parent_is_the_highest_that_is_justified() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.proposals(0, 0, &blocks, None);
    for (slot, held) in (0..).zip(&blocks) {
        rig.notarization(0, slot, held.reference);
    }
    // Slot 3 is notarized, but what ended the term covers it: slot 1 is what can be built on.
    rig.nullification(0, 2);
    rig.pass(BLOCK_TIME);
    assert!(rig.log.iter().any(|effect| parent_of(effect) == Some(blocks[1].reference)));
    // A higher one turns up: the build under way is for the wrong parent now.
    rig.nullification(0, 4);
    rig.built(at(1, 0), &block(blocks[1].reference, 9));
    assert!(proposals(&rig.log).is_empty());
    assert!(rig.did(|effect| parent_of(effect) == Some(blocks[3].reference)));
}

fn parent_of(effect: &Effect) -> Option<BlockRef> {
    if let Effect::Build { parent, .. } = effect { Some(*parent) } else { None }
}

#[test]
fn a_pipeline_of_depth_one_proposes_when_the_slot_below_is_notarized() {
    let mut settings = config(0, 4, 8);
    settings.pipeline_depth = 1;
    let mut rig = Rig::with(settings);
    let first = block(genesis(), 0);
    rig.built(at(0, 0), &first).pass(BLOCK_TIME * 3);
    assert!(builds(&rig).is_empty(), "slot 1 is not within one of none");
    rig.notarization(0, 0, first.reference);
    assert_eq!(builds(&rig), [at(0, 1)]);
}

#[test]
fn a_leader_lets_go_of_the_payloads_that_it_will_not_propose_again() {
    let mut rig = Rig::new(0, 4, 8);
    let first = block(genesis(), 0);
    rig.built(at(0, 0), &first);
    let holders = Arc::strong_count(&first);
    rig.notarization(0, 0, first.reference);
    rig.log.clear();
    rig.last.clear();
    assert!(Arc::strong_count(&first) < holders, "one less holds it");
}

#[test]
fn a_suspended_leader_does_not_make_up_for_more_than_d_slots() {
    let mut settings = config(0, 1, 1_000);
    settings.pipeline_depth = 2;
    let mut rig = Rig::with(settings);
    rig.built(at(0, 0), &block(genesis(), 0));
    rig.now = rig.now + BLOCK_TIME * 9; // suspended; the window opens as fast as it fills
    let (start, mut seen, mut burst) = (rig.now, 0, 0);
    rig.finalization(0, 0, block(genesis(), 0).reference);
    while rig.now.saturating_since(start) < BLOCK_TIME / 2 {
        let Some(effect) = rig.log.get(seen).cloned() else {
            rig.pass(Duration::from_millis(1));
            continue;
        };
        seen += 1;
        match effect {
            Effect::Build { position, parent } if position.slot > 0 => {
                rig.built(position, &block(parent, 0));
            }
            Effect::Propose { header, .. } if header.position.slot > 0 => {
                burst += 1;
                rig.finalization(0, header.position.slot, header.block);
            }
            _ => {}
        }
    }
    assert!((2..=3).contains(&burst), "the slot that is due, and two that are made up for: {burst}");
}

#[test]
fn nothing_is_built_on_a_parent_that_is_not_executed() {
    let mut rig = Rig::new(1, 4, 2);
    rig.validates = false;
    let blocks = chain(genesis(), 2, 0);
    rig.proposals(0, 0, &blocks, None);
    rig.notarization(0, 1, blocks[1].reference).pass(BLOCK_TIME * 2);
    assert!(rig.log.iter().all(|effect| !matches!(effect, Effect::Build { .. })));
    for held in &blocks {
        rig.step(Input::Validated { block: held.reference, verdict: crate::Verdict::Valid });
    }
    assert_eq!(builds(&rig), [at(1, 0)], "as soon as it is");
}
