//! Small clusters: the engine with itself.

use crate::RuleCounts;
use crate::testing::{BLOCK_TIME, Cluster, TIMEOUT, config};
use core::time::Duration;

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_healthy_cluster_finalizes_a_block_each_block_time() {
    for n in [1_usize, 2, 3, 4, 5, 7, 10] {
        let mut cluster = Cluster::new(n, 7, |me| config(me, n, 8));
        cluster.run(BLOCK_TIME * 100);
        for (index, height) in cluster.heights().into_iter().enumerate() {
            assert!(height >= 95, "n = {n}: operator {index} has committed {height} of 100");
            let engine = cluster.engine(index);
            assert_eq!(engine.rule_counts().of(crate::Rule::LeaveProgress), 0, "nobody leaves a healthy term");
            assert_eq!(engine.rule_counts().of(crate::Rule::Resend), 0, "a healthy cluster says nothing twice");
        }
    }
}

#[test]
fn one_slot_terms_work_too() {
    let mut cluster = Cluster::new(4, 7, |me| config(me, 4, 1));
    cluster.run(BLOCK_TIME * 100);
    let heights = cluster.heights();
    assert!(heights.iter().all(|height| *height >= 80), "{heights:?}");
}

#[test]
fn a_dead_leader_costs_one_timeout() {
    let mut cluster = Cluster::new(4, 3, |me| config(me, 4, 8));
    cluster.run(Duration::from_millis(250));
    let before = cluster.height(1);
    cluster.crash(0);
    cluster.run(TIMEOUT + Duration::from_millis(400));
    assert!(cluster.height(1) > before, "{:?}", cluster.heights());
}

/// Losses, crashes, restarts and partitions by a seed; then peace. Safety is asserted throughout by the
/// harness, and progress after GST here.
fn storm(n: usize, slots_per_term: u32, seed: u64) -> RuleCounts {
    let mut cluster = Cluster::new(n, seed, |me| config(me, n, slots_per_term));
    for _ in 0..12 {
        cluster.loss = [0, 50, 200, 600][usize::try_from(cluster.random(4)).unwrap()];
        let slow = cluster.random(4) == 0;
        cluster.delay = if slow { (ms(10), ms(900)) } else { (ms(1), ms(30)) };
        let split = cluster.random(1 << n);
        let partitioned = cluster.random(3) == 0;
        cluster.filter = Box::new(move |_, from, to, _| !partitioned || (split >> from & 1) == (split >> to & 1));
        for index in 0..n {
            match cluster.random(6) {
                0 if cluster.nodes[index].engine.is_some() => cluster.crash(index),
                1..=3 if cluster.nodes[index].engine.is_none() => cluster.start(index),
                _ => {}
            }
        }
        let duration = 200 + cluster.random(3_000);
        cluster.run(ms(duration));
    }
    cluster.loss = 0;
    cluster.delay = (ms(5), ms(15));
    cluster.filter = Box::new(|_, _, _, _| true);
    for index in 0..n {
        if cluster.nodes[index].engine.is_none() {
            cluster.start(index);
        }
    }
    cluster.run(ms(20_000));
    let before = cluster.heights();
    cluster.run(ms(10_000));
    let after = cluster.heights();
    let mut rules = RuleCounts::default();
    for index in 0..n {
        assert_eq!(cluster.nodes[index].halted, None, "n = {n}, W = {slots_per_term}, seed {seed}");
        let grown = after[index] - before[index];
        assert!(grown >= 60, "n = {n}, W = {slots_per_term}, seed {seed}: {before:?} to {after:?}");
        rules.add(cluster.engine(index).rule_counts());
    }
    rules
}

#[test]
fn storms_break_nothing_and_progress_resumes() {
    let mut rules = RuleCounts::default();
    for seed in 0..storms() {
        let n = usize::try_from(2 + seed % 6).unwrap();
        let slots_per_term = [1, 2, 3, 8, 50][usize::try_from(seed % 5).unwrap()];
        rules.add(&storm(n, slots_per_term, seed));
    }
    for (rule, count) in rules.iter() {
        println!("{rule:?}: {count}");
    }
}

/// How many storms to try; more with `PHALANX_STORMS`.
fn storms() -> u64 {
    std::env::var("PHALANX_STORMS").ok().and_then(|count| count.parse().ok()).unwrap_or(10)
}
