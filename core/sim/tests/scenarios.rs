//! Every scenario on a few seeds (the search does many), determinism, and what the simulator must notice.

use phalanx_sim::byzantine::BehaviourKind;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::failure::Failure;
use phalanx_sim::scenario::{BLS_SEEDS, Scenario, each_write_schedules, twin_schedules};
use phalanx_types::OperatorIndex;
use std::time::Duration;

/// Seeds of 4, 7 and 1 operators; ten of them take most of the time, and are left to a few tests and to the
/// search.
const SMALL: [u64; 3] = [0, 1, 3];

/// Plays seeds, and names the command that replays the first that fails.
fn plays(scenario: Scenario, seeds: impl IntoIterator<Item = u64>) {
    for seed in seeds {
        let outcome = scenario.run(seed, false);
        if let Some(failure) = &outcome.failure {
            panic!("{failure}\n  replay with: {}", outcome.replay_command());
        }
        let report = outcome.report.expect("it did not panic");
        assert!(report.finalized > 0, "{scenario:?} with seed {seed} finalized nothing");
    }
}

#[test]
fn a_healthy_cluster_keeps_its_pace() {
    plays(Scenario::Healthy, 0..4);
}

#[test]
fn loss_reordering_and_duplication_do_not_stop_it() {
    plays(Scenario::Lossy, 0..4);
}

#[test]
fn a_dead_leader_costs_a_timeout() {
    plays(Scenario::DeadLeader, SMALL);
}

#[test]
fn a_transient_timeout_heals_without_ending_the_term() {
    plays(Scenario::TransientTimeout, SMALL);
}

#[test]
fn operators_crash_and_restart() {
    plays(Scenario::Crashes, 0..4);
}

#[test]
fn all_restart_at_once() {
    plays(Scenario::Blackout, SMALL);
}

#[test]
fn disks_fail_amid_any_write() {
    plays(Scenario::CrashAtEveryWrite, SMALL);
}

#[test]
fn one_operator_or_everyone_crashes_at_each_write() {
    // All 2,000 schedules: `phalanx-sim run --scenario crash-at-each-write --seeds 2000`.
    plays(Scenario::CrashAtEachWrite, (0..each_write_schedules()).step_by(61));
}

#[test]
fn collectors_of_a_large_cluster_fail_in_any_way() {
    // Seed by seed another trouble: every collector withholds, some tell a quorum only, some are dead.
    plays(Scenario::Collectors, [1, 2, 6]);
}

#[test]
fn nothing_accepted_is_lost_when_leaders_are_killed() {
    plays(Scenario::LeaderKilled, SMALL);
}

#[test]
fn partitions_heal() {
    plays(Scenario::Partition, SMALL);
}

#[test]
fn without_a_quorum_nothing_is_final_and_then_progress_resumes() {
    plays(Scenario::TooManySilent, SMALL);
}

#[test]
fn leaders_hand_over_without_a_timeout() {
    plays(Scenario::HandOver, SMALL);
}

#[test]
fn a_sick_execution_halts_its_operator_only() {
    plays(Scenario::Refusal, SMALL);
}

#[test]
fn byzantine_operators_change_nothing() {
    plays(Scenario::Byzantine, SMALL);
}

#[test]
fn one_key_in_two_places_forks_nothing() {
    // All 20,736 schedules: `phalanx-sim run --scenario twins --seeds 20736`.
    plays(Scenario::Twins, (0..twin_schedules()).step_by(997));
}

#[test]
fn chaos_ends_when_the_network_is_good() {
    plays(Scenario::Chaos, 0..6);
}

#[test]
fn real_signatures_make_no_difference() {
    let mut config = ClusterConfig::new(1, 4);
    config.scheme = phalanx_sim::keys::Scheme::Bls;
    let mut cluster = Cluster::new(config);
    cluster.watch_all();
    cluster.run_for(Duration::from_secs(1)).expect("a healthy cluster");
    assert!(cluster.height_of_the_last() > 5);
    let config = Scenario::Healthy.config(BLS_SEEDS - 1);
    assert_eq!(config.scheme, phalanx_sim::keys::Scheme::Bls, "a fixed share of the seeds signs with real BLS");
}

#[test]
fn one_seed_has_one_trace() {
    for scenario in [Scenario::Chaos, Scenario::Byzantine, Scenario::Crashes] {
        let hash = |seed, verbose| scenario.run(seed, verbose).report.expect("it did not panic").trace_hash;
        let first = hash(4, false);
        assert_eq!(first, hash(4, true), "{scenario:?}: the same seed twice, once with text");
        assert_ne!(first, hash(5, false), "{scenario:?}: another seed");
    }
}

#[test]
fn more_than_f_byzantine_operators_are_noticed() {
    let mut config = ClusterConfig::new(3, 4);
    config.slots_per_term = 2;
    config.byzantine = vec![
        (OperatorIndex(0), BehaviourKind::EquivocatingLeader),
        (OperatorIndex(1), BehaviourKind::VotesForEverything),
    ];
    let mut cluster = Cluster::new(config);
    let failure = cluster.run_for(Duration::from_secs(60)).expect_err("two of four can fork the chain");
    assert!(matches!(failure, Failure::Violation(_) | Failure::Halted { .. }), "{failure}");
}

#[test]
fn a_lost_quorum_is_noticed() {
    let mut cluster = Cluster::new(ClusterConfig::new(2, 4));
    cluster.watch_all();
    cluster.run_for(Duration::from_secs(1)).expect("a healthy cluster");
    cluster.crash(OperatorIndex(0));
    cluster.crash(OperatorIndex(1));
    let failure = cluster.run_for(Duration::from_secs(10)).expect_err("two of four make no quorum");
    assert!(failure.to_string().contains("Liveness"), "{failure}");
}
