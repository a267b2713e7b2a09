//! Hands transactions to operators, a batch at a time, each batch to the next operator in turn.
//!
//! An operator that cannot be reached is left alone for a moment; its batch goes to another. An answer that
//! was lost leaves open whether the transaction was taken: it is sent again elsewhere, where "already known"
//! counts as taken.

use super::Event;
use super::workload::Signed;
use crate::cli::rpc_client::{BATCH_MAX, RpcClient};
use alloy_primitives::B256;
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The most batches that wait for an answer.
const IN_FLIGHT_MAX: usize = 256;
/// How long an operator that could not be reached is left alone.
const DOWN_WAIT: Duration = Duration::from_secs(1);
/// How often a transaction may be refused for a reason that passes (a full pool) before it is given up.
const ATTEMPTS_MAX: u32 = 100;

/// Sends.
#[derive(Debug)]
pub(super) struct Sender {
    clients: Vec<RpcClient>,
    start: Instant,
    /// Until when each operator is left alone. Unit: milliseconds since `start`.
    down_until_ms: Arc<[AtomicU64]>,
    turn: usize,
    in_flight: Arc<AtomicUsize>,
    events: mpsc::Sender<Event>,
}

/// What an operator's refusal means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refusal {
    /// It, or another operator, has it.
    Known,
    /// It may be taken later.
    Passing,
    /// It never will.
    Final,
}

impl Refusal {
    /// By the words that Ethereum's clients use.
    fn of(message: &str) -> Self {
        let message = message.to_lowercase();
        let says = |words: &[&str]| words.iter().any(|word| message.contains(word));
        if says(&["already known", "nonce too low", "already imported"]) {
            Self::Known
        } else if says(&["full", "limit", "too many", "overflow", "busy", "try again"]) {
            Self::Passing
        } else {
            Self::Final
        }
    }
}

impl Sender {
    /// To these operators.
    pub(super) fn new(clients: Vec<RpcClient>, events: mpsc::Sender<Event>) -> Self {
        let down_until_ms = clients.iter().map(|_| AtomicU64::new(0)).collect();
        let in_flight = Arc::new(AtomicUsize::new(0));
        Self { clients, start: Instant::now(), down_until_ms, turn: 0, in_flight, events }
    }

    /// Batches that wait for an answer.
    pub(super) fn in_flight(&self) -> usize {
        self.in_flight.load(Ordering::Relaxed)
    }

    /// Sends in the background; returns what could not be sent now.
    pub(super) fn send(&mut self, mut signed: Vec<Signed>) -> Vec<Signed> {
        while !signed.is_empty() {
            let Some(target) = self.next_target() else { return signed };
            if self.in_flight() >= IN_FLIGHT_MAX {
                return signed;
            }
            let rest = signed.split_off(signed.len().min(BATCH_MAX));
            let batch = std::mem::replace(&mut signed, rest);
            self.in_flight.fetch_add(1, Ordering::Relaxed);
            let (client, events) = (self.clients[target].clone(), self.events.clone());
            let (down_until_ms, in_flight) = (Arc::clone(&self.down_until_ms), Arc::clone(&self.in_flight));
            let start = self.start;
            tokio::spawn(async move {
                if !deliver(&client, batch, &events).await {
                    down_until_ms[target].store(millis(start.elapsed() + DOWN_WAIT), Ordering::Relaxed);
                }
                in_flight.fetch_sub(1, Ordering::Relaxed);
            });
        }
        signed
    }

    /// The next operator in turn that is not left alone.
    fn next_target(&mut self) -> Option<usize> {
        for _ in 0..self.clients.len() {
            let target = self.turn % self.clients.len();
            self.turn = self.turn.wrapping_add(1);
            if self.down_until_ms[target].load(Ordering::Relaxed) <= millis(self.start.elapsed()) {
                return Some(target);
            }
        }
        None
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Sends one batch and reports what became of it; whether the operator could be reached.
async fn deliver(client: &RpcClient, batch: Vec<Signed>, events: &mpsc::Sender<Event>) -> bool {
    let params: Vec<_> = batch.iter().map(|signed| vec![json!(signed.raw)]).collect();
    let answers = match client.batch::<B256>("eth_sendRawTransaction", &params).await {
        Ok(answers) => answers,
        Err(error) => {
            report(events, Event::Note(format!("{error:#}"))).await;
            report(events, Event::Unsent(batch)).await;
            return false;
        }
    };
    let (mut accepted, mut again) = (Vec::new(), Vec::new());
    for (mut signed, answer) in batch.into_iter().zip(answers) {
        let Err(error) = answer else {
            accepted.push(signed.index);
            continue;
        };
        match Refusal::of(error.message()) {
            Refusal::Known => accepted.push(signed.index),
            Refusal::Passing if signed.attempts < ATTEMPTS_MAX => {
                signed.attempts += 1;
                again.push(signed);
            }
            Refusal::Passing | Refusal::Final => {
                report(events, Event::Rejected(signed.index, error.message().to_owned())).await;
            }
        }
    }
    report(events, Event::Accepted(accepted)).await;
    report(events, Event::Unsent(again)).await;
    true
}

async fn report(events: &mpsc::Sender<Event>, event: Event) {
    // An error says that the run is over.
    let _ = events.send(event).await;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart() {
        assert_eq!(Refusal::of("already known"), Refusal::Known);
        assert_eq!(Refusal::of("nonce too low: next nonce 7, tx nonce 5"), Refusal::Known);
        assert_eq!(Refusal::of("txpool is full"), Refusal::Passing);
        assert_eq!(Refusal::of("insufficient funds for gas * price + value"), Refusal::Final);
    }
}
