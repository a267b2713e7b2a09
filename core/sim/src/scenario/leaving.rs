//! Terms that end early: by hand-over, and by blocks that an operator calls invalid.

use super::silence::at_least_four;
use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::OperatorIndex;

pub(super) fn configure(config: &mut ClusterConfig) {
    config.slots_per_term = 50;
    config.liveness_bound = Duration::from_secs(3);
}

/// Each leader hands over after a while: nobody waits for a timeout.
pub(super) fn play_hand_over(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = Random::new(cluster.config().seed, Stream::Faults);
    cluster.set_load(Some(Duration::from_millis(100)));
    cluster.watch_all();
    for _ in 0..12 {
        cluster.run_for(Duration::from_millis(random.between(300, 1_500)))?;
        let (term, height) = (cluster.term(), cluster.height());
        let leader = cluster.config().size.leader(term);
        cluster.hand_over(leader);
        cluster.run_until_reached(
            cluster.config().progress_timeout * 4 / 5,
            "the next leader goes on at once",
            |cluster| cluster.term() > term && cluster.height() > height,
        )?;
    }
    cluster.expect_all_committed(Duration::from_secs(5))
}

pub(super) fn configure_refusal(config: &mut ClusterConfig) {
    at_least_four(config);
    config.liveness_bound = Duration::from_secs(4);
}

/// One operator's execution is sick, and calls every new block invalid: it must not vote, and must halt when
/// a quorum says otherwise. Nobody else is held up.
pub(super) fn play_refusal(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = Random::new(cluster.config().seed, Stream::Faults);
    let operators: Vec<OperatorIndex> = cluster.honest();
    let sick = operators[random.index(operators.len())];
    cluster.serve_from(operators.into_iter().filter(|operator| *operator != sick).collect());
    cluster.set_load(Some(Duration::from_millis(100)));
    cluster.watch_all();
    cluster.run_for(Duration::from_millis(random.between(100, 1_000)))?;
    cluster.world.checkers.unwatch(sick);
    cluster.refuse_all(sick);
    cluster.run_until_reached(Duration::from_secs(4), "the sick operator halts", |cluster| {
        !cluster.operator(sick).is_up()
    })?;
    cluster.run_for(Duration::from_secs(2))?;
    cluster.expect_all_committed(Duration::from_secs(5))
}
