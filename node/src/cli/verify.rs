//! `phalanx verify`: checks certificates, and the chain that they certify, trusting nobody.
//!
//! All that is believed is the cluster file (its public key, chain id, cluster id and genesis); whoever
//! serves the certificates can only withhold them. What is wrong first, by height, is said.

mod chain;

use super::genesis_hash;
use super::rpc_client::{BATCH_MAX, RpcClient};
use crate::config::ClusterFile;
use crate::keys::check_attestation;
use crate::rpc::types::CertifiedBlock;
use anyhow::{Context, bail, ensure};
use chain::{Chain, Checker, Wrong};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use phalanx_types::Certificate;
use serde_json::{Value, json};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Instant;

/// The largest certificate file. Unit: bytes.
const CERTIFICATE_FILE_BYTES_MAX: u64 = 64 << 20;

/// `phalanx verify`
#[derive(Debug, Args)]
pub(super) struct VerifyArgs {
    /// The public cluster file.
    #[arg(long, value_name = "FILE")]
    cluster: PathBuf,
    /// An operator to fetch certificates from; it is not trusted.
    #[arg(long, value_name = "URL", requires = "from", requires = "to", required_unless_present = "certificate")]
    rpc: Option<String>,
    /// The first block to check, from 1.
    #[arg(long, value_name = "NUMBER", requires = "rpc", value_parser = clap::value_parser!(u64).range(1..))]
    from: Option<u64>,
    /// The last block to check.
    #[arg(long, value_name = "NUMBER", requires = "rpc")]
    to: Option<u64>,
    /// A certificate as `seq_getCertificate` gives it, in JSON; `-` for standard input.
    #[arg(value_name = "CERTIFICATE.json", conflicts_with = "rpc")]
    certificate: Option<PathBuf>,
}

/// Checks, and says what was checked or what is wrong.
pub(super) async fn verify(args: VerifyArgs) -> anyhow::Result<ExitCode> {
    let cluster = ClusterFile::load(&args.cluster, genesis_hash)?;
    check_attestation(&cluster)?;
    let checker = Checker::new(&cluster)?;
    let outcome = match (&args.certificate, &args.rpc, args.from, args.to) {
        (Some(path), ..) => file(&checker, path)?,
        (None, Some(url), Some(from), Some(to)) => {
            ensure!(from <= to, "--from {from} is above --to {to}");
            range(&checker, &cluster, &RpcClient::new(url)?, from, to).await?
        }
        _ => bail!("give --rpc with --from and --to, or a certificate file"),
    };
    match outcome {
        Ok(said) => {
            println!("OK: {said}, under the public key {}", cluster.definition.public_key);
            Ok(ExitCode::SUCCESS)
        }
        Err(wrong) => {
            println!("WRONG: {wrong}");
            Ok(ExitCode::FAILURE)
        }
    }
}

fn file(checker: &Checker, path: &Path) -> anyhow::Result<Result<String, Wrong>> {
    let text = read(path).with_context(|| format!("cannot read the certificate {}", path.display()))?;
    let malformed = || format!("{} is no certificate as seq_getCertificate gives it", path.display());
    let value: Value = serde_json::from_str(&text).with_context(malformed)?;
    if value.get("certificate").is_none() {
        let certificate: Certificate = serde_json::from_value(value).with_context(malformed)?;
        return Ok(checker.certificate(&certificate).map(|()| format!("the {certificate}")));
    }
    let block: CertifiedBlock = serde_json::from_value(value).with_context(malformed)?;
    let said = format!(
        "block {} is {}: its header and the {}",
        block.block,
        if block.finalized { "final" } else { "notarized" },
        block.certificate
    );
    Ok(checker.blocks(&mut Chain::anywhere(), &[block]).map(|_| said))
}

fn read(path: &Path) -> std::io::Result<String> {
    let mut text = String::new();
    if path == Path::new("-") {
        std::io::stdin().take(CERTIFICATE_FILE_BYTES_MAX).read_to_string(&mut text)?;
    } else {
        std::fs::File::open(path)?.take(CERTIFICATE_FILE_BYTES_MAX).read_to_string(&mut text)?;
    }
    Ok(text)
}

async fn range(
    checker: &Checker,
    cluster: &ClusterFile,
    client: &RpcClient,
    from: u64,
    to: u64,
) -> anyhow::Result<Result<String, Wrong>> {
    let start = Instant::now();
    let style = ProgressStyle::with_template("{bar:30} {pos}/{len} blocks · {per_sec} · {eta} left")
        .context("the template is malformed")?;
    let progress = ProgressBar::new(to - from + 1).with_style(style);
    let mut chain = if from == 1 { Chain::from_genesis(cluster.genesis_hash) } else { Chain::at(from) };
    let mut certificates = 0;
    let mut next = from;
    while next <= to {
        let last = to.min(next.saturating_add(BATCH_MAX as u64 - 1));
        let page = fetch(client, next, last).await?;
        match checker.blocks(&mut chain, &page) {
            Ok(checked) => certificates += checked,
            Err(wrong) => {
                progress.abandon();
                return Ok(Err(wrong));
            }
        }
        progress.inc(page.len() as u64);
        next = last + 1;
    }
    progress.finish_and_clear();
    Ok(Ok(format!(
        "blocks {from} to {to}: {} headers, their parent links and {certificates} certificates in {:.1} s",
        to - from + 1,
        start.elapsed().as_secs_f64()
    )))
}

/// The certified blocks `from..=to`.
async fn fetch(client: &RpcClient, from: u64, to: u64) -> anyhow::Result<Vec<CertifiedBlock>> {
    let params: Vec<_> = (from..=to).map(|number| vec![json!(format!("{number:#x}"))]).collect();
    let answers = client.batch::<Option<CertifiedBlock>>("seq_getCertificate", &params).await?;
    let mut blocks = Vec::with_capacity(answers.len());
    for (number, answer) in (from..=to).zip(answers) {
        match answer {
            Ok(Some(block)) => blocks.push(block),
            Ok(None) => bail!("{} has no certificate of block {number}; is it that far?", client.url()),
            Err(error) => bail!("{}: no certificate of block {number}: {}", client.url(), error.message()),
        }
    }
    Ok(blocks)
}
