//! What broke earlier drafts of the protocol.

use crate::script::{
    certificate_of, cluster, count, left, ms, next_proposal, op, progress, progress_of, reach, run, say_vote, slot,
    twin, vote_of,
};
use core::time::Duration;
use phalanx_consensus::Rule;
use phalanx_sim::byzantine::BehaviourKind;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::network::Link;
use phalanx_sim::packet::Content;
use phalanx_types::{Message, Position, Vote, VoteKind};
use std::sync::mpsc::channel;

#[test]
fn one_finalizer_restarts_without_the_notarization_that_it_relied_on() {
    // Its Finalize was counted: it may never say that it leaves at or below that slot.
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(250));
    let finalizer = op(2);
    let said = cluster.operator(finalizer).rules().of(Rule::Finalize);
    reach(&mut cluster, ms(300), "it signs Finalize", |cluster| {
        cluster.operator(finalizer).rules().of(Rule::Finalize) > said
    });
    let known = slot(&cluster, finalizer);
    cluster.crash(finalizer);
    cluster.world.network.isolate(finalizer);
    cluster.restart(finalizer);
    // Alone with its journal it times out. The checkers know what it had signed.
    reach(&mut cluster, ms(1_500), "it leaves", |cluster| left(cluster, finalizer));
    let nullified = slot(&cluster, finalizer);
    assert!(nullified >= known, "it nullifies slot {nullified}, and knew all below {known} notarized");
    cluster.world.network.heal();
    progress(&mut cluster, ms(2_000));
}

#[test]
fn all_operators_lose_power_right_after_journalling_nullify() {
    let mut cluster = cluster(4, 8, &[]);
    for _ in 0..5 {
        run(&mut cluster, ms(430));
        cluster.world.network.partition(&[]);
        reach(&mut cluster, ms(5_000), "everyone leaves", |cluster| (0..4).all(|index| left(cluster, op(index))));
        (0..4).for_each(|index| cluster.crash(op(index)));
        cluster.world.network.heal();
        (0..4).for_each(|index| cluster.restart(op(index)));
        progress(&mut cluster, ms(6_000));
    }
}

#[test]
fn a_notarization_shown_to_one_operator_only_which_then_crashes() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(250));
    let only = op(1);
    // It alone can count votes to notarize, and nothing that it says arrives.
    cluster.set_filter(move |passing| {
        let notarize = vote_of(passing.content).is_some_and(|vote| vote.kind == VoteKind::Notarize);
        passing.from != only && (!notarize || passing.to == only)
    });
    reach(&mut cluster, ms(400), "it knows more than the others", |cluster| {
        [0, 2, 3].into_iter().all(|index| slot(cluster, only) > slot(cluster, op(index)))
    });
    cluster.crash(only);
    cluster.clear_filter();
    progress_of(&mut cluster, &[0, 2, 3], ms(2_500));
    cluster.restart(only);
    progress(&mut cluster, ms(2_000));
}

#[test]
fn an_outage_longer_than_the_finality_bounds_cap() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(300));
    cluster.world.network.partition(&[vec![op(0), op(2)], vec![op(1), op(3)]]);
    // The bound of finality grows up to sixteen timeouts of 500 ms.
    run(&mut cluster, ms(30_000));
    cluster.world.network.heal();
    progress(&mut cluster, ms(6_000));
    run(&mut cluster, ms(5_000));
    assert!((0..4).all(|index| cluster.status(op(index)).expect("it runs").absent.is_empty()), "no mark outlives it");
}

#[test]
fn everyone_marked_absent_before_gst_by_a_network_in_which_only_the_current_leader_is_slow() {
    let mut cluster = cluster(4, 4, &[]);
    let slow = Link { latency: ms(5_000), ..Link::GOOD };
    let mut marked = 0;
    for _ in 0..400 {
        let leader = cluster.config().size.leader(cluster.term());
        cluster.world.network.set_all(Link::GOOD);
        for to in 0..4 {
            cluster.world.network.set_link(leader, op(to), slow);
        }
        run(&mut cluster, ms(50));
        let absent = |index| cluster.status(op(index)).map_or(0, |status| status.absent.len());
        let most = (0..4).map(absent).max().unwrap_or(0);
        marked = marked.max(most);
        assert!(most <= 1, "at most f are ever marked, not {most}");
    }
    assert!(marked > 0, "some were");
    cluster.world.network.set_all(Link::GOOD);
    progress(&mut cluster, ms(6_000));
    run(&mut cluster, ms(10_000));
    assert!((0..4).all(|index| cluster.status(op(index)).expect("it runs").absent.is_empty()));
}

#[test]
fn one_timeout_in_a_healthy_term_of_300_slots_heals_and_a_byzantine_nullify_does_not_end_it() {
    let mut cluster = cluster(4, 300, &[(3, BehaviourKind::EarlyVotes)]);
    run(&mut cluster, ms(1_000));
    cluster.world.checkers.expect_term_kept(Some(0));
    cluster.world.network.deafen(op(2));
    reach(&mut cluster, ms(1_000), "it times out", |cluster| left(cluster, op(2)));
    cluster.world.network.heal();
    reach(&mut cluster, ms(1_500), "one vote heals it", |cluster| !left(cluster, op(2)));
    assert_eq!(cluster.operator(op(2)).rules().of(Rule::Heal), 1);
    for _ in 0..100 {
        let vote = Vote::nullify(Position::new(0, 0, slot(&cluster, op(1))));
        say_vote(&mut cluster, op(3), vote);
        run(&mut cluster, ms(50));
    }
    assert!(!left(&cluster, op(2)));
    assert!(cluster.height_of_the_last() >= 60, "{}", cluster.height_of_the_last());
}

#[test]
fn one_operator_alone_holds_a_higher_notarization_its_forwards_were_lost_and_another_is_silent() {
    let mut cluster = cluster(4, 8, &[]);
    run(&mut cluster, ms(250));
    let alone = op(1);
    cluster.set_filter(move |passing| {
        let notarize = vote_of(passing.content).is_some_and(|vote| vote.kind == VoteKind::Notarize);
        let forwards = passing.from == alone && certificate_of(passing.content).is_some();
        !forwards && (!notarize || passing.to == alone)
    });
    run(&mut cluster, ms(150));
    let slots: Vec<u32> = (0..4).map(|index| slot(&cluster, op(index))).collect();
    assert!(slots[1] > slots[2] && slots[1] > slots[3], "{slots:?}");
    cluster.crash(op(0));
    run(&mut cluster, ms(1_000));
    cluster.clear_filter();
    progress_of(&mut cluster, &[1, 2, 3], ms(4_000));
}

#[test]
fn equivocation_shown_to_one_operator_only_with_finalize_held_back() {
    let mut cluster = cluster(4, 300, &[(0, BehaviourKind::EarlyVotes)]);
    let (seen, proposals) = channel();
    cluster.set_filter(move |passing| {
        if let Content::Message(message @ Message::Proposal { .. }) = passing.content
            && passing.from == op(0)
        {
            // The test may have seen enough.
            let _ = seen.send(message.clone());
        }
        // The leader's own Finalize never comes: finality needs every other vote.
        let finalize = vote_of(passing.content).is_some_and(|vote| vote.kind == VoteKind::Finalize);
        passing.from != op(0) || !finalize
    });
    run(&mut cluster, ms(950));
    assert_eq!(cluster.term(), 0);
    let (proposal, payload) = next_proposal(&mut cluster, &proposals);
    let other = twin(&cluster, &proposal, &payload, 7);
    cluster.say(op(0), op(2), other);
    // It shows the evidence to the others: they leave with it, at once, and nobody waits for a bound.
    run(&mut cluster, ms(50));
    assert_eq!(count(&cluster, Rule::LeaveEquivocation), 3);
    assert_eq!(count(&cluster, Rule::LeaveFinality) + count(&cluster, Rule::LeaveProgress), 0);
    assert_eq!(cluster.term(), 1);
    progress(&mut cluster, ms(1_000));
}

#[test]
fn thousands_of_nullified_terms_then_a_proposal_whose_justification_exceeds_any_frame() {
    let mut config = ClusterConfig::new(1, 4);
    config.block_time = ms(10);
    config.progress_timeout = ms(10);
    config.liveness_bound = Duration::from_secs(60);
    let mut cluster = Cluster::new(config);
    run(&mut cluster, ms(450));
    // Nobody sees a block: term after term is nullified, and one operator misses all of them.
    let away = op(3);
    cluster.crash(away);
    cluster.set_filter(|passing| !matches!(passing.content, Content::Message(Message::Proposal { .. })));
    let (height, from) = (cluster.height(), cluster.term());
    reach(&mut cluster, Duration::from_secs(4_000), "thousands of terms", |cluster| cluster.term() > from + 2_000);
    assert!(cluster.height() <= height + 8, "nothing new can be final");
    cluster.clear_filter();
    cluster.restart(away);
    progress(&mut cluster, Duration::from_secs(20));
    assert!(cluster.operator(away).rules().of(Rule::FetchTerms) > 0, "no frame holds that many certificates");
}
