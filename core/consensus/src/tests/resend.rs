//! Rules 8 and 9: saying again, fetching, and what is of interest.

use crate::testing::{BLOCK_TIME, RESEND, Rig, TIMEOUT, at, block, chain, genesis};
use crate::{Effect, Input, MISSING_BLOCKS_MAX, Missing, Rule, Window};
use core::time::Duration;
use phalanx_types::{BlockRef, Position, Vote, VoteKind};

fn resent(effects: &[Effect]) -> Vec<Vote> {
    effects.iter().filter_map(|effect| if let Effect::ResendVote(vote) = effect { Some(*vote) } else { None }).collect()
}

fn forwarded(effects: &[Effect]) -> Vec<Vote> {
    let forward = |effect: &Effect| if let Effect::Forward(held) = effect { Some(held.vote) } else { None };
    effects.iter().filter_map(forward).collect()
}

fn fetched(effects: &[Effect]) -> Vec<Missing> {
    effects
        .iter()
        .filter_map(|effect| if let Effect::Fetch(missing) = effect { Some(*missing) } else { None })
        .collect()
}

#[test]
fn without_progress_votes_and_three_certificates_are_sent_again() {
    let mut rig = Rig::new(2, 4, 8);
    let blocks = chain(genesis(), 6, 0);
    rig.nullification(0, 0);
    rig.proposals(1, 0, &blocks, None);
    rig.finalization(1, 0, blocks[0].reference);
    rig.notarization(1, 1, blocks[1].reference);
    rig.pass(RESEND * 3 / 2);
    assert_eq!(rig.rule(Rule::Resend), 1);
    assert_eq!(
        forwarded(&rig.last),
        [
            Vote::finalize(at(1, 0), blocks[0].reference),
            Vote::nullify(at(0, 0)),
            Vote::notarize(at(1, 1), blocks[1].reference)
        ]
    );
    assert_eq!(
        resent(&rig.last),
        [
            Vote::notarize(at(1, 2), blocks[2].reference),
            Vote::notarize(at(1, 3), blocks[3].reference),
            Vote::notarize(at(1, 4), blocks[4].reference),
            Vote::notarize(at(1, 5), blocks[5].reference),
            Vote::finalize(at(1, 1), blocks[1].reference)
        ]
    );
    rig.pass(TIMEOUT * 4);
    assert!(resent(&rig.last).contains(&Vote::nullify(at(1, 2))), "having left, its Nullify too");
}

#[test]
fn re_sending_backs_off_with_jitter_and_starts_afresh_on_progress() {
    let mut rig = Rig::new(1, 4, 8);
    let mut times = Vec::new();
    while times.len() < 8 {
        let before = rig.rule(Rule::Resend);
        rig.pass(Duration::from_millis(1));
        if rig.rule(Rule::Resend) > before {
            times.push(rig.now);
        }
    }
    let pauses: Vec<_> = times.windows(2).map(|pair| pair[1].saturating_since(pair[0])).collect();
    assert!(pauses[0] >= RESEND && pauses[0] <= RESEND * 3 / 2 + Duration::from_millis(1));
    assert!(pauses.windows(2).take(3).all(|pair| pair[1] > pair[0] * 5 / 4), "it backs off: {pauses:?}");
    assert!(pauses.iter().all(|pause| *pause <= RESEND * 12 + Duration::from_millis(1)), "up to a bound: {pauses:?}");
    let before = rig.rule(Rule::Resend);
    rig.notarization(0, 0, block(genesis(), 0).reference);
    rig.pass(RESEND * 3 / 2 + Duration::from_millis(1));
    assert_eq!(rig.rule(Rule::Resend), before + 1, "progress starts it afresh");
}

#[test]
fn a_leader_sends_its_open_proposals_again_until_they_are_notarized_or_it_has_left() {
    let mut rig = Rig::new(0, 4, 8);
    let first = block(genesis(), 0);
    rig.built(at(0, 0), &first);
    let second = block(first.reference, 0);
    rig.pass(BLOCK_TIME).built(at(0, 1), &second).pass(Duration::from_millis(1));
    let again = |rig: &Rig| -> Vec<Position> {
        let position = |effect: &Effect| match effect {
            Effect::ResendProposal { position, .. } => Some(*position),
            _ => None,
        };
        rig.last.iter().filter_map(position).collect()
    };
    rig.pass(RESEND);
    assert_eq!(again(&rig), [at(0, 0), at(0, 1)]);
    rig.notarization(0, 0, first.reference).pass(RESEND * 3 / 2);
    assert_eq!(again(&rig), [at(0, 1)]);
    rig.step(Input::HandOver).pass(RESEND * 20);
    assert_eq!(again(&rig), []);
}

#[test]
fn an_operator_alone_says_nothing_twice() {
    let mut rig = Rig::new(0, 1, 8);
    rig.pass(TIMEOUT / 2);
    assert_eq!(rig.rule(Rule::Resend), 0);
}

#[test]
fn a_missing_notarized_block_is_fetched_after_a_pause_and_again_later() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 3, 0);
    rig.notarization(0, 2, blocks[2].reference);
    assert_eq!(fetched(&rig.last), [], "its proposal may be under way");
    rig.pass(RESEND);
    assert_eq!(fetched(&rig.last), [Missing::Block(blocks[2].reference)]);
    rig.pass(RESEND);
    assert_eq!(fetched(&rig.last), [Missing::Block(blocks[2].reference)], "asked again");
    // Its parents are found by walking down, without a pause.
    rig.step(Input::Fetched(blocks[2].clone()));
    assert_eq!(fetched(&rig.last), [Missing::Block(blocks[1].reference)]);
    rig.step(Input::Fetched(blocks[1].clone()));
    rig.step(Input::Fetched(block(genesis(), 99))); // nobody asked for that
    rig.step(Input::Fetched(blocks[0].clone()));
    assert_eq!(rig.engine.status().blocks_held, 3);
    let asked = rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count();
    assert_eq!(asked, 3, "now they can be executed, parents first");
    rig.pass(TIMEOUT);
    assert_eq!(fetched(&rig.last), [], "nothing is missing any more");
}

#[test]
fn a_late_proposal_brings_a_missing_block_too() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 2, 0);
    rig.proposal(0, 0, &blocks[0], None);
    rig.notarization(0, 1, blocks[1].reference);
    rig.proposal(0, 1, &blocks[1], Some(at(0, 0)));
    rig.pass(TIMEOUT);
    assert_eq!(fetched(&rig.last), []);
}

#[test]
fn what_is_final_is_fetched_by_whoever_commits_it() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.notarization(0, 1, blocks[1].reference);
    rig.finalization(0, 2, blocks[2].reference).pass(TIMEOUT / 2);
    assert_eq!(fetched(&rig.log), []);
    rig.proposal(0, 3, &blocks[3], Some(at(0, 2)));
    assert_eq!(rig.votes(), [], "its parent is not executed here");
    rig.step(Input::Committed(blocks[2].reference));
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 3), blocks[3].reference)], "until it is committed");
}

#[test]
fn missing_blocks_are_bounded_and_found_again() {
    let mut rig = Rig::new(1, 4, 10_000);
    rig.validates = false;
    let many = u32::try_from(MISSING_BLOCKS_MAX).unwrap() + 40;
    let blocks = chain(genesis(), u64::from(many), 0);
    for (slot, held) in (0..).zip(&blocks) {
        rig.notarization(0, slot, held.reference);
    }
    let (mut rounds, mut have) = (0, 0);
    while have < blocks.len() {
        rig.pass(RESEND);
        for missing in fetched(&rig.last) {
            let Missing::Block(reference) = missing else { continue };
            let held = blocks.iter().find(|held| held.reference == reference).unwrap();
            rig.step(Input::Fetched(held.clone()));
        }
        have = rig.engine.status().blocks_held;
        rounds += 1;
        assert!(rounds < 1_000, "only {have} of {many} were ever asked for");
    }
}

#[test]
fn the_certificates_of_missing_terms_are_asked_for_by_range_and_not_too_often() {
    let mut rig = Rig::new(1, 4, 8);
    rig.nullification(40, 0); // term 41 is this operator's
    assert_eq!(rig.engine.status().leader, rig.config.me);
    let first = fetched(&rig.log);
    assert_eq!(first, [Missing::Terms { epoch: 0, from: 0, to: 39 }]);
    assert_eq!(rig.engine.window().terms_wanted, Some((0, 39)));
    for term in (0..40).rev() {
        rig.nullification(term, 0);
    }
    assert_eq!(fetched(&rig.log).len(), 1, "answers come one by one: no question for each");
    rig.pass(RESEND);
    assert!(rig.log.iter().any(|effect| matches!(effect, Effect::Build { parent, .. } if *parent == genesis())));
    assert_eq!(rig.engine.window().terms_wanted, None);
}

#[test]
fn the_window_wants_what_is_useful_and_nothing_else() {
    let mut rig = Rig::new(1, 4, 50);
    let blocks = chain(genesis(), 12, 0);
    rig.finalization(0, 2, blocks[2].reference);
    rig.notarization(0, 4, blocks[4].reference);
    let window = rig.engine.window();
    let some = blocks[0].reference;
    let wants = |vote: Vote| window.wants_vote(&vote);
    for (slot, wanted) in [(2, false), (3, true), (4, false), (5, true), (12, true), (13, false)] {
        assert_eq!(wants(Vote::notarize(at(0, slot), some)), wanted, "Notarize at slot {slot}");
    }
    for (slot, wanted) in [(2, false), (3, true), (4, true), (12, true), (13, false)] {
        assert_eq!(wants(Vote::finalize(at(0, slot), some)), wanted, "Finalize at slot {slot}");
    }
    for (position, wanted) in
        [(at(0, 2), false), (at(0, 49), true), (at(1, 49), true), (at(2, 0), false), (at(0, 50), false)]
    {
        assert_eq!(wants(Vote::nullify(position)), wanted, "Nullify at {position}");
    }
    for (slot, wanted) in [(3, true), (4, false)] {
        assert_eq!(wants(Vote::notarize(at(1, slot), some)), wanted, "the first D slots of the next term: {slot}");
    }
    assert!(!wants(Vote::notarize(Position::new(1, 0, 5), some)), "another epoch");
    let certificate = |vote: Vote| window.wants_certificate(&rig.keys.certificate(vote));
    assert!(!certificate(Vote::notarize(at(0, 4), some)) && certificate(Vote::notarize(at(0, 3), some)));
    assert!(certificate(Vote::notarize(at(7, 4), some)) && certificate(Vote::finalize(at(0, 3), some)));
    assert!(!certificate(Vote::finalize(at(0, 2), some)) && certificate(Vote::nullify(at(0, 9))));
}

#[test]
fn the_window_still_wants_to_finalize_the_terms_before() {
    let mut rig = Rig::new(1, 4, 2);
    let blocks = chain(genesis(), 3, 0);
    rig.notarization(0, 1, blocks[1].reference);
    let window = rig.engine.window();
    assert_eq!(window.term, 1);
    assert!(window.wants_vote(&Vote::finalize(at(0, 1), blocks[1].reference)));
    assert!(!window.wants_vote(&Vote::finalize(at(0, 0), blocks[0].reference)), "what is above covers it");
    assert!(!window.wants_vote(&Vote::notarize(at(0, 1), blocks[1].reference)));
    rig.finalization(0, 1, blocks[1].reference);
    assert!(!rig.engine.window().wants_vote(&Vote::finalize(at(0, 1), blocks[1].reference)));
}

#[test]
fn the_window_never_refuses_what_the_engine_would_take() {
    // Random certificates, votes and proposals: a difference in state implies interest beforehand.
    let mut random = 7_u64;
    let mut next = |below: u64| {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) % below
    };
    let blocks = chain(genesis(), 40, 0);
    for _ in 0..40 {
        let mut rig = Rig::new(1, 4, 4);
        for _ in 0..40 {
            let (term, slot) = (next(6), u32::try_from(next(5)).unwrap());
            let number = usize::try_from(term).unwrap() * 4 + slot as usize;
            let vote = match next(3) {
                0 => Vote::notarize(at(term, slot), blocks[number].reference),
                1 => Vote::nullify(at(term, slot)),
                _ => Vote::finalize(at(term, slot), blocks[number].reference),
            };
            let certificate = rig.keys.certificate(vote);
            let (window, before) = (rig.engine.window(), rig.engine.status());
            rig.step(Input::Certificate(certificate));
            let after = rig.engine.status();
            let moved = (after.term, after.slot, after.finalized) != (before.term, before.slot, before.finalized);
            assert!(!moved || window.wants_certificate(&certificate), "{vote} in {window:?}");
            if after.halted {
                break; // the walk made certificates that contradict each other
            }
        }
    }
}

#[test]
fn nothing_interests_a_halted_engine() {
    let mut rig = Rig::new(1, 4, 8);
    let reference = |salt| block(genesis(), salt).reference;
    rig.notarization(0, 0, reference(1)).notarization(0, 0, reference(2));
    let window: Window = rig.engine.window();
    assert!(window.halted && !window.wants_vote(&Vote::nullify(at(0, 0))));
    assert!(
        !window.wants_certificate(&rig.keys.certificate(Vote::finalize(at(1, 0), BlockRef::new(9, reference(3).hash))))
    );
    rig.step(Input::Tick);
    assert!(rig.last.is_empty());
    assert_eq!(rig.all_votes(VoteKind::Nullify), []);
}
