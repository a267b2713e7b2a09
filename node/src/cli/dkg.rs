//! `phalanx dkg`: this operator's part in the ceremony that makes a cluster's key.
//!
//! What it leaves: the share, encrypted under the passphrase of the identity; `cluster.json`, signed by all; settings
//! for `phalanx run`, unless there are some; and the log of the ceremony, from which an interrupted one goes on.

use super::keys::{DirArgs, PassphraseArgs};
use super::{cluster, genesis_hash, stop};
use crate::ceremony::{self, CeremonyLog, CeremonyOptions};
use crate::config::{Attestation, ClusterFile, Definition, template};
use crate::keys::{IdentitySecrets, Kdf, Passphrase, PassphraseSource, read_identity, store_share};
use crate::net::IdentitySeed;
use alloy_primitives::{B256, FixedBytes};
use anyhow::{Context, bail, ensure};
use clap::Args;
use phalanx_bls::{Backend, MinSig};
use phalanx_threshold::dkg::{Attest, Ceremony, Machine, Outcome, Participant, Step};
use phalanx_threshold::{EncryptionKey, IdentityKey, PublicKey, Recipients};
use phalanx_types::{OperatorIndex, Time};
use std::cell::Cell;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

const SHARE_FILE: &str = "share.json";
const CLUSTER_FILE: &str = "cluster.json";
const CONFIG_FILE: &str = "config.toml";
/// How many digits of the definition's hash are in the name of a ceremony's log.
const LOG_NAME_DIGITS: usize = 16;

/// `phalanx dkg`
#[derive(Debug, Args)]
pub(super) struct DkgArgs {
    /// The definition, accepted by this operator.
    #[arg(long, value_name = "FILE")]
    definition: PathBuf,
    /// Where to listen (UDP); by default the port of this operator's address, on every interface.
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: Option<SocketAddr>,
    #[command(flatten)]
    dir: DirArgs,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// What one operator brings to a ceremony, and where it puts what comes of it.
struct Seat<'a> {
    definition: &'a Definition,
    index: OperatorIndex,
    directory: &'a Path,
    passphrases: &'a PassphraseSource,
    kdf: Kdf,
    listen: SocketAddr,
    /// Whether the share that comes of it has never left a ceremony.
    unused: bool,
}

/// Runs it.
pub(super) fn dkg(args: &DkgArgs) -> anyhow::Result<ExitCode> {
    super::harden::harden();
    super::log::start("warn", crate::config::LogFormat::Human)?;
    let definition = cluster::load(&args.definition)?;
    cluster::describe(&definition);
    let (path, passphrases) = (args.dir.identity(), args.passphrase.source());
    let IdentitySecrets { identity, encryption, kdf } = read_identity(&path, &passphrases)?;
    let (Some(encryption), Some(kdf)) = (encryption, kdf) else {
        bail!("{} is the unencrypted identity of a devnet, to which nobody can deal", path.display());
    };
    let index = cluster::seat(&definition, &B256::from(identity.public().to_bytes()))?;
    let record = &definition.operators[index.as_usize()];
    let listen = match args.listen {
        Some(address) => address,
        None => {
            let port = record.address.rsplit_once(':').and_then(|(_, port)| port.parse().ok());
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, port.context("the address of an operator has a port")?))
        }
    };
    let directory = args.dir.path();
    let hash = alloy_primitives::hex::encode(definition.hash());
    let log = directory.join(format!("ceremony-{}.log", &hash[..LOG_NAME_DIGITS]));
    let log = CeremonyLog::open(&log, definition.operators.len())?;
    let options = CeremonyOptions {
        definition: &definition,
        index,
        identity: IdentitySeed::new(*identity.to_seed()),
        bind: listen,
    };
    let own = Participant { index, identity: Arc::new(identity), encryption };
    let machine = Machine::new(ceremony(&definition)?, own, Time::ZERO)?;
    // Whoever had confirmed before may have got its share before, and voted with it.
    let unused = !log.1.iter().any(|step| step.from == index && step.body.step() == Step::Confirm);
    let seat = Seat { definition: &definition, index, directory, passphrases: &passphrases, kdf, listen, unused };
    take_part(&options, machine, log, &seat)
}

/// Runs the ceremony until it is over or somebody stops it here.
fn take_part(
    options: &CeremonyOptions<'_>,
    machine: Machine<MinSig>,
    log: (CeremonyLog, Vec<phalanx_threshold::dkg::Envelope>),
    seat: &Seat<'_>,
) -> anyhow::Result<ExitCode> {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let made = Cell::new(false);
    let ended = runtime.block_on(async {
        let stopped = stop::stop_requested(false)?;
        let keep = |outcome: &Outcome<MinSig>| {
            seat.keep(outcome)?;
            made.set(true);
            anyhow::Ok(())
        };
        tokio::select! {
            ended = ceremony::run(options, machine, log, keep, |text| eprintln!("{text}")) => ended,
            reason = stopped => {
                ensure!(made.get(), "{reason}; nothing is lost: the same command goes on from here");
                Ok(())
            }
        }
    });
    ended.map(|()| ExitCode::SUCCESS)
}

/// The ceremony that a definition describes: what it makes is the cluster file, which all sign.
fn ceremony(definition: &Definition) -> anyhow::Result<Ceremony<MinSig>> {
    let mut identities = Vec::new();
    let mut encryption_keys = Vec::new();
    for record in &definition.operators {
        let whose = || format!("the record of {}", record.name);
        identities.push(IdentityKey::from_bytes(&record.identity.0).with_context(whose)?);
        encryption_keys.push(EncryptionKey::from_bytes(&record.encryption_key.0).with_context(whose)?);
    }
    let recipients = Recipients::new(encryption_keys).context("more operators than a cluster may have")?;
    let genesis = genesis_hash(&definition.genesis).map_err(anyhow::Error::msg).context("the genesis is not usable")?;
    let (hash, agreed) = (definition.hash(), definition.clone());
    let attest: Attest<MinSig> = Arc::new(move |public_key, share_keys| {
        cluster_file(&agreed, genesis, public_key, share_keys).outcome_digest(hash)
    });
    Ok(Ceremony::new(hash, identities, recipients, Backend::detect(), attest)?)
}

fn cluster_file(
    definition: &Definition,
    genesis_hash: B256,
    public_key: &PublicKey<MinSig>,
    share_keys: &[PublicKey<MinSig>],
) -> ClusterFile {
    let bytes = |key: &PublicKey<MinSig>| FixedBytes::from_slice(&key.to_bytes());
    let cluster = definition.to_cluster(bytes(public_key), share_keys.iter().map(bytes));
    ClusterFile::new(cluster, genesis_hash).expect("the definition was checked, and keys of a ceremony differ")
}

impl Seat<'_> {
    /// Puts what the ceremony made on disk. Done again after a crash, it finds the same there.
    fn keep(&self, outcome: &Outcome<MinSig>) -> anyhow::Result<()> {
        let genesis = genesis_hash(&self.definition.genesis).map_err(anyhow::Error::msg)?;
        let attestation = Attestation {
            definition: self.definition.hash(),
            operators: outcome.attestations.clone(),
            signature: outcome.signature,
        };
        let cluster = cluster_file(self.definition, genesis, &outcome.public_key, &outcome.share_keys);
        let cluster = cluster.with_attestation(attestation).map_err(anyhow::Error::msg)?;
        crate::keys::check_attestation(&cluster)?;
        let share = self.directory.join(SHARE_FILE);
        let passphrase: &Passphrase = self.passphrases.unlock(&share)?;
        let name = &cluster.definition.name;
        store_share(&mut rand::rng(), &share, &outcome.share, name, (passphrase, self.kdf), self.unused)?;
        store_public(&self.directory.join(CLUSTER_FILE), &cluster.to_json())?;
        let config = self.directory.join(CONFIG_FILE);
        if !config.exists() {
            super::keys::write_new(&config, &template(&[("listen_address", format!("\"{}\"", self.listen))]))?;
        }
        eprintln!("the cluster's public key is {}", cluster.definition.public_key);
        eprintln!("wrote {} (back it up now, with {})", share.display(), super::keys::IDENTITY_FILE);
        eprintln!("wrote {}, the same at every operator", self.directory.join(CLUSTER_FILE).display());
        eprintln!("operator {} is started by: phalanx run --config {}", self.index, config.display());
        Ok(())
    }
}

/// Writes a public file; one that is there must say the same.
fn store_public(path: &Path, text: &str) -> anyhow::Result<()> {
    if !path.exists() {
        return super::keys::write_new(path, text);
    }
    let there = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    ensure!(there == text, "{} is of another cluster; move it away, and run this again", path.display());
    Ok(())
}
