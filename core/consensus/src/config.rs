//! What an engine is started with. Cluster-wide values come from the cluster file; `pipeline_depth` and
//! the timeouts are local.

use core::time::Duration;
use phalanx_types::{BlockRef, ClusterSize, OperatorIndex};

/// The configuration of one engine.
#[derive(Clone, Debug)]
pub struct Config {
    /// This operator's seat.
    pub me: OperatorIndex,
    /// The operators of the epoch.
    pub size: ClusterSize,
    /// The epoch.
    pub epoch: u64,
    /// Finalized before term 0 of the epoch.
    pub genesis: BlockRef,
    /// `W`: slots of a term, at least 1.
    pub slots_per_term: u32,
    /// The time between two proposals of one leader.
    pub block_time: Duration,
    /// `D`: how far above the highest notarized slot a leader proposes and an operator votes, at least 1.
    pub pipeline_depth: u32,
    /// The progress timeout at rest, and the lower bound of its growth.
    pub progress_timeout_min: Duration,
    /// The upper bound of the progress timeout.
    pub progress_timeout_max: Duration,
    /// The finality lag bound at rest; it grows and shrinks with the progress timeout.
    pub finality_lag_min: Duration,
    /// The upper bound of the finality lag bound.
    pub finality_lag_max: Duration,
    /// The first interval of re-sending (rule 8), before jitter and back-off.
    pub resend_interval_min: Duration,
    /// The largest interval of re-sending.
    pub resend_interval_max: Duration,
    /// Seeds the jitter of re-sending; nothing else is random.
    pub jitter_seed: u64,
}
