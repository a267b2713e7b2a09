//! Operators' identities: Ed25519 keys (RFC 8032). They sign what must convict an operator before a third
//! party (its proposals), and authenticate its QUIC connections.
//!
//! Invariant: keys of small order are refused and signatures are verified strictly, so that all verifiers
//! agree on every signature. The secret is wiped when dropped, and prints nothing.

use crate::digest::{Domain, proposal_digest};
use crate::error::MisuseError;
use alloy_primitives::{B256, hex};
use core::fmt;
use core::str::FromStr;
use ed25519_dalek::{Signature, Signer, SigningKey, VerifyingKey};
use phalanx_types::{Certificate, IdentitySignature, OperatorIndex, Proposal, UnsignedProposal};
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// The length of an identity's seed and of its public key. Unit: bytes.
const KEY_BYTES: usize = 32;

/// An operator's public identity.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct IdentityKey(VerifyingKey);

impl IdentityKey {
    /// The key that 32 bytes encode (RFC 8032).
    ///
    /// # Errors
    /// [`MisuseError::IdentityKey`] for what is no point, or one of small order.
    pub fn from_bytes(bytes: &[u8; KEY_BYTES]) -> Result<Self, MisuseError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| MisuseError::IdentityKey)?;
        if key.is_weak() { Err(MisuseError::IdentityKey) } else { Ok(Self(key)) }
    }

    /// The 32 bytes of RFC 8032.
    #[must_use]
    pub fn to_bytes(self) -> [u8; KEY_BYTES] {
        self.0.to_bytes()
    }

    /// Whether the signature is this identity's over the proposal.
    #[must_use]
    pub(crate) fn verifies(&self, domain: &Domain, header: &UnsignedProposal, signature: &IdentitySignature) -> bool {
        self.verifies_digest(&proposal_digest(domain, header), signature)
    }

    /// Whether the signature is this identity's over 32 bytes that are signed nowhere else.
    #[must_use]
    pub fn verifies_digest(&self, digest: &B256, signature: &IdentitySignature) -> bool {
        self.0.verify_strict(digest.as_slice(), &Signature::from_bytes(&signature.0.0)).is_ok()
    }
}

impl fmt::Display for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.to_bytes()))
    }
}

impl fmt::Debug for IdentityKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for IdentityKey {
    type Err = MisuseError;

    fn from_str(text: &str) -> Result<Self, MisuseError> {
        let bytes = hex::decode_to_array(text)
            .map_err(|_| MisuseError::Hex { what: "an identity key", expected: KEY_BYTES })?;
        Self::from_bytes(&bytes)
    }
}

impl Serialize for IdentityKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for IdentityKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// An operator's secret identity.
pub struct Identity(SigningKey);

impl Identity {
    /// A new one.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut seed = Zeroizing::new([0; KEY_BYTES]);
        rng.fill_bytes(seed.as_mut());
        Self::from_seed(&seed)
    }

    /// The identity of a seed (RFC 8032's private key). Every 32 bytes are one.
    #[must_use]
    pub fn from_seed(seed: &[u8; KEY_BYTES]) -> Self {
        Self(SigningKey::from_bytes(seed))
    }

    /// The seed, to be kept secret.
    #[must_use]
    pub fn to_seed(&self) -> Zeroizing<[u8; KEY_BYTES]> {
        Zeroizing::new(self.0.to_bytes())
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> IdentityKey {
        IdentityKey(self.0.verifying_key())
    }

    /// Signs a digest, which must carry its domain: what is signed here means something wherever it is shown.
    #[must_use]
    pub fn sign_digest(&self, digest: &B256) -> IdentitySignature {
        IdentitySignature(self.0.sign(digest.as_slice()).to_bytes().into())
    }

    /// Signs a proposal as `leader`. The justification proves itself, and is not signed.
    #[must_use]
    pub fn sign_proposal(
        &self,
        domain: &Domain,
        leader: OperatorIndex,
        header: UnsignedProposal,
        justification: Vec<Certificate>,
    ) -> Proposal {
        let digest = proposal_digest(domain, &header);
        let signature = self.sign_digest(&digest);
        Proposal { header, leader, signature, justification }
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity").field("public", &self.public()).finish_non_exhaustive()
    }
}
