//! More faults than a cluster tolerates. Finality stops where it must, and comes back; where Byzantine operators could
//! fork the chain, honest ones that see it stop.

use super::silence::at_least_four;
use crate::byzantine::BehaviourKind;
use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_checkers::Invariant;
use phalanx_types::OperatorIndex;

fn random_of(seed: u64) -> Random {
    let mut random = Random::new(seed, Stream::Scenario);
    random.rng().set_word_pos(3 << 24);
    random
}

fn any(config: &ClusterConfig, count: usize, random: &mut Random) -> Vec<OperatorIndex> {
    let mut operators: Vec<OperatorIndex> = config.size.operators().collect();
    (0..count).map(|_| operators.swap_remove(random.index(operators.len()))).collect()
}

/// `f` operators never vote to finalize.
pub(super) fn configure_stalled(config: &mut ClusterConfig) {
    at_least_four(config);
    let mut random = random_of(config.seed);
    config.slots_per_term = [4, 8, 50, 300][random.index(4)];
    config.liveness_bound = Duration::from_secs(20);
    let byzantine = any(config, config.size.f(), &mut random);
    config.byzantine = byzantine.into_iter().map(|operator| (operator, BehaviourKind::NoFinalize)).collect();
}

/// One honest operator goes, too: slots are notarized, none is final, and terms are left for it. When it is back,
/// so is finality.
pub(super) fn play_stalled(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster.config().seed ^ u64::MAX);
    cluster.set_load(Some(Duration::from_millis(100)));
    for _ in 0..3 {
        cluster.watch_all();
        cluster.pause(Duration::from_millis(random.between(200, 2_000)))?;
        cluster.unwatch_all();
        let honest = cluster.honest();
        let away = honest[random.index(honest.len())];
        cluster.inflict(Fault::Crash(away));
        cluster.pause(Duration::from_millis(random.between(1_000, 8_000)))?;
        cluster.restart(away);
        let height = cluster.height();
        cluster.run_until_reached(Duration::from_secs(20), "finality comes back", |cluster| {
            cluster.height_of_the_last() > height + 2
        })?;
    }
    cluster.expect_all_committed(Duration::from_secs(30))
}

/// `f + 1` operators, a leader that equivocates and voters for everything.
pub(super) fn configure_broken(config: &mut ClusterConfig) {
    at_least_four(config);
    let mut random = random_of(config.seed);
    config.slots_per_term = [1, 2, 4][random.index(3)];
    let mut kinds = core::iter::once(BehaviourKind::EquivocatingLeader)
        .chain(core::iter::repeat(BehaviourKind::VotesForEverything));
    let byzantine = any(config, config.size.f() + 1, &mut random);
    config.byzantine = byzantine.into_iter().zip(&mut kinds).collect();
}

/// How soon after a fork an honest operator must have seen it.
const NOTICE: Duration = Duration::from_secs(20);

/// The chain may fork now, which the checkers notice; then an honest operator that sees two certificates which
/// contradict each other stops and shows them.
pub(super) fn play_broken(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut forked_at = None;
    for _ in 0..600 {
        match cluster.run_for(Duration::from_millis(100)) {
            Ok(()) => {}
            Err(Failure::Halted { .. }) => return Ok(()),
            // The checkers count votes, and so see first what could be; operators must see what is.
            Err(Failure::Violation(violation)) => {
                if violation.broken.invariant() == Invariant::Agreement {
                    forked_at = forked_at.or(Some(cluster.now()));
                }
                cluster.world.failure = None;
            }
            Err(other) => return Err(other),
        }
        if forked_at.is_some_and(|at| cluster.now() - at > NOTICE) {
            return Err(cluster.expected("an operator notices that more than f of them are Byzantine"));
        }
    }
    Ok(())
}
