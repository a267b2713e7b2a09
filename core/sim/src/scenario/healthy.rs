//! Nothing goes wrong, or only what a bad network does all the time.

use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::network::Link;
use core::time::Duration;

const LENGTH: Duration = Duration::from_secs(10);
const LOAD_INTERVAL: Duration = Duration::from_millis(40);

pub(super) fn configure(config: &mut ClusterConfig) {
    config.slots_per_term = [1, 4, 8, 50][usize::try_from(config.seed / 4 % 4).expect("below four")];
    config.liveness_bound = Duration::from_millis(300);
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    cluster.set_load(Some(LOAD_INTERVAL));
    cluster.watch_all();
    cluster.run_for(LENGTH)?;
    let due = LENGTH.as_millis() / cluster.config().block_time.as_millis();
    if u128::from(cluster.height_of_the_last()) * 10 < due * 9 {
        return Err(cluster.expected("nine blocks in ten come at their time"));
    }
    cluster.expect_all_committed(Duration::from_secs(2))
}

pub(super) fn configure_lossy(config: &mut ClusterConfig) {
    config.link = Link::BAD;
    config.liveness_bound = Duration::from_secs(5);
}

pub(super) fn play_lossy(cluster: &mut Cluster) -> Result<(), Failure> {
    cluster.set_load(Some(LOAD_INTERVAL));
    cluster.watch_all();
    cluster.run_for(Duration::from_secs(20))?;
    if cluster.height_of_the_last() < 20 {
        return Err(cluster.expected("a block a second, in spite of losses"));
    }
    cluster.expect_all_committed(Duration::from_secs(20))
}
