//! What a devnet says: for people, with one live line at the bottom, or as JSON lines.

use super::children::Change;
use super::layout::Layout;
use super::monitor::{Status, Summary};
use crate::cli::accounts::TEST_ACCOUNTS;
use crate::cli::status::millis;
use crate::cli::table::table;
use indicatif::{ProgressBar, ProgressStyle};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;

/// How often the live line's spinner turns.
const SPINNER_INTERVAL: Duration = Duration::from_millis(250);

/// Says it.
#[derive(Debug)]
pub(super) struct Reporter {
    /// The live line; none with JSON.
    line: Option<ProgressBar>,
    configs: Vec<PathBuf>,
}

impl Reporter {
    /// For people, or as JSON.
    pub(super) fn new(json: bool) -> Self {
        let line = (!json).then(|| {
            let style = ProgressStyle::with_template("{spinner} {msg}").expect("the template is well-formed");
            ProgressBar::no_length().with_style(style)
        });
        Self { line, configs: Vec::new() }
    }

    /// The keys have been in one hand: said loudly, always, on standard error.
    pub(super) fn dealt(&mut self, layout: &Layout) {
        self.configs = layout.operators.iter().map(|place| place.config.clone()).collect();
        let what = if layout.reused { "continues" } else { "made" };
        eprintln!(
            "WARNING: a devnet's keys come from a DEALER: one process has seen every share of the cluster's key, and \
             they lie unencrypted in {}. The test accounts' keys are public. Never put anything of value on it.",
            layout.directory.display()
        );
        for warning in layout.cluster.warnings() {
            eprintln!("WARNING: {warning}.");
        }
        let size = layout.cluster.size();
        eprintln!(
            "phalanx {what} a devnet of {} operators in {}; starting them …",
            size.n(),
            layout.directory.display()
        );
    }

    /// All operators answer.
    pub(super) fn ready(&self, layout: &Layout) {
        match &self.line {
            None => print_line(&ready_json(layout)),
            Some(line) => {
                println!("{}\n", endpoints(layout));
                println!("{}\n", accounts());
                println!("cluster {} · chain {}", layout.cluster.cluster_id, layout.cluster.definition.chain_id);
                println!("  status:  phalanx status --rpc {}", rpc_url(layout, 0));
                println!(
                    "  verify:  phalanx verify --cluster {} --rpc {} --from 1 --to 100",
                    layout.cluster_path.display(),
                    rpc_url(layout, 0)
                );
                println!("  load:    phalanx bench --rpc {} --rate 200 --for 1m", rpc_url(layout, 0));
                println!("  stop:    Ctrl-C\n");
                line.enable_steady_tick(SPINNER_INTERVAL);
            }
        }
    }

    /// An operator came or went.
    pub(super) fn change(&self, change: &Change) {
        match change {
            Change::Died { index, pid, how } => {
                let config = self.configs.get(*index).map(|path| path.display().to_string()).unwrap_or_default();
                self.say(
                    &format!(
                        "operator {index} (process {pid}) is gone: {how}. Restart it: phalanx run --config {config}"
                    ),
                    &json!({ "type": "operatorDied", "operator": index, "pid": pid, "how": how }),
                );
            }
            Change::Returned { index, pid } => self.say(
                &format!("operator {index} is back (process {pid})"),
                &json!({ "type": "operatorReturned", "operator": index, "pid": pid }),
            ),
        }
    }

    /// Once a second.
    pub(super) fn status(&self, status: &Status) {
        match &self.line {
            None => print_line(&tagged("status", status)),
            Some(line) => line.set_message(live_line(status)),
        }
    }

    /// The end begins.
    pub(super) fn stopping(&self, reason: &str) {
        self.say(&format!("stopping: {reason}"), &json!({ "type": "stopping", "reason": reason }));
    }

    /// The end.
    pub(super) fn summary(&self, summary: &Summary) {
        match &self.line {
            None => print_line(&tagged("summary", summary)),
            Some(line) => {
                line.finish_and_clear();
                println!(
                    "{} blocks in {:.1} s ({:.1}/s), up to height {}; {} terms; {} died unasked, {} had to be killed",
                    summary.blocks,
                    summary.elapsed_s,
                    summary.blocks_per_second,
                    summary.finalized,
                    summary.terms,
                    summary.deaths,
                    summary.killed
                );
            }
        }
    }

    fn say(&self, text: &str, value: &Value) {
        match &self.line {
            None => print_line(value),
            // Without a terminal the bar prints nothing, not even what is said above it.
            Some(line) if line.is_hidden() => println!("{text}"),
            Some(line) => line.println(text),
        }
    }
}

fn print_line(value: &Value) {
    println!("{value}");
}

fn tagged(kind: &str, value: &impl serde::Serialize) -> Value {
    let mut value = serde_json::to_value(value).expect("numbers and names are JSON");
    value["type"] = json!(kind);
    value
}

fn rpc_url(layout: &Layout, index: usize) -> String {
    layout.operators.get(index).map(|place| format!("http://{}", place.ports.rpc)).unwrap_or_default()
}

fn ready_json(layout: &Layout) -> Value {
    let operators: Vec<_> = layout
        .operators
        .iter()
        .map(|place| {
            json!({
                "index": place.index,
                "rpc": format!("http://{}", place.ports.rpc),
                "ws": format!("ws://{}", place.ports.rpc),
                "metrics": format!("http://{}/metrics", place.ports.metrics),
                "config": place.config,
                "pid": place.pid,
                "log": place.log,
            })
        })
        .collect();
    let accounts: Vec<_> = TEST_ACCOUNTS
        .iter()
        .map(|account| json!({ "address": account.address, "privateKey": account.private_key }))
        .collect();
    json!({
        "type": "ready",
        "directory": layout.directory,
        "cluster": layout.cluster_path,
        "clusterId": layout.cluster.cluster_id,
        "chainId": layout.cluster.definition.chain_id,
        "publicKey": layout.cluster.definition.public_key,
        "operators": operators,
        "accounts": accounts,
    })
}

fn endpoints(layout: &Layout) -> String {
    let rows = layout.operators.iter().map(|place| {
        [
            place.index.to_string(),
            format!("http://{}", place.ports.rpc),
            format!("http://{}/metrics", place.ports.metrics),
            place.log.display().to_string(),
        ]
    });
    table(Some(["operator", "JSON-RPC (HTTP and WebSocket)", "metrics", "log"]), rows)
}

fn accounts() -> String {
    let header = ["account (10,000 ether each)", "private key (public: for tests only)"];
    table(Some(header), TEST_ACCOUNTS.map(|account| [account.address.to_string(), account.private_key.to_string()]))
}

fn live_line(status: &Status) -> String {
    let silent = match status.operators - status.answering.min(status.operators) {
        0 => String::new(),
        silent => format!(" · {silent} SILENT"),
    };
    format!(
        "height {} ({:.1}/s) · term {} slot {} led by operator {} · {} of {} operators run{silent} · fsync p99 {}",
        status.heights.finalized,
        status.blocks_per_second,
        status.term,
        status.slot,
        status.leader,
        status.alive,
        status.operators,
        millis(status.fsync.p99_us)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::types::{Heights, LatencyQuantiles};

    #[test]
    fn the_live_line_shows_who_is_silent() {
        let mut status = Status {
            elapsed_s: 1.0,
            operators: 4,
            alive: 4,
            answering: 4,
            term: 3,
            slot: 7,
            leader: 3,
            heights: Heights { proposed: 12, notarized: 11, finalized: 10 },
            blocks_per_second: 9.96,
            fsync: LatencyQuantiles { p50_us: 900, p99_us: 2_345 },
        };
        let line = live_line(&status);
        assert!(line.contains("height 10 (10.0/s)") && line.contains("2.34 ms") && !line.contains("SILENT"), "{line}");
        status.alive = 3;
        status.answering = 3;
        assert!(live_line(&status).contains("3 of 4 operators run · 1 SILENT"));
    }

    #[test]
    fn json_lines_are_tagged() {
        let value = tagged("status", &Heights::default());
        assert_eq!(value, json!({ "type": "status", "proposed": 0, "notarized": 0, "finalized": 0 }));
    }
}
