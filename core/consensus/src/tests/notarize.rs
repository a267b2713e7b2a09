//! Rule 2: holding proposals, judging them, and voting once at a position.

use crate::testing::{Rig, at, block, chain, config, genesis};
use crate::{Effect, HaltReason, Input, Rule, Verdict};
use core::time::Duration;
use phalanx_types::{Vote, VoteKind};

#[test]
fn a_valid_proposal_gets_one_vote() {
    let mut rig = Rig::new(1, 4, 8);
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, None);
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 0), first.reference)]);
    rig.proposal(0, 0, &first, None);
    assert!(rig.votes().is_empty(), "the same proposal again is no second vote");
}

#[test]
fn nothing_is_voted_for_before_execution_calls_it_valid() {
    let mut rig = Rig::new(1, 4, 8);
    rig.validates = false;
    let blocks = chain(genesis(), 3, 0);
    rig.proposals(0, 0, &blocks, None);
    let asked: Vec<_> = rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).collect();
    assert_eq!(asked.len(), 3, "children are asked about behind their parents");
    assert!(rig.all_votes(VoteKind::Notarize).is_empty());
    for held in &blocks {
        rig.step(Input::Validated { block: held.reference, verdict: Verdict::Valid });
        assert_eq!(rig.votes().len(), 1);
    }
}

#[test]
fn a_proposal_without_its_parent_is_held_until_the_parent_comes() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 2, 0);
    rig.proposal(0, 1, &blocks[1], Some(at(0, 0)));
    assert!(rig.last.iter().all(|effect| !matches!(effect, Effect::Validate(_))), "parents come first");
    rig.proposal(0, 0, &blocks[0], None);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0), at(0, 1)]);
}

#[test]
fn a_parent_that_is_neither_voted_for_nor_notarized_is_waited_for() {
    let mut rig = Rig::new(1, 4, 8);
    let (mine, other) = (block(genesis(), 1), block(genesis(), 2));
    let child = block(other.reference, 0);
    rig.proposal(0, 0, &mine, None);
    rig.proposal(0, 1, &child, Some(at(0, 0)));
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0)], "its parent is not what this operator voted for");
    assert_eq!(rig.all_votes(VoteKind::Nullify), [], "which is not invalid yet");
    rig.step(Input::Fetched(other.clone()));
    rig.notarization(0, 0, other.reference);
    rig.pass(Duration::from_millis(150)).step(Input::Fetched(other.clone()));
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0), at(0, 1)], "its parent is notarized");
}

#[test]
fn a_parent_other_than_the_notarized_one_is_invalid() {
    let mut rig = Rig::new(1, 4, 8);
    let (mine, other) = (block(genesis(), 1), block(genesis(), 2));
    rig.proposal(0, 0, &mine, None);
    rig.notarization(0, 0, other.reference);
    rig.proposal(0, 1, &block(mine.reference, 0), Some(at(0, 0)));
    assert_eq!(rig.rule(Rule::LeaveInvalid), 1);
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 1))]);
}

#[test]
fn misplaced_proposals_are_invalid() {
    let first = block(genesis(), 0);
    let second = block(first.reference, 0);
    let wrong = [
        (0, 0, &first, Some(at(0, 0))),  // a first slot on its own term
        (0, 0, &second, None),           // not on genesis
        (0, 1, &second, None),           // a later slot on genesis
        (0, 1, &second, Some(at(0, 1))), // a later slot on itself
        (1, 0, &second, Some(at(0, 8))), // on a slot that no term has
    ];
    for (term, slot, held, parent) in wrong {
        let mut rig = Rig::new(2, 4, 8);
        if term == 1 {
            rig.nullification(0, 0);
        } else if slot == 1 {
            rig.proposal(0, 0, &first, None);
        }
        rig.proposal(term, slot, held, parent);
        assert_eq!(rig.rule(Rule::LeaveInvalid), 1, "({term}, {slot}) on {parent:?}");
    }
}

#[test]
fn the_window_ends_d_above_the_highest_notarized_slot() {
    let mut rig = Rig::new(1, 4, 50);
    let blocks = chain(genesis(), 12, 0);
    rig.proposals(0, 0, &blocks, None);
    let slots: Vec<_> = rig.all_votes(VoteKind::Notarize).iter().map(|position| position.slot).collect();
    assert_eq!(slots, [0, 1, 2, 3], "D = 4");
    assert_eq!(rig.engine.status().proposals_held, 8, "2D are held");
    rig.notarization(0, 1, blocks[1].reference);
    let slots: Vec<_> = rig.all_votes(VoteKind::Notarize).iter().map(|position| position.slot).collect();
    assert_eq!(slots, [0, 1, 2, 3, 4, 5], "what was held is voted for when the window moves");
}

#[test]
fn the_next_term_is_held_and_voted_for_once_it_is_entered() {
    let mut rig = Rig::new(2, 4, 8);
    let blocks = chain(genesis(), 6, 0);
    rig.proposals(1, 0, &blocks, None);
    assert_eq!(rig.all_votes(VoteKind::Notarize), []);
    assert_eq!(rig.engine.status().proposals_held, 4, "its first D slots");
    rig.nullification(0, 0);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(1, 0), at(1, 1), at(1, 2), at(1, 3)]);
}

#[test]
fn a_first_slot_needs_its_whole_justification() {
    let mut rig = Rig::new(3, 4, 8);
    let first = block(genesis(), 0);
    let second = block(first.reference, 0);
    rig.proposal(0, 0, &first, None);
    rig.nullification(1, 0); // moves to term 2
    rig.proposal(2, 0, &second, Some(at(0, 0)));
    assert!(rig.did(|effect| matches!(effect, Effect::Fetch(crate::Missing::Terms { from: 0, to: 0, .. }))));
    rig.notarization(0, 0, first.reference);
    assert_eq!(rig.votes(), [], "the term of the parent is not known to have ended there");
    rig.nullification(0, 1);
    assert_eq!(rig.votes(), [Vote::notarize(at(2, 0), second.reference)]);

    let mut rig = Rig::new(3, 4, 8);
    rig.proposal(0, 0, &first, None);
    rig.notarization(0, 0, first.reference);
    rig.nullification(0, 1);
    rig.nullification(2, 0); // moves to term 3
    rig.step(Input::Fetched(first.clone()));
    let mut rig_other = Rig::new(2, 4, 8);
    rig_other.proposal(0, 0, &first, None);
    rig_other.notarization(0, 0, first.reference);
    rig_other.nullification(0, 1);
    rig_other.nullification(2, 0);
    rig_other.proposal(3, 0, &second, Some(at(0, 0)));
    assert_eq!(rig_other.votes(), [], "term 1 is not known to be nullified");
    rig_other.nullification(1, 0);
    assert_eq!(rig_other.votes(), [Vote::notarize(at(3, 0), second.reference)]);
}

#[test]
fn a_nullification_above_slot_zero_does_not_skip_a_term() {
    let mut rig = Rig::new(3, 4, 8);
    let first = block(genesis(), 0);
    rig.nullification(0, 1); // some slot 0 of term 0 may be notarized and even final
    rig.proposal(1, 0, &first, None);
    assert_eq!(rig.votes(), [], "genesis is no parent while term 0 may hold blocks");
    rig.nullification(0, 0);
    assert_eq!(rig.votes(), [Vote::notarize(at(1, 0), first.reference)]);
}

#[test]
fn an_invalid_block_ends_the_term_for_its_voters() {
    let mut rig = Rig::new(1, 4, 8);
    rig.validates = false;
    let blocks = chain(genesis(), 2, 0);
    rig.proposals(0, 0, &blocks, None);
    rig.step(Input::Validated { block: blocks[0].reference, verdict: Verdict::Invalid("bad root".to_owned()) });
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 0))]);
    assert_eq!(rig.rule(Rule::LeaveInvalid), 1);
    // An optimistic child whose parent turned out invalid stays so, whatever execution says of it later.
    rig.step(Input::Validated { block: blocks[1].reference, verdict: Verdict::Valid });
    assert_eq!(rig.all_votes(VoteKind::Notarize), []);
}

#[test]
fn a_notarized_block_that_is_invalid_halts_loudly_even_after_leaving() {
    for notarized_first in [true, false] {
        let mut rig = Rig::new(1, 4, 8);
        rig.validates = false;
        let blocks = chain(genesis(), 2, 0);
        rig.proposals(0, 0, &blocks, None);
        rig.heard(0, Some(Vote::nullify(at(0, 0))));
        let invalid = Input::Validated { block: blocks[0].reference, verdict: Verdict::Invalid("bad".to_owned()) };
        if notarized_first {
            // The child's certificate vouches for its parent too.
            rig.notarization(0, 1, blocks[1].reference);
            rig.step(invalid);
        } else {
            rig.step(invalid);
            rig.notarization(0, 1, blocks[1].reference);
        }
        assert!(rig.did(|effect| matches!(effect, Effect::Halt(HaltReason::NotarizedBlockInvalid { .. }))));
        assert_eq!(rig.all_votes(VoteKind::Finalize), []);
        rig.proposal(0, 2, &block(blocks[1].reference, 0), Some(at(0, 1)));
        assert!(rig.last.is_empty(), "a halted engine does nothing");
    }
}

#[test]
fn a_pending_block_is_asked_about_again() {
    let mut rig = Rig::new(1, 4, 8);
    rig.validates = false;
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, None);
    let pending = || Input::Validated { block: first.reference, verdict: Verdict::Pending };
    let asked = |rig: &Rig| rig.last.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count();
    rig.step(pending());
    assert_eq!(asked(&rig), 0, "not at once");
    rig.pass(Duration::from_millis(10));
    assert_eq!(asked(&rig), 1);
    rig.step(pending()).pass(Duration::from_millis(10));
    assert_eq!(asked(&rig), 0, "later each time");
    rig.pass(Duration::from_millis(10));
    assert_eq!(asked(&rig), 1);
    assert_eq!(rig.rule(Rule::ValidateAgain), 2);
    assert_eq!(rig.rule(Rule::LeaveInvalid), 0, "pending is not invalid");
}

#[test]
fn a_child_that_waited_for_its_parent_is_asked_about_at_once() {
    let mut rig = Rig::new(1, 4, 8);
    rig.validates = false;
    let blocks = chain(genesis(), 2, 0);
    rig.proposals(0, 0, &blocks, None);
    rig.step(Input::Validated { block: blocks[1].reference, verdict: Verdict::Pending });
    rig.step(Input::Validated { block: blocks[0].reference, verdict: Verdict::Valid });
    let child = blocks[1].reference;
    assert!(rig.did(|effect| matches!(effect, Effect::Validate(held) if held.reference == child)));
}

#[test]
fn one_block_at_two_positions_is_validated_once_and_voted_for_at_both() {
    let mut rig = Rig::new(2, 4, 8);
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, None);
    rig.nullification(0, 0);
    rig.proposal(1, 0, &first, None);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0), at(1, 0)]);
    assert_eq!(rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count(), 1);
}

#[test]
fn one_payload_under_two_headers_does_not_poison_the_verdict() {
    // The leader of term 0 misplaces a block; the same block, well placed in term 1, is good.
    let mut rig = Rig::new(2, 4, 8);
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, Some(at(0, 3)));
    assert_eq!(rig.rule(Rule::LeaveInvalid), 1);
    rig.nullification(0, 0);
    rig.proposal(1, 0, &first, None);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(1, 0)]);
}

#[test]
fn proposals_arriving_while_out_are_held_but_not_voted_for() {
    let mut rig = Rig::new(1, 4, 8);
    rig.heard(0, Some(Vote::nullify(at(0, 0))));
    let blocks = chain(genesis(), 2, 0);
    rig.proposals(0, 0, &blocks, None);
    assert_eq!(rig.all_votes(VoteKind::Notarize), []);
    assert!(rig.log.iter().any(|effect| matches!(effect, Effect::Validate(_))), "validation goes on after leaving");
    rig.finalization(0, 0, blocks[0].reference);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 1)], "healed, it votes for what it held");
}

#[test]
fn proposals_by_others_than_the_leader_and_of_other_epochs_are_ignored() {
    let mut settings = config(1, 4, 8);
    settings.epoch = 3;
    let mut rig = Rig::with(settings);
    rig.proposal(0, 0, &block(genesis(), 0), None);
    assert!(rig.log.iter().all(|effect| !matches!(effect, Effect::Validate(_))));
    rig.notarization(0, 0, block(genesis(), 0).reference);
    assert!(rig.last.is_empty(), "certificates of other epochs are ignored");
}

#[test]
fn a_notarization_far_above_clears_everything_below_it_for_execution() {
    let mut rig = Rig::new(1, 4, 50);
    let blocks = chain(genesis(), 8, 0);
    rig.proposals(0, 0, &blocks, None);
    assert_eq!(rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count(), 4, "the window");
    rig.notarization(0, 7, blocks[7].reference);
    assert_eq!(rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count(), 8);
    let next = block(blocks[7].reference, 0);
    rig.proposal(0, 8, &next, Some(at(0, 7)));
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 8), next.reference)]);
}

#[test]
fn a_valid_parent_that_was_not_voted_for_at_its_slot_is_no_parent() {
    let mut rig = Rig::new(2, 4, 8);
    let (one, other) = (block(genesis(), 1), block(genesis(), 2));
    rig.proposal(0, 0, &one, None);
    rig.nullification(0, 0);
    rig.proposal(1, 0, &other, None);
    rig.proposal(1, 1, &block(one.reference, 0), Some(at(1, 0)));
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0), at(1, 0)], "valid, but this term stands on another");
    rig.notarization(1, 0, one.reference);
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0), at(1, 0), at(1, 1)], "unless a quorum says so");
}
