//! The longer bars, measured on a devnet of real processes. Ignored unless asked for: `.ci/full` runs them
//! one after the other, optimised, and makes a table of what they print.
//!
//! Each prints lines `BAR | what | measured | bar | met`. Times may be shortened for a trial by
//! `BARS_SHORTEN=10` (ten times shorter), which the lines then say.

#[path = "harness/devnet.rs"]
mod harness;

use harness::{Devnet, phalanx};
use serde_json::Value;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

/// How often the leader is killed.
const KILLS: usize = 20;
/// How long a restarted operator may take before the test gives up on it.
const RETURN_WAIT: Duration = Duration::from_secs(60);

/// How much shorter than stated everything runs.
fn shorten() -> u32 {
    std::env::var("BARS_SHORTEN").ok().and_then(|text| text.parse().ok()).unwrap_or(1)
}

fn lasting(stated: Duration) -> Duration {
    stated / shorten()
}

/// Prints one line of the table.
fn bar(what: &str, measured: f64, unit: &str, met: impl Fn(f64) -> bool, stated: &str) {
    let verdict = if met(measured) { "met" } else { "MISSED" };
    let trial = if shorten() == 1 { String::new() } else { format!(" (trial: {}x shorter)", shorten()) };
    println!("BAR | {what}{trial} | {measured:.1} {unit} | {stated} | {verdict}");
}

/// Prints a figure without a bar.
fn figure(what: &str, measured: f64, unit: &str) {
    println!("BAR | {what} | {measured:.1} {unit} | - | -");
}

/// `phalanx bench` against all operators, in the background.
fn bench(devnet: &Devnet, rate: u32, duration: Duration) -> Child {
    let mut command = phalanx();
    command.args(["bench", "--json", "--rate", &rate.to_string(), "--for", &format!("{}ms", duration.as_millis())]);
    for operator in &devnet.operators {
        command.args(["--rpc", &operator.url]);
    }
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("the program can be started")
}

fn result(bench: Child) -> Value {
    let output = bench.wait_with_output().expect("it can be waited for");
    serde_json::from_slice(&output.stdout).expect("bench prints one JSON object")
}

fn number(value: &Value) -> f64 {
    value.as_f64().expect("a number")
}

/// The value below which `share` of them lie.
fn quantile(mut values: Vec<f64>, share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few")]
    let index = ((values.len() as f64 * share).ceil() as usize).clamp(1, values.len()) - 1;
    values[index]
}

/// Resident memory of a process. Unit: MB.
fn resident_mb(pid: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let line = status.lines().find(|line| line.starts_with("VmRSS")).expect("a line");
    let kb: f64 = line.split_whitespace().nth(1).expect("a number").parse().expect("a number");
    kb / 1_000.0
}

/// The worst operator's quantile of the time from a block's proposal to its finality, since its start.
/// Unit: ms.
fn proposal_to_final_ms(report: &Value, quantile: &str) -> f64 {
    let operators = report["proposalToFinal"].as_array().expect("operators");
    operators.iter().map(|operator| number(&operator[quantile]) / 1e3).fold(0.0, f64::max)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes six minutes; run by .ci/full"]
async fn sustained_load() {
    let devnet = Devnet::start(&["--block-time", "100ms"]);
    let load = bench(&devnet, 200, lasting(Duration::from_secs(300)));
    let report = tokio::task::spawn_blocking(move || result(load)).await.expect("bench ends");
    let (half, most) = (proposal_to_final_ms(&report, "p50Us"), proposal_to_final_ms(&report, "p99Us"));
    bar("200 tx/s at 100 ms: proposal to final, p50", half, "ms", |ms| ms <= 20.0, "≤ 20 ms");
    bar("200 tx/s at 100 ms: proposal to final, p99", most, "ms", |ms| ms <= 80.0, "≤ 80 ms");
    bar("200 tx/s at 100 ms: transactions lost", number(&report["lost"]), "", |lost| lost < 0.5, "0");
    figure("200 tx/s at 100 ms: final a second", number(&report["finalizedPerSecond"]), "tx/s");
    for quantile in ["p50", "p90", "p99", "max"] {
        figure(&format!("sent to notarized, {quantile}"), number(&report["inclusionMs"][quantile]), "ms");
        figure(&format!("sent to final, {quantile}"), number(&report["finalityMs"][quantile]), "ms");
    }
    for fsync in report["fsync"].as_array().expect("operators") {
        figure(&format!("fsync p99, {}", fsync["rpc"].as_str().expect("a URL")), number(&fsync["p99Us"]) / 1e3, "ms");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes more than a minute; run by .ci/full"]
async fn ten_millisecond_blocks() {
    let devnet = Devnet::start(&["--block-time", "10ms"]);
    let duration = lasting(Duration::from_secs(60));
    let (start, before) = (Instant::now(), devnet.finalized(&[0]).await);
    tokio::time::sleep(duration).await;
    let blocks = devnet.finalized(&[0]).await - before;
    #[expect(clippy::cast_precision_loss, reason = "a few thousand blocks")]
    let rate = blocks as f64 / start.elapsed().as_secs_f64();
    bar("10 ms blocks, idle, for 60 s", rate, "blocks/s", |rate| rate >= 95.0, "≥ 95 blocks/s");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; run by .ci/full"]
async fn idle_memory() {
    let devnet = Devnet::start(&["--block-time", "100ms"]);
    tokio::time::sleep(lasting(Duration::from_secs(60))).await;
    let resident = devnet.operators.iter().map(|operator| resident_mb(operator.pid().expect("it runs")));
    bar("resident memory of an idle operator", resident.fold(0.0, f64::max), "MB", |mb| mb <= 150.0, "≤ 150 MB");
}

/// Restarts an operator and waits until another sees it vote; how long that took. Unit: ms.
async fn votes_again(devnet: &mut Devnet, index: usize) -> f64 {
    let restarted = Instant::now();
    devnet.restart(index);
    let observer = devnet.operators[(index + 1) % devnet.operators.len()].clone();
    devnet
        .until("the restarted operator votes", RETURN_WAIT, || async {
            let status = observer.status().await?;
            let since = u128::from(status.operators[index].last_vote_seen_ms_ago?);
            (since < restarted.elapsed().as_millis()).then_some(())
        })
        .await;
    restarted.elapsed().as_secs_f64() * 1e3
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes some minutes; run by .ci/full"]
async fn twenty_dead_leaders() {
    let mut devnet = Devnet::start(&["--block-time", "100ms"]);
    let kills = KILLS / usize::try_from(shorten()).expect("small").min(KILLS);
    let load = bench(&devnet, 200, Duration::from_secs(8) * u32::try_from(kills).expect("few"));
    let (mut gaps, mut returns) = (Vec::new(), Vec::new());
    tokio::time::sleep(Duration::from_secs(4)).await;
    for _ in 0..kills {
        let status =
            devnet.until("somebody answers", RETURN_WAIT, || async { devnet.operators[0].status().await }).await;
        let leader = status.leader.as_usize();
        let survivor = devnet.operators[(leader + 1) % 4].clone();
        devnet.operators[leader].kill();
        let killed = Instant::now();
        let before = survivor.status().await.expect("it answers").heights.notarized;
        devnet
            .until("the next certified block", RETURN_WAIT, || async {
                survivor.status().await.filter(|status| status.heights.notarized > before)
            })
            .await;
        gaps.push(killed.elapsed().as_secs_f64() * 1e3);
        returns.push(votes_again(&mut devnet, leader).await);
        tokio::time::sleep(Duration::from_millis(1_500)).await;
    }
    let report = tokio::task::spawn_blocking(move || result(load)).await.expect("bench ends");
    let what = format!("{kills} leaders killed under 200 tx/s");
    bar(&format!("{what}: next certified block, p90"), quantile(gaps.clone(), 0.9), "ms", |ms| ms <= 500.0, "≤ 500 ms");
    figure(&format!("{what}: next certified block, p50"), quantile(gaps.clone(), 0.5), "ms");
    figure(&format!("{what}: next certified block, max"), quantile(gaps, 1.0), "ms");
    bar(&format!("{what}: votes again, max"), quantile(returns, 1.0), "ms", |ms| ms <= 5_000.0, "≤ 5 s");
    bar(&format!("{what}: accepted transactions lost"), number(&report["lost"]), "", |lost| lost < 0.5, "0");
    figure(&format!("{what}: accepted"), number(&report["accepted"]), "transactions");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes ten minutes; run by .ci/full"]
async fn back_after_ten_minutes_of_load() {
    let mut devnet = Devnet::start(&["--block-time", "100ms"]);
    let duration = lasting(Duration::from_secs(600));
    let load = bench(&devnet, 200, duration);
    tokio::time::sleep(duration * 9 / 10).await;
    devnet.operators[2].kill();
    let again = votes_again(&mut devnet, 2).await;
    bar("killed after ten minutes of load: votes again", again, "ms", |ms| ms <= 5_000.0, "≤ 5 s");
    let report = tokio::task::spawn_blocking(move || result(load)).await.expect("bench ends");
    bar("killed after ten minutes of load: lost", number(&report["lost"]), "", |lost| lost < 0.5, "0");
    let resident = devnet.operators.iter().map(|operator| resident_mb(operator.pid().expect("it runs")));
    figure("resident memory after ten minutes of load", resident.fold(0.0, f64::max), "MB");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
#[ignore = "takes a minute; run by .ci/full"]
async fn all_four_killed_under_load() {
    let mut devnet = Devnet::start(&["--block-time", "100ms"]);
    let load = bench(&devnet, 200, Duration::from_secs(30));
    tokio::time::sleep(Duration::from_secs(15)).await;
    let before = devnet.finalized(&[0, 1, 2, 3]).await;
    for index in 0..4 {
        devnet.operators[index].kill();
    }
    let restarted = Instant::now();
    for index in 0..4 {
        devnet.restart(index);
    }
    devnet.reach(&[0, 1, 2, 3], before + 1, RETURN_WAIT).await;
    let back = restarted.elapsed().as_secs_f64() * 1e3;
    bar("all four killed: final blocks at all of them again", back, "ms", |ms| ms <= 5_000.0, "≤ 5 s");
    let report = tokio::task::spawn_blocking(move || result(load)).await.expect("bench ends");
    bar("all four killed: accepted transactions lost", number(&report["lost"]), "", |lost| lost < 0.5, "0");
    let (status, _) = devnet.stop();
    assert!(status.success(), "the devnet stops in order");
}
