//! Which group holds signatures and which holds keys. `MinSig` is the cluster's default; `min-pk` would be
//! a second implementation of [`Variant`], and nothing above it would change.

use crate::backend::Backend;
use crate::error::BlsError;
use crate::point::{G1, G2, Point, PreparedG2, Subgroup};
use crate::secret::SecretKey;
use crate::weights::Weights;
use core::fmt;

/// A variant of the BLS signature scheme (IETF draft-irtf-cfrg-bls-signature), in batches.
pub trait Variant: Copy + Default + Eq + fmt::Debug + Send + Sync + 'static {
    /// The scheme's name in the cluster file.
    const NAME: &'static str;
    /// The domain separation tag of the hash to the curve (RFC 9380).
    const DST: &'static str;
    /// Signatures, partials and hashed messages.
    type Signature: Point;
    /// Public keys.
    type PublicKey: Point;
    /// A public key made ready for many checks.
    type PreparedKey: Clone + fmt::Debug + Send + Sync;

    /// Makes a key ready for many checks.
    fn prepare(key: &Self::PublicKey) -> Self::PreparedKey;

    /// The public key of a secret. Constant time.
    fn public_key(secret: &SecretKey) -> Self::PublicKey;

    /// The signature of a message. Constant time.
    fn sign(secret: &SecretKey, message: &[u8]) -> Self::Signature;

    /// Decodes signatures, each to its own verdict.
    fn decode(backend: Backend, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<Self::Signature, BlsError>>;

    /// Hashes messages to the curve.
    fn hash(backend: Backend, messages: &[&[u8]]) -> Vec<Self::Signature>;

    /// Which points lie in the prime-order subgroup.
    fn in_subgroup(backend: Backend, points: &[Self::Signature]) -> Vec<bool>;

    /// `Σ wᵢPᵢ`; `None` when that is infinity. Points outside the subgroup give some point of the curve.
    ///
    /// # Panics
    /// When there is not one weight for each point.
    fn sum(backend: Backend, points: &[Self::Signature], weights: &Weights) -> Option<Self::Signature>;

    /// As [`Self::sum`], over keys.
    ///
    /// # Panics
    /// When there is not one weight for each key.
    fn sum_keys(backend: Backend, keys: &[Self::PublicKey], weights: &Weights) -> Option<Self::PublicKey>;

    /// Whether one signature is valid: for `min-sig`, `e(σ, g₂) = e(H(m), PK)`. All in the subgroup.
    fn check(backend: Backend, key: &Self::PreparedKey, signature: &Self::Signature, hash: &Self::Signature) -> bool;

    /// As [`Self::check`], under a key that was not prepared.
    fn check_once(backend: Backend, key: &Self::PublicKey, signature: &Self::Signature, hash: &Self::Signature)
    -> bool;

    /// Many messages under one key: `e(Σ wᵢσᵢ, g₂) = e(Σ wᵢH(mᵢ), PK)`. True of no items.
    fn check_messages(
        backend: Backend,
        key: &Self::PreparedKey,
        signatures: &[Self::Signature],
        hashes: &[Self::Signature],
        weights: &Weights,
    ) -> bool {
        if signatures.is_empty() {
            return true;
        }
        let (signature, hash) = backend.join(
            signatures.len(),
            || Self::sum(backend, signatures, weights),
            || Self::sum(backend, hashes, weights),
        );
        // A sum at infinity proves nothing; callers look closer, one by one.
        signature.zip(hash).is_some_and(|(signature, hash)| Self::check(backend, key, &signature, &hash))
    }

    /// Many keys over one message: `e(Σ wᵢσᵢ, g₂) = e(H(m), Σ wᵢPKᵢ)`. True of no items.
    fn check_keys(
        backend: Backend,
        keys: &[Self::PublicKey],
        signatures: &[Self::Signature],
        hash: &Self::Signature,
        weights: &Weights,
    ) -> bool {
        if signatures.is_empty() {
            return true;
        }
        let (signature, key) = backend.join(
            signatures.len(),
            || Self::sum(backend, signatures, weights),
            || Self::sum_keys(backend, keys, weights),
        );
        signature.zip(key).is_some_and(|(signature, key)| Self::check_once(backend, &key, &signature, hash))
    }
}

/// Signatures in G1 (48 bytes), keys in G2 (96 bytes).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinSig;

impl Variant for MinSig {
    const NAME: &'static str = "bls12381-min-sig";
    const DST: &'static str = "BLS_SIG_BLS12381G1_XMD:SHA-256_SSWU_RO_NUL_";
    type Signature = G1;
    type PublicKey = G2;
    type PreparedKey = PreparedG2;

    fn prepare(key: &G2) -> PreparedG2 {
        PreparedG2::new(key)
    }

    fn public_key(secret: &SecretKey) -> G2 {
        crate::backend::blst::g2_public_key(secret)
    }

    fn sign(secret: &SecretKey, message: &[u8]) -> G1 {
        crate::backend::blst::g1_sign(secret, message, Self::DST.as_bytes())
    }

    fn decode(backend: Backend, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G1, BlsError>> {
        backend.g1_decode(encodings, subgroup)
    }

    fn hash(backend: Backend, messages: &[&[u8]]) -> Vec<G1> {
        backend.g1_hash(messages, Self::DST.as_bytes())
    }

    fn in_subgroup(backend: Backend, points: &[G1]) -> Vec<bool> {
        backend.g1_in_subgroup(points)
    }

    fn sum(backend: Backend, points: &[G1], weights: &Weights) -> Option<G1> {
        backend.g1_sum(points, weights)
    }

    fn sum_keys(backend: Backend, keys: &[G2], weights: &Weights) -> Option<G2> {
        backend.g2_sum(keys, weights)
    }

    fn check(backend: Backend, key: &PreparedG2, signature: &G1, hash: &G1) -> bool {
        backend.check_prepared(key, signature, hash)
    }

    fn check_once(backend: Backend, key: &G2, signature: &G1, hash: &G1) -> bool {
        backend.check_once(key, signature, hash)
    }
}
