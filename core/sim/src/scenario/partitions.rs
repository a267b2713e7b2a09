//! The network splits, in any way, and heals.

use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::OperatorIndex;

const RECOVERY: Duration = Duration::from_secs(10);

pub(super) fn configure(config: &mut ClusterConfig) {
    config.slots_per_term = [1, 4, 8, 50][usize::try_from(config.seed / 4 % 4).expect("below four")];
    config.liveness_bound = RECOVERY;
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = Random::new(cluster.config().seed, Stream::Faults);
    cluster.set_load(Some(Duration::from_millis(100)));
    for _ in 0..4 {
        cluster.watch_all();
        cluster.pause(Duration::from_millis(random.between(500, 2_000)))?;
        cluster.unwatch_all();
        split(cluster, &mut random);
        cluster.pause(Duration::from_millis(random.between(500, 8_000)))?;
        cluster.world.network.heal();
        let height = cluster.height();
        cluster.run_until_reached(RECOVERY, "progress resumes when the network heals", |cluster| {
            cluster.height_of_the_last() > height + 2
        })?;
    }
    // Whoever was cut off offers its transactions again within a minute or so, or leads before that.
    cluster.expect_all_committed(Duration::from_secs(80))
}

/// Halves, a few left out, or any set of directions cut.
fn split(cluster: &mut Cluster, random: &mut Random) {
    let mut operators: Vec<OperatorIndex> = cluster.config().size.operators().collect();
    match random.between(0, 3) {
        0 => {
            let other = operators.split_off(operators.len() / 2);
            cluster.inflict(Fault::Partition(vec![operators, other]));
        }
        1 => {
            let out = operators.swap_remove(random.index(operators.len()));
            cluster.inflict(Fault::Partition(vec![operators, vec![out]]));
        }
        2 => operators.iter().for_each(|from| {
            for to in &operators {
                if random.chance(400_000) {
                    cluster.inflict(Fault::Cut(*from, *to));
                }
            }
        }),
        _ => {
            let mut groups = vec![Vec::new(), Vec::new(), Vec::new()];
            for operator in operators {
                groups[random.index(3)].push(operator);
            }
            cluster.inflict(Fault::Partition(groups));
        }
    }
}
