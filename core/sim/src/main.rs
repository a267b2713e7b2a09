//! `phalanx-sim`: plays scenarios, replays a failure, and searches for one.

use clap::{Parser, Subcommand, ValueEnum};
use core::time::Duration;
use phalanx_consensus::RuleCounts;
use phalanx_sim::scenario::{Outcome, Scenario};
use rayon::prelude::*;
use std::process::ExitCode;

/// Simulates a whole Phalanx cluster in virtual time.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Plays some seeds of one scenario, or of all.
    Run {
        /// The first seed.
        #[arg(long, default_value_t = 0)]
        seed: u64,
        /// How many seeds.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// Which scenario; all of them when none is named.
        #[arg(long)]
        scenario: Option<Scenario>,
    },
    /// Plays one seed with the text of its trace.
    Replay {
        /// The seed.
        #[arg(long)]
        seed: u64,
        /// The scenario.
        #[arg(long)]
        scenario: Scenario,
        /// How many of the newest lines are shown.
        #[arg(long, default_value_t = 200)]
        lines: usize,
    },
    /// Plays fresh seeds of all scenarios on all cores, for a given time.
    Search {
        /// For how long, as `10m`.
        #[arg(long = "for", value_parser = humantime::parse_duration)]
        duration: Duration,
        /// The first seed; the clock chooses it when none is named.
        #[arg(long)]
        seed: Option<u64>,
        /// Which scenario; all of them, chaos and twins most often, when none is named.
        #[arg(long)]
        scenario: Option<Scenario>,
    },
}

/// Sums over many seeds.
#[derive(Debug, Default)]
struct Totals {
    seeds: u64,
    finalized: u64,
    term_changes: u64,
    transactions: u64,
    events: u64,
    elapsed: Duration,
    violations: u64,
    rules: RuleCounts,
}

/// The last line of a search.
#[derive(Debug, serde::Serialize)]
struct Summary {
    seeds: u64,
    finalized: u64,
    term_changes: u64,
    violations: u64,
    rule_arms_min: u64,
}

impl Totals {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        if let Some(report) = &outcome.report {
            self.finalized += report.finalized;
            self.term_changes += report.term_changes;
            self.transactions += report.transactions;
            self.events += report.events;
            self.elapsed += report.elapsed;
            self.rules.add(&report.rules);
        }
        if let Some(failure) = &outcome.failure {
            self.violations += 1;
            println!("\n{failure}\n  {}", outcome.replay_command());
        }
    }

    fn summary(&self) -> Summary {
        Summary {
            seeds: self.seeds,
            finalized: self.finalized,
            term_changes: self.term_changes,
            violations: self.violations,
            rule_arms_min: self.rules.iter().map(|(_, count)| count).min().unwrap_or(0),
        }
    }

    fn show(&self) {
        println!("\nrule arms taken:");
        for (rule, count) in self.rules.iter() {
            println!("  {count:>12}  {rule:?}");
        }
        println!(
            "{} events, {} transactions, {:.0} s of virtual time",
            self.events,
            self.transactions,
            self.elapsed.as_secs_f64()
        );
        let summary = serde_json::to_string(&self.summary()).expect("plain numbers are JSON");
        println!("{summary}");
    }

    fn code(&self) -> ExitCode {
        if self.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

fn main() -> ExitCode {
    match Arguments::parse().command {
        Command::Run { seed, seeds, scenario } => run(seed, seeds, scenario),
        Command::Replay { seed, scenario, lines } => replay(seed, scenario, lines),
        Command::Search { duration, seed, scenario } => search(duration, seed, scenario),
    }
}

fn run(first: u64, seeds: u64, scenario: Option<Scenario>) -> ExitCode {
    let scenarios = scenario.map_or_else(|| Scenario::all().to_vec(), |scenario| vec![scenario]);
    let mut totals = Totals::default();
    for scenario in scenarios {
        let name = scenario.to_possible_value().expect("no scenario is hidden");
        let started = now();
        let outcomes: Vec<Outcome> =
            (first..first + seeds).into_par_iter().map(|seed| scenario.run(seed, false)).collect();
        outcomes.iter().for_each(|outcome| totals.add(outcome));
        let failed = outcomes.iter().filter(|outcome| outcome.failure.is_some()).count();
        let gap =
            outcomes.iter().filter_map(|outcome| Some((outcome.report.as_ref()?.longest_gap, outcome.seed))).max();
        let (gap, slowest) = gap.unwrap_or_default();
        println!(
            "{:<22} {seeds} seeds, {failed} failed, {:.1} s; longest gap {:.3} s with seed {slowest}",
            name.get_name(),
            started.elapsed().as_secs_f64(),
            gap.as_secs_f64()
        );
    }
    totals.show();
    totals.code()
}

fn replay(seed: u64, scenario: Scenario, lines: usize) -> ExitCode {
    let outcome = scenario.run(seed, true);
    let skipped = outcome.lines.len().saturating_sub(lines);
    outcome.lines.iter().skip(skipped).for_each(|line| println!("{line}"));
    if let Some(report) = &outcome.report {
        println!(
            "trace {:016x}: {} events, {} blocks, {} term changes, {} transactions in {:.3} s of virtual time",
            report.trace_hash,
            report.events,
            report.finalized,
            report.term_changes,
            report.transactions,
            report.elapsed.as_secs_f64()
        );
    }
    match outcome.failure {
        Some(failure) => {
            println!("{failure}");
            ExitCode::FAILURE
        }
        None => ExitCode::SUCCESS,
    }
}

/// Seeds played between two looks at the clock.
const BATCH_SEEDS: u64 = 32;

fn search(duration: Duration, first: Option<u64>, scenario: Option<Scenario>) -> ExitCode {
    let started = now();
    let first = first.unwrap_or_else(fresh_seed);
    let mut totals = Totals::default();
    let mut next = first;
    while started.elapsed() < duration {
        let batch = next..next + BATCH_SEEDS;
        next = batch.end;
        let outcomes: Vec<Outcome> = batch
            .into_par_iter()
            .map(|seed| scenario.unwrap_or_else(|| Scenario::of_search(seed)).run(seed, false))
            .collect();
        outcomes.iter().for_each(|outcome| totals.add(outcome));
        eprint!(
            "\r{:.0} s: {} seeds from {first}, {} blocks, {} term changes, {} violations ",
            started.elapsed().as_secs_f64(),
            totals.seeds,
            totals.finalized,
            totals.term_changes,
            totals.violations
        );
    }
    eprintln!();
    totals.show();
    totals.code()
}

#[allow(clippy::disallowed_methods, reason = "the binary measures how long it runs; simulations see no clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}

#[allow(clippy::disallowed_methods, reason = "a search without a named seed looks somewhere new")]
fn fresh_seed() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.map_or(0, |since| since.as_secs() * 1_000)
}
