//! What clients see of finality: the newest final block of every operator, asked for all the time.

use alloy_primitives::U64;
use phalanx_node::cli::RpcClient;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::task::JoinSet;

/// How often each operator is asked: how exactly gaps are measured.
const INTERVAL: Duration = Duration::from_millis(20);

#[derive(Debug, Default)]
struct Seen {
    /// The newest final block that each operator showed, and when.
    operators: Vec<Option<(Instant, u64)>>,
    /// When a block that is final somewhere was first seen to be, by ascending height.
    rises: Vec<(Instant, u64)>,
}

/// Follows finality for as long as it lives.
#[derive(Debug)]
pub(crate) struct Heights {
    seen: Arc<Mutex<Seen>>,
    _followers: JoinSet<()>,
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Heights {
    /// Starts following.
    pub(crate) fn follow(clients: &[RpcClient]) -> Self {
        let seen = Arc::new(Mutex::new(Seen { operators: vec![None; clients.len()], rises: Vec::new() }));
        let mut followers = JoinSet::new();
        for (operator, client) in clients.iter().enumerate() {
            followers.spawn(follow(operator, client.clone(), Arc::clone(&seen)));
        }
        Self { seen, _followers: followers }
    }

    /// The highest final block that anyone showed.
    pub(crate) fn highest(&self) -> u64 {
        lock(&self.seen).rises.last().map_or(0, |(_, height)| *height)
    }

    /// Whether every operator has shown this height since `since`.
    pub(crate) fn all_reached(&self, height: u64, since: Instant) -> bool {
        let seen = lock(&self.seen);
        seen.operators.iter().all(|shown| shown.is_some_and(|(at, shown)| at >= since && shown >= height))
    }

    /// What each operator showed last, for a failure's report.
    pub(crate) fn shown(&self) -> Vec<Option<u64>> {
        lock(&self.seen).operators.iter().map(|shown| shown.map(|(_, height)| height)).collect()
    }

    /// The longest time between `from` and `to` in which nothing became final anywhere. What became final just
    /// before counts from then.
    pub(crate) fn longest_gap(&self, from: Instant, to: Instant) -> Duration {
        let seen = lock(&self.seen);
        let start = seen.rises.iter().rev().map(|(at, _)| *at).find(|at| *at <= from).unwrap_or(from);
        let between = seen.rises.iter().map(|(at, _)| *at).filter(|at| *at > from && *at < to);
        let mut longest = Duration::ZERO;
        let mut last = start;
        for at in between.chain([to]) {
            longest = longest.max(at.saturating_duration_since(last));
            last = at;
        }
        longest
    }
}

async fn follow(operator: usize, client: RpcClient, seen: Arc<Mutex<Seen>>) {
    loop {
        if let Ok(height) = client.call::<U64>("eth_blockNumber", &[]).await {
            let (now, height) = (Instant::now(), height.to::<u64>());
            let mut seen = lock(&seen);
            seen.operators[operator] = Some((now, height));
            if seen.rises.last().is_none_or(|(_, highest)| height > *highest) {
                seen.rises.push((now, height));
            }
        }
        tokio::time::sleep(INTERVAL).await;
    }
}
