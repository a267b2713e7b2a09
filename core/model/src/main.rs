//! `phalanx-model`: explores the engine within bounds, then lets a share of the states go on fairly.

use clap::Parser;
use core::time::Duration;
use phalanx_model::{Completion, Explored, Explorer, Instance};
use std::process::ExitCode;

/// Explores the consensus engine of four operators, one of them Byzantine, state by state.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(flatten)]
    instance: Instance,
    /// Stops after this many states.
    #[arg(long, default_value_t = 1 << 31)]
    states_max: u64,
    /// Stops after this time, as `10m`.
    #[arg(long = "for", value_parser = humantime::parse_duration, default_value = "1d")]
    duration: Duration,
    /// Lets one state in this many go on fairly until something new is final; 0 for none.
    #[arg(long, default_value_t = 1_000)]
    complete_every: usize,
}

/// The last line.
#[derive(Debug, serde::Serialize)]
struct Summary {
    #[serde(flatten)]
    explored: Explored,
    completions: u64,
    /// The longest that a fair run took until something new was final. Unit: milliseconds of virtual time.
    completion_ms_max: u64,
    violations: u64,
    elapsed_s: u64,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Err(wrong) = arguments.instance.check() {
        eprintln!("phalanx-model: {wrong}");
        return ExitCode::from(2);
    }
    let started = now();
    let mut explorer = Explorer::new(&arguments.instance);
    let result = explorer.explore(arguments.states_max, |explored| {
        show(explored, started);
        started.elapsed() < arguments.duration
    });
    eprintln!();
    let mut violations = 0;
    let explored = result.unwrap_or_else(|counterexample| {
        violations += 1;
        println!("{counterexample}");
        counterexample.explored
    });
    println!("arms of the rules taken: {:?}", explorer.arms().collect::<Vec<_>>());
    // What was explored is let go on fairly, for as long again at most.
    let (mut completions, mut slowest) = (0, Duration::ZERO);
    if let Some(step) = Some(arguments.complete_every).filter(|step| *step > 0 && violations == 0) {
        let mut completion = Completion::new();
        for state in (0..explorer.states()).step_by(step).filter(|state| explorer.is_within(*state)) {
            completions += 1;
            match completion.run(&explorer, state) {
                Ok(took) => slowest = slowest.max(took),
                Err(stall) => {
                    violations += 1;
                    println!("from state {state}:\n{}BROKEN: {stall}", explorer.path(state));
                    break;
                }
            }
            if started.elapsed() > arguments.duration * 2 {
                break;
            }
        }
    }
    let completion_ms_max = u64::try_from(slowest.as_millis()).unwrap_or(u64::MAX);
    let elapsed_s = started.elapsed().as_secs();
    let summary = Summary { explored, completions, completion_ms_max, violations, elapsed_s };
    println!("{}", serde_json::to_string(&summary).expect("plain numbers are JSON"));
    if violations == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn show(explored: &Explored, started: std::time::Instant) {
    eprint!(
        "\r{} s: {} states, {} expanded, depth {}, {} of one operator ",
        started.elapsed().as_secs(),
        explored.states,
        explored.expanded,
        explored.depth,
        explored.operator_states
    );
}

#[allow(clippy::disallowed_methods, reason = "the binary measures how long it runs; the model sees no clock")]
fn now() -> std::time::Instant {
    std::time::Instant::now()
}
