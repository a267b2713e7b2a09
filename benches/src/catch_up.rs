//! Catch-up: how many certificates a second an operator that was away decodes and checks.

use crate::cluster::Cluster;
use crate::feed::LEADER;
use crate::operator::Operator;
use anyhow::{Context, ensure};
use phalanx_threshold::{Ballot, PartialSigner, digest};
use phalanx_types::{B256, BlockRef, Certificate, Position, SyncResponse, Vote, Wire};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use rayon::prelude::*;
use std::time::{Duration, Instant};

/// Certificates of one answer.
const ANSWER: usize = 1_000;
const WAIT_MAX: Duration = Duration::from_secs(60);

/// Encoded answers with `count` notarizations, of a row of slots.
///
/// # Panics
/// When the cluster's own partials make no certificate.
#[must_use]
pub fn answers(cluster: &Cluster, count: u32) -> Vec<Vec<u8>> {
    let quorum = cluster.size().q();
    let certificates: Vec<Certificate> = (0..count)
        .collect::<Vec<_>>()
        .par_chunks(ANSWER)
        .flat_map_iter(|slots| {
            let ballots = slots.iter().map(|slot| {
                let block = BlockRef::new(u64::from(*slot) + 1, B256::left_padding_from(&slot.to_be_bytes()));
                let vote = Vote::notarize(Position::new(0, 0, *slot), block);
                let digest = digest(cluster.verifier.domain(), &vote);
                let signers = cluster.signers.iter().take(quorum);
                Ballot { vote, partials: signers.map(|signer| (signer.index(), signer.sign(&digest).into())).collect() }
            });
            let certified = cluster.verifier.certify(&mut ChaCha12Rng::seed_from_u64(1), ballots.collect());
            certified.into_iter().map(|one| *one.certificate.expect("good partials certify"))
        })
        .collect();
    certificates.chunks(ANSWER).map(|chunk| SyncResponse::Certificates(chunk.to_vec()).to_wire()).collect()
}

/// Feeds an operator a peer's [`answers`], from bytes to checked certificates. Unit: certificates a second.
///
/// # Errors
/// The operator cannot be started, or does not take them.
pub fn catch_up(cluster: &Cluster, answers: &[Vec<u8>]) -> anyhow::Result<f64> {
    let directory = tempfile::tempdir().context("a directory for the journal")?;
    let operator = Operator::start(cluster, directory.path())?;
    let begin = Instant::now();
    let mut count = 0;
    for bytes in answers {
        let SyncResponse::Certificates(certificates) = SyncResponse::from_wire(bytes)? else {
            anyhow::bail!("an answer of certificates was encoded");
        };
        count += u64::try_from(certificates.len())?;
        operator.receive_fetched(LEADER, certificates);
    }
    while operator.counters.certificates_received.get() < count {
        let taken = operator.counters.certificates_received.get();
        ensure!(begin.elapsed() < WAIT_MAX, "only {taken} of {count} were taken");
        std::thread::sleep(Duration::from_micros(200));
    }
    #[expect(clippy::cast_precision_loss, reason = "a few thousand")]
    Ok(count as f64 / begin.elapsed().as_secs_f64())
}
