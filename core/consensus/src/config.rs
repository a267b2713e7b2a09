//! What an engine is started with. Cluster-wide values come from the cluster file; `pipeline_depth` and
//! the timeouts are local.

use core::time::Duration;
use phalanx_types::{BlockRef, ClusterSize, OPERATORS_MAX, OperatorIndex};

/// The configuration of one engine.
#[derive(Clone, Debug, PartialEq, Eq)]
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
    /// To whom votes go, and when not to everyone.
    pub collectors: Collectors,
}

/// In large clusters `Notarize` and `Finalize` go to a few operators of each term, who spread the
/// certificates. Unit: operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Collectors {
    /// Clusters of more than this many operators use collectors.
    pub above: usize,
    /// `k`: how many operators after the leader collect, the leader not counted; at least 1.
    pub count: usize,
}

impl Default for Collectors {
    fn default() -> Self {
        Self { above: 64, count: 4 }
    }
}

/// The most slots that a term may have.
pub const SLOTS_PER_TERM_MAX: u32 = 1 << 16;
/// The largest `pipeline_depth`.
pub const PIPELINE_DEPTH_MAX: u32 = 64;

/// A configuration that no engine can run with. Blames whoever wrote it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The seat is outside the cluster.
    #[error("operator {me} has no seat in a cluster of {n}")]
    MisuseSeat {
        /// The seat.
        me: OperatorIndex,
        /// The operators.
        n: usize,
    },
    /// A number is outside its bounds.
    #[error("{what} is {actual}, it must lie between {min} and {max}")]
    MisuseBound {
        /// Which number.
        what: &'static str,
        /// What it is.
        actual: u64,
        /// The least that it may be.
        min: u64,
        /// The most that it may be.
        max: u64,
    },
    /// One duration must not be below another.
    #[error("{larger} ({larger_ms} ms) must not be below {smaller} ({smaller_ms} ms)")]
    MisuseOrder {
        /// What must be larger, or equal.
        larger: &'static str,
        /// Unit: milliseconds.
        larger_ms: u64,
        /// What must be smaller, or equal.
        smaller: &'static str,
        /// Unit: milliseconds.
        smaller_ms: u64,
    },
}

impl Config {
    /// Whether an engine can run with this.
    ///
    /// # Errors
    /// The first thing that is wrong with it.
    pub fn check(&self) -> Result<(), ConfigError> {
        let n = self.size.n();
        if self.me.as_usize() >= n {
            return Err(ConfigError::MisuseSeat { me: self.me, n });
        }
        between("slots_per_term", self.slots_per_term, SLOTS_PER_TERM_MAX)?;
        between("pipeline_depth", self.pipeline_depth, PIPELINE_DEPTH_MAX)?;
        self.collectors.check()?;
        let positive = ("one microsecond", Duration::from_micros(1));
        ordered(("block_time", self.block_time), positive)?;
        ordered(("resend_interval_min", self.resend_interval_min), positive)?;
        ordered(("progress_timeout_min", self.progress_timeout_min), ("block_time", self.block_time))?;
        let progress = ("progress_timeout_min", self.progress_timeout_min);
        ordered(("progress_timeout_max", self.progress_timeout_max), progress)?;
        ordered(("finality_lag_min", self.finality_lag_min), positive)?;
        ordered(("finality_lag_max", self.finality_lag_max), ("finality_lag_min", self.finality_lag_min))?;
        let resend = ("resend_interval_min", self.resend_interval_min);
        ordered(("resend_interval_max", self.resend_interval_max), resend)
    }
}

impl Collectors {
    fn check(self) -> Result<(), ConfigError> {
        // Without one after the leader nobody spreads what a Byzantine leader withholds, or carries a vote past a
        // leader that dies.
        if (1..=OPERATORS_MAX).contains(&self.count) {
            return Ok(());
        }
        let [actual, max] = [self.count, OPERATORS_MAX].map(|count| u64::try_from(count).unwrap_or(u64::MAX));
        Err(ConfigError::MisuseBound { what: "collectors.count", actual, min: 1, max })
    }
}

fn between(what: &'static str, actual: u32, max: u32) -> Result<(), ConfigError> {
    if (1..=max).contains(&actual) {
        return Ok(());
    }
    Err(ConfigError::MisuseBound { what, actual: actual.into(), min: 1, max: max.into() })
}

fn ordered(larger: (&'static str, Duration), smaller: (&'static str, Duration)) -> Result<(), ConfigError> {
    if larger.1 >= smaller.1 {
        return Ok(());
    }
    let milliseconds = |duration: Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    Err(ConfigError::MisuseOrder {
        larger: larger.0,
        larger_ms: milliseconds(larger.1),
        smaller: smaller.0,
        smaller_ms: milliseconds(smaller.1),
    })
}
