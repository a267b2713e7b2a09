//! Rules 3, 4, 6 and 7: what certificates do.

use crate::testing::{Rig, at, block, chain, genesis};
use crate::{Effect, HaltReason, Input, Rule};
use core::time::Duration;
use phalanx_types::{BlockRef, Vote, VoteKind};

fn is_vote(effect: &Effect, kind: VoteKind) -> bool {
    matches!(effect, Effect::Vote { vote, .. } if vote.kind == kind)
}

#[test]
fn a_notarization_is_kept_before_the_vote_that_relies_on_it_and_forwarded_once() {
    let mut rig = Rig::new(1, 4, 8);
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, None);
    rig.notarization(0, 0, first.reference);
    let kept = rig.index(|effect| matches!(effect, Effect::Keep(_))).expect("it is kept");
    let voted = rig.index(|effect| is_vote(effect, VoteKind::Finalize)).expect("it is finalized by a vote");
    assert!(kept < voted, "durable before what relies on it");
    assert_eq!(rig.last.iter().filter(|effect| matches!(effect, Effect::Forward(_))).count(), 1);
    assert!(rig.did(|effect| matches!(effect, Effect::Notarized(_))));
    rig.notarization(0, 0, first.reference);
    assert!(rig.last.is_empty(), "the same again says nothing new");
}

#[test]
fn notarizations_out_of_order_are_each_finalized_unless_something_above_is_final() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.notarization(0, 1, blocks[1].reference);
    rig.notarization(0, 0, blocks[0].reference);
    assert_eq!(rig.all_votes(VoteKind::Finalize), [at(0, 1), at(0, 0)]);
    rig.finalization(0, 3, blocks[3].reference);
    rig.notarization(0, 2, blocks[2].reference);
    assert!(rig.last.is_empty(), "nothing at or below a final position is of use");
}

#[test]
fn the_last_slot_completes_the_term_also_for_who_has_left_it() {
    for left in [false, true] {
        let mut rig = Rig::new(2, 4, 2);
        let blocks = chain(genesis(), 2, 0);
        if left {
            rig.heard(0, Some(Vote::nullify(at(0, 0))));
        }
        rig.notarization(0, 1, blocks[1].reference);
        assert_eq!(rig.engine.status().term, 1);
        assert_eq!(rig.all_votes(VoteKind::Finalize).is_empty(), left, "who has left does not finalize");
        assert_eq!(rig.rule(Rule::CompleteTerm), 1);
        let finalize = rig.index(|effect| is_vote(effect, VoteKind::Finalize));
        let entered = rig.index(|effect| matches!(effect, Effect::EnteredTerm { .. })).unwrap();
        assert!(finalize.is_none_or(|finalize| finalize < entered), "it finalizes while still in the term");
    }
}

#[test]
fn a_finalization_counts_as_a_notarization_everywhere() {
    let mut rig = Rig::new(2, 4, 2);
    let blocks = chain(genesis(), 3, 0);
    rig.proposals(0, 0, &blocks[..1], None);
    rig.finalization(0, 0, blocks[0].reference);
    rig.proposal(0, 1, &blocks[1], Some(at(0, 0)));
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 1), blocks[1].reference)], "as a parent in the term");
    rig.finalization(0, 1, blocks[1].reference);
    assert_eq!(rig.engine.status().term, 1, "as a last slot");
    rig.proposal(1, 0, &blocks[2], Some(at(0, 1)));
    assert_eq!(rig.votes(), [Vote::notarize(at(1, 0), blocks[2].reference)], "as a justification");
    assert_eq!(rig.all_votes(VoteKind::Finalize), [], "what is final needs no vote");
}

#[test]
fn a_finalization_commits_what_is_held_in_order_and_lets_go_of_the_rest() {
    let mut rig = Rig::new(1, 4, 8);
    rig.validates = false;
    let blocks = chain(genesis(), 3, 0);
    let sibling = block(genesis(), 7);
    rig.nullification(0, 0);
    rig.nullification(1, 0);
    rig.proposal(2, 0, &sibling, None);
    rig.nullification(2, 0);
    rig.proposals(3, 0, &blocks, None);
    rig.finalization(3, 1, blocks[1].reference);
    let commit = rig.index(|effect| matches!(effect, Effect::Commit(_))).expect("it commits");
    let keep = rig.index(|effect| matches!(effect, Effect::Keep(_))).unwrap();
    assert!(keep < commit);
    let gone: Vec<_> = rig.last.iter().filter(|effect| matches!(effect, Effect::Discard(_))).collect();
    assert_eq!(gone.len(), 1);
    assert!(rig.did(|effect| matches!(effect, Effect::Discard(hash) if *hash == sibling.reference.hash)));
    assert_eq!(rig.engine.status().blocks_held, 3, "what is final stays until it is committed");
    rig.step(Input::Committed(blocks[1].reference));
    assert_eq!(rig.engine.status().blocks_held, 1);
    assert_eq!(rig.engine.status().committed, blocks[1].reference);
}

#[test]
fn blocks_that_are_final_are_handed_to_execution_before_the_commit() {
    // This operator is behind: its proposals wait in the held range, beyond the window.
    let mut rig = Rig::new(1, 4, 50);
    rig.validates = false;
    let blocks = chain(genesis(), 8, 0);
    rig.proposals(0, 0, &blocks, None);
    assert_eq!(rig.log.iter().filter(|effect| matches!(effect, Effect::Validate(_))).count(), 4);
    rig.finalization(0, 7, blocks[7].reference);
    let asked: Vec<BlockRef> = rig
        .last
        .iter()
        .take_while(|effect| !matches!(effect, Effect::Commit(_)))
        .filter_map(|effect| if let Effect::Validate(held) = effect { Some(held.reference) } else { None })
        .collect();
    assert_eq!(asked, blocks[4..].iter().map(|held| held.reference).collect::<Vec<_>>(), "parents first");
}

#[test]
fn a_nullification_moves_to_the_next_term_and_timeouts_grow_and_shrink() {
    let mut rig = Rig::new(1, 4, 1);
    let timeout = |rig: &Rig| rig.engine.status().progress_timeout;
    let rest = timeout(&rig);
    rig.nullification(0, 0);
    assert_eq!((rig.engine.status().term, timeout(&rig)), (1, rest * 2));
    assert!(
        rig.did(|effect| matches!(effect, Effect::Keep(_))) && rig.did(|effect| matches!(effect, Effect::Forward(_)))
    );
    for term in 1..20 {
        rig.nullification(term, 0);
    }
    assert_eq!(timeout(&rig), rest * 8, "up to a bound");
    let blocks = chain(genesis(), 5, 0);
    for (term, held) in (20..).zip(&blocks) {
        rig.notarization(term, 0, held.reference);
    }
    assert_eq!(timeout(&rig), rest, "one step down for each completed term");
}

#[test]
fn a_nullified_term_in_which_something_became_final_does_not_lengthen_timeouts() {
    let mut rig = Rig::new(1, 4, 4);
    let rest = rig.engine.status().progress_timeout;
    let blocks = chain(genesis(), 2, 0);
    rig.finalization(0, 0, blocks[0].reference);
    rig.nullification(0, 1);
    assert_eq!((rig.engine.status().term, rig.engine.status().progress_timeout), (1, rest), "its leader died");
    rig.notarization(1, 0, blocks[1].reference);
    rig.nullification(1, 1);
    assert_eq!((rig.engine.status().term, rig.engine.status().progress_timeout), (2, rest * 2), "nothing was final");
}

#[test]
fn certificates_of_later_terms_move_the_operator_there_but_never_back() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 3, 0);
    rig.notarization(5, 2, blocks[2].reference);
    assert_eq!((rig.engine.status().term, rig.engine.status().slot), (5, 3));
    assert_eq!(rig.votes(), [Vote::finalize(at(5, 2), blocks[2].reference)], "it has not left term 5");
    assert_eq!(rig.rule(Rule::CatchUp), 1);
    rig.nullification(3, 0);
    assert_eq!(rig.engine.status().term, 5, "never to an earlier term");
    rig.nullification(9, 1);
    assert_eq!(rig.engine.status().term, 10);
    rig.finalization(12, 0, block(blocks[2].reference, 0).reference);
    assert_eq!((rig.engine.status().term, rig.engine.status().slot), (12, 1));
}

#[test]
fn contradictions_halt_and_what_does_not_conflict_does_not() {
    let (one, other) = (block(genesis(), 1).reference, block(genesis(), 2).reference);
    let second = BlockRef::new(2, one.hash);
    let nullify = |slot| Vote::nullify(at(0, slot));
    let (notarize, finalize) = (Vote::notarize, Vote::finalize);
    let conflicting = [
        [notarize(at(0, 0), one), notarize(at(0, 0), other)],
        [notarize(at(0, 0), one), finalize(at(0, 0), other)],
        [finalize(at(0, 0), one), notarize(at(0, 0), other)],
        [finalize(at(0, 0), one), finalize(at(0, 0), other)],
        [nullify(0), finalize(at(0, 0), one)],
        [nullify(0), finalize(at(0, 3), one)],
        [finalize(at(0, 3), one), nullify(0)],
        [finalize(at(0, 3), one), nullify(3)],
        [finalize(at(0, 3), one), finalize(at(1, 0), other)], // not higher
    ];
    for pair in conflicting {
        let mut rig = Rig::new(1, 4, 8);
        rig.certificate(pair[0]).certificate(pair[1]);
        let halted = |effect: &Effect| matches!(effect, Effect::Halt(HaltReason::ConflictingCertificates { .. }));
        assert!(rig.did(halted), "{} and {}", pair[0], pair[1]);
        assert_eq!(rig.rule(Rule::HaltConflict), 1);
    }
    let compatible = [
        [notarize(at(0, 3), one), nullify(0)],
        [nullify(0), notarize(at(0, 3), one)],
        [finalize(at(0, 0), one), nullify(1)],
        [nullify(1), finalize(at(0, 0), one)],
        [notarize(at(0, 0), one), notarize(at(1, 0), other)],
        [finalize(at(0, 1), second), notarize(at(0, 0), other)], // long settled
        [nullify(0), nullify(2)],
    ];
    for pair in compatible {
        let mut rig = Rig::new(1, 4, 8);
        rig.certificate(pair[0]).certificate(pair[1]);
        assert!(!rig.engine.status().halted, "{} and {}", pair[0], pair[1]);
    }
}

#[test]
fn a_finalization_at_or_above_the_own_nullify_heals() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.proposals(0, 0, &blocks[..3], None);
    rig.notarization(0, 0, blocks[0].reference);
    rig.pass(Duration::from_secs(2));
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 1)]);
    rig.finalization(0, 0, blocks[0].reference);
    assert!(rig.engine.status().left, "slot 0 is below the slot that was nullified");
    rig.notarization(0, 2, blocks[2].reference);
    assert_eq!(rig.all_votes(VoteKind::Finalize), [at(0, 0)], "no Finalize while out");
    rig.finalization(0, 1, blocks[1].reference);
    assert!(!rig.engine.status().left);
    assert_eq!(rig.rule(Rule::Heal), 1);
    assert_eq!(rig.votes(), [Vote::finalize(at(0, 2), blocks[2].reference)], "it re-runs rule 3 on what it holds");
    rig.proposal(0, 3, &blocks[3], Some(at(0, 2)));
    assert_eq!(rig.votes(), [Vote::notarize(at(0, 3), blocks[3].reference)], "and rule 2");
}

#[test]
fn a_finalization_below_a_repeated_nullify_does_not_heal() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.heard(2, Some(Vote::nullify(at(0, 7)))).heard(3, Some(Vote::nullify(at(0, 7))));
    rig.notarization(0, 2, blocks[2].reference);
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 0), at(0, 3)]);
    rig.finalization(0, 2, blocks[2].reference);
    assert!(rig.engine.status().left, "the highest Nullify counts");
    rig.finalization(0, 3, blocks[3].reference);
    assert_eq!(rig.rule(Rule::Heal), 1);
    assert!(rig.engine.status().left, "the two others are still out above slot 3: it follows them again");
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 0), at(0, 3), at(0, 4)]);
}
