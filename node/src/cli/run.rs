//! `phalanx run`: one operator, until it is asked to end.

use super::settings::SettingFlags;
use super::{PidFile, log};
use crate::config::ClusterFile;
use crate::keys::{OperatorKeys, check_attestation};
use clap::Args;
use std::path::PathBuf;

/// `phalanx run`
#[derive(Debug, Args)]
pub(super) struct RunArgs {
    /// The settings file; `phalanx config` prints a documented one.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Vote with a share whose journal is lost. Takes the words of this sentence: "no other process votes with this
    /// share, and the cluster has gone on since it last voted". Only say it when both are true: else this operator
    /// may vote twice at one position.
    #[arg(long, value_name = "WORDS", value_parser = words)]
    without_journal: Option<()>,
    /// End when standard input ends: how a devnet's operators never outlive it.
    #[arg(long, hide = true)]
    stop_with_parent: bool,
    #[command(flatten)]
    settings: SettingFlags,
}

/// What is said for a share without its journal.
const WITHOUT_JOURNAL: &str = "no other process votes with this share, and the cluster has gone on since it last voted";

fn words(said: &str) -> Result<(), String> {
    if said == WITHOUT_JOURNAL { Ok(()) } else { Err(format!("say, if it is true: \"{WITHOUT_JOURNAL}\"")) }
}

/// Runs.
pub(super) fn run(args: RunArgs) -> anyhow::Result<()> {
    let loaded = args.settings.load(args.config.as_deref())?;
    let config = loaded.config;
    log::start(&config.log_level, config.log_format)?;
    super::harden::harden();
    for warning in &loaded.warnings {
        tracing::warn!("{warning}");
    }
    let cluster = ClusterFile::load(&config.cluster_file, super::genesis_hash)?;
    check_attestation(&cluster)?;
    for warning in cluster.warnings() {
        tracing::warn!("{warning}");
    }
    let mut keys = OperatorKeys::load(&config, &cluster)?;
    keys.without_journal = args.without_journal.is_some();
    let _running = PidFile::claim(&config.pid_file)?;
    tracing::info!(
        operator = keys.index.0,
        cluster = %cluster.cluster_id,
        chain = cluster.definition.chain_id,
        pid = std::process::id(),
        "this operator starts"
    );
    super::run_operator(&config, &cluster, keys, args.stop_with_parent)
}
