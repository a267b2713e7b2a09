//! Rule 5: every cause of leaving, and signing `Nullify` again.

use crate::testing::{BLOCK_TIME, LAG, Rig, TIMEOUT, at, block, chain, config, genesis};
use crate::{Effect, Input, Rule};
use core::time::Duration;
use phalanx_types::{OperatorIndex, Vote, VoteKind};

fn nullify(term: u64, slot: u32) -> Option<Vote> {
    Some(Vote::nullify(at(term, slot)))
}

#[test]
fn the_progress_timer_is_reset_by_progress_and_by_nothing_else() {
    let blocks = chain(genesis(), 6, 0);
    let almost = TIMEOUT - Duration::from_millis(1);

    let mut rig = Rig::new(1, 4, 50);
    rig.pass(almost);
    assert_eq!(rig.rule(Rule::LeaveProgress), 0);
    rig.pass(Duration::from_millis(1));
    assert_eq!((rig.rule(Rule::LeaveProgress), rig.votes()), (1, vec![Vote::nullify(at(0, 0))]));

    // A valid proposal in the window, once; a new highest notarization.
    let mut rig = Rig::new(1, 4, 50);
    rig.pass(almost).proposal(0, 0, &blocks[0], None).pass(almost).notarization(0, 0, blocks[0].reference).pass(almost);
    assert_eq!(rig.rule(Rule::LeaveProgress), 0);
    rig.pass(Duration::from_millis(1));
    assert_eq!((rig.rule(Rule::LeaveProgress), rig.votes()), (1, vec![Vote::nullify(at(0, 1))]));

    // Duplicates, votes, proposals beyond the window, and notarizations below the highest do not count.
    let mut rig = Rig::new(1, 4, 50);
    rig.proposals(0, 0, &blocks[..5], None);
    rig.notarization(0, 1, blocks[1].reference);
    rig.pass(almost);
    rig.proposal(0, 2, &blocks[2], Some(at(0, 1)));
    rig.heard(2, Some(Vote::notarize(at(0, 2), blocks[2].reference)));
    rig.notarization(0, 0, blocks[0].reference).notarization(0, 1, blocks[1].reference);
    rig.pass(Duration::from_millis(1));
    assert_eq!(rig.rule(Rule::LeaveProgress), 1);
}

#[test]
fn a_proposal_that_is_not_valid_yet_does_not_reset_the_progress_timer() {
    let mut rig = Rig::new(1, 4, 50);
    rig.validates = false;
    rig.pass(TIMEOUT / 2).proposal(0, 0, &block(genesis(), 0), None).pass(TIMEOUT / 2);
    assert_eq!(rig.rule(Rule::LeaveProgress), 1);
}

#[test]
fn finality_may_lag_only_so_long_however_lively_the_term() {
    let mut rig = Rig::new(1, 4, 1_000);
    let blocks = chain(genesis(), 60, 0);
    let mut left_at = None;
    for (slot, held) in (0..).zip(&blocks) {
        rig.notarization(0, slot, held.reference).pass(BLOCK_TIME);
        if slot == 4 {
            rig.finalization(0, 4, held.reference);
        }
        if left_at.is_none() && rig.engine.status().left {
            left_at = Some(slot);
        }
    }
    // Slot 5 is the oldest unfinalized one; it was notarized at 500 ms.
    assert_eq!(left_at, Some(4 + u32::try_from(LAG.as_millis() / BLOCK_TIME.as_millis()).unwrap()));
    assert_eq!((rig.rule(Rule::LeaveFinality), rig.rule(Rule::LeaveProgress)), (1, 0));
}

#[test]
fn a_term_that_dawdles_is_left_at_its_cap() {
    // A leader that meets every slot timer: one slot just before each timeout, all of them final.
    let mut rig = Rig::new(1, 4, 10);
    let blocks = chain(genesis(), 10, 0);
    let cap = TIMEOUT + BLOCK_TIME * 15;
    for (slot, held) in (0..).zip(&blocks) {
        rig.finalization(0, slot, held.reference).pass(TIMEOUT - Duration::from_millis(10));
        if rig.engine.status().left {
            break;
        }
    }
    assert_eq!(rig.rule(Rule::LeaveCap), 1);
    let lasted = rig.now.saturating_since(crate::testing::ms(0));
    assert!(lasted >= cap && lasted < cap + TIMEOUT, "{lasted:?}");
}

#[test]
fn an_equivocating_leader_is_left_for_good_and_the_evidence_forwarded_once() {
    let mut rig = Rig::new(1, 4, 8);
    let (one, other) = (block(genesis(), 1), block(genesis(), 2));
    rig.proposal(0, 0, &one, None);
    rig.proposal(0, 0, &other, None);
    let forwarded =
        |rig: &Rig| rig.log.iter().filter(|effect| matches!(effect, Effect::ForwardEquivocation(_))).count();
    assert_eq!((rig.rule(Rule::LeaveEquivocation), forwarded(&rig)), (1, 1));
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 0))]);
    rig.proposal(0, 0, &other, None);
    assert_eq!(forwarded(&rig), 1, "once");
    let blocks = chain(one.reference, 2, 0);
    rig.finalization(0, 1, blocks[0].reference);
    assert!(rig.engine.status().left, "this leaving never heals");
    rig.proposal(0, 2, &blocks[1], Some(at(0, 1)));
    assert_eq!(rig.all_votes(VoteKind::Notarize), [at(0, 0)]);
    rig.pass(Duration::from_millis(300));
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 0), at(0, 2)], "it leaves above what is final");
}

#[test]
fn evidence_shown_by_another_convicts_too_also_before_the_term_is_entered() {
    let evidence = |rig: &Rig, term| {
        let propose = |salt| {
            let held = block(genesis(), salt);
            rig.keys.propose(crate::testing::header(term, 0, &held, None), Vec::new())
        };
        phalanx_threshold::Verified::between(&propose(1), &propose(2)).expect("two headers for one position")
    };
    for term in [0, 1] {
        let mut rig = Rig::new(2, 4, 8);
        let shown = evidence(&rig, term);
        rig.step(Input::Equivocation(shown.clone())).step(Input::Equivocation(shown));
        rig.nullification(0, 0);
        assert_eq!(rig.rule(Rule::LeaveEquivocation), 1);
        let forwarded = rig.log.iter().filter(|effect| matches!(effect, Effect::ForwardEquivocation(_))).count();
        assert_eq!(forwarded, 1);
        assert_eq!(rig.all_votes(VoteKind::Nullify), [at(term, 0)]);
    }
}

#[test]
fn the_leaders_own_nullify_is_a_hand_over() {
    let mut rig = Rig::new(1, 4, 8);
    rig.heard(0, nullify(0, 0));
    assert_eq!((rig.rule(Rule::LeaveLeaderNullify), rig.votes()), (1, vec![Vote::nullify(at(0, 0))]));

    let mut rig = Rig::new(1, 4, 8);
    rig.finalization(0, 2, chain(genesis(), 3, 0)[2].reference);
    rig.heard(0, nullify(0, 2));
    assert!(!rig.engine.status().left, "at or below the finalized slot it means nothing any more");

    let mut rig = Rig::new(2, 4, 8);
    rig.heard(1, nullify(1, 0)).nullification(0, 0);
    assert_eq!(rig.rule(Rule::LeaveLeaderNullify), 1, "also when it was heard before the term was entered");
}

#[test]
fn a_hand_over_is_not_lost_when_the_nullified_slot_becomes_final() {
    let mut rig = Rig::new(0, 4, 8);
    rig.step(Input::HandOver);
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 0))]);
    rig.finalization(0, 2, chain(genesis(), 3, 0)[2].reference);
    assert_eq!(rig.rule(Rule::Heal), 1);
    assert!(rig.engine.status().left, "it is still to be handed over");
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 0), at(0, 3)]);
}

#[test]
fn f_plus_one_others_take_the_operator_along_and_f_do_not() {
    let mut rig = Rig::new(6, 7, 8); // f = 2
    rig.heard(1, nullify(0, 0)).heard(1, nullify(0, 3)).heard(2, nullify(0, 0));
    assert!(!rig.engine.status().left, "two different operators are not f + 1");
    rig.heard(3, nullify(1, 0)).heard(3, Some(Vote::nullify(phalanx_types::Position::new(1, 0, 0))));
    assert!(!rig.engine.status().left, "another term, another epoch");
    rig.heard(3, nullify(0, 5));
    assert_eq!((rig.rule(Rule::LeaveOthers), rig.votes()), (1, vec![Vote::nullify(at(0, 0))]));
    assert_eq!(rig.rule(Rule::LeaveLeaderNullify), 0);

    let mut rig = Rig::new(6, 7, 8);
    rig.finalization(0, 1, chain(genesis(), 2, 0)[1].reference);
    rig.heard(1, nullify(0, 1)).heard(2, nullify(0, 0)).heard(3, nullify(0, 1));
    assert!(!rig.engine.status().left, "only slots above the finalized one count");
    rig.heard(1, nullify(0, 2)).heard(2, nullify(0, 2)).heard(3, nullify(0, 2));
    assert!(rig.engine.status().left);
}

#[test]
fn with_no_faults_tolerated_any_other_operator_takes_along() {
    for n in [2, 3] {
        let mut rig = Rig::new(1, n, 8);
        rig.heard(0, nullify(0, 0));
        assert!(rig.engine.status().left);
    }
    let mut rig = Rig::new(0, 1, 8);
    rig.heard(0, nullify(0, 0));
    assert!(!rig.engine.status().left, "an operator does not hear itself");
}

/// Term 0 is silent for a timeout, while operators 2 and 3 are heard, and is nullified.
fn silent_term(rig: &mut Rig, term: u64) {
    rig.pass(TIMEOUT * 8);
    for other in 0..u16::try_from(rig.config.size.n()).unwrap() {
        if OperatorIndex(other) != rig.config.size.leader(term) && OperatorIndex(other) != rig.config.me {
            rig.heard(other, None);
        }
    }
    rig.nullification(term, 0);
}

#[test]
fn a_silent_leader_is_marked_absent_and_left_at_once_the_next_time() {
    let mut settings = config(1, 4, 1);
    settings.progress_timeout_max = TIMEOUT * 1_000; // room to grow
    let mut rig = Rig::with(settings);
    silent_term(&mut rig, 0);
    assert_eq!((rig.rule(Rule::MarkAbsent), rig.engine.status().absent), (1, vec![OperatorIndex(0)]));
    for term in 1..4 {
        rig.nullification(term, 0);
    }
    assert_eq!((rig.engine.status().term, rig.rule(Rule::LeaveAbsent)), (4, 1));
    let timeout = rig.engine.status().progress_timeout;
    assert_eq!(rig.votes(), [Vote::nullify(at(4, 0))]);
    rig.nullification(4, 0);
    assert_eq!(rig.engine.status().progress_timeout, timeout, "leaving for this does not grow timeouts");
    rig.heard(0, None);
    assert_eq!((rig.rule(Rule::ClearAbsent), rig.engine.status().absent), (1, vec![]));
    for term in 5..9 {
        rig.nullification(term, 0);
    }
    assert_eq!(rig.rule(Rule::LeaveAbsent), 1, "any message, however late, clears the mark");
}

#[test]
fn silence_counts_only_while_a_quorum_is_heard_and_for_long_enough() {
    let mut rig = Rig::new(1, 4, 1);
    rig.pass(TIMEOUT * 2).heard(2, None).nullification(0, 0);
    assert_eq!(rig.rule(Rule::MarkAbsent), 0, "two of four are no quorum: it may be this operator that is cut off");

    let mut rig = Rig::new(1, 4, 1);
    rig.heard(2, None).heard(3, None).nullification(0, 0);
    assert_eq!(rig.rule(Rule::MarkAbsent), 0, "it had no time to speak");

    let mut rig = Rig::new(1, 4, 1);
    rig.heard(0, None).heard(2, None).heard(3, None).pass(TIMEOUT * 2).nullification(0, 0);
    assert_eq!(rig.rule(Rule::MarkAbsent), 0, "it was heard");
}

#[test]
fn if_more_than_f_would_be_marked_none_is() {
    // A network in which only the current leader is slow.
    let mut rig = Rig::new(3, 4, 1);
    silent_term(&mut rig, 0);
    assert_eq!(rig.engine.status().absent, [OperatorIndex(0)]);
    rig.pass(TIMEOUT * 8).heard(2, None);
    // Operator 0 stays silent, and so does the leader 1: with 2 and this one that is no quorum.
    rig.nullification(1, 0);
    assert_eq!(rig.engine.status().absent, [OperatorIndex(0)]);
    let mut rig = Rig::new(6, 7, 1); // f = 2
    silent_term(&mut rig, 0);
    for term in [1, 2] {
        rig.pass(TIMEOUT * 8);
        for other in 3..6 {
            rig.heard(other, None);
        }
        rig.heard(if term == 1 { 2 } else { 5 }, None);
        rig.nullification(term, 0);
    }
    assert_eq!(rig.rule(Rule::MarkAbsent), 2);
    // Term 2 had operators 3, 4, 5 and this one: no quorum of 5, so no third mark is tried.
    assert_eq!(rig.engine.status().absent.len(), 2);
}

#[test]
fn a_term_with_a_notarized_slot_is_not_left_for_absence() {
    let mut rig = Rig::new(1, 4, 8);
    silent_term(&mut rig, 0);
    assert_eq!(rig.engine.status().absent, [OperatorIndex(0)]);
    rig.notarization(4, 2, chain(genesis(), 3, 0)[2].reference);
    assert_eq!((rig.engine.status().term, rig.rule(Rule::LeaveAbsent)), (4, 0));
}

#[test]
fn a_higher_notarization_after_leaving_is_nullified_again_at_the_resend() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.pass(TIMEOUT);
    rig.notarization(0, 2, blocks[2].reference);
    assert_eq!(rig.votes(), [], "one operator out is no reason to hurry");
    assert_eq!(rig.all_votes(VoteKind::Finalize), [], "and no Finalize while out");
    rig.pass(Duration::from_millis(300));
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 0), at(0, 3)]);
    assert_eq!((rig.rule(Rule::NullifyAgainAtResend), rig.rule(Rule::NullifyAgainAtOnce)), (1, 0));
}

#[test]
fn with_f_plus_one_out_a_higher_notarization_is_nullified_again_at_once() {
    let blocks = chain(genesis(), 4, 0);
    let mut rig = Rig::new(1, 4, 8);
    rig.pass(TIMEOUT).heard(2, nullify(0, 0));
    rig.notarization(0, 2, blocks[2].reference);
    assert_eq!((rig.votes(), rig.rule(Rule::NullifyAgainAtOnce)), (vec![Vote::nullify(at(0, 3))], 1));

    let mut rig = Rig::new(1, 4, 8);
    rig.pass(TIMEOUT).notarization(0, 2, blocks[2].reference);
    rig.heard(2, nullify(0, 0));
    assert_eq!(rig.votes(), [Vote::nullify(at(0, 3))], "also when the others leave later");
}

#[test]
fn nullify_is_for_the_slot_above_the_highest_notarized_or_finalized_by_a_vote() {
    let mut rig = Rig::new(1, 4, 8);
    let blocks = chain(genesis(), 4, 0);
    rig.notarization(0, 2, blocks[2].reference);
    rig.pass(TIMEOUT);
    assert_eq!(rig.all_votes(VoteKind::Nullify), [at(0, 3)]);
    assert_eq!(rig.all_votes(VoteKind::Finalize), [at(0, 2)]);
}

#[test]
fn one_slot_terms_entered_by_their_own_notarization_are_over_before_they_can_be_left() {
    let mut rig = Rig::new(2, 4, 1);
    rig.heard(3, nullify(1, 0)).heard(1, nullify(1, 0)).heard(0, nullify(1, 0));
    rig.notarization(1, 0, block(genesis(), 0).reference);
    assert_eq!(rig.engine.status().term, 2);
    assert_eq!(rig.all_votes(VoteKind::Nullify), [], "there is no slot above the last");
}

#[test]
fn a_slow_clock_of_the_driver_is_no_reason_to_leave_before_what_waits_is_taken_in() {
    let mut rig = Rig::new(1, 4, 8);
    rig.now = rig.now + TIMEOUT * 2; // paused, for longer than the timeout
    rig.notarization(0, 0, block(genesis(), 0).reference);
    rig.step(Input::Tick);
    assert!(!rig.engine.status().left);
}
