//! `phalanx status`: the cluster at a glance, as one of its operators sees it.

use super::RPC_URL_DEFAULT;
use super::rpc_client::RpcClient;
use super::table::table;
use crate::rpc::types::{ClusterStatus, OperatorStatus};
use clap::Args;
use std::process::ExitCode;

/// `phalanx status`
#[derive(Debug, Args)]
pub(super) struct StatusArgs {
    /// The operator to ask.
    #[arg(long, value_name = "URL", default_value = RPC_URL_DEFAULT)]
    rpc: String,
    /// Print the answer as JSON.
    #[arg(long)]
    json: bool,
}

/// Asks and prints.
pub(super) async fn status(args: StatusArgs) -> anyhow::Result<ExitCode> {
    let status: ClusterStatus = RpcClient::new(&args.rpc)?.call("seq_clusterStatus", &[]).await?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&status)?);
    } else {
        println!("{}\n\n{}\n\n{}", cluster(&status), operators(&status), verdict(&status));
    }
    Ok(ExitCode::SUCCESS)
}

fn cluster(status: &ClusterStatus) -> String {
    let heights = &status.heights;
    let rows = [
        ("cluster", status.cluster_id.to_string()),
        ("chain", status.chain_id.to_string()),
        ("public key", status.public_key.to_string()),
        ("scheme", status.scheme.clone()),
        ("operators", format!("n = {}, f = {}, q = {}", status.n, status.f, status.q)),
        ("position", format!("epoch {}, term {}, slot {}", status.epoch, status.term, status.slot)),
        ("leader", name_of(status, status.leader.as_usize())),
        (
            "heights",
            format!("proposed {}, notarized {}, final {}", heights.proposed, heights.notarized, heights.finalized),
        ),
        ("fsync", format!("p50 {}, p99 {}", millis(status.fsync.p50_us), millis(status.fsync.p99_us))),
        (
            "finality",
            format!(
                "p50 {}, p99 {} from proposal",
                millis(status.proposal_to_final.p50_us),
                millis(status.proposal_to_final.p99_us)
            ),
        ),
        ("release", status.version.clone()),
    ];
    table(None, rows.map(|(what, value)| [what.to_owned(), value]))
}

fn operators(status: &ClusterStatus) -> String {
    let rows = status.operators.iter().map(|operator| {
        let leads = if operator.index == status.leader { "leader" } else { "" };
        let (connected, voted) = if operator.index == status.operator {
            ("answers", String::new())
        } else {
            (if operator.connected { "yes" } else { "NO" }, last_vote(operator))
        };
        [operator.index.to_string(), operator.name.clone(), connected.to_owned(), voted, leads.to_owned()]
    });
    table(Some(["", "operator", "connected", "last vote seen", ""]), rows)
}

fn last_vote(operator: &OperatorStatus) -> String {
    match operator.last_vote_seen_ms_ago {
        None => "never".to_owned(),
        Some(ms) if ms < 10_000 => format!("{ms} ms ago"),
        Some(ms) => format!("{} s ago", ms / 1_000),
    }
}

fn verdict(status: &ClusterStatus) -> String {
    let connected = status.operators.iter().filter(|operator| operator.connected).count();
    let missing = status.n - connected.min(status.n);
    match missing {
        0 => format!("all {} operators are connected", status.n),
        _ if connected >= status.q => {
            let more = connected - status.q;
            format!(
                "{missing} of {} operators are not connected; {more} more may fail before the chain stops",
                status.n
            )
        }
        _ => format!(
            "only {connected} of {} operators are connected, {} are needed: the chain stands still until they return",
            status.n, status.q
        ),
    }
}

fn name_of(status: &ClusterStatus, index: usize) -> String {
    match status.operators.get(index) {
        Some(operator) => format!("operator {index} ({})", operator.name),
        None => format!("operator {index}"),
    }
}

/// Microseconds as milliseconds with two decimals.
pub(super) fn millis(micros: u64) -> String {
    format!("{}.{:02} ms", micros / 1_000, micros % 1_000 / 10)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::types::{Heights, LatencyQuantiles};
    use phalanx_types::{ClusterId, OperatorIndex};

    fn status_with(connected: usize) -> ClusterStatus {
        let operators = (0..4_u16)
            .map(|index| OperatorStatus {
                index: OperatorIndex(index),
                name: format!("operator-{index}"),
                connected: usize::from(index) < connected,
                last_vote_seen_ms_ago: (index > 0).then_some(12_345),
            })
            .collect();
        ClusterStatus {
            cluster_id: ClusterId::default(),
            chain_id: 31_337,
            public_key: vec![0; 96].into(),
            scheme: "bls12381-min-sig".to_owned(),
            n: 4,
            f: 1,
            q: 3,
            operator: OperatorIndex(0),
            operators,
            epoch: 0,
            term: 7,
            slot: 3,
            leader: OperatorIndex(3),
            heights: Heights { proposed: 12, notarized: 11, finalized: 10 },
            version: "phalanx/v0.1.0".to_owned(),
            fsync: LatencyQuantiles { p50_us: 1_234, p99_us: 20 },
            proposal_to_final: LatencyQuantiles { p50_us: 8_000, p99_us: 21_000 },
        }
    }

    #[test]
    fn the_table_shows_who_leads_and_who_is_gone() {
        let status = status_with(3);
        let text = operators(&status);
        let last = text.lines().find(|line| line.contains("operator-3")).expect("operator 3 has a row");
        assert!(last.contains("NO") && last.contains("leader") && last.contains("12 s ago"), "{text}");
        assert!(cluster(&status).contains("p50 1.23 ms, p99 0.02 ms"));
    }

    #[test]
    fn the_verdict_counts_against_the_quorum() {
        assert!(verdict(&status_with(4)).contains("all 4"));
        assert!(verdict(&status_with(3)).contains("0 more may fail"));
        assert!(verdict(&status_with(2)).contains("stands still"));
    }
}
