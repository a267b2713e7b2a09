//! `f` Byzantine operators, each with some behaviour, in clusters of any size, also of those that are not `3f + 1`.

use crate::byzantine::BehaviourKind;
use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::network::Link;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex};

pub(super) fn configure(config: &mut ClusterConfig) {
    let mut random = Random::new(config.seed, Stream::Scenario);
    random.rng().set_word_pos(1 << 24);
    if config.size.f() == 0 {
        let n = [4, 5, 6, 8, 9][random.index(5)];
        config.size = ClusterSize::new(n).expect("a few operators");
    }
    config.slots_per_term = [1, 2, 3, 4, 5, 6, 7, 8, 50][random.index(9)];
    config.liveness_bound = Duration::from_secs(20);
    if random.chance(500_000) {
        config.link = Link { loss_ppm: 30_000, straggler_ppm: 10_000, duplicate_ppm: 10_000, ..Link::GOOD };
    }
    config.byzantine = any_byzantine(config.size, &mut random);
}

/// Some `f` operators, each with any behaviour.
pub(super) fn any_byzantine(size: ClusterSize, random: &mut Random) -> Vec<(OperatorIndex, BehaviourKind)> {
    let mut operators: Vec<_> = size.operators().collect();
    let behaviour = |random: &mut Random| {
        let kind = random.index(BehaviourKind::ALL.len() + 1);
        BehaviourKind::ALL.get(kind).copied().unwrap_or(BehaviourKind::Twin)
    };
    (0..size.f()).map(|_| (operators.swap_remove(random.index(operators.len())), behaviour(random))).collect()
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    // Clients are what costs most: two seeds in three go without.
    let loaded = cluster.config().seed.is_multiple_of(3);
    cluster.set_load(loaded.then_some(Duration::from_millis(100)));
    cluster.watch_all();
    cluster.pause(Duration::from_secs(20))?;
    cluster.expect_all_committed(Duration::from_secs(30))
}
