//! `phalanx cluster`: what the operators agree on before they make a key together.

use super::genesis_hash;
use super::keys::{DirArgs, PassphraseArgs, RECORD_FILE, write_new};
use crate::config::{
    Acceptance, DEFINITION_VERSION, Definition, LEADER_SCHEDULE, PublicRecord, SCHEME_MIN_SIG, read_bounded,
};
use crate::execution::{devnet_genesis, foundry_accounts};
use crate::keys::{check_acceptances, read_identity, sign_acceptance};
use alloy_genesis::Genesis;
use alloy_primitives::B256;
use anyhow::{Context, bail, ensure};
use clap::{Args, Subcommand};
use phalanx_threshold::EncryptionKey;
use phalanx_types::{ClusterSize, OperatorIndex};
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The longest public record. Unit: bytes.
const RECORD_BYTES_MAX: u64 = 4 << 10;

/// `phalanx cluster`
#[derive(Debug, Subcommand)]
pub(super) enum ClusterCommand {
    /// Write a definition: what a cluster is to be, for its operators to accept.
    Define(DefineArgs),
    /// Show a definition, and sign that this operator accepts it.
    Accept(AcceptArgs),
}

/// `phalanx cluster define`
#[derive(Debug, Args)]
pub(super) struct DefineArgs {
    /// What people call the cluster.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// The public record of an operator, as `phalanx keys new` wrote it; once for each, in the order of their seats.
    #[arg(long = "operator", value_name = "FILE", required = true)]
    operators: Vec<PathBuf>,
    /// The chain's genesis, in Ethereum's usual JSON.
    #[arg(long, value_name = "FILE", required_unless_present = "devnet_genesis")]
    genesis: Option<PathBuf>,
    /// Instead: a genesis that gives ether to Foundry's test accounts, whose keys everybody has. For trying out.
    #[arg(long, conflicts_with = "genesis", requires = "chain_id")]
    devnet_genesis: bool,
    /// The chain's EIP-155 id; by default, and never other than, that of the genesis.
    #[arg(long, value_name = "ID")]
    chain_id: Option<u64>,
    /// The time between two blocks of one leader.
    #[arg(long, value_name = "DURATION", default_value = "100ms", value_parser = humantime::parse_duration)]
    block_time: Duration,
    /// How many blocks a leader makes before the next one takes over.
    #[arg(long, value_name = "N", default_value = "50")]
    slots_per_term: u32,
    /// The file to write.
    #[arg(long, value_name = "FILE", default_value = "definition.json")]
    out: PathBuf,
}

/// `phalanx cluster accept`
#[derive(Debug, Args)]
pub(super) struct AcceptArgs {
    /// The definition. The acceptance is added to the file.
    #[arg(long, value_name = "FILE")]
    definition: PathBuf,
    /// Accept without being asked.
    #[arg(long)]
    yes: bool,
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs it.
pub(super) fn cluster(command: &ClusterCommand) -> anyhow::Result<ExitCode> {
    match command {
        ClusterCommand::Define(args) => define(args),
        ClusterCommand::Accept(args) => accept(args),
    }
}

fn define(args: &DefineArgs) -> anyhow::Result<ExitCode> {
    let genesis = genesis(args)?;
    let chain_id = args.chain_id.unwrap_or(genesis.config.chain_id);
    let operators = args.operators.iter().map(|path| record(path)).collect::<anyhow::Result<Vec<_>>>()?;
    let block_time_ms = u64::try_from(args.block_time.as_millis()).unwrap_or(u64::MAX);
    ensure!(Duration::from_millis(block_time_ms) == args.block_time, "--block-time is not in whole milliseconds");
    let definition = Definition {
        version: DEFINITION_VERSION,
        name: args.name.clone(),
        chain_id,
        scheme: SCHEME_MIN_SIG.to_owned(),
        slots_per_term: args.slots_per_term,
        block_time_ms,
        leader_schedule: LEADER_SCHEDULE.to_owned(),
        ceremony: B256::from(rand::random::<[u8; 32]>()),
        operators,
        genesis,
        acceptances: Vec::new(),
    };
    definition.check().map_err(anyhow::Error::msg).context("this cluster is not possible")?;
    genesis_hash(&definition.genesis).map_err(anyhow::Error::msg).context("the genesis is not usable")?;
    write_new(&args.out, &definition.to_json())?;
    describe(&definition);
    eprintln!("wrote {}: send it to every operator; each runs", args.out.display());
    eprintln!("  phalanx cluster accept --definition {}", args.out.display());
    Ok(ExitCode::SUCCESS)
}

fn genesis(args: &DefineArgs) -> anyhow::Result<Genesis> {
    let Some(path) = &args.genesis else {
        let chain_id = args.chain_id.context("--devnet-genesis needs a --chain-id")?;
        let mut genesis = devnet_genesis(chain_id, &foundry_accounts());
        genesis.timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
        return Ok(genesis);
    };
    let text = read_bounded("genesis", path, crate::config::CLUSTER_FILE_BYTES_MAX)?;
    serde_json::from_str(&text).with_context(|| format!("{} is no genesis", path.display()))
}

fn record(path: &Path) -> anyhow::Result<PublicRecord> {
    // The file, or the directory of the operator.
    let path = if path.is_dir() { path.join(RECORD_FILE) } else { path.to_owned() };
    let no_record = || format!("{} is no public record as `phalanx keys new` prints it", path.display());
    let text = read_bounded("public record", &path, RECORD_BYTES_MAX)?;
    let record: PublicRecord = serde_json::from_str(&text).with_context(no_record)?;
    record.check().map_err(anyhow::Error::msg).with_context(no_record)?;
    EncryptionKey::from_bytes(&record.encryption_key.0).with_context(no_record)?;
    Ok(record)
}

fn accept(args: &AcceptArgs) -> anyhow::Result<ExitCode> {
    super::harden::harden();
    let mut definition = load(&args.definition)?;
    describe(&definition);
    let identity = read_identity(&args.dir.identity(), &args.passphrase.source())?.identity;
    let index = seat(&definition, &B256::from(identity.public().to_bytes()))?;
    if definition.acceptances.iter().any(|acceptance| acceptance.operator == index) {
        eprintln!("operator {index} has accepted it already");
        return Ok(ExitCode::SUCCESS);
    }
    ensure!(args.yes || confirmed(index)?, "not accepted");
    let acceptance: Acceptance = sign_acceptance(&definition, index, &identity);
    definition.acceptances.push(acceptance);
    definition.acceptances.sort_by_key(|acceptance| acceptance.operator);
    replace(&args.definition, &definition.to_json())?;
    eprintln!("operator {index} accepts it; when all have, or at once, everybody runs");
    eprintln!("  phalanx dkg --definition {}", args.definition.display());
    Ok(ExitCode::SUCCESS)
}

/// A definition whose acceptances are those of its operators.
pub(super) fn load(path: &Path) -> anyhow::Result<Definition> {
    let definition = Definition::load(path)?;
    check_acceptances(&definition).with_context(|| format!("{}", path.display()))?;
    Ok(definition)
}

/// The seat of an identity.
pub(super) fn seat(definition: &Definition, identity: &B256) -> anyhow::Result<OperatorIndex> {
    let seats = (0..).map(OperatorIndex).zip(&definition.operators);
    let seat = seats.into_iter().find(|(_, record)| record.identity == *identity).map(|(index, _)| index);
    seat.with_context(|| format!("the identity here is {identity}, which is no operator of this definition"))
}

fn confirmed(index: OperatorIndex) -> anyhow::Result<bool> {
    if !std::io::stdin().is_terminal() {
        bail!("nobody is at a terminal to be asked: give --yes to accept this");
    }
    eprint!("Accept this as operator {index}? Type yes: ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}

/// Shows a definition to whoever is about to agree to it.
pub(super) fn describe(definition: &Definition) {
    let size = ClusterSize::new(definition.operators.len()).expect("it was checked");
    eprintln!("cluster       {} (chain {})", definition.name, definition.chain_id);
    eprintln!("blocks        every {} ms, {} in a term", definition.block_time_ms, definition.slots_per_term);
    match genesis_hash(&definition.genesis) {
        Ok(hash) => eprintln!("genesis       {hash}"),
        Err(reason) => eprintln!("genesis       not usable: {reason}"),
    }
    eprintln!("threshold     {} of {} sign, {} may be faulty", size.q(), size.n(), size.f());
    for (index, record) in definition.operators.iter().enumerate() {
        let accepted = definition.acceptances.iter().any(|acceptance| acceptance.operator.as_usize() == index);
        let accepted = if accepted { ", accepted" } else { "" };
        eprintln!("operator {index:<4} {} at {}, identity {}{accepted}", record.name, record.address, record.identity);
    }
    eprintln!("hash          {} (the same at every operator: compare it by another way)", definition.hash());
}

/// Puts a file in the place of another, whole or not at all.
fn replace(path: &Path, text: &str) -> anyhow::Result<()> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let temporary = path.with_file_name(name);
    let replaced = std::fs::File::create(&temporary).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        std::fs::rename(&temporary, path)
    });
    replaced.with_context(|| format!("cannot write {}", path.display()))
}
