//! The directory of a devnet: made once, with keys from a dealer, then used again as it is.
//!
//! Invariant: nothing that exists is overwritten. A directory is used again only when it holds the cluster
//! that is asked for; `--fresh` removes a devnet's own files and nothing else.

use super::DevnetArgs;
use super::ports::{self, Ports};
use crate::cli::genesis_hash;
use crate::config::{ClusterDefinition, ClusterFile, Environment, Flags, OperatorConfig, OperatorRecord, template};
use crate::execution::{devnet_genesis, foundry_accounts};
use crate::keys::{write_identity, write_share};
use alloy_genesis::Genesis;
use alloy_primitives::{B256, FixedBytes};
use anyhow::{Context, bail, ensure};
use phalanx_threshold::{Identity, deal};
use phalanx_types::{ClusterSize, OperatorIndex};
use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

/// The operators of a devnet, unless told otherwise: the least that tolerate one fault.
const OPERATORS_DEFAULT: u16 = 4;
const BLOCK_TIME_DEFAULT: Duration = Duration::from_millis(100);
const SLOTS_PER_TERM_DEFAULT: u32 = 50;
const RPC_PORT_DEFAULT: u16 = 8_545;
const CHAIN_ID_DEFAULT: u64 = 31_337;
const CLUSTER_FILE: &str = "cluster.json";
const OPERATOR_PREFIX: &str = "operator-";

/// One operator's place in the directory.
#[derive(Clone, Debug)]
pub(super) struct OperatorPlace {
    pub(super) index: OperatorIndex,
    pub(super) config: PathBuf,
    pub(super) pid: PathBuf,
    pub(super) log: PathBuf,
    pub(super) ports: Ports,
}

/// A devnet on disk.
#[derive(Clone, Debug)]
pub(super) struct Layout {
    pub(super) directory: PathBuf,
    pub(super) cluster_path: PathBuf,
    pub(super) cluster: ClusterFile,
    pub(super) operators: Vec<OperatorPlace>,
    /// Whether it was there before.
    pub(super) reused: bool,
}

impl Layout {
    /// The devnet that `args` ask for: the one in the directory where it matches, else a new one.
    pub(super) fn prepare(args: &DevnetArgs) -> anyhow::Result<Self> {
        fs::create_dir_all(&args.dir)
            .with_context(|| format!("cannot make the directory {}; choose another --dir", args.dir.display()))?;
        let directory = args.dir.canonicalize()?;
        if args.fresh {
            remove(&directory)?;
        }
        let layout = if directory.join(CLUSTER_FILE).exists() {
            open(&directory, args)?
        } else {
            ensure_empty(&directory)?;
            make(&directory, args)?;
            Self { reused: false, ..open(&directory, args)? }
        };
        layout.check_free()?;
        Ok(layout)
    }

    fn check_free(&self) -> anyhow::Result<()> {
        for operator in &self.operators {
            let index = operator.index;
            if let Some(pid) = crate::cli::PidFile::holder(&operator.pid) {
                bail!(
                    "operator {index} of {} is running already (process {pid}); stop it first",
                    self.directory.display()
                );
            }
            operator.ports.check().with_context(|| {
                format!("operator {index}: stop whoever listens there, or change {}", operator.config.display())
            })?;
        }
        Ok(())
    }
}

fn is_operator(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
    name.strip_prefix(OPERATOR_PREFIX).is_some_and(|index| index.parse::<u16>().is_ok())
}

fn remove(directory: &Path) -> anyhow::Result<()> {
    let mut doomed = Vec::new();
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        if is_operator(&path) {
            if let Some(pid) = crate::cli::PidFile::holder(&path.join("pid")) {
                bail!("{} is in use by process {pid}; stop it before --fresh", path.display());
            }
            doomed.push(path);
        }
    }
    for path in doomed {
        fs::remove_dir_all(&path).with_context(|| format!("cannot remove {}", path.display()))?;
    }
    let cluster = directory.join(CLUSTER_FILE);
    if cluster.exists() {
        fs::remove_file(&cluster).with_context(|| format!("cannot remove {}", cluster.display()))?;
    }
    Ok(())
}

fn ensure_empty(directory: &Path) -> anyhow::Result<()> {
    match fs::read_dir(directory)?.next() {
        None => Ok(()),
        Some(Ok(entry)) if is_operator(&entry.path()) => bail!(
            "{} holds {} but no {CLUSTER_FILE}: half a devnet; start anew with --fresh, or choose another --dir",
            directory.display(),
            entry.file_name().display()
        ),
        Some(_) => bail!("{} is not empty and no devnet; choose another --dir", directory.display()),
    }
}

fn open(directory: &Path, args: &DevnetArgs) -> anyhow::Result<Layout> {
    let cluster_path = directory.join(CLUSTER_FILE);
    let cluster = ClusterFile::load(&cluster_path, genesis_hash)?;
    let definition = &cluster.definition;
    let mut operators = Vec::new();
    for record in &definition.operators {
        let home = directory.join(format!("{OPERATOR_PREFIX}{}", record.index));
        let config = home.join("config.toml");
        let loaded = OperatorConfig::load(Some(&config), &Environment::new(), &Flags::new())?.config;
        operators.push(OperatorPlace {
            index: record.index,
            config,
            pid: loaded.pid_file,
            log: home.join("log"),
            ports: Ports { rpc: loaded.rpc_address, quic: loaded.listen_address, metrics: loaded.metrics_address },
        });
    }
    let first_rpc = operators.first().map_or(0, |operator| operator.ports.rpc.port());
    let asked = [
        ("--operators", args.operators.map(u64::from), operators.len() as u64),
        ("--slots-per-term", args.slots_per_term.map(u64::from), u64::from(definition.slots_per_term)),
        ("--chain-id", args.chain_id, definition.chain_id),
        ("--rpc-port", args.rpc_port.filter(|port| *port != 0).map(u64::from), u64::from(first_rpc)),
        ("--block-time (ms)", args.block_time.map(whole_millis), definition.block_time_ms),
    ];
    for (flag, asked, is) in asked {
        ensure!(
            asked.is_none_or(|asked| asked == is),
            "{} holds a devnet with {flag} {is}, not {}; leave the flag out to continue it, start anew with --fresh, \
             or choose another --dir",
            directory.display(),
            asked.unwrap_or(is)
        );
    }
    Ok(Layout { directory: directory.to_owned(), cluster_path, cluster, operators, reused: true })
}

fn whole_millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

/// Makes the files of a new devnet. `cluster.json` comes last: without it the directory is no devnet.
fn make(directory: &Path, args: &DevnetArgs) -> anyhow::Result<()> {
    let n = args.operators.unwrap_or(OPERATORS_DEFAULT);
    let size = ClusterSize::new(usize::from(n)).context("--operators is beyond what a cluster may have")?;
    let ports = ports::find(n, args.rpc_port.unwrap_or(RPC_PORT_DEFAULT))?;
    let rng = &mut rand::rng();
    let deal = deal(rng, size);
    let mut operators = Vec::new();
    for (index, ports) in size.operators().zip(&ports) {
        let share = &deal.shares[index.as_usize()];
        let identity = Identity::generate(rng);
        let home = directory.join(format!("{OPERATOR_PREFIX}{index}"));
        fs::create_dir(&home).with_context(|| format!("cannot make {}", home.display()))?;
        write_identity(&home.join("identity.json"), &identity)?;
        write_share(&home.join("share.json"), share)?;
        let config = home.join("config.toml");
        fs::write(&config, operator_config(ports)).with_context(|| format!("cannot write {}", config.display()))?;
        operators.push(OperatorRecord {
            index,
            name: format!("{OPERATOR_PREFIX}{index}"),
            identity: B256::from(identity.public().to_bytes()),
            share_key: FixedBytes::from_slice(&deal.share_keys[index.as_usize()].to_bytes()),
            address: ports.quic.to_string(),
        });
    }
    let chain_id = args.chain_id.unwrap_or(CHAIN_ID_DEFAULT);
    let definition = ClusterDefinition {
        name: "devnet".to_owned(),
        chain_id,
        public_key: FixedBytes::from_slice(&deal.public_key.to_bytes()),
        slots_per_term: args.slots_per_term.unwrap_or(SLOTS_PER_TERM_DEFAULT),
        block_time_ms: whole_millis(args.block_time.unwrap_or(BLOCK_TIME_DEFAULT)),
        genesis: genesis(chain_id),
        operators,
    };
    let hash = genesis_hash(&definition.genesis).map_err(anyhow::Error::msg)?;
    let cluster =
        ClusterFile::new(definition, hash).map_err(anyhow::Error::msg).context("this devnet is not possible")?;
    let path = directory.join(CLUSTER_FILE);
    fs::write(&path, cluster.to_json()).with_context(|| format!("cannot write {}", path.display()))
}

/// Blocks may not be older than their parents, so the chain starts now.
fn genesis(chain_id: u64) -> Genesis {
    let mut genesis = devnet_genesis(chain_id, &foundry_accounts());
    genesis.timestamp = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    genesis
}

fn operator_config(ports: &Ports) -> String {
    let quoted = |address: std::net::SocketAddr| format!("\"{address}\"");
    template(&[
        ("cluster_file", format!("\"../{CLUSTER_FILE}\"")),
        ("listen_address", quoted(ports.quic)),
        ("rpc_address", quoted(ports.rpc)),
        ("metrics_address", quoted(ports.metrics)),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    fn args(directory: &Path) -> DevnetArgs {
        DevnetArgs { rpc_port: Some(0), ..DevnetArgs::in_directory(directory) }
    }

    fn refusal(args: &DevnetArgs) -> String {
        format!("{:#}", Layout::prepare(args).expect_err("refused"))
    }

    #[test]
    fn a_devnet_is_made_once_and_used_again() {
        let directory = tempfile::tempdir().expect("a directory");
        let args = args(directory.path());
        let made = Layout::prepare(&args).expect("made");
        assert!(!made.reused);
        assert_eq!(made.operators.len(), 4);
        assert_eq!(made.cluster.definition.slots_per_term, 50);
        let again = Layout::prepare(&args).expect("used again");
        assert!(again.reused);
        assert_eq!(again.cluster, made.cluster);
        for place in &again.operators {
            let config =
                OperatorConfig::load(Some(&place.config), &Environment::new(), &Flags::new()).expect("settings");
            let keys = crate::keys::OperatorKeys::load(&config.config, &again.cluster).expect("keys");
            assert_eq!(keys.index, place.index);
            assert!(place.pid.ends_with(format!("operator-{}/pid", place.index)));
        }
    }

    #[test]
    fn another_cluster_is_refused_and_fresh_replaces_it() {
        let directory = tempfile::tempdir().expect("a directory");
        let made = Layout::prepare(&args(directory.path())).expect("made");
        let other = DevnetArgs { slots_per_term: Some(7), ..args(directory.path()) };
        let text = refusal(&other);
        assert!(text.contains("--slots-per-term 50") && text.contains("--fresh"), "{text}");
        let other = DevnetArgs { block_time: Some(Duration::from_millis(10)), ..args(directory.path()) };
        assert!(refusal(&other).contains("--block-time"));
        let fresh = DevnetArgs { fresh: true, operators: Some(1), ..other };
        let replaced = Layout::prepare(&fresh).expect("made anew");
        assert_eq!(replaced.operators.len(), 1);
        assert_ne!(replaced.cluster.cluster_id, made.cluster.cluster_id);
        assert!(!directory.path().join("operator-3").exists());
    }

    #[test]
    fn a_foreign_directory_is_left_alone() {
        let directory = tempfile::tempdir().expect("a directory");
        let mine = directory.path().join("thesis.txt");
        fs::write(&mine, "years of work").expect("written");
        for fresh in [false, true] {
            let text = refusal(&DevnetArgs { fresh, ..args(directory.path()) });
            assert!(text.contains("not empty"), "{text}");
            assert!(mine.exists());
        }
    }

    #[test]
    fn an_operator_that_runs_or_a_port_in_use_is_named() {
        let directory = tempfile::tempdir().expect("a directory");
        let args = args(directory.path());
        let made = Layout::prepare(&args).expect("made");
        let held = crate::cli::PidFile::claim(&made.operators[2].pid).expect("free");
        let text = refusal(&args);
        assert!(text.contains("operator 2") && text.contains(&std::process::id().to_string()), "{text}");
        assert!(refusal(&DevnetArgs { fresh: true, ..args.clone() }).contains("stop it before --fresh"));
        drop(held);
        let address = made.operators[1].ports.metrics;
        let _taken = std::net::TcpListener::bind(address).expect("free");
        let text = refusal(&args);
        assert!(text.contains("operator 1") && text.contains(&address.to_string()), "{text}");
    }
}
