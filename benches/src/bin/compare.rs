//! `compare`: measures what the project promises, there and then, and holds it against its bars.

use anyhow::Context;
use clap::{Parser, Subcommand};
use phalanx_benches::bls;
use phalanx_benches::catch_up::{answers, catch_up};
use phalanx_benches::cluster::Cluster;
use phalanx_benches::slots::{latencies, quantile, throughput, with_liars};
use phalanx_bls::Backend;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures Phalanx and prints the figures beside their bars.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// The vote path: slots a second, latency, what liars cost, catch-up.
    Votes {
        /// One JSON array instead of a table.
        #[arg(long)]
        json: bool,
        /// So many times fewer slots, for a trial.
        #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=100))]
        shorten: u32,
    },
    /// BLS in batches against blst: on one core, on two, and the blst backend alone.
    Bls {
        /// One JSON array instead of tables.
        #[arg(long)]
        json: bool,
        /// Only lines whose name contains this.
        #[arg(long, default_value = "")]
        only: String,
    },
}

/// One line of the table.
#[derive(Clone, Debug, serde::Serialize)]
struct Figure {
    name: String,
    value: f64,
    unit: &'static str,
    /// What it must reach, as text; nothing where there is no bar.
    bar: Option<String>,
    /// Whether it does.
    met: Option<bool>,
}

impl Figure {
    fn plain(name: impl Into<String>, value: f64, unit: &'static str) -> Self {
        Self { name: name.into(), value, unit, bar: None, met: None }
    }

    fn at_least(name: impl Into<String>, value: f64, unit: &'static str, bar: f64) -> Self {
        Self { bar: Some(format!(">= {bar}")), met: Some(value >= bar), ..Self::plain(name, value, unit) }
    }

    fn at_most(name: impl Into<String>, value: f64, unit: &'static str, bar: f64) -> Self {
        Self { bar: Some(format!("<= {bar}")), met: Some(value <= bar), ..Self::plain(name, value, unit) }
    }
}

fn main() -> ExitCode {
    let shown = match Arguments::parse().what {
        What::Votes { json, shorten } => votes(shorten).map(|figures| show(&figures, json)),
        What::Bls { json, only } => {
            bls::measure(&only, |what| eprintln!("measuring {what} …")).map(|rows| show_bls(&rows, json))
        }
    };
    match shown {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The sizes at which throughput is measured, and how many slots of each.
const SIZES: [(usize, u32); 6] = [(4, 2_000), (16, 1_000), (50, 600), (100, 300), (128, 240), (256, 120)];
/// The cluster in which latency and liars are measured, and its liars.
const LARGE: usize = 100;
const LIARS: usize = 33;
const LATENCY_SLOTS: u32 = 300;
const LIARS_SLOTS: u32 = 40;
const CERTIFICATES: u32 = 10_000;

fn votes(shorten: u32) -> anyhow::Result<Vec<Figure>> {
    let mut figures = Vec::new();
    let mut cpu = Vec::new();
    for (n, slots) in SIZES {
        eprintln!("measuring throughput at n = {n} …");
        let cluster = Cluster::new(n, Backend::detect());
        let measured = throughput(&cluster, (slots / shorten).max(20), 0).with_context(|| format!("n = {n}"))?;
        let name = format!("slots a second, n = {n}");
        figures.push(match n {
            50 => Figure::at_least(name, measured.slots_per_second, "slots/s", 1_000.0),
            _ => Figure::plain(name, measured.slots_per_second, "slots/s"),
        });
        figures.push(Figure::plain(format!("CPU per slot, n = {n}"), measured.cpu_ms_per_slot, "ms"));
        cpu.push((n, measured.cpu_ms_per_slot));
    }
    let of = |size| cpu.iter().find(|(n, _)| *n == size).map_or(f64::NAN, |(_, cpu)| *cpu);
    figures.push(Figure::at_most("CPU per slot, n = 256 over n = 16", of(256) / of(16), "x", 4.0));

    eprintln!("measuring latency at n = {LARGE} …");
    let cluster = Cluster::new(LARGE, Backend::detect());
    let honest = latencies(&cluster, (LATENCY_SLOTS / shorten).max(20))?;
    let half = milliseconds(quantile(&honest, 0.5));
    figures.push(Figure::at_most("last needed vote to certificate, n = 100, p50", half, "ms", 1.2));
    let most = milliseconds(quantile(&honest, 0.99));
    figures.push(Figure::at_most("last needed vote to certificate, n = 100, p99", most, "ms", 3.0));

    eprintln!("measuring {LIARS} liars of {LARGE} …");
    let all = with_liars(&cluster, (LIARS_SLOTS / shorten).max(10), 0)?;
    let lied = with_liars(&cluster, (LIARS_SLOTS / shorten).max(10), LIARS)?;
    let (first, later) = lied.split_first().context("slots")?;
    figures.push(Figure::at_most("33 liars of 100, first slot", milliseconds(*first), "ms", 15.0));
    let honest = milliseconds(quantile(&all, 0.5));
    let later = milliseconds(quantile(later, 0.5));
    figures.push(Figure::plain("all votes at once, no liars, p50", honest, "ms"));
    figures.push(Figure::at_most("33 liars of 100, later slots over none", later / honest, "x", 1.5));

    eprintln!("measuring catch-up …");
    let cluster = Cluster::new(4, Backend::detect());
    let rate = catch_up(&cluster, &answers(&cluster, CERTIFICATES / shorten))?;
    figures.push(Figure::at_least("catch-up, n = 4", rate, "certificates/s", 25_000.0));
    Ok(figures)
}

fn milliseconds(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e3
}

fn show(figures: &[Figure], json: bool) {
    if json {
        println!("{}", serde_json::to_string(figures).expect("plain figures are JSON"));
        return;
    }
    let width = figures.iter().map(|figure| figure.name.len()).max().unwrap_or(0);
    for Figure { name, value, unit, bar, met } in figures {
        let verdict = match met {
            Some(true) => "met",
            Some(false) => "MISSED",
            None => "",
        };
        println!("{name:<width$}  {value:>10.3} {unit:<15} {:<10} {verdict}", bar.as_deref().unwrap_or(""));
    }
}

fn show_bls(rows: &[bls::Row], json: bool) {
    if json {
        println!("{}", serde_json::to_string(rows).expect("plain figures are JSON"));
        return;
    }
    let width = rows.iter().map(|row| row.name.len()).max().unwrap_or(0);
    for (table, sides) in bls::TABLES.into_iter().zip([
        ["ours", "blst", "times"],
        ["two", "one", "scaling"],
        ["backend", "blst", "times"],
    ]) {
        if !rows.iter().any(|row| row.table == table) {
            continue;
        }
        let [ours, theirs, ratio] = sides;
        println!("{table:<width$}  {ours:>10} us  {theirs:>10} us  {ratio:>7}  bar");
        for row in rows.iter().filter(|row| row.table == table) {
            let bar = row.bar.map_or_else(String::new, |bar| format!(">= {bar}"));
            let verdict = match row.met {
                Some(true) => "met",
                Some(false) => "MISSED",
                None => "",
            };
            let (ours, theirs) = (row.ours_ns / 1e3, row.theirs_ns / 1e3);
            println!(
                "{:<width$}  {ours:>10.1}     {theirs:>10.1}     {:>7.2}  {bar:<7} {verdict}",
                row.name, row.ratio
            );
        }
        println!();
    }
}
