//! A large cluster, for how fast it can be simulated.

use crate::cluster::{Cluster, ClusterConfig, Report};
use crate::failure::Failure;
use core::time::Duration;

/// `n` operators make a block each 100 ms for `length` of virtual time.
///
/// # Errors
/// What went wrong; nothing should.
pub fn large_cluster(n: usize, length: Duration) -> Result<Report, Failure> {
    let mut cluster = Cluster::new(ClusterConfig::new(1, n));
    cluster.watch_all();
    cluster.run_for(length)?;
    let due = length.as_millis() / cluster.config().block_time.as_millis();
    if u128::from(cluster.height_of_the_last()) * 10 < due * 9 {
        return Err(cluster.expected("nine blocks in ten come at their time"));
    }
    Ok(cluster.report())
}
