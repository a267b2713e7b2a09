//! Which group holds signatures and which holds keys. [`MinSig`] is the cluster's default, [`MinPk`] the suite
//! of Ethereum's validators.

use crate::backend::{Backend, blst as oracle};
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

    /// Decodes keys, each to its own verdict, subgroup checked.
    fn decode_keys(backend: Backend, encodings: &[&[u8]]) -> Vec<Result<Self::PublicKey, BlsError>>;

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

    /// `Σ wᵢH(mᵢ)`; `None` when that is infinity.
    ///
    /// # Panics
    /// When there is not one weight for each message.
    fn sum_hashes(backend: Backend, messages: &[&[u8]], weights: &Weights) -> Option<Self::Signature>;

    /// Whether one signature is valid: for `min-sig`, `e(σ, g₂) = e(H(m), PK)`. All in the subgroup.
    fn check(backend: Backend, key: &Self::PreparedKey, signature: &Self::Signature, hash: &Self::Signature) -> bool;

    /// As [`Self::check`], under a key that was not prepared.
    fn check_once(backend: Backend, key: &Self::PublicKey, signature: &Self::Signature, hash: &Self::Signature)
    -> bool;

    /// Many keys, each over its own message: for `min-sig`, `e(Σ wᵢσᵢ, g₂) = Π e(wᵢH(mᵢ), PKᵢ)`. All in the
    /// subgroup. True of no items.
    ///
    /// # Panics
    /// When there is not one of each for each of the others.
    fn check_distinct(
        backend: Backend,
        keys: &[Self::PublicKey],
        messages: &[&[u8]],
        signatures: &[Self::Signature],
        weights: &Weights,
    ) -> bool;

    /// As [`Self::check_messages`], from the messages themselves: cheaper where a false answer is not followed
    /// by a closer look that needs the hashes.
    fn check_batch(
        backend: Backend,
        key: &Self::PreparedKey,
        messages: &[&[u8]],
        signatures: &[Self::Signature],
        weights: &Weights,
    ) -> bool {
        if signatures.is_empty() {
            return true;
        }
        let (signature, hash) = backend.join(
            signatures.len(),
            || Self::sum(backend, signatures, weights),
            || Self::sum_hashes(backend, messages, weights),
        );
        signature.zip(hash).is_some_and(|(signature, hash)| Self::check(backend, key, &signature, &hash))
    }

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
        oracle::g2_public_key(secret)
    }

    fn sign(secret: &SecretKey, message: &[u8]) -> G1 {
        oracle::g1_sign(secret, message, Self::DST.as_bytes())
    }

    fn decode(backend: Backend, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G1, BlsError>> {
        backend.g1_decode(encodings, subgroup)
    }

    fn decode_keys(backend: Backend, encodings: &[&[u8]]) -> Vec<Result<G2, BlsError>> {
        backend.g2_decode(encodings, Subgroup::Checked)
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

    fn sum_hashes(backend: Backend, messages: &[&[u8]], weights: &Weights) -> Option<G1> {
        backend.g1_hash_sum(messages, Self::DST.as_bytes(), weights)
    }

    fn check(backend: Backend, key: &PreparedG2, signature: &G1, hash: &G1) -> bool {
        backend.check_prepared(key, signature, hash)
    }

    fn check_once(backend: Backend, key: &G2, signature: &G1, hash: &G1) -> bool {
        backend.check_once(key, signature, hash)
    }

    fn check_distinct(backend: Backend, keys: &[G2], messages: &[&[u8]], signatures: &[G1], weights: &Weights) -> bool {
        assert_eq!((keys.len(), messages.len()), (signatures.len(), signatures.len()), "one of each for each");
        if signatures.is_empty() {
            return true;
        }
        let (sum, hashes) = backend.join(
            signatures.len(),
            || backend.g1_sum(signatures, weights),
            || backend.g1_pairing_hashes(messages, Self::DST.as_bytes(), weights),
        );
        let points: Option<Vec<G1>> = hashes.points.into_iter().collect();
        let (Some(sum), Some(mut points)) = (sum, points) else { return false };
        points.push(oracle::g1_negate(&sum));
        let keys: Vec<G2> = keys.iter().copied().chain([hashes.against]).collect();
        backend.product_is_one(&points, &keys)
    }
}

/// Signatures in G2 (96 bytes), keys in G1 (48 bytes): the suite of Ethereum's validators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct MinPk;

impl Variant for MinPk {
    const NAME: &'static str = "bls12381-min-pk";
    const DST: &'static str = "BLS_SIG_BLS12381G2_XMD:SHA-256_SSWU_RO_POP_";
    type Signature = G2;
    type PublicKey = G1;
    /// Nothing can be computed ahead for a point that a Miller loop is evaluated at.
    type PreparedKey = G1;

    fn prepare(key: &G1) -> G1 {
        *key
    }

    fn public_key(secret: &SecretKey) -> G1 {
        oracle::g1_public_key(secret)
    }

    fn sign(secret: &SecretKey, message: &[u8]) -> G2 {
        oracle::g2_sign(secret, message, Self::DST.as_bytes())
    }

    fn decode(backend: Backend, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G2, BlsError>> {
        backend.g2_decode(encodings, subgroup)
    }

    fn decode_keys(backend: Backend, encodings: &[&[u8]]) -> Vec<Result<G1, BlsError>> {
        backend.g1_decode(encodings, Subgroup::Checked)
    }

    fn hash(backend: Backend, messages: &[&[u8]]) -> Vec<G2> {
        backend.g2_hash(messages, Self::DST.as_bytes())
    }

    fn in_subgroup(backend: Backend, points: &[G2]) -> Vec<bool> {
        backend.g2_in_subgroup(points)
    }

    fn sum(backend: Backend, points: &[G2], weights: &Weights) -> Option<G2> {
        backend.g2_sum(points, weights)
    }

    fn sum_keys(backend: Backend, keys: &[G1], weights: &Weights) -> Option<G1> {
        backend.g1_sum(keys, weights)
    }

    fn sum_hashes(backend: Backend, messages: &[&[u8]], weights: &Weights) -> Option<G2> {
        backend.g2_hash_sum(messages, Self::DST.as_bytes(), weights)
    }

    fn check(backend: Backend, key: &G1, signature: &G2, hash: &G2) -> bool {
        backend.check_pair((&oracle::g1_generator(), signature), (key, hash))
    }

    fn check_once(backend: Backend, key: &G1, signature: &G2, hash: &G2) -> bool {
        Self::check(backend, key, signature, hash)
    }

    fn check_distinct(backend: Backend, keys: &[G1], messages: &[&[u8]], signatures: &[G2], weights: &Weights) -> bool {
        assert_eq!((keys.len(), messages.len()), (signatures.len(), signatures.len()), "one of each for each");
        if signatures.is_empty() {
            return true;
        }
        let ((sum, keys), mut hashes) = backend.join(
            signatures.len(),
            || (backend.g2_sum(signatures, weights), backend.g1_scale(keys, weights)),
            || backend.g2_hash(messages, Self::DST.as_bytes()),
        );
        let keys: Option<Vec<G1>> = keys.into_iter().collect();
        let (Some(sum), Some(mut keys)) = (sum, keys) else { return false };
        keys.push(oracle::g1_negate(&oracle::g1_generator()));
        hashes.push(sum);
        backend.product_is_one(&keys, &hashes)
    }
}
