//! The result of a run, as a table or as JSON.

use super::ledger::Ledger;
use crate::cli::rpc_client::RpcClient;
use crate::cli::status::millis;
use crate::cli::table::table;
use crate::rpc::types::{ClusterStatus, LatencyQuantiles};
use hdrhistogram::Histogram;
use serde::Serialize;
use std::time::Duration;

/// Quantiles of a latency. Unit: milliseconds.
#[derive(Clone, Copy, Debug, Serialize)]
pub(super) struct Latency {
    p50: f64,
    p90: f64,
    p99: f64,
    max: f64,
}

/// One operator's own measure of a latency.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Measured {
    rpc: String,
    /// Nothing when it does not answer.
    #[serde(flatten)]
    latency: Option<LatencyQuantiles>,
}

/// Everything that was measured.
#[derive(Clone, Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Report {
    /// Of the whole run. Unit: seconds.
    elapsed_s: f64,
    sent: u64,
    accepted: u64,
    rejected: u64,
    /// The first refusal's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    refusal: Option<String>,
    /// Never handed over: no operator could be reached.
    unsent: u64,
    /// Final.
    pub(super) finalized: u64,
    /// Accepted, and not final in time.
    pub(super) lost: u64,
    /// Final, but only found by asking afterwards.
    found_late: u64,
    /// From the first sending to the last finality.
    finalized_per_second: f64,
    /// From sending to the notarization of the block.
    inclusion_ms: Latency,
    /// From sending to the finality of the block.
    finality_ms: Latency,
    /// The longest time without a transaction becoming final.
    gap_max_ms: f64,
    /// Of the operators' vote journals.
    fsync: Vec<Measured>,
    /// Of the operators, since their start: from a proposal to its block's finality.
    proposal_to_final: Vec<Measured>,
}

fn latency(histogram: &Histogram<u64>) -> Latency {
    let at = |quantile| Duration::from_micros(histogram.value_at_quantile(quantile)).as_secs_f64() * 1e3;
    let max = if histogram.is_empty() { 0.0 } else { Duration::from_micros(histogram.max()).as_secs_f64() * 1e3 };
    Latency { p50: at(0.5), p90: at(0.9), p99: at(0.99), max }
}

/// Makes it of the ledger, and asks the operators for the latency of their disks.
pub(super) async fn report(ledger: &Ledger, clients: &[RpcClient]) -> Report {
    let (mut fsync, mut proposal_to_final) = (Vec::new(), Vec::new());
    for client in clients {
        let status = client.call::<ClusterStatus>("seq_clusterStatus", &[]).await.ok();
        let measured = |latency| Measured { rpc: client.url().to_owned(), latency };
        fsync.push(measured(status.as_ref().map(|status| status.fsync)));
        proposal_to_final.push(measured(status.as_ref().map(|status| status.proposal_to_final)));
    }
    let seconds = ledger.elapsed_final().as_secs_f64();
    #[expect(clippy::cast_precision_loss, reason = "counts of transactions stay far below 2^52")]
    let finalized_per_second = if seconds > 0.0 { ledger.finalized_count() as f64 / seconds } else { 0.0 };
    Report {
        elapsed_s: ledger.elapsed().as_secs_f64(),
        sent: ledger.sent_count(),
        accepted: ledger.accepted_count(),
        rejected: ledger.rejected_count(),
        refusal: ledger.refusal().map(str::to_owned),
        unsent: ledger.unsent,
        finalized: ledger.finalized_count(),
        lost: ledger.lost().len() as u64,
        found_late: ledger.found_late,
        finalized_per_second,
        inclusion_ms: latency(&ledger.inclusion),
        finality_ms: latency(&ledger.finality),
        gap_max_ms: ledger.gap_max.as_secs_f64() * 1e3,
        fsync,
        proposal_to_final,
    }
}

/// For people.
pub(super) fn text(report: &Report) -> String {
    let row = |what: &str, latency: &Latency| {
        let Latency { p50, p90, p99, max } = latency;
        let [p50, p90, p99, max] = [p50, p90, p99, max].map(|value| format!("{value:.1} ms"));
        [what.to_owned(), p50, p90, p99, max]
    };
    let mut rows = vec![row("sent → notarized", &report.inclusion_ms), row("sent → final", &report.finality_ms)];
    let operators = [("fsync", &report.fsync), ("proposal → final", &report.proposal_to_final)];
    for (what, measured) in operators.iter().flat_map(|(what, all)| all.iter().map(move |measured| (what, measured))) {
        let show = |micros: fn(&LatencyQuantiles) -> u64| {
            measured.latency.as_ref().map_or("no answer".to_owned(), |latency| millis(micros(latency)))
        };
        let (p50, p99) = (show(|latency| latency.p50_us), show(|latency| latency.p99_us));
        rows.push([format!("{what}, {}", measured.rpc), p50, String::new(), p99, String::new()]);
    }
    let latencies = table(Some(["", "p50", "p90", "p99", "max"]), rows);
    let refusal = report.refusal.as_ref().map(|words| format!(" (\"{words}\")")).unwrap_or_default();
    format!(
        "{} sent in {:.1} s: {} accepted, {} refused{refusal}, {} not handed over\n\
         {} final, {:.1} a second; {} LOST; longest time without one becoming final {:.0} ms\n\n{latencies}",
        report.sent,
        report.elapsed_s,
        report.accepted,
        report.rejected,
        report.unsent,
        report.finalized,
        report.finalized_per_second,
        report.lost,
        report.gap_max_ms
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_run_has_no_latency() {
        let histogram = Histogram::new_with_bounds(1, 1_000, 3).expect("bounds");
        let latency = latency(&histogram);
        assert!(latency.max.abs() < f64::EPSILON && latency.p99.abs() < f64::EPSILON);
    }
}
