//! `phalanx bench`: sends transfers at a steady rate and measures when they are included and final.
//!
//! What is measured is what a client sees: from handing a transaction to an operator until the notification
//! that the block holding it was notarized, and was finalized. Everything is signed ahead, so that the two
//! cores stay the operators'.

mod follower;
mod ledger;
mod report;
mod sender;
mod workload;

use super::RPC_URL_DEFAULT;
use super::rpc_client::RpcClient;
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use ledger::Ledger;
use sender::Sender;
use std::process::ExitCode;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::time::MissedTickBehavior;
use workload::{Accounts, Signed};

/// The most transactions of one run: what is remembered of each takes memory.
const TRANSACTIONS_MAX: u64 = 20_000_000;
/// How often a batch is sent.
const SEND_INTERVAL: Duration = Duration::from_millis(20);
/// How often the progress bar moves.
const SHOW_INTERVAL: Duration = Duration::from_millis(250);
/// The most events that wait to be counted.
const EVENTS_MAX: usize = 65_536;

/// `phalanx bench`
#[derive(Clone, Debug, Args)]
pub(super) struct BenchArgs {
    /// The operators to send to, in turn.
    #[arg(long, value_name = "URL", num_args = 1.., default_value = RPC_URL_DEFAULT)]
    rpc: Vec<String>,
    /// Transactions a second.
    #[arg(long, value_name = "N", default_value_t = 200, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    rate: u32,
    /// How long to send.
    #[arg(long = "for", value_name = "DURATION", default_value = "30s", value_parser = humantime::parse_duration)]
    duration: Duration,
    /// How many accounts send; they are funded from Foundry's test accounts first.
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=10_000))]
    accounts: u32,
    /// How long after the last one is sent an accepted transaction may take to become final; then it is lost.
    #[arg(long, value_name = "DURATION", default_value = "10s", value_parser = humantime::parse_duration)]
    grace: Duration,
    /// Print the result as one JSON object.
    #[arg(long)]
    json: bool,
}

/// What happens to transactions, as it is seen.
#[derive(Debug)]
enum Event {
    /// An operator took them.
    Accepted(Vec<usize>),
    /// An operator refused one, for good.
    Rejected(usize, String),
    /// No operator took these; they are to be sent again.
    Unsent(Vec<Signed>),
    /// A block with these was notarized.
    Included(Vec<alloy_primitives::B256>, Instant),
    /// A block with these is final.
    Final(Vec<alloy_primitives::B256>, Instant),
    /// Something for people.
    Note(String),
}

/// Measures.
pub(super) async fn bench(args: BenchArgs) -> anyhow::Result<ExitCode> {
    let clients: Vec<RpcClient> = args.rpc.iter().map(|url| RpcClient::new(url)).collect::<anyhow::Result<_>>()?;
    let total = (f64::from(args.rate) * args.duration.as_secs_f64()).round();
    ensure!(total >= 1.0, "--rate {} for {} sends nothing", args.rate, humantime::format_duration(args.duration));
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "positive, and bounded next")]
    let total = total as u64;
    ensure!(
        total <= TRANSACTIONS_MAX,
        "{total} transactions are more than the {TRANSACTIONS_MAX} that one run may send"
    );
    let progress = progress(&args, total);
    progress.set_message("funding accounts");
    let first = clients.first().context("--rpc names no operator")?;
    let accounts = Accounts::prepare(first, args.accounts).await?;
    progress.set_message("signing");
    let signed = workload::sign_ahead(accounts, total);
    let (events, received) = mpsc::channel(EVENTS_MAX);
    let follower = follower::start(clients.clone(), events.clone()).await?;
    let run = Run { args: &args, total, ledger: Ledger::new(total), progress: &progress, received };
    let ledger = run.run(Sender::new(clients.clone(), events), signed).await;
    follower.abort();
    let ledger = ledger?.settle(&clients).await;
    progress.finish_and_clear();
    let report = report::report(&ledger, &clients).await;
    if args.json {
        println!("{}", serde_json::to_string(&report)?);
    } else {
        println!("{}", report::text(&report));
    }
    let good = report.lost == 0 && report.finalized > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn progress(args: &BenchArgs, total: u64) -> ProgressBar {
    if args.json {
        return ProgressBar::hidden();
    }
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} final · {elapsed} · {msg}")
        .expect("the template is well-formed");
    ProgressBar::new(total).with_style(style)
}

/// One run's loop: sends what is due, counts what happens.
struct Run<'a> {
    args: &'a BenchArgs,
    total: u64,
    ledger: Ledger,
    progress: &'a ProgressBar,
    received: mpsc::Receiver<Event>,
}

impl Run<'_> {
    async fn run(mut self, mut sender: Sender, mut signed: workload::SignedAhead) -> anyhow::Result<Ledger> {
        let mut ticks = tokio::time::interval(SEND_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
        let mut again: Vec<Signed> = Vec::new();
        let mut taken: u64 = 0;
        let mut sent_last = Instant::now();
        let mut shown = Instant::now();
        self.ledger.start();
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                event = self.received.recv() => {
                    if let Some(event) = event {
                        self.count(event, &mut again);
                    }
                    continue;
                }
            }
            let due = self.due().saturating_sub(taken);
            let mut batch = std::mem::take(&mut again);
            for _ in 0..due {
                let Some(next) = signed.next()? else { break };
                batch.push(next);
                taken += 1;
            }
            if !batch.is_empty() {
                sent_last = Instant::now();
                self.ledger.sent(&batch);
                again = sender.send(batch);
            }
            if shown.elapsed() >= SHOW_INTERVAL {
                shown = Instant::now();
                self.show();
            }
            let all_sent = taken == self.total && again.is_empty() && sender.in_flight() == 0;
            let over = taken == self.total && sent_last.elapsed() >= self.args.grace;
            if (all_sent && self.ledger.all_final()) || over {
                self.ledger.end(again.len());
                return Ok(self.ledger);
            }
        }
    }

    /// How many should have been sent by now.
    fn due(&self) -> u64 {
        let elapsed = self.ledger.elapsed().min(self.args.duration);
        let due = elapsed.as_micros() * u128::from(self.args.rate) / 1_000_000;
        if elapsed == self.args.duration {
            self.total
        } else {
            u64::try_from(due).unwrap_or(self.total).min(self.total)
        }
    }

    fn count(&mut self, event: Event, again: &mut Vec<Signed>) {
        match event {
            Event::Accepted(indexes) => self.ledger.accepted(&indexes),
            Event::Rejected(index, reason) => {
                if self.ledger.rejected(index, &reason) {
                    self.progress.println(format!("an operator refuses a transaction: {reason}"));
                }
            }
            Event::Unsent(signed) => again.extend(signed),
            Event::Included(hashes, at) => self.ledger.included(&hashes, at),
            Event::Final(hashes, at) => self.ledger.finalized(&hashes, at),
            Event::Note(text) => self.progress.println(text),
        }
    }

    fn show(&self) {
        self.progress.set_position(self.ledger.finalized_count());
        self.progress.set_message(self.ledger.line());
    }
}
