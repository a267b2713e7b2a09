//! What a simulated cluster is made of.

use crate::byzantine::BehaviourKind;
use crate::keys::Scheme;
use crate::network::Link;
use crate::plan::Plan;
use crate::world::Delays;
use core::time::Duration;
use phalanx_consensus::{Collectors, Config};
use phalanx_types::{B256, BlockRef, ClusterSize, OperatorIndex};

/// What a cluster is made of.
#[derive(Clone, Debug)]
pub struct ClusterConfig {
    /// Fixes everything that is left to chance.
    pub seed: u64,
    /// How many operators.
    pub size: ClusterSize,
    /// `W`.
    pub slots_per_term: u32,
    /// `D`.
    pub pipeline_depth: u32,
    /// The time between two proposals.
    pub block_time: Duration,
    /// The progress timeout at rest; all other timeouts follow from it.
    pub progress_timeout: Duration,
    /// How votes are signed.
    pub scheme: Scheme,
    /// Every link at the start.
    pub link: Link,
    /// Whether operators are spread over the regions of the world, whose latencies then apply.
    pub regions: bool,
    /// Who is Byzantine, and how.
    pub byzantine: Vec<(OperatorIndex, BehaviourKind)>,
    /// How long things take.
    pub delays: Delays,
    /// By how much wall clocks are wrong, at most.
    pub wall_skew_max: Duration,
    /// By how much monotonic clocks drift, at most. Unit: parts per million.
    pub drift_ppm_max: u32,
    /// How long a watched operator may go without a commit.
    pub liveness_bound: Duration,
    /// Where journals are compacted. Unit: bytes.
    pub compaction_bytes: u64,
    /// By how much blocks are padded. Unit: bytes.
    pub padding_bytes: u32,
    /// How many builds each operator's execution refuses. Unit: parts per million.
    pub builds_refused_ppm: u32,
    /// Who loses its payloads that are not final in a crash.
    pub loses_payloads: Vec<OperatorIndex>,
    /// To whom votes go, and when not to everyone.
    pub collectors: Collectors,
    /// What of the scenario is left out.
    pub plan: Plan,
    /// Whether the trace keeps text.
    pub verbose: bool,
}

impl ClusterConfig {
    /// `n` operators in one region, with 100 ms blocks and terms of 8 slots.
    ///
    /// # Panics
    /// When there is no cluster of that size.
    #[must_use]
    pub fn new(seed: u64, n: usize) -> Self {
        Self {
            seed,
            size: ClusterSize::new(n).expect("a size within the bounds of a cluster"),
            slots_per_term: 8,
            pipeline_depth: 4,
            block_time: Duration::from_millis(100),
            progress_timeout: Duration::from_millis(500),
            scheme: Scheme::Toy,
            link: Link::GOOD,
            regions: false,
            byzantine: Vec::new(),
            delays: Delays { sync_max: Duration::from_millis(2), execution_max: Duration::from_millis(4) },
            wall_skew_max: Duration::ZERO,
            drift_ppm_max: 0,
            liveness_bound: Duration::from_secs(3),
            compaction_bytes: phalanx_journal::COMPACTION_BYTES,
            padding_bytes: 0,
            builds_refused_ppm: 0,
            loses_payloads: Vec::new(),
            collectors: Collectors::default(),
            plan: Plan::default(),
            verbose: false,
        }
    }

    pub(super) fn genesis(&self) -> BlockRef {
        BlockRef::new(0, B256::repeat_byte(0x67))
    }

    pub(super) fn engine(&self, me: OperatorIndex) -> Config {
        let progress = self.progress_timeout;
        Config {
            me,
            size: self.size,
            epoch: 0,
            genesis: self.genesis(),
            slots_per_term: self.slots_per_term,
            block_time: self.block_time,
            pipeline_depth: self.pipeline_depth,
            progress_timeout_min: progress,
            progress_timeout_max: progress * 8,
            finality_lag_min: progress * 2,
            finality_lag_max: progress * 16,
            resend_interval_min: progress / 3,
            resend_interval_max: progress * 4,
            jitter_seed: self.seed ^ u64::from(me.0),
            collectors: self.collectors,
        }
    }
}
