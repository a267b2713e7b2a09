//! Collectors: votes for blocks go to a few operators, what leaves a term and what is said again to everyone, and
//! whoever is not told by the collectors is told by the others.

use crate::testing::{BLOCK_TIME, Cluster, RESEND, Rig, TIMEOUT, Wire, at, block, config, genesis};
use crate::{Collectors, Effect, Recipients, Rule};
use phalanx_types::{OperatorIndex, Vote, VoteKind};

const COLLECTORS: Collectors = Collectors { above: 9, count: 2 };

#[test]
fn votes_to_collectors_reach_the_leader_and_the_next_ones_only() {
    let mut settings = config(1, 10, 8);
    settings.collectors = COLLECTORS;
    let mut rig = Rig::with(settings.clone());
    let first = block(genesis(), 0);
    rig.proposal(0, 0, &first, None);
    let only = |rig: &Rig| {
        rig.last.iter().find_map(|effect| match effect {
            Effect::Vote { recipients, .. } => Some(recipients.clone()),
            _ => None,
        })
    };
    let two = [OperatorIndex(0), OperatorIndex(2)];
    assert_eq!(only(&rig), Some(Recipients::Only(two.into())), "the leader and the next two, itself excepted");
    rig.notarization(0, 0, first.reference);
    assert!(rig.did(|effect| matches!(effect, Effect::Forward(_))), "a collector spreads the certificate");
    rig.pass(TIMEOUT * 2);
    let everyone = |effect: &Effect| matches!(effect, Effect::Vote { vote, recipients: Recipients::Everyone } if vote.kind == VoteKind::Nullify);
    assert!(rig.log.iter().any(everyone), "Nullify goes to everyone");

    settings.me = OperatorIndex(5);
    let mut rig = Rig::with(settings.clone());
    rig.notarization(0, 0, first.reference);
    assert!(!rig.did(|effect| matches!(effect, Effect::Forward(_))), "others do not");
    rig.pass(TIMEOUT);
    assert!(rig.log.iter().any(|effect| matches!(effect, Effect::Forward(_))), "until a re-send");

    settings.collectors.above = 10;
    let mut rig = Rig::with(settings);
    rig.proposal(0, 0, &first, None);
    assert_eq!(only(&rig), Some(Recipients::Everyone));
}

#[test]
fn collectors_carry_a_large_cluster_and_their_silence_only_slows_it() {
    let configure = |me| crate::Config { collectors: COLLECTORS, ..config(me, 10, 8) };
    let mut cluster = Cluster::new(10, 15, configure);
    cluster.run(BLOCK_TIME * 40);
    assert!(cluster.heights().iter().all(|height| *height >= 36), "{:?}", cluster.heights());
    let resends: u64 = (0..10).map(|index| cluster.engine(index).rule_counts().of(Rule::Resend)).sum();
    assert_eq!(resends, 0, "a healthy cluster says nothing twice");
    // Term 0's collectors, the leader among them, are f Byzantine operators that spread nothing.
    let mut cluster = Cluster::new(10, 16, configure);
    cluster.filter = Box::new(|wire, from, _, _| {
        let keeps = (0..=2).contains(&from);
        !(keeps && matches!(wire, Wire::Certificate(_)))
    });
    cluster.run(TIMEOUT * 8);
    assert!(cluster.heights().iter().all(|height| *height > 10), "{:?}", cluster.heights());
}

/// Whom the last input led to tell, and of what.
fn told(rig: &Rig) -> Option<(OperatorIndex, Vote)> {
    rig.last.iter().find_map(|effect| match effect {
        Effect::Tell { to, certificate } => Some((*to, certificate.vote)),
        _ => None,
    })
}

#[test]
fn whoever_votes_again_for_what_is_final_is_told_once_in_an_interval() {
    let first = block(genesis(), 0);
    let notarize = Vote::notarize(at(0, 0), first.reference);
    let settings = |me| crate::Config { collectors: COLLECTORS, ..config(me, 10, 8) };
    let mut rig = Rig::with(settings(5));
    rig.notarization(0, 0, first.reference);
    rig.heard(7, Some(notarize));
    assert_eq!(told(&rig), None, "it is not final yet");
    rig.finalization(0, 0, first.reference);
    let finalization = Some((OperatorIndex(7), Vote::finalize(at(0, 0), first.reference)));
    rig.heard(7, Some(notarize));
    assert_eq!(told(&rig), finalization);
    rig.heard(7, Some(Vote::nullify(at(0, 0))));
    assert_eq!(told(&rig), None, "so soon");
    rig.heard(8, Some(Vote::nullify(at(0, 0))));
    assert_eq!(told(&rig).map(|(to, _)| to), Some(OperatorIndex(8)), "another one");
    rig.heard(9, Some(Vote::nullify(at(0, 1))));
    assert_eq!(told(&rig), None, "that may still come about");
    rig.pass(RESEND);
    rig.heard(7, Some(notarize));
    assert_eq!(told(&rig), finalization);
    assert_eq!(rig.rule(Rule::TellLaggard), 3);
}

#[test]
fn a_vote_that_comes_late_to_a_collector_shows_nothing() {
    let first = block(genesis(), 0);
    let notarize = Vote::notarize(at(0, 0), first.reference);
    for (me, collectors) in [(1, COLLECTORS), (5, Collectors { above: 10, count: 2 })] {
        let mut rig = Rig::with(crate::Config { collectors, ..config(me, 10, 8) });
        rig.finalization(0, 0, first.reference);
        rig.heard(7, Some(notarize));
        assert_eq!(told(&rig), None, "a quorum is there before the last votes, at a collector and where all collect");
        rig.heard(7, Some(Vote::nullify(at(0, 0))));
        assert_eq!(told(&rig).is_some(), me == 1, "nobody in step leaves below what is final");
    }
}

#[test]
fn the_window_lets_through_what_shows_a_laggard() {
    let first = block(genesis(), 0);
    let mut rig = Rig::with(crate::Config { collectors: COLLECTORS, ..config(5, 10, 8) });
    let notarize = Vote::notarize(at(0, 0), first.reference);
    assert!(!rig.engine.window().shows_laggard(&notarize));
    rig.finalization(0, 0, first.reference);
    let window = rig.engine.window();
    assert!(window.shows_laggard(&notarize) && window.shows_laggard(&Vote::nullify(at(0, 0))));
    assert!(!window.shows_laggard(&Vote::nullify(at(0, 1))), "not final");
    assert!(!window.shows_laggard(&Vote::nullify(phalanx_types::Position::new(1, 0, 0))), "of another epoch");
    let collector = Rig::with(crate::Config { collectors: COLLECTORS, ..config(1, 10, 8) });
    assert!(!collector.engine.window().shows_laggard(&notarize));
}

/// Term 0's collectors, `f` Byzantine operators, tell as many others as make a quorum with them, and nobody else. The
/// others are told by those, although these only ever hear them vote again.
#[test]
fn collectors_that_tell_only_a_quorum_hold_nobody_up_for_a_term() {
    let configure = |me| crate::Config { collectors: COLLECTORS, ..config(me, 10, 200) };
    let mut cluster = Cluster::new(10, 18, configure);
    cluster.filter = Box::new(|wire, from, to, _| {
        let withheld = from <= 2 && to >= 7;
        !(withheld && matches!(wire, Wire::Certificate(_)))
    });
    for _ in 0..6 {
        let before = cluster.heights();
        cluster.run(TIMEOUT * 2);
        let after = cluster.heights();
        assert!(before.iter().zip(&after).all(|(before, after)| after > before), "{before:?} to {after:?}");
    }
    assert_eq!(cluster.engine(3).status().term, 0, "all in one term");
    assert!(cluster.height(3) > 100, "the others keep their pace: {:?}", cluster.heights());
}
