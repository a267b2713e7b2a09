//! Chaos: a cluster of real processes, each in a network namespace and on a file system of its own, under faults
//! and under load; afterwards the checkers of the simulator read what is on the disks.
//!
//! Run by `.ci/chaos`, which makes the namespaces that everything here stays in; see docs/CHAOS.md. Safety and zero
//! loss are demanded; how long finality may pause is bounded generously, since the figures are what is looked at.

mod archive;
mod audit;
mod cluster;
mod command;
mod heights;
mod kind;
mod load;
mod network;
mod operator;
mod options;
mod plan;
mod report;
mod round;
mod suite;

use anyhow::Context;
use cluster::{Files, Shape};
use kind::Kind;
use load::Load;
use network::Network;
use options::Options;
use plan::{Draw, aim, draw};
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;
use report::Report;
use round::{Fault, Outcome};
use std::path::Path;
use std::time::{Duration, Instant};
use suite::Suite;

/// Clients, and how often each sends.
const CLIENTS: u16 = 8;
const SEND_INTERVAL: Duration = Duration::from_millis(250);
const SHAPE: Shape = Shape { operators: 0, slots_per_term: 20, block_time_ms: 200 };
/// How long nothing is done to the cluster first.
const QUIET: Duration = Duration::from_secs(4);
/// How long the last transactions may take once nothing is wrong any more.
const DRAIN_MAX: Duration = Duration::from_secs(60);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "needs namespaces of its own and takes minutes; run by .ci/chaos"]
async fn the_cluster_survives() {
    let options = Options::read(|name| std::env::var(name).ok()).expect("options that make sense");
    let directory = tempfile::tempdir().expect("a directory");
    let report = match run(directory.path(), options).await {
        Ok(report) => report,
        Err(error) => {
            let kept = directory.keep();
            panic!("{error:?}\nthe operators' logs are in {}", kept.display());
        }
    };
    report.print();
    let violations = report.violations().len();
    if violations > 0 {
        panic!("{violations} violations; the operators' logs are in {}", directory.keep().display());
    }
}

async fn run(directory: &Path, options: Options) -> anyhow::Result<Report> {
    let start = Instant::now();
    let accounts = load::accounts(CLIENTS, options.seed)?;
    let shape = Shape { operators: options.operators, ..SHAPE };
    let files = cluster::make(directory, shape, &accounts)?;
    let network = Network::make(options.operators, options.seed).await?;
    let shaper = network.shaper();
    println!("{} operators, seed {}, links by {shaper}", options.operators, options.seed);
    let archive = tokio::spawn(archive::keep(files.places.clone()));
    let mut suite = Suite::start(network, &files).await?;
    let clients: Vec<_> = suite.operators.iter().map(|operator| operator.rpc.clone()).collect();
    let chain_id = files.cluster.definition.chain_id;
    let load = Load::start(clients, accounts, chain_id, SEND_INTERVAL);

    let mut skipped = Vec::new();
    let outcomes = rounds(&mut suite, &options, &mut skipped).await?;
    let ledger =
        tokio::time::timeout(DRAIN_MAX, load.finish()).await.context("the clients do not come to an end")??;
    drain(&suite, &ledger).await?;
    suite.stop()?;
    archive.abort();
    let (audit, ledger) = tokio::task::spawn_blocking(move || audit_all(&files, ledger)).await??;
    Ok(Report { options, shaper, outcomes, skipped, took: start.elapsed(), ledger, audit })
}

fn audit_all(files: &Files, ledger: load::Ledger) -> anyhow::Result<(audit::Audit, load::Ledger)> {
    Ok((audit::audit(files, &ledger)?, ledger))
}

/// The script, then what the seed says.
async fn rounds(suite: &mut Suite, options: &Options, skipped: &mut Vec<String>) -> anyhow::Result<Vec<Outcome>> {
    let mut random = ChaCha8Rng::seed_from_u64(options.seed);
    // What the figures of faults are to be compared with.
    let mut outcomes = vec![round(suite, &mut random, &Draw::scripted(&[], QUIET)).await?];
    for kind in &options.script {
        match kind.obstacle(suite.faults, &suite.tools) {
            Some(obstacle) => skipped.push(format!("{}: {obstacle}", kind.name())),
            None => outcomes.push(round(suite, &mut random, &Draw::scripted(&[*kind], kind.lasts())).await?),
        }
    }
    let possible: Vec<Kind> =
        Kind::ALL.into_iter().filter(|kind| kind.obstacle(suite.faults, &suite.tools).is_none()).collect();
    let start = Instant::now();
    while start.elapsed() < options.random {
        let drawn = draw(&mut random, &possible).context("no fault is possible here")?;
        outcomes.push(round(suite, &mut random, &drawn).await?);
    }
    Ok(outcomes)
}

async fn round(suite: &mut Suite, random: &mut ChaCha8Rng, draw: &Draw) -> anyhow::Result<Outcome> {
    let Draw { ref kinds, lasts, scripted } = *draw;
    let leader = suite.leader().await?;
    let (size, tolerated) = (suite.size(), suite.faults);
    let faults: Vec<Fault> = kinds.iter().map(|kind| aim(random, *kind, size, tolerated, leader)).collect();
    let outcome =
        round::run(suite, &faults, lasts, scripted).await.with_context(|| format!("{faults:?} for {lasts:?}"))?;
    let names: Vec<_> = faults.iter().map(|fault| format!("{} {:?}", fault.kind.name(), fault.victims)).collect();
    let Outcome { gap, recovery, ref violations, .. } = outcome;
    let names = if names.is_empty() { "nothing".to_owned() } else { names.join(" + ") };
    println!("{names} for {lasts:?}: longest gap {gap:.0?}, all well after {recovery:.0?}");
    violations.iter().for_each(|violation| println!("  VIOLATION: {violation}"));
    Ok(outcome)
}

/// Waits until what was accepted can be final: everything that was sent is executed, and what is above is final.
async fn drain(suite: &Suite, ledger: &load::Ledger) -> anyhow::Result<()> {
    let deadline = Instant::now() + DRAIN_MAX;
    while Instant::now() < deadline && !load::all_executed(&suite.operators[0].rpc, ledger).await {
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    suite.until_well(DRAIN_MAX).await
}
