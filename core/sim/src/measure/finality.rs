//! Operators all over the world: how long a block takes to become final, against what light and quorums allow.

use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::network::regions::latency;
use crate::world::Delays;
use core::time::Duration;
use phalanx_types::OperatorIndex;

/// Terms that last about so long, so that leaders of all regions come on soon.
const TERM: Duration = Duration::from_millis(500);

/// What was measured.
#[derive(Clone, Copy, Debug)]
pub struct GlobalFinality {
    /// Between two blocks, as configured.
    pub block_time: Duration,
    /// Between two proposals of one term, the median.
    pub interval: Duration,
    /// Between two blocks, changes of terms among them, the mean.
    pub mean_interval: Duration,
    /// The median of what latencies and quorums allow, over leaders and operators.
    pub bound: Duration,
    /// The median from a proposal's leaving to the commit, over all blocks and operators.
    pub median: Duration,
    /// By how much a leader's own median exceeds its own bound, at most.
    pub worst_excess: Duration,
    /// Blocks measured.
    pub blocks: u64,
}

/// For each operator, the earliest time at which it can know a block of `leader` final: the proposal travels to
/// everyone, votes of the `q` fastest make a notarization, and the same again makes a finalization. Certificates are
/// forwarded, so that what one operator knows reaches the others one delay later.
fn bounds(leader: usize, n: usize, quorum: usize) -> Vec<Duration> {
    let delay = |from: usize, to: usize| if from == to { Duration::ZERO } else { latency(from, to) };
    let certified = |sent: &[Duration]| -> Vec<Duration> {
        let alone = |to: usize| {
            let mut arrivals: Vec<Duration> = (0..n).map(|from| sent[from] + delay(from, to)).collect();
            arrivals.sort_unstable();
            arrivals[quorum - 1]
        };
        let alone: Vec<Duration> = (0..n).map(alone).collect();
        let forwarded = |to: usize| (0..n).map(|from| alone[from] + delay(from, to)).min().expect("operators");
        (0..n).map(forwarded).collect()
    };
    let proposal: Vec<Duration> = (0..n).map(|to| delay(leader, to)).collect();
    certified(&certified(&proposal))
}

fn median(mut durations: Vec<Duration>) -> Duration {
    durations.sort_unstable();
    durations.get(durations.len() / 2).copied().unwrap_or_default()
}

/// `n` operators, spread over the regions in turn, make blocks each `block_time` for `length`.
///
/// # Errors
/// What went wrong; nothing should.
pub fn global_finality(n: usize, block_time: Duration, length: Duration) -> Result<GlobalFinality, Failure> {
    let mut config = ClusterConfig::new(1, n);
    config.regions = true;
    config.block_time = block_time;
    config.slots_per_term = u32::try_from(TERM.as_micros() / block_time.as_micros()).expect("a few slots").max(2);
    config.progress_timeout = Duration::from_secs(2);
    config.liveness_bound = Duration::from_secs(2);
    // A slot is notarized a third of a second after it was proposed at the latest: so many are under way at once.
    let depth = Duration::from_millis(400).as_micros() / block_time.as_micros();
    config.pipeline_depth = u32::try_from(depth).expect("a few").clamp(4, phalanx_consensus::PIPELINE_DEPTH_MAX);
    config.delays = Delays { sync_max: Duration::from_millis(1), execution_max: Duration::from_millis(1) };
    let quorum = config.size.q();
    let mut cluster = Cluster::new(config);
    cluster.world.timeline = Some(Box::default());
    cluster.watch_all();
    // The first blocks wait for nothing that is measured.
    cluster.run_for(Duration::from_secs(1))?;
    let (from, height) = (cluster.now(), cluster.height());
    cluster.run_for(length)?;
    let blocks = cluster.height() - height;
    let mean_interval = (cluster.now() - from) / u32::try_from(blocks.max(1)).expect("few blocks");

    let timeline = cluster.world.timeline.as_ref().expect("it was asked for");
    let interval = median(timeline.intervals());
    let mut all_bounds = Vec::new();
    let mut all = Vec::new();
    let mut worst_excess = Duration::ZERO;
    for leader in 0..n {
        let index = OperatorIndex(u16::try_from(leader).expect("few"));
        let took = timeline.finalities.iter().filter(|finality| finality.leader == index);
        let took: Vec<Duration> = took.map(|finality| finality.took).collect();
        if took.is_empty() {
            continue;
        }
        let bounds = bounds(leader, n, quorum);
        worst_excess = worst_excess.max(median(took.clone()).saturating_sub(median(bounds.clone())));
        // Each leader's bounds count as often as its blocks.
        for _ in 0..took.len() / n {
            all_bounds.extend(bounds.iter().copied());
        }
        all.extend(took);
    }
    let (bound, median) = (median(all_bounds), median(all));
    Ok(GlobalFinality { block_time, interval, mean_interval, bound, median, worst_excess, blocks })
}
