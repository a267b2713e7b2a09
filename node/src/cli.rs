//! The command line: what each command of `phalanx` takes, and where it goes.
//!
//! Errors end here, on standard error, as one sentence and its causes. Exit codes: 0 done, 1 failed (or,
//! for `verify`, something is wrong), 2 wrong usage.

mod accounts;
mod bench;
mod cluster;
mod devnet;
mod dkg;
mod harden;
mod keys;
mod log;
mod pid_file;
mod rpc_client;
mod run;
mod settings;
mod status;
mod stop;
mod table;
mod verify;

pub use pid_file::PidFile;
pub use rpc_client::RpcClient;

use crate::config::{ClusterFile, OperatorConfig};
use crate::keys::OperatorKeys;
use alloy_genesis::Genesis;
use alloy_primitives::B256;
use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// Where an operator of a devnet answers unless told otherwise.
const RPC_URL_DEFAULT: &str = "http://127.0.0.1:8545";

/// A cluster of operators that acts as one rollup sequencer.
#[derive(Debug, Parser)]
#[command(name = "phalanx", version, propagate_version = true)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Make a cluster on this machine and run it: every operator a process of its own.
    Devnet(devnet::DevnetArgs),
    /// Make an operator's keys.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Agree on what a cluster is to be, before it has a key.
    #[command(subcommand)]
    Cluster(cluster::ClusterCommand),
    /// Make a cluster's key together with its other operators: nobody ever holds it.
    Dkg(dkg::DkgArgs),
    /// Run one operator.
    Run(run::RunArgs),
    /// Show the cluster at a glance.
    Status(status::StatusArgs),
    /// Check certificates and the chain that they certify, with nothing but the cluster's public key.
    Verify(verify::VerifyArgs),
    /// Send transfers and measure when they are included and final.
    Bench(bench::BenchArgs),
    /// Print every setting of an operator with its documentation and default, or those in effect.
    Config(settings::ConfigArgs),
}

/// The whole program.
#[must_use]
pub fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Devnet(args) => asynchronous(devnet::devnet(args)),
        Command::Keys(command) => keys::keys(&command),
        Command::Cluster(command) => cluster::cluster(&command),
        Command::Dkg(args) => dkg::dkg(&args),
        Command::Run(args) => run::run(args).map(|()| ExitCode::SUCCESS),
        Command::Status(args) => asynchronous(status::status(args)),
        Command::Verify(args) => asynchronous(verify::verify(args)),
        Command::Bench(args) => asynchronous(bench::bench(args)),
        Command::Config(args) => settings::config(&args),
    };
    done.unwrap_or_else(|error| {
        eprintln!("error: {error:#}");
        ExitCode::FAILURE
    })
}

/// The hash of the genesis block, as execution makes it.
fn genesis_hash(genesis: &Genesis) -> Result<B256, String> {
    let genesis = crate::execution::Genesis::new(genesis.clone()).map_err(|error| error.to_string())?;
    Ok(genesis.reference().hash)
}

/// Hands over to the driver, until it is asked to end.
fn run_operator(
    config: &OperatorConfig,
    cluster: &ClusterFile,
    keys: OperatorKeys,
    stop_with_parent: bool,
) -> anyhow::Result<()> {
    crate::driver::run(config, cluster, keys, || stop::stop_requested(stop_with_parent))
}

/// Runs a client's command. Clients need little: one thread leaves the cores to the operators.
fn asynchronous(command: impl Future<Output = anyhow::Result<ExitCode>>) -> anyhow::Result<ExitCode> {
    tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(command)
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn what_the_documentation_shows_is_accepted() {
        for line in [
            "phalanx devnet",
            "phalanx devnet --operators 4 --block-time 100ms --slots-per-term 50 --dir x --rpc-port 8545 --for 5m --json",
            "phalanx keys new --name alice --address alice.example.org:9000 --dir x --kdf pbkdf2",
            "phalanx cluster define --name x --operator a.json --operator b.json --genesis genesis.json --out x.json",
            "phalanx cluster define --name x --operator a --devnet-genesis --chain-id 7 --block-time 1s --slots-per-term 5",
            "phalanx cluster accept --definition x.json --dir a --yes",
            "phalanx dkg --definition x.json --dir a --listen 127.0.0.1:9000 --passphrase-file p",
            "phalanx run --config x/operator-0/config.toml",
            "phalanx run --config x --pipeline-depth 4 --rpc-address 127.0.0.1:1",
            "phalanx status --rpc http://127.0.0.1:8545",
            "phalanx verify --cluster x --rpc http://127.0.0.1:8545 --from 1 --to 9",
            "phalanx verify --cluster x certificate.json",
            "phalanx bench --rpc http://127.0.0.1:8545 --rpc http://127.0.0.1:8546 --rate 200 --for 5m --json",
            "phalanx bench --rpc http://127.0.0.1:8545 http://127.0.0.1:8546 --rate 200",
            "phalanx config",
        ] {
            let parsed = Cli::try_parse_from(line.split(' '));
            assert!(parsed.is_ok(), "{line}: {}", parsed.expect_err("refused"));
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "phalanx verify --cluster x",
            "phalanx verify --cluster x --rpc http://127.0.0.1:1 certificate.json",
            "phalanx verify --cluster x --rpc http://127.0.0.1:1 --from 1",
            "phalanx devnet --operators 0",
            "phalanx cluster define --name x --operator a",
            "phalanx cluster define --name x --genesis g",
            "phalanx cluster define --name x --operator a --devnet-genesis",
            "phalanx dkg",
            "phalanx devnet --block-time 100",
            "phalanx bench --rpc http://127.0.0.1:8545 --rate 0",
        ] {
            assert!(Cli::try_parse_from(line.split(' ')).is_err(), "{line}");
        }
    }
}
