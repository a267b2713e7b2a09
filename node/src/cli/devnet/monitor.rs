//! How the cluster of a devnet does, asked from its operators once a second.

use super::layout::Layout;
use crate::cli::RpcClient;
use crate::rpc::types::{ClusterStatus, Heights, LatencyQuantiles};
use serde::Serialize;
use std::time::{Duration, Instant};

/// An operator that takes longer is shown as silent.
const ANSWER_WAIT_MAX: Duration = Duration::from_millis(900);

/// What is shown once a second.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Status {
    /// Since the operators were ready. Unit: seconds.
    pub(super) elapsed_s: f64,
    /// Operators of the cluster.
    pub(super) operators: usize,
    /// Processes that run.
    pub(super) alive: usize,
    /// Operators that answer.
    pub(super) answering: usize,
    /// Of the operator that is furthest.
    pub(super) term: u64,
    /// Of the operator that is furthest.
    pub(super) slot: u32,
    /// Of the operator that is furthest.
    pub(super) leader: u16,
    /// Of the operator that is furthest.
    pub(super) heights: Heights,
    /// Final blocks a second since the last status.
    pub(super) blocks_per_second: f64,
    /// The slowest operator's.
    pub(super) fsync: LatencyQuantiles,
}

/// What is shown at the end.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Summary {
    /// Since the operators were ready. Unit: seconds.
    pub(super) elapsed_s: f64,
    /// Blocks that became final in this time.
    pub(super) blocks: u64,
    /// The newest final block that was seen.
    pub(super) finalized: u64,
    /// Final blocks a second.
    pub(super) blocks_per_second: f64,
    /// Terms that were entered in this time.
    pub(super) terms: u64,
    /// Operators that died unasked.
    pub(super) deaths: u32,
    /// Operators that did not end in time when asked, and were killed.
    pub(super) killed: usize,
}

/// Asks the operators.
#[derive(Debug)]
pub(super) struct Monitor {
    clients: Vec<RpcClient>,
    answers: Vec<Option<ClusterStatus>>,
    /// The furthest that was seen.
    best: Option<ClusterStatus>,
    /// When all had answered for the first time, and the height and term then.
    first: Option<(Instant, u64, u64)>,
    /// When the last status was made, and the height then.
    last: Option<(Instant, u64)>,
}

impl Monitor {
    /// Of the devnet's operators.
    pub(super) fn new(layout: &Layout) -> anyhow::Result<Self> {
        let clients: Vec<_> = layout
            .operators
            .iter()
            .map(|place| RpcClient::with_timeout(&format!("http://{}", place.ports.rpc), ANSWER_WAIT_MAX))
            .collect::<anyhow::Result<_>>()?;
        let answers = clients.iter().map(|_| None).collect();
        Ok(Self { clients, answers, best: None, first: None, last: None })
    }

    /// Asks all of them at once.
    pub(super) async fn poll(&mut self) {
        let mut asked = tokio::task::JoinSet::new();
        for (index, client) in self.clients.iter().enumerate() {
            let client = client.clone();
            asked.spawn(async move { (index, client.call::<ClusterStatus>("seq_clusterStatus", &[]).await.ok()) });
        }
        while let Some(Ok((index, answer))) = asked.join_next().await {
            let progress = |status: &ClusterStatus| (status.heights.finalized, status.heights.notarized, status.term);
            if let Some(status) = &answer
                && self.best.as_ref().is_none_or(|best| progress(best) <= progress(status))
            {
                self.best = Some(status.clone());
            }
            self.answers[index] = answer;
        }
        if self.first.is_none() && self.silent().is_empty() {
            self.first = Some((Instant::now(), self.finalized(), self.term()));
        }
    }

    /// Operators whose last answer is missing.
    pub(super) fn silent(&self) -> Vec<usize> {
        (0..self.answers.len()).filter(|index| self.answers[*index].is_none()).collect()
    }

    /// An operator is gone: what it said last no longer counts.
    pub(super) fn forget(&mut self, index: usize) {
        self.answers[index] = None;
    }

    fn finalized(&self) -> u64 {
        self.best.as_ref().map_or(0, |best| best.heights.finalized)
    }

    fn term(&self) -> u64 {
        self.best.as_ref().map_or(0, |best| best.term)
    }

    /// What was learnt by the last poll.
    pub(super) fn status(&mut self, alive: usize) -> Status {
        let now = Instant::now();
        let finalized = self.finalized();
        let (since, from) = self.last.or(self.first.map(|(at, height, _)| (at, height))).unwrap_or((now, finalized));
        self.last = Some((now, finalized));
        let answers = || self.answers.iter().flatten();
        let slowest = answers().map(|status| status.fsync).max_by_key(|fsync| fsync.p99_us).unwrap_or_default();
        let best = self.best.as_ref();
        Status {
            elapsed_s: self.elapsed().as_secs_f64(),
            operators: self.clients.len(),
            alive,
            answering: answers().count(),
            term: self.term(),
            slot: best.map_or(0, |best| best.slot),
            leader: best.map_or(0, |best| best.leader.0),
            heights: best.map(|best| best.heights).unwrap_or_default(),
            blocks_per_second: rate(finalized.saturating_sub(from), now - since),
            fsync: slowest,
        }
    }

    fn elapsed(&self) -> Duration {
        self.first.map_or(Duration::ZERO, |(at, _, _)| at.elapsed())
    }

    /// The end; `deaths` came unasked.
    pub(super) fn summary(&self, deaths: u32) -> Summary {
        let (height, term) = self.first.map_or((0, 0), |(_, height, term)| (height, term));
        let blocks = self.finalized().saturating_sub(height);
        Summary {
            elapsed_s: self.elapsed().as_secs_f64(),
            blocks,
            finalized: self.finalized(),
            blocks_per_second: rate(blocks, self.elapsed()),
            terms: self.term().saturating_sub(term),
            deaths,
            killed: 0,
        }
    }
}

/// Events a second; 0 when no time has passed.
#[expect(clippy::cast_precision_loss, reason = "counts of blocks stay far below 2^52")]
fn rate(count: u64, time: Duration) -> f64 {
    let seconds = time.as_secs_f64();
    if seconds > 0.0 { count as f64 / seconds } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_do_not_divide_by_zero() {
        assert!(rate(5, Duration::ZERO).abs() < f64::EPSILON);
        assert!((rate(5, Duration::from_millis(500)) - 10.0).abs() < 1e-9);
    }
}
