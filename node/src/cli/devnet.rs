//! `phalanx devnet`: a whole cluster on this machine, every operator a process of its own.
//!
//! The devnet's process deals the keys, starts the operators, shows how the cluster does, and stops what it
//! started (and what was restarted by hand from its directory) when it ends, however it ends. It is no part
//! of the cluster: nothing goes through it.

mod children;
mod layout;
mod monitor;
mod ports;
mod report;

use super::stop;
use children::{Change, Children};
use clap::Args;
use layout::Layout;
use monitor::Monitor;
use report::Reporter;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// The most operators that one machine is asked to run.
const OPERATORS_DEVNET_MAX: u16 = 64;
/// How long the operators may take to answer after they were started.
const READY_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often readiness and deaths are looked at.
const WATCH_INTERVAL: Duration = Duration::from_millis(100);
/// How often the status is shown.
const STATUS_INTERVAL: Duration = Duration::from_secs(1);

/// `phalanx devnet`
#[derive(Clone, Debug, Args)]
pub(super) struct DevnetArgs {
    /// How many operators (a new devnet: 4).
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=i64::from(OPERATORS_DEVNET_MAX)))]
    operators: Option<u16>,
    /// The time between two blocks (a new devnet: 100ms).
    #[arg(long, value_name = "DURATION", value_parser = humantime::parse_duration)]
    block_time: Option<Duration>,
    /// How many blocks a leader makes before the next one takes over (a new devnet: 50).
    #[arg(long, value_name = "N")]
    slots_per_term: Option<u32>,
    /// Where the devnet lives. One that is there is continued.
    #[arg(long, value_name = "DIR", default_value = "devnet")]
    dir: PathBuf,
    /// Operator i serves JSON-RPC on this port + i (a new devnet: 8545; 0: any ports that are free).
    #[arg(long, value_name = "PORT")]
    rpc_port: Option<u16>,
    /// The chain's EIP-155 id (a new devnet: 31337).
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// End by itself after this time.
    #[arg(long = "for", value_name = "DURATION", value_parser = humantime::parse_duration)]
    duration: Option<Duration>,
    /// Remove the devnet in the directory first: its chain, its keys, its logs.
    #[arg(long)]
    fresh: bool,
    /// Print JSON lines: what was made, then the status once a second, then a summary.
    #[arg(long)]
    json: bool,
}

#[cfg(test)]
impl DevnetArgs {
    /// The defaults.
    pub(super) fn in_directory(directory: &std::path::Path) -> Self {
        Self {
            operators: None,
            block_time: None,
            slots_per_term: None,
            dir: directory.to_owned(),
            rpc_port: None,
            chain_id: None,
            duration: None,
            fresh: false,
            json: false,
        }
    }
}

/// Makes or continues the devnet and runs it until it is told to end.
pub(super) async fn devnet(args: DevnetArgs) -> anyhow::Result<ExitCode> {
    let stop = stop::stop_requested(false)?;
    tokio::pin!(stop);
    let layout = Layout::prepare(&args)?;
    let mut reporter = Reporter::new(args.json);
    reporter.dealt(&layout);
    let mut children = Children::start(&layout)?;
    let mut monitor = Monitor::new(&layout)?;
    let ready = tokio::select! {
        ready = wait_until_ready(&layout, &mut children, &mut monitor) => ready,
        reason = &mut stop => Err(anyhow::anyhow!("{reason} before the operators were ready")),
    };
    if let Err(error) = ready {
        children.stop().await;
        return Err(error);
    }
    reporter.ready(&layout);
    let reason = {
        let watch = watch(&mut children, &mut monitor, &mut reporter);
        let end = async {
            match args.duration {
                Some(duration) => tokio::time::sleep(duration).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = watch => "every operator is gone",
            () = end => "its time is over",
            reason = &mut stop => reason,
        }
    };
    reporter.stopping(reason);
    let all_gone = children.alive() == 0;
    monitor.poll().await;
    let mut summary = monitor.summary(children.deaths());
    summary.killed = children.stop().await;
    reporter.summary(&summary);
    let good = !all_gone && summary.killed == 0 && summary.blocks > 0;
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

async fn wait_until_ready(layout: &Layout, children: &mut Children, monitor: &mut Monitor) -> anyhow::Result<()> {
    let start = Instant::now();
    loop {
        children.check_start()?;
        monitor.poll().await;
        let silent = monitor.silent();
        if silent.is_empty() {
            return Ok(());
        }
        if start.elapsed() > READY_WAIT_MAX {
            let logs: Vec<_> = silent.iter().map(|index| layout.operators[*index].log.display().to_string()).collect();
            anyhow::bail!(
                "{} of {} operators do not answer after {}; see {}",
                silent.len(),
                layout.operators.len(),
                humantime::format_duration(READY_WAIT_MAX),
                logs.join(", ")
            );
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}

/// Shows deaths, returns and the status; ends when no operator is left and none came back for a while.
async fn watch(children: &mut Children, monitor: &mut Monitor, reporter: &mut Reporter) {
    let mut shown = Instant::now();
    let mut lonely = Instant::now();
    loop {
        for change in children.look() {
            if let Change::Died { index, .. } = &change {
                monitor.forget(*index);
            }
            reporter.change(&change);
        }
        if children.alive() > 0 {
            lonely = Instant::now();
        } else if lonely.elapsed() > children::ABANDONED_WAIT {
            return;
        }
        if shown.elapsed() >= STATUS_INTERVAL {
            shown = Instant::now();
            monitor.poll().await;
            reporter.status(&monitor.status(children.alive()));
        }
        tokio::time::sleep(WATCH_INTERVAL).await;
    }
}
