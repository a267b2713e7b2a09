//! The signatures that cluster files and definitions carry, made and checked.

use super::{KeyError, identity_keys, public_key, share_keys};
use crate::config::{Acceptance, ClusterFile, Definition};
use alloy_primitives::FixedBytes;
use phalanx_bls::Backend;
use phalanx_threshold::dkg::attestation_digest;
use phalanx_threshold::{BlsMinSig, Identity, IdentityKey, ThresholdScheme};
use phalanx_types::{IdentitySignature, OperatorIndex};

/// Whether all operators and the key itself have signed this file. One without signatures, whose key comes from a
/// dealer, has nothing to check.
///
/// # Errors
/// [`KeyError::AttestationWrong`] for the first signature that is not its signer's, and [`KeyError::ClusterKey`].
pub fn check_attestation(cluster: &ClusterFile) -> Result<(), KeyError> {
    let Some(attestation) = &cluster.attestation else { return Ok(()) };
    let wrong = |whose| KeyError::AttestationWrong { what: "cluster file", whose };
    let digest = cluster.outcome_digest(attestation.definition);
    let signed = attestation_digest(digest);
    for ((key, signature), record) in
        identity_keys(cluster)?.iter().zip(&attestation.operators).zip(&cluster.definition.operators)
    {
        if !key.verifies_digest(&signed, signature) {
            return Err(wrong(format!("operator {} ({})", record.index, record.name)));
        }
    }
    let key = BlsMinSig::new(Backend::detect(), cluster.size(), public_key(cluster)?, share_keys(cluster)?);
    let key = key.map_err(|error| KeyError::ClusterKey { which: "publicKey".to_owned(), reason: error.to_string() })?;
    match key.verify(&mut rand::rng(), &[(digest, attestation.signature)])[..] {
        [true] => Ok(()),
        _ => Err(wrong("the cluster's key".to_owned())),
    }
}

/// An operator's word that `definition` is what it wants.
#[must_use]
pub fn sign_acceptance(definition: &Definition, operator: OperatorIndex, identity: &Identity) -> Acceptance {
    let IdentitySignature(signature) = identity.sign_digest(&definition.acceptance_digest());
    Acceptance { operator, signature: FixedBytes(signature.0) }
}

/// Whether the acceptances in a definition are those of its operators.
///
/// # Errors
/// [`KeyError::AttestationWrong`] for the first that is not, and [`KeyError::ClusterKey`] for an identity that is no
/// key.
pub fn check_acceptances(definition: &Definition) -> Result<(), KeyError> {
    let digest = definition.acceptance_digest();
    for Acceptance { operator, signature } in &definition.acceptances {
        let record = &definition.operators[operator.as_usize()];
        let whose = format!("operator {operator} ({})", record.name);
        let key = IdentityKey::from_bytes(&record.identity.0).map_err(|error| KeyError::ClusterKey {
            which: format!("identity of {whose}"),
            reason: error.to_string(),
        })?;
        if !key.verifies_digest(&digest, &IdentitySignature(signature.0.into())) {
            return Err(KeyError::AttestationWrong { what: "definition", whose });
        }
    }
    Ok(())
}
