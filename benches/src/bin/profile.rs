//! `profile`: records a named scenario, as a flamegraph and a summary, into `profiles/`.

use clap::{Parser, Subcommand};
use phalanx_benches::profile::{SCENARIOS, record, work};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Records profiles of named scenarios.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Records a scenario with perf, which must be installed, into `<directory>/<scenario>.svg` and `.txt`.
    Record {
        /// Which.
        #[arg(value_parser = SCENARIOS.map(|(name, _)| name))]
        scenario: String,
        /// How long.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
        /// Where to.
        #[arg(long, default_value = "profiles")]
        directory: PathBuf,
    },
    /// Only works: what is recorded.
    Work {
        /// On what.
        #[arg(value_parser = SCENARIOS.map(|(name, _)| name))]
        scenario: String,
        /// How long.
        #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(1..=600))]
        seconds: u64,
    },
}

fn main() -> ExitCode {
    let shown = match Arguments::parse().what {
        What::Record { scenario, seconds, directory } => record(&scenario, Duration::from_secs(seconds), &directory),
        What::Work { scenario, seconds } => work(&scenario, Duration::from_secs(seconds))
            .map(|(times, median)| format!("{times} times, once in {} us at the median\n", median.as_micros())),
    };
    match shown {
        Ok(shown) => {
            print!("{shown}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
