//! What became of every transaction, and when.
//!
//! Invariant: a transaction is counted as included, and as final, once, at the first notification. Times
//! are from its first sending.

use super::workload::Signed;
use crate::cli::RpcClient;
use alloy_primitives::B256;
use hdrhistogram::Histogram;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::{Duration, Instant};

/// The longest latency that is told apart. Unit: microseconds.
const LATENCY_US_MAX: u64 = 3_600_000_000;

#[derive(Clone, Copy, Debug)]
struct Entry {
    hash: B256,
    sent: Instant,
    accepted: bool,
    rejected: bool,
    included: bool,
    finalized: bool,
}

/// The account book of one run.
#[derive(Debug)]
pub(super) struct Ledger {
    entries: Vec<Entry>,
    by_hash: HashMap<B256, usize>,
    start: Instant,
    end: Option<Duration>,
    accepted: u64,
    rejected: u64,
    finalized: u64,
    refusal: Option<String>,
    /// Never handed over: no operator could be reached.
    pub(super) unsent: u64,
    /// Final, though no notification said so: found by asking afterwards.
    pub(super) found_late: u64,
    /// Unit: microseconds.
    pub(super) inclusion: Histogram<u64>,
    /// Unit: microseconds.
    pub(super) finality: Histogram<u64>,
    last_final: Option<Instant>,
    /// The longest time between two blocks with transactions of ours becoming final.
    pub(super) gap_max: Duration,
    final_end: Option<Duration>,
}

fn histogram() -> Histogram<u64> {
    Histogram::new_with_bounds(1, LATENCY_US_MAX, 3).expect("the bounds are in order and the digits few")
}

fn record(histogram: &mut Histogram<u64>, latency: Duration) {
    let micros = u64::try_from(latency.as_micros()).unwrap_or(LATENCY_US_MAX);
    histogram.saturating_record(micros.clamp(1, LATENCY_US_MAX));
}

impl Ledger {
    /// For `total` transactions.
    pub(super) fn new(total: u64) -> Self {
        let capacity = usize::try_from(total).unwrap_or(0);
        Self {
            entries: Vec::with_capacity(capacity),
            by_hash: HashMap::with_capacity(capacity),
            start: Instant::now(),
            end: None,
            accepted: 0,
            rejected: 0,
            finalized: 0,
            refusal: None,
            unsent: 0,
            found_late: 0,
            inclusion: histogram(),
            finality: histogram(),
            last_final: None,
            gap_max: Duration::ZERO,
            final_end: None,
        }
    }

    /// The run begins.
    pub(super) fn start(&mut self) {
        self.start = Instant::now();
    }

    /// The run ends; `unsent` were never handed over.
    pub(super) fn end(&mut self, unsent: usize) {
        self.end = Some(self.start.elapsed());
        self.unsent = unsent as u64;
    }

    /// Since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.end.unwrap_or_else(|| self.start.elapsed())
    }

    /// From the start until the last one became final.
    pub(super) fn elapsed_final(&self) -> Duration {
        self.final_end.unwrap_or_default()
    }

    /// These are being handed over; those that were before keep their time.
    pub(super) fn sent(&mut self, batch: &[Signed]) {
        let now = Instant::now();
        for signed in batch {
            if signed.index == self.entries.len() {
                self.by_hash.insert(signed.hash, signed.index);
                self.entries.push(Entry {
                    hash: signed.hash,
                    sent: now,
                    accepted: false,
                    rejected: false,
                    included: false,
                    finalized: false,
                });
            }
        }
    }

    /// An operator took these.
    pub(super) fn accepted(&mut self, indexes: &[usize]) {
        for index in indexes {
            let entry = &mut self.entries[*index];
            self.accepted += u64::from(!entry.accepted);
            entry.accepted = true;
        }
    }

    /// An operator refused this one; whether this is the first refusal of the run.
    pub(super) fn rejected(&mut self, index: usize, reason: &str) -> bool {
        let entry = &mut self.entries[index];
        self.rejected += u64::from(!entry.rejected);
        entry.rejected = true;
        let first = self.refusal.is_none();
        self.refusal.get_or_insert_with(|| reason.to_owned());
        first
    }

    /// A notarized block holds these.
    pub(super) fn included(&mut self, hashes: &[B256], at: Instant) {
        for hash in hashes {
            let Some(index) = self.by_hash.get(hash) else { continue };
            let entry = &mut self.entries[*index];
            if !std::mem::replace(&mut entry.included, true) {
                record(&mut self.inclusion, at.saturating_duration_since(entry.sent));
            }
        }
    }

    /// A final block holds these.
    pub(super) fn finalized(&mut self, hashes: &[B256], at: Instant) {
        let before = self.finalized;
        for hash in hashes {
            let Some(index) = self.by_hash.get(hash) else { continue };
            let entry = &mut self.entries[*index];
            if !std::mem::replace(&mut entry.finalized, true) {
                record(&mut self.finality, at.saturating_duration_since(entry.sent));
                self.finalized += 1;
            }
        }
        if self.finalized > before {
            let previous = self.last_final.replace(at).unwrap_or(at);
            self.gap_max = self.gap_max.max(at.saturating_duration_since(previous));
            self.final_end = Some(at.saturating_duration_since(self.start));
        }
    }

    /// Whether nothing is left to wait for.
    pub(super) fn all_final(&self) -> bool {
        self.entries.iter().all(|entry| entry.finalized || (entry.rejected && !entry.accepted))
    }

    /// Handed over at least once.
    pub(super) fn sent_count(&self) -> u64 {
        self.entries.len() as u64
    }

    /// Taken by an operator.
    pub(super) fn accepted_count(&self) -> u64 {
        self.accepted
    }

    /// Refused by an operator, for good.
    pub(super) fn rejected_count(&self) -> u64 {
        self.rejected
    }

    /// Final.
    pub(super) fn finalized_count(&self) -> u64 {
        self.finalized
    }

    /// The first refusal's words.
    pub(super) fn refusal(&self) -> Option<&str> {
        self.refusal.as_deref()
    }

    /// Taken, but not final.
    pub(super) fn lost(&self) -> Vec<B256> {
        let lost = self.entries.iter().filter(|entry| entry.accepted && !entry.finalized);
        lost.map(|entry| entry.hash).collect()
    }

    /// For the progress bar.
    pub(super) fn line(&self) -> String {
        format!(
            "{} accepted, {} refused, final p50 {:.1} ms",
            self.accepted,
            self.rejected,
            Duration::from_micros(self.finality.value_at_quantile(0.5)).as_secs_f64() * 1e3
        )
    }

    /// Asks for the receipts of those that seem lost: a notification may have been missed while an operator
    /// was away.
    pub(super) async fn settle(mut self, clients: &[RpcClient]) -> Self {
        for client in clients {
            let lost = self.lost();
            if lost.is_empty() {
                break;
            }
            let params: Vec<_> = lost.iter().map(|hash| vec![json!(hash)]).collect();
            let Ok(receipts) = client.batch::<Value>("eth_getTransactionReceipt", &params).await else { continue };
            for (hash, receipt) in lost.iter().zip(receipts) {
                if receipt.is_ok_and(|receipt| receipt.is_object()) {
                    self.entries[self.by_hash[hash]].finalized = true;
                    self.finalized += 1;
                    self.found_late += 1;
                }
            }
        }
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn signed(index: usize) -> Signed {
        let byte = u8::try_from(index + 1).expect("few");
        Signed { index, hash: B256::repeat_byte(byte), raw: Vec::new().into(), attempts: 0 }
    }

    #[test]
    fn everything_is_counted_once() {
        let mut ledger = Ledger::new(3);
        let batch = [signed(0), signed(1), signed(2)];
        ledger.sent(&batch);
        ledger.sent(&batch[..1]);
        ledger.accepted(&[0, 1]);
        ledger.accepted(&[0]);
        assert!(ledger.rejected(2, "no"));
        assert!(!ledger.rejected(2, "no again"));
        assert_eq!((ledger.sent_count(), ledger.accepted_count(), ledger.rejected_count()), (3, 2, 1));
        assert!(!ledger.all_final());
        let hashes = [batch[0].hash, B256::ZERO];
        let later = Instant::now() + Duration::from_millis(20);
        ledger.included(&hashes, later);
        ledger.finalized(&hashes, later);
        ledger.finalized(&hashes, later);
        assert_eq!(ledger.finalized_count(), 1);
        assert_eq!(ledger.finality.len(), 1);
        assert!(ledger.finality.max() >= 20_000);
        assert_eq!(ledger.lost(), vec![batch[1].hash]);
        ledger.finalized(&[batch[1].hash], later + Duration::from_millis(300));
        assert!(ledger.all_final());
        assert_eq!(ledger.gap_max, Duration::from_millis(300));
    }
}
