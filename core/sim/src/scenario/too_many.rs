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

/// One honest operator goes, too, or hears nothing for a while and leaves its term: slots are notarized, none is
/// final, and terms are left for it. When it is back, so is finality.
pub(super) fn play_stalled(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster.config().seed ^ u64::MAX);
    let loaded = cluster.config().seed.is_multiple_of(3);
    cluster.set_load(loaded.then_some(Duration::from_millis(100)));
    for _ in 0..3 {
        cluster.watch_all();
        cluster.pause(Duration::from_millis(random.between(200, 2_000)))?;
        cluster.unwatch_all();
        let honest = cluster.honest();
        let away = honest[random.index(honest.len())];
        if random.chance(400_000) {
            cluster.inflict(Fault::Crash(away));
            cluster.pause(Duration::from_millis(random.between(1_000, 6_000)))?;
            cluster.restart(away);
        } else {
            deafen_and_silence_the_leader(cluster, away, &mut random)?;
        }
        let height = cluster.height();
        cluster.run_until_reached(Duration::from_secs(20), "finality comes back", |cluster| {
            cluster.height_of_the_last() > height + 2
        })?;
    }
    cluster.expect_all_committed(Duration::from_secs(30))
}

/// An operator hears nothing for longer than its timeout, and leaves; when it hears again, and of slots above the one
/// that it nullified, the leader is cut off for a moment, so that there is no progress either.
fn deafen_and_silence_the_leader(
    cluster: &mut Cluster,
    deaf: OperatorIndex,
    random: &mut Random,
) -> Result<(), Failure> {
    cluster.inflict(Fault::Deafen(deaf));
    cluster.pause(cluster.config().progress_timeout + Duration::from_millis(random.between(20, 300)))?;
    cluster.world.network.heal();
    cluster.pause(Duration::from_millis(random.between(100, 250)))?;
    let leader = cluster.config().size.leader(cluster.term());
    cluster.inflict(Fault::Isolate(leader));
    cluster.pause(Duration::from_millis(random.between(200, 700)))?;
    cluster.world.network.heal();
    Ok(())
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
