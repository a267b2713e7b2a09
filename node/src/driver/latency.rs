//! Latencies as `seq_clusterStatus` shows them: the vote journal's fsync, and from proposal to final.
//!
//! Invariant: recording never waits and never allocates; the quantiles are exact to one bucket (2^(1/8),
//! about 9 %).

use crate::rpc::types::LatencyQuantiles;
use phalanx_pipeline::CommitObserver;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Eight buckets for each doubling, from 1 µs to above 4,000 s.
const BUCKETS: usize = 256;
const BUCKETS_PER_DOUBLING: f64 = 8.0;

/// Counts of latencies in logarithmic buckets.
#[derive(Debug)]
pub(crate) struct LatencyMeter {
    buckets: [AtomicU64; BUCKETS],
}

impl Default for LatencyMeter {
    fn default() -> Self {
        Self { buckets: [const { AtomicU64::new(0) }; BUCKETS] }
    }
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "the value is clamped to the buckets' range before"
)]
fn bucket(micros: f64) -> usize {
    (micros.max(1.0).log2() * BUCKETS_PER_DOUBLING).ceil().clamp(0.0, (BUCKETS - 1) as f64) as usize
}

#[allow(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "2^(255/8) microseconds fit in a u64 many times over"
)]
fn upper_bound_us(bucket: usize) -> u64 {
    (bucket as f64 / BUCKETS_PER_DOUBLING).exp2().round() as u64
}

impl LatencyMeter {
    /// Something took this long.
    pub(crate) fn record(&self, latency: Duration) {
        self.buckets[bucket(latency.as_secs_f64() * 1e6)].fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn latency(&self) -> LatencyQuantiles {
        let counts: Vec<u64> = self.buckets.iter().map(|bucket| bucket.load(Ordering::Relaxed)).collect();
        LatencyQuantiles { p50_us: quantile(&counts, 50), p99_us: quantile(&counts, 99) }
    }
}

/// Times the sign stage's commits.
#[derive(Debug)]
pub(crate) struct TimedCommits {
    meter: Arc<LatencyMeter>,
    begin: Option<Instant>,
}

impl TimedCommits {
    pub(crate) fn new(meter: Arc<LatencyMeter>) -> Self {
        Self { meter, begin: None }
    }
}

impl CommitObserver for TimedCommits {
    fn begins(&mut self) {
        self.begin = Some(Instant::now());
    }

    fn ended(&mut self, records: usize, bytes: usize) {
        if let Some(begin) = self.begin.take() {
            let latency = begin.elapsed();
            self.meter.record(latency);
            metrics::histogram!("phalanx_journal_commit_seconds").record(latency);
        }
        metrics::histogram!("phalanx_journal_commit_records").record(records as f64);
        metrics::counter!("phalanx_journal_bytes_total").increment(bytes as u64);
    }
}

fn quantile(counts: &[u64], percent: u64) -> u64 {
    let total: u64 = counts.iter().sum();
    let wanted = (total * percent).div_ceil(100);
    let mut seen = 0;
    for (bucket, count) in counts.iter().enumerate() {
        seen += count;
        if *count > 0 && seen >= wanted {
            return upper_bound_us(bucket);
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_within_a_bucket() {
        let meter = LatencyMeter::default();
        assert_eq!(meter.latency(), LatencyQuantiles::default());
        for micros in 1..=1_000 {
            meter.record(Duration::from_micros(micros));
        }
        let latency = meter.latency();
        assert!((500..=550).contains(&latency.p50_us), "p50 {}", latency.p50_us);
        assert!((990..=1_090).contains(&latency.p99_us), "p99 {}", latency.p99_us);
    }

    #[test]
    fn extremes_have_a_bucket() {
        let meter = LatencyMeter::default();
        meter.record(Duration::ZERO);
        meter.record(Duration::from_secs(1_000_000));
        assert_eq!(meter.latency().p50_us, 1);
    }
}
