//! `phalanx keys`: an operator's identity, made once and encrypted at rest.

use super::harden::harden;
use crate::config::PublicRecord;
use crate::keys::{Kdf, PassphraseSource, write_encrypted_identity};
use alloy_primitives::B256;
use anyhow::Context;
use clap::{Args, Subcommand};
use phalanx_threshold::{EncryptionSecret, Identity};
use std::fs::OpenOptions;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The file of an operator's identity, in its directory.
pub(super) const IDENTITY_FILE: &str = "identity.json";
/// The file of an operator's public record, in its directory.
pub(super) const RECORD_FILE: &str = "operator.json";

/// `phalanx keys`
#[derive(Debug, Subcommand)]
pub(super) enum KeysCommand {
    /// Make an operator's identity, encrypted under a passphrase, and print its public record.
    New(NewArgs),
}

/// Where the passphrase of key files comes from.
#[derive(Debug, Args)]
pub(super) struct PassphraseArgs {
    /// A file that holds the passphrase and that only its owner may read; else PHALANX_PASSPHRASE, else a prompt.
    #[arg(long, value_name = "FILE", env = "PHALANX_PASSPHRASE_FILE")]
    passphrase_file: Option<PathBuf>,
}

impl PassphraseArgs {
    pub(super) fn source(&self) -> PassphraseSource {
        PassphraseSource::new(self.passphrase_file.clone())
    }
}

/// Where an operator's files are.
#[derive(Debug, Args)]
pub(super) struct DirArgs {
    /// The directory of this operator's files.
    #[arg(long, value_name = "DIR", default_value = ".")]
    dir: PathBuf,
}

impl DirArgs {
    pub(super) fn path(&self) -> &Path {
        &self.dir
    }

    /// The file of its identity.
    pub(super) fn identity(&self) -> PathBuf {
        self.dir.join(IDENTITY_FILE)
    }
}

/// `phalanx keys new`
#[derive(Debug, Args)]
pub(super) struct NewArgs {
    /// What people call this operator.
    #[arg(long, value_name = "NAME")]
    name: String,
    /// Where the other operators will reach it over QUIC (UDP).
    #[arg(long, value_name = "HOST:PORT")]
    address: String,
    #[command(flatten)]
    dir: DirArgs,
    /// How the passphrase becomes a key. The share that a ceremony makes is encrypted in the same way.
    #[arg(long, value_enum, default_value = "scrypt")]
    kdf: Kdf,
    #[command(flatten)]
    passphrase: PassphraseArgs,
}

/// Runs it.
pub(super) fn keys(command: &KeysCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::New(args) => new(args),
    }
}

fn new(args: &NewArgs) -> anyhow::Result<ExitCode> {
    harden();
    let directory = args.dir.path();
    std::fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let path = directory.join(IDENTITY_FILE);
    anyhow::ensure!(
        !path.exists(),
        "{} exists already, and is never overwritten; choose another --dir",
        path.display()
    );
    let rng = &mut rand::rng();
    let (identity, encryption) = (Identity::generate(rng), EncryptionSecret::generate(rng));
    let record = PublicRecord {
        name: args.name.clone(),
        identity: B256::from(identity.public().to_bytes()),
        encryption_key: B256::from(encryption.public().to_bytes()),
        address: args.address.clone(),
    };
    record.check().map_err(anyhow::Error::msg)?;
    let source = args.passphrase.source();
    write_encrypted_identity(rng, &path, &identity, &encryption, source.choose(&path)?, args.kdf)?;
    let mut text = serde_json::to_string_pretty(&record).expect("a record has string keys only");
    text.push('\n');
    write_new(&directory.join(RECORD_FILE), &text)?;
    eprintln!("wrote {} (back it up: it cannot be made again)", path.display());
    eprintln!("wrote {}, the public record below: send it to whoever defines the cluster", RECORD_FILE);
    print!("{text}");
    Ok(ExitCode::SUCCESS)
}

/// Writes a public file that does not exist yet.
pub(super) fn write_new(path: &Path, text: &str) -> anyhow::Result<()> {
    let written = OpenOptions::new().write(true).create_new(true).open(path).and_then(|mut file| {
        file.write_all(text.as_bytes())?;
        file.sync_all()
    });
    written.with_context(|| format!("cannot write {}", path.display()))
}
