//! `phalanx-sim`: plays scenarios, replays a failure, searches for one, and measures what the protocol promises.

use clap::{Args, Parser, Subcommand, ValueEnum};
use core::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use core::time::Duration;
use phalanx_sim::failure::Failure;
use phalanx_sim::measure;
use phalanx_sim::plan::{Plan, parse_numbers};
use phalanx_sim::scenario::{Outcome, Scenario};
use phalanx_sim::shrink::shrink;
use phalanx_sim::tally::Tally;
use phalanx_types::OperatorIndex;
use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::process::ExitCode;
use std::sync::mpsc::{RecvTimeoutError, channel};

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
        /// How many seeds of each scenario.
        #[arg(long, default_value_t = 20)]
        seeds: u64,
        /// Which scenario; all of them when none is named.
        #[arg(long)]
        scenario: Option<Scenario>,
    },
    /// Plays one seed with the text of its trace, or what a plan leaves of it.
    Replay(Replay),
    /// Measures what the protocol promises, as tables.
    Measure {
        /// What; everything when nothing is named.
        #[arg(value_enum)]
        what: Option<Promise>,
    },
    /// Plays fresh seeds of all scenarios on all cores, for a given time.
    Search {
        /// For how long, as `10m`.
        #[arg(long = "for", value_parser = humantime::parse_duration)]
        duration: Duration,
        /// The first seed; the clock chooses it when none is named.
        #[arg(long)]
        seed: Option<u64>,
        /// Which scenario; all of them, those that find most most often, when none is named.
        #[arg(long)]
        scenario: Option<Scenario>,
        /// Ends with the first failure, which is not made smaller.
        #[arg(long)]
        first: bool,
    },
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Promise {
    /// Fifty operators over the world: block interval and finality.
    Finality,
    /// A dead leader, and one that is known absent.
    DeadLeader,
    /// The share of wall time of a leader as slow as the rules allow.
    SlowLeader,
    /// A hundred operators: virtual time against real time.
    Scale,
}

#[derive(Debug, Args)]
struct Replay {
    /// The seed.
    #[arg(long)]
    seed: u64,
    /// The scenario.
    #[arg(long)]
    scenario: Scenario,
    /// How many of the newest lines are shown.
    #[arg(long, default_value_t = 200)]
    lines: usize,
    /// How many operators, instead of what the scenario says.
    #[arg(long)]
    operators: Option<usize>,
    /// Operators that are honest, whatever the scenario says, as `1,4-7`.
    #[arg(long, value_parser = parse_numbers)]
    honest: Option<BTreeSet<u32>>,
    /// Faults that are left out, by number, as `1,4-7`.
    #[arg(long, value_parser = parse_numbers)]
    without: Option<BTreeSet<u32>>,
    /// How long the pauses between faults are. Unit: percent of what the scenario says.
    #[arg(long, default_value_t = 100)]
    pauses_percent: u32,
    /// Clients send nothing.
    #[arg(long)]
    no_load: bool,
}

impl Replay {
    fn plan(&self) -> Plan {
        let honest = self.honest.iter().flatten().filter_map(|operator| u16::try_from(*operator).ok());
        Plan {
            operators: self.operators,
            without: self.without.clone().unwrap_or_default(),
            honest: honest.map(OperatorIndex).collect(),
            pauses_percent: self.pauses_percent,
            no_load: self.no_load,
        }
    }
}

fn main() -> ExitCode {
    // A panic of the code under test is a finding, told with the command that shows it again.
    std::panic::set_hook(Box::new(|_| {}));
    match Arguments::parse().command {
        Command::Run { seed, seeds, scenario } => run(seed, seeds, scenario),
        Command::Replay(arguments) => replay(&arguments),
        Command::Measure { what } => measure(what),
        Command::Search { duration, seed, scenario, first } => search(duration, seed, scenario, first),
    }
}

fn run(first: u64, seeds: u64, scenario: Option<Scenario>) -> ExitCode {
    let scenarios = scenario.map_or_else(|| Scenario::all().to_vec(), |scenario| vec![scenario]);
    let chosen = scenarios.len() as u64;
    let turn = |number: u64| {
        let scenario = scenarios[usize::try_from(number / seeds).expect("an index of a scenario")];
        (scenario, first + number % seeds)
    };
    play_many(false, |number| (number < seeds * chosen).then(|| turn(number)))
}

fn search(duration: Duration, seed: Option<u64>, scenario: Option<Scenario>, ends_with_first: bool) -> ExitCode {
    let started = now();
    let first = seed.unwrap_or_else(fresh_seed);
    println!("seeds from {first}");
    play_many(ends_with_first, |number| {
        let seed = first + number;
        (started.elapsed() < duration).then(|| (scenario.unwrap_or_else(|| Scenario::of_search(seed)), seed))
    })
}

/// How often a search says how far it is.
const PROGRESS_INTERVAL: Duration = Duration::from_secs(1);
/// How often it does where nobody watches.
const PROGRESS_INTERVAL_UNWATCHED: Duration = Duration::from_secs(60);
/// Failures that are made smaller; there is no end to it where something is broken for good.
const SHRUNK_MAX: u64 = 3;

/// Plays one seed after the other on all cores, as long as `turn` names one and nothing has failed that ends it, and
/// says what came of it.
fn play_many(ends_with_first: bool, turn: impl Fn(u64) -> Option<(Scenario, u64)> + Sync) -> ExitCode {
    let (next, ended) = (AtomicU64::new(0), AtomicBool::new(false));
    let (done, outcomes) = channel();
    let mut tally = Tally::default();
    rayon::in_place_scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            let (done, next, ended, turn) = (done.clone(), &next, &ended, &turn);
            scope.spawn(move |_| {
                while !ended.load(Ordering::Relaxed)
                    && let Some((scenario, seed)) = turn(next.fetch_add(1, Ordering::Relaxed))
                {
                    // The receiver outlives every sender.
                    let _ = done.send(scenario.run(seed, false));
                }
            });
        }
        drop(done);
        let watched = std::io::stderr().is_terminal();
        let interval = if watched { PROGRESS_INTERVAL } else { PROGRESS_INTERVAL_UNWATCHED };
        let (started, mut shown) = (now(), now());
        loop {
            match outcomes.recv_timeout(interval) {
                Ok(outcome) => {
                    tally.add(&outcome);
                    if outcome.failure.is_some() {
                        ended.store(ends_with_first, Ordering::Relaxed);
                        show_failure(&outcome, !ends_with_first && tally.all.violations <= SHRUNK_MAX);
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            if shown.elapsed() >= interval {
                shown = now();
                let (start, end) = if watched { ("\r", " ") } else { ("", "\n") };
                let summary = tally.summary();
                let seconds = started.elapsed().as_secs_f64();
                eprint!(
                    "{start}{seconds:.0} s: {} seeds, {} blocks, {} term changes, {} violations{end}",
                    summary.seeds, summary.finalized, summary.term_changes, summary.violations
                );
            }
        }
        if watched {
            eprintln!();
        }
    });
    println!("\n{tally}");
    println!("{}", serde_json::to_string(&tally.summary()).expect("plain numbers are JSON"));
    if tally.all.violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Says what failed, and the command that shows the smallest schedule that still fails so.
fn show_failure(outcome: &Outcome, shrinks: bool) {
    let Some(failure) = &outcome.failure else { return };
    println!("\n{:?}, seed {}: {failure}\n  {}", outcome.scenario, outcome.seed, outcome.replay_command());
    let run = |plan: &Plan| outcome.scenario.run_planned(outcome.seed, plan, false);
    let smallest = if shrinks { shrink(outcome, &run) } else { None };
    if let Some(smallest) = smallest.filter(|smallest| smallest.cluster.plan != outcome.cluster.plan) {
        println!("made smaller:");
        show_schedule(&smallest);
        println!("  {}", smallest.replay_command());
    }
}

/// What was done to the cluster, in order, and what came of it.
fn show_schedule(outcome: &Outcome) {
    let cluster = &outcome.cluster;
    println!("  {} operators, terms of {} slots, {:?}", cluster.size.n(), cluster.slots_per_term, cluster.scheme);
    for (operator, behaviour) in &cluster.byzantine {
        println!("  operator {operator} is Byzantine: {behaviour:?}");
    }
    outcome.schedule.iter().for_each(|inflicted| println!("  {inflicted}"));
    if let Some(failure) = &outcome.failure {
        println!("  {} {failure}", outcome.at);
    }
}

fn replay(arguments: &Replay) -> ExitCode {
    let outcome = arguments.scenario.run_planned(arguments.seed, &arguments.plan(), true);
    let skipped = outcome.lines.len().saturating_sub(arguments.lines);
    outcome.lines.iter().skip(skipped).for_each(|line| println!("{line}"));
    println!("\nschedule:");
    show_schedule(&outcome);
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
    if outcome.failure.is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn measure(what: Option<Promise>) -> ExitCode {
    let all = Promise::value_variants().iter().copied();
    for promise in all.filter(|promise| what.is_none_or(|what| what == *promise)) {
        let measured = match promise {
            Promise::Finality => measure_finality(),
            Promise::DeadLeader => measure_dead_leader(),
            Promise::SlowLeader => measure_slow_leader(),
            Promise::Scale => measure_scale(),
        };
        if let Err(failure) = measured {
            println!("{failure}");
            return ExitCode::FAILURE;
        }
    }
    ExitCode::SUCCESS
}

fn milliseconds(duration: Duration) -> String {
    format!("{:.1}", duration.as_secs_f64() * 1e3)
}

fn measure_finality() -> Result<(), Failure> {
    println!(
        "| block time, ms | interval, ms | with changes of terms, ms | bound, ms | median, ms | worst leader above its bound, ms | blocks |"
    );
    println!("|---|---|---|---|---|---|---|");
    for block_time in [5, 10, 20, 50, 100] {
        let length = Duration::from_secs(5);
        let figures = measure::global_finality(50, Duration::from_millis(block_time), length)?;
        let measure::GlobalFinality { interval, mean_interval, bound, median, worst_excess, blocks, .. } = figures;
        let cells = [interval, mean_interval, bound, median, worst_excess].map(milliseconds).join(" | ");
        println!("| {block_time} | {cells} | {blocks} |");
    }
    Ok(())
}

fn measure_dead_leader() -> Result<(), Failure> {
    println!("| n | W | timeout, ms | longest gap, ms | absent leader's longest term, ms | terms skipped |");
    println!("|---|---|---|---|---|---|");
    for (n, slots_per_term) in [(4, 1), (4, 4), (4, 30), (7, 8), (10, 8)] {
        let figures = measure::dead_leader(n, slots_per_term)?;
        let measure::DeadLeader { timeout, gap, skipped_in, skipped } = figures;
        let cells = [timeout, gap, skipped_in].map(milliseconds).join(" | ");
        println!("| {n} | {slots_per_term} | {cells} | {skipped} |");
    }
    Ok(())
}

fn measure_slow_leader() -> Result<(), Failure> {
    println!("| W | its share, % | its longest term, ms | cap, ms | an honest leader's term, ms |");
    println!("|---|---|---|---|---|");
    for slots_per_term in [1, 4, 30, 100] {
        let figures = measure::slow_leader_share(slots_per_term, 10)?;
        let measure::SlowLeaderShare { share_percent, longest_term, cap, honest_term, .. } = figures;
        let cells = [longest_term, cap, honest_term].map(milliseconds).join(" | ");
        println!("| {slots_per_term} | {share_percent:.1} | {cells} |");
    }
    Ok(())
}

fn measure_scale() -> Result<(), Failure> {
    println!("| n | blocks | virtual time, s | real time, s |");
    println!("|---|---|---|---|");
    for n in [4, 50, 100] {
        let started = now();
        let report = measure::large_cluster(n, Duration::from_secs(20))?;
        let real = started.elapsed().as_secs_f64();
        println!("| {n} | {} | {:.1} | {real:.1} |", report.finalized, report.elapsed.as_secs_f64());
    }
    Ok(())
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
