//! Operators that are dead or hear nothing: few enough, too many, and one for a moment.

use super::SIZES;
use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex};

/// A cluster that can do without somebody.
pub(super) fn at_least_four(config: &mut ClusterConfig) {
    if config.size.f() == 0 {
        config.size = ClusterSize::new(SIZES[0]).expect("four operators");
    }
}

pub(super) fn configure_dead(config: &mut ClusterConfig) {
    at_least_four(config);
    config.slots_per_term = [2, 8][usize::try_from(config.seed / 4 % 2).expect("below two")];
    config.liveness_bound = Duration::from_secs(1);
}

/// The dead operator leads term 0: one timeout ends it. Later it is known absent, and its terms pass at
/// once.
pub(super) fn play_dead(cluster: &mut Cluster) -> Result<(), Failure> {
    let dead = OperatorIndex(0);
    cluster.crash(dead);
    cluster.serve_from(cluster.honest().into_iter().filter(|operator| *operator != dead).collect());
    cluster.set_load(Some(Duration::from_millis(100)));
    cluster.watch_all();
    cluster.run_until_reached(Duration::from_secs(2), "the dead leader is replaced", |cluster| {
        cluster.height_of_the_last() > 0
    })?;
    let (height, from) = (cluster.height_of_the_last(), cluster.now());
    cluster.run_for(Duration::from_secs(15))?;
    let due = (cluster.now() - from).as_millis() / cluster.config().block_time.as_millis();
    if u128::from(cluster.height_of_the_last() - height) * 2 < due {
        return Err(cluster.expected("half the blocks come in spite of a dead operator"));
    }
    cluster.expect_all_committed(Duration::from_secs(5))
}

pub(super) fn configure_transient(config: &mut ClusterConfig) {
    at_least_four(config);
    config.slots_per_term = 300;
    config.liveness_bound = Duration::from_secs(2);
}

/// Invariant 7.
pub(super) fn play_transient(cluster: &mut Cluster) -> Result<(), Failure> {
    cluster.watch_all();
    cluster.run_for(Duration::from_secs(2))?;
    let term = cluster.term();
    cluster.world.checkers.expect_term_kept(Some(term));
    let leader = cluster.config().size.leader(term);
    let others: Vec<OperatorIndex> = cluster.honest().into_iter().filter(|operator| *operator != leader).collect();
    let mut random = Random::new(cluster.config().seed, Stream::Faults);
    let deaf = others[random.index(others.len())];
    cluster.world.network.deafen(deaf);
    let silence = cluster.config().progress_timeout * 3 / 2;
    cluster.run_for(silence)?;
    if !cluster.operator(deaf).engine().is_some_and(|engine| engine.status().left) {
        return Err(cluster.expected("the operator that heard nothing leaves"));
    }
    cluster.world.network.heal();
    cluster.run_until_reached(Duration::from_secs(4), "the operator heals", |cluster| {
        cluster.operator(deaf).engine().is_some_and(|engine| !engine.status().left)
    })?;
    cluster.run_for(Duration::from_secs(4))
}

pub(super) fn configure_too_many(config: &mut ClusterConfig) {
    at_least_four(config);
    config.liveness_bound = Duration::from_secs(15);
}

/// Invariant 6.
pub(super) fn play_too_many(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = Random::new(cluster.config().seed, Stream::Faults);
    let size = cluster.config().size;
    for _ in 0..2 {
        cluster.watch_all();
        cluster.run_for(Duration::from_secs(3))?;
        let mut operators: Vec<OperatorIndex> = size.operators().collect();
        let silent = random.between(size.f() as u64 + 1, size.q() as u64 - 1);
        let silent: Vec<_> = (0..silent).map(|_| operators.swap_remove(random.index(operators.len()))).collect();
        cluster.unwatch_all();
        silent.iter().for_each(|operator| cluster.crash(*operator));
        // What was under way may still arrive, and make something final.
        cluster.run_for(Duration::from_secs(1))?;
        cluster.world.checkers.expect_standstill(true);
        cluster.run_for(Duration::from_millis(random.between(1_000, 12_000)))?;
        cluster.world.checkers.expect_standstill(false);
        silent.iter().for_each(|operator| cluster.restart(*operator));
        let height = cluster.height();
        cluster.run_until_reached(Duration::from_secs(15), "progress resumes", |cluster| {
            cluster.height_of_the_last() > height + 2
        })?;
    }
    Ok(())
}
