//! Schedules that broke others, or earlier drafts of the protocol, on small clusters. (The simulator runs
//! them on whole operators, with disks and a network; these are about the engine alone.)

use crate::Rule;
use crate::testing::{BLOCK_TIME, Cluster, LAG, RESEND, TIMEOUT, Wire, at, block, chain, config, genesis, header};
use core::time::Duration;
use phalanx_types::{OperatorIndex, Time, Vote, VoteKind};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn rule(cluster: &Cluster, rule: Rule) -> u64 {
    (0..cluster.nodes.len()).map(|index| cluster.engine(index).rule_counts().of(rule)).sum()
}

fn assert_progress(cluster: &mut Cluster, within: Duration) {
    let before = cluster.heights().into_iter().max().unwrap();
    cluster.run(within);
    let after = cluster.heights();
    assert!(after.iter().all(|height| *height > before), "no progress within {within:?}: {after:?} after {before}");
}

#[test]
fn every_operator_crashes_right_after_its_nullify() {
    let mut cluster = Cluster::new(4, 1, |me| config(me, 4, 8));
    cluster.run(ms(450));
    // Nothing arrives any more: everyone times out and journals its Nullify.
    cluster.filter = Box::new(|_, _, _, _| false);
    cluster.run(TIMEOUT * 2);
    assert!((0..4).all(|index| cluster.engine(index).status().left));
    for index in 0..4 {
        cluster.crash(index);
    }
    cluster.filter = Box::new(|_, _, _, _| true);
    for index in 0..4 {
        cluster.start(index);
    }
    // No timer may be needed: what was journalled is sent again, and counts again, at once.
    cluster.run(RESEND);
    assert!((0..4).all(|index| cluster.engine(index).status().term == 1), "the nullification formed from the journals");
    assert_progress(&mut cluster, ms(500));
}

#[test]
fn certificates_known_to_disjoint_halves_are_brought_together() {
    let mut cluster = Cluster::new(4, 2, |me| config(me, 4, 8));
    // One half hears votes to notarize, and alone knows the certificates; then the halves are cut apart.
    cluster.filter = Box::new(|wire, from, to, now| {
        let half = |index: usize| index < 2;
        match wire {
            Wire::Certificate(_) => half(from) == half(to),
            Wire::Vote(signed) => {
                signed.vote.kind != VoteKind::Notarize || half(to) || now > Time::from_micros(3_000_000)
            }
            _ => true,
        }
    });
    cluster.run(ms(3_000));
    cluster.filter = Box::new(|_, _, _, _| true);
    assert_progress(&mut cluster, TIMEOUT * 4);
}

#[test]
fn one_operator_alone_holds_a_higher_notarization_while_another_is_silent() {
    let mut cluster = Cluster::new(4, 3, |me| config(me, 4, 8));
    cluster.run(ms(250));
    // Votes reach operator 1 only, its forwards are lost, and the leader falls silent.
    cluster.filter = Box::new(|wire, from, to, _| match wire {
        Wire::Vote(signed) => to == 1 || signed.vote.kind == VoteKind::Nullify,
        Wire::Certificate(_) => from != 1,
        _ => true,
    });
    cluster.run(ms(200));
    let slots: Vec<_> = (0..4).map(|index| cluster.engine(index).status().slot).collect();
    assert!(slots[1] > slots[2] && slots[1] > slots[3], "operator 1 alone knows more: {slots:?}");
    cluster.crash(0);
    cluster.run(TIMEOUT * 2);
    cluster.filter = Box::new(|_, from, to, _| from != 0 && to != 0);
    cluster.run(TIMEOUT);
    let heights = cluster.heights();
    cluster.run(TIMEOUT * 4);
    assert!((1..4).all(|index| cluster.height(index) > heights[index]), "the three others converge: {heights:?}");
}

#[test]
fn a_term_boundary_splits_the_operators_while_the_sticky_leader_dies() {
    let mut cluster = Cluster::new(4, 4, |me| config(me, 4, 4));
    // The certificate of the last slot reaches operators 0 and 1 only.
    cluster.filter = Box::new(|wire, from, to, _| {
        let last = |vote: &Vote| vote.position == at(0, 3) && vote.kind != VoteKind::Nullify;
        let about_last = match wire {
            Wire::Vote(signed) => last(&signed.vote) && signed.vote.kind == VoteKind::Notarize,
            Wire::Certificate(held) => last(&held.vote),
            _ => false,
        };
        from != 1 && (!about_last || to < 2)
    });
    cluster.run(ms(600));
    let terms: Vec<_> = (0..4).map(|index| cluster.engine(index).status().term).collect();
    assert_eq!(terms, [1, 1, 0, 0], "the boundary lies between them");
    cluster.crash(1); // the leader of the next term
    cluster.filter = Box::new(|_, _, _, _| true);
    let before = cluster.heights();
    cluster.run(TIMEOUT * 3);
    assert!([0, 2, 3].into_iter().all(|index| cluster.height(index) > before[index]), "{before:?}");
}

#[test]
fn one_timeout_of_one_operator_heals_and_a_single_nullify_does_not_end_the_term() {
    let mut cluster = Cluster::new(4, 5, |me| config(me, 4, 300));
    cluster.run(ms(1_000));
    // Operator 2 hears nothing for a little longer than its timeout.
    cluster.filter = Box::new(|_, _, to, _| to != 2);
    cluster.run(TIMEOUT + ms(50));
    assert!(cluster.engine(2).status().left);
    cluster.filter = Box::new(|_, _, _, _| true);
    cluster.run(ms(1_500));
    assert!(!cluster.engine(2).status().left, "healed");
    assert_eq!(cluster.engine(2).rule_counts().of(Rule::Heal), 1);
    // Afterwards one Byzantine operator says that it leaves, again and again.
    for slot in 0..100 {
        let signed = cluster.keys.sign(OperatorIndex(3), Vote::nullify(at(0, slot)));
        cluster.broadcast(3, &Wire::Vote(signed));
        cluster.run(ms(50));
    }
    assert_eq!(cluster.engine(0).status().term, 0, "the healthy term goes on");
    assert!(!cluster.engine(2).status().left);
    assert!(cluster.heights().iter().all(|height| *height >= 60), "{:?}", cluster.heights());
}

#[test]
fn an_equivocating_leader_splits_the_votes_and_loses_its_term() {
    let mut cluster = Cluster::new(4, 6, |me| config(me, 4, 8));
    cluster.crash(0);
    cluster.run(ms(50));
    let sides = [block(genesis(), 1), block(genesis(), 2)];
    let proposal = |cluster: &Cluster, side: usize| cluster.keys.propose(header(0, 0, &sides[side], None), Vec::new());
    for (to, side) in [(1, 0), (2, 0), (3, 1)] {
        let signed = proposal(&cluster, side);
        cluster.send(0, to, Wire::Proposal(signed, sides[side].clone()));
    }
    cluster.run(ms(100));
    assert_eq!(cluster.engine(1).status().slot, 0, "two votes of one kind are no quorum");
    // It shows the other side to one of them, at last.
    let signed = proposal(&cluster, 1);
    cluster.send(0, 2, Wire::Proposal(signed, sides[1].clone()));
    cluster.run(ms(100));
    for index in 1..4 {
        assert_eq!(cluster.engine(index).rule_counts().of(Rule::LeaveEquivocation), 1, "the evidence spreads");
        assert_eq!(cluster.engine(index).status().term, 1, "well before any timeout");
    }
    cluster.run(ms(600));
    assert!((1..4).all(|index| cluster.height(index) >= 2), "{:?}", cluster.heights());
}

#[test]
fn the_losing_block_of_an_equivocation_gathers_the_certificate() {
    // Operator 3 voted for another block than the one that a quorum, the leader included, notarized.
    let mut cluster = Cluster::new(4, 7, |me| config(me, 4, 8));
    cluster.crash(0);
    let sides = [block(genesis(), 1), block(genesis(), 2)];
    for (to, side) in [(1, 0), (2, 0), (3, 1)] {
        let signed = cluster.keys.propose(header(0, 0, &sides[side], None), Vec::new());
        cluster.send(0, to, Wire::Proposal(signed, sides[side].clone()));
    }
    for kind in [Vote::notarize, Vote::finalize] {
        let signed = cluster.keys.sign(OperatorIndex(0), kind(at(0, 0), sides[0].reference));
        cluster.broadcast(0, &Wire::Vote(signed));
        cluster.run(ms(100));
    }
    cluster.run(RESEND * 4);
    assert!((1..4).all(|index| cluster.height(index) == 1), "operator 3 fetched it and committed it");
    assert!((1..4).all(|index| cluster.nodes[index].halted.is_none()), "nobody calls that a contradiction");
    cluster.run(TIMEOUT * 3);
    assert!((1..4).all(|index| cluster.height(index) > 2), "{:?}", cluster.heights());
}

#[test]
fn an_invalid_proposal_and_its_optimistic_children_cost_a_term_and_no_halt() {
    let mut cluster = Cluster::new(4, 8, |me| config(me, 4, 8));
    cluster.crash(0);
    let blocks = chain(genesis(), 4, 0);
    cluster.invalid.insert(blocks[1].reference.hash);
    for (slot, held) in (0..).zip(&blocks) {
        let parent = (slot > 0).then(|| at(0, slot - 1));
        let signed = cluster.keys.propose(header(0, slot, held, parent), Vec::new());
        cluster.broadcast(0, &Wire::Proposal(signed, held.clone()));
    }
    cluster.run(ms(120));
    for index in 1..4 {
        assert_eq!(cluster.engine(index).rule_counts().of(Rule::LeaveInvalid), 1);
        assert_eq!(cluster.engine(index).status().term, 1);
        assert!(cluster.nodes[index].halted.is_none());
    }
    cluster.run(ms(800));
    assert!((1..4).all(|index| cluster.height(index) >= 3), "{:?}", cluster.heights());
}

#[test]
fn a_leader_that_meets_every_timer_but_prevents_finality_loses_its_term() {
    let mut cluster = Cluster::new(4, 9, |me| config(me, 4, 1_000));
    // Only the leader's Finalize votes arrive, for a long time.
    cluster.filter = Box::new(
        |wire, from, _, _| !matches!(wire, Wire::Vote(signed) if signed.vote.kind == VoteKind::Finalize && from > 0),
    );
    cluster.run(LAG + ms(500));
    assert!(rule(&cluster, Rule::LeaveFinality) > 0);
    assert_eq!(rule(&cluster, Rule::LeaveProgress), 0, "there was progress all the time");
    cluster.filter = Box::new(|_, _, _, _| true);
    assert_progress(&mut cluster, TIMEOUT * 2);
}

#[test]
fn an_outage_longer_than_every_bound_ends_by_itself() {
    let mut cluster = Cluster::new(4, 10, |me| config(me, 4, 8));
    cluster.run(ms(300));
    cluster.filter = Box::new(|_, from, to, _| from % 2 == to % 2);
    cluster.run(LAG * 8 * 3);
    cluster.filter = Box::new(|_, _, _, _| true);
    assert_progress(&mut cluster, RESEND * 8 * 2 + TIMEOUT * 2);
    cluster.run(TIMEOUT * 8);
    assert!((0..4).all(|index| cluster.engine(index).status().absent.is_empty()), "no mark outlives the outage");
}

#[test]
fn thousands_of_nullified_terms_are_justified_by_ranges() {
    let mut cluster = Cluster::new(4, 11, |me| config(me, 4, 8));
    cluster.run(ms(450));
    let base = cluster.heights()[0];
    // Operators 0 to 2 nullify 3,000 terms among themselves; operator 3 is cut off and restarts behind.
    cluster.crash(3);
    let from = cluster.engine(0).status().term;
    let highest = (0..3).map(|index| cluster.engine(index).status().slot).max().unwrap();
    for term in from..3_002 {
        let slot = if term == from { highest } else { 0 };
        let certificate = cluster.keys.certificate(Vote::nullify(at(term, slot)));
        for to in 0..3 {
            cluster.input(to, crate::Input::Certificate(certificate));
        }
    }
    cluster.start(3);
    cluster.run(TIMEOUT * 8 + RESEND * 8);
    assert!(cluster.heights().iter().all(|height| *height > base), "{base}: {:?}", cluster.heights());
    assert!(cluster.engine(3).rule_counts().of(Rule::FetchTerms) > 0, "no frame holds that many certificates");
}

#[test]
fn an_absent_leader_is_skipped_in_one_message_delay() {
    let mut cluster = Cluster::new(4, 12, |me| config(me, 4, 4));
    cluster.run(ms(1_500));
    cluster.crash(1);
    cluster.run(TIMEOUT * 6);
    assert!(rule_of_others(&cluster, 1, Rule::LeaveAbsent) > 0);
    // Once it is known absent, its terms cost next to nothing: 4 slots of 3 leaders each 1.2 s.
    let before = cluster.height(0);
    cluster.run(BLOCK_TIME * 60);
    let grown = cluster.height(0) - before;
    assert!(grown >= 55, "{grown} of 60 blocks while a leader is absent");
    cluster.start(1);
    cluster.run(ms(3_000));
    assert!([0, 2, 3].into_iter().all(|index| cluster.engine(index).status().absent.is_empty()), "it is back");
}

fn rule_of_others(cluster: &Cluster, except: usize, rule: Rule) -> u64 {
    let others = (0..cluster.nodes.len()).filter(|index| *index != except);
    others.map(|index| cluster.engine(index).rule_counts().of(rule)).sum()
}

#[test]
fn a_hand_over_costs_no_timeout() {
    let mut cluster = Cluster::new(4, 13, |me| config(me, 4, 300));
    cluster.run(ms(1_000));
    let before = cluster.height(1);
    cluster.input(0, crate::Input::HandOver);
    cluster.run(ms(500));
    assert_eq!(cluster.engine(2).status().term, 1);
    assert!(cluster.height(1) >= before + 2, "{:?} after {before}", cluster.heights());
    assert_eq!(rule(&cluster, Rule::LeaveProgress), 0);
}

#[test]
fn quorums_at_every_small_n_progress_with_f_operators_dead_and_stop_with_one_more() {
    for n in 1..=9_u16 {
        let size = usize::from(n);
        let mut cluster = Cluster::new(size, 14, |me| config(me, size, 2));
        let (f, q) = (cluster.keys.verifier.size().f(), cluster.keys.verifier.size().q());
        cluster.run(ms(350));
        for dead in 0..f {
            cluster.crash(size - 1 - dead);
        }
        let before = cluster.height(0);
        cluster.run(TIMEOUT * 8);
        assert!(cluster.height(0) > before + 5, "n = {n} with {f} dead: {:?}", cluster.heights());
        if size > 1 {
            cluster.crash(q - 1);
            cluster.run(TIMEOUT);
            let stuck = cluster.height(0);
            cluster.run(TIMEOUT * 4);
            assert_eq!(cluster.height(0), stuck, "n = {n}: fewer than q finalize nothing");
            cluster.start(q - 1);
            cluster.run(TIMEOUT * 12);
            assert!(cluster.height(0) > stuck, "n = {n}: progress resumes when one returns");
        }
    }
}

#[test]
fn an_operator_far_behind_catches_up_and_votes_again() {
    let mut cluster = Cluster::new(4, 17, |me| config(me, 4, 8));
    cluster.run(ms(450));
    cluster.crash(3);
    cluster.run(BLOCK_TIME * 300);
    cluster.start(3);
    cluster.run(ms(1_500));
    assert!(cluster.height(3) + 5 >= cluster.height(0), "{:?}", cluster.heights());
    // Its votes are needed: with another one gone, q = 3 includes it.
    cluster.crash(0);
    let before = cluster.height(1);
    cluster.run(TIMEOUT * 4);
    assert!(cluster.height(1) > before + 5, "{:?}", cluster.heights());
}

#[test]
fn leaders_that_die_in_turn_and_return_cost_one_timeout_each() {
    for seed in 0..3 {
        let mut cluster = Cluster::new(4, 100 + seed, |me| config(me, 4, 50));
        cluster.run(ms(1_000));
        for kill in 0..12 {
            let leader = cluster.engine(0).status().leader.as_usize();
            let before = cluster.heights().into_iter().max().unwrap();
            cluster.crash(leader);
            cluster.run(TIMEOUT * 3 / 2);
            let after = (0..4).filter(|index| *index != leader).map(|index| cluster.height(index)).max().unwrap();
            assert!(after > before + 1, "seed {seed}, kill {kill}: {after} after {before}");
            cluster.start(leader);
            let pause = cluster.random(1_500);
            cluster.run(ms(1_000 + pause));
        }
    }
}
