//! From a journal's records to what an engine is restored from.

use crate::error::RestoreError;
use phalanx_consensus::Restored;
use phalanx_threshold::{CryptoRng, Verifier};
use phalanx_types::{Block, BlockRef, Certificate, Record};
use std::sync::Arc;

/// Checks a journal's certificates again, in one batch, and puts together what the engine starts from.
/// `blocks` are the payloads held above the finalized height in ascending order, `committed` the newest
/// committed block.
///
/// # Errors
/// [`RestoreError::IoCertificate`]: a certificate that does not verify.
pub fn restore(
    records: Vec<Record>,
    blocks: Vec<Arc<Block>>,
    committed: Option<BlockRef>,
    verifier: &Verifier,
    rng: &mut dyn CryptoRng,
) -> Result<Restored, RestoreError> {
    let unverified: Vec<Certificate> = records
        .iter()
        .filter_map(|record| match record {
            Record::Certificate(certificate) => Some(*certificate),
            Record::Vote(_) | Record::Proposal(_) => None,
        })
        .collect();
    let verdicts = verifier.certificates(rng, unverified.clone());
    let certificates = verdicts
        .into_iter()
        .zip(unverified)
        .map(|(verdict, certificate)| verdict.map_err(|_| RestoreError::IoCertificate(Box::new(certificate))))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(Restored { records, certificates, blocks, committed })
}
