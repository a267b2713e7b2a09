//! Threshold BLS over any [`Variant`], in batches.

use super::{Partial, PartialSigner, Partials, ThresholdScheme};
use crate::error::MisuseError;
use crate::keys::{PublicKey, SecretShare};
use crate::lagrange::{CoefficientCache, dual_weights};
use alloy_primitives::{B256, keccak256};
use core::fmt;
use core::marker::PhantomData;
use phalanx_bls::{
    Backend, MinPk, MinSig, PARALLEL_ITEMS_MIN, Point, Scalar, Subgroup, Variant, Weights, bisect, check_messages_each,
};
use phalanx_types::{ClusterSize, OperatorIndex, SignatureBytes};
use rand::CryptoRng;
use rayon::prelude::*;

/// Threshold BLS with the public keys of one cluster.
pub struct Bls<V: Variant> {
    backend: Backend,
    key: PublicKey<V>,
    prepared: V::PreparedKey,
    share_keys: Vec<V::PublicKey>,
    coefficients: CoefficientCache,
}

/// Threshold BLS with signatures in G1: the default.
pub type BlsMinSig = Bls<MinSig>;
/// Threshold BLS with signatures in G2: the suite of Ethereum's validators.
pub type BlsMinPk = Bls<MinPk>;

impl<V: Variant> Bls<V> {
    /// The scheme of a cluster with one share key for each operator, by index.
    ///
    /// # Errors
    /// [`MisuseError::Count`], and [`MisuseError::Inconsistent`] when the share keys are not the cluster
    /// key's.
    pub fn new(
        backend: Backend,
        size: ClusterSize,
        key: PublicKey<V>,
        share_keys: Vec<PublicKey<V>>,
    ) -> Result<Self, MisuseError> {
        if share_keys.len() != size.n() {
            return Err(MisuseError::Count { what: "share keys", actual: share_keys.len(), expected: size.n() });
        }
        let prepared = V::prepare(&key.0);
        let share_keys: Vec<V::PublicKey> = share_keys.into_iter().map(|key| key.0).collect();
        let scheme = Self { backend, key, prepared, share_keys, coefficients: CoefficientCache::default() };
        if scheme.shares_are_consistent(size) { Ok(scheme) } else { Err(MisuseError::Inconsistent) }
    }

    /// The cluster's key.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey<V> {
        &self.key
    }
}

impl<V: Variant> Bls<V> {
    /// Whether the share keys, with the cluster's key at zero, are values of one polynomial of degree
    /// `q − 1`. The challenge is a hash of all of them, so whoever made them cannot have chosen it.
    fn shares_are_consistent(&self, size: ClusterSize) -> bool {
        let keys: Vec<V::PublicKey> = core::iter::once(self.key.0).chain(self.share_keys.iter().copied()).collect();
        let encoded: Vec<u8> = keys.iter().flat_map(Point::to_bytes).collect();
        let challenge = Scalar::from_wide(keccak256(encoded).as_slice());
        let weights = Weights::from_scalars(&dual_weights(size.n(), size.q(), challenge));
        V::sum_keys(self.backend, &keys, &weights).is_none()
    }

    /// Which signatures are valid under the cluster's key, all points in the subgroup; one that is not there is
    /// not valid.
    fn check_some(
        &self,
        rng: &mut dyn CryptoRng,
        digests: impl Iterator<Item = B256>,
        signatures: &[Option<V::Signature>],
    ) -> Vec<bool> {
        let digests: Vec<B256> =
            digests.zip(signatures).filter(|(_, signature)| signature.is_some()).map(|(digest, _)| digest).collect();
        let messages: Vec<&[u8]> = digests.iter().map(|digest| digest.as_slice()).collect();
        let present: Vec<V::Signature> = signatures.iter().copied().flatten().collect();
        let verdicts = check_messages_each::<V>(self.backend, rng, &self.prepared, &messages, &present);
        let mut verdicts = verdicts.into_iter();
        signatures.iter().map(|signature| signature.is_some() && verdicts.next() == Some(true)).collect()
    }

    /// Combines the partials of each item, given as points (or as `None` where one was no point), and drops
    /// results outside the subgroup: the partials skipped that check.
    fn combine(&self, items: &[Partials<'_>], points: &[Option<V::Signature>]) -> Vec<Option<V::Signature>> {
        let mut offset = 0;
        let jobs: Vec<(&Partials<'_>, &[Option<V::Signature>])> = items
            .iter()
            .map(|item| {
                let start = offset;
                offset += item.partials.len();
                (item, &points[start..offset])
            })
            .collect();
        let combined: Vec<Option<V::Signature>> = if jobs.len() < PARALLEL_ITEMS_MIN {
            jobs.iter().map(|(item, points)| self.combine_one(item, points)).collect()
        } else {
            jobs.par_iter().map(|(item, points)| self.combine_one(item, points)).collect()
        };
        let present: Vec<V::Signature> = combined.iter().copied().flatten().collect();
        let mut verdicts = V::in_subgroup(self.backend, &present).into_iter();
        combined.into_iter().map(|point| point.filter(|_| verdicts.next() == Some(true))).collect()
    }

    fn combine_one(&self, item: &Partials<'_>, points: &[Option<V::Signature>]) -> Option<V::Signature> {
        let points: Vec<V::Signature> = points.iter().copied().collect::<Option<_>>()?;
        let signers: Vec<OperatorIndex> = item.partials.iter().map(|(signer, _)| *signer).collect();
        let coefficients = self.coefficients.of(&signers);
        let sum = V::sum(self.backend, &points, &coefficients.weights)?;
        match &coefficients.scale {
            Some(scale) => V::sum(self.backend, &[sum], scale),
            None => Some(sum),
        }
    }

    /// The points of partials, for recovery: those that are held, and the others decoded together.
    fn points<'a>(&self, partials: impl Iterator<Item = &'a Partial> + Clone) -> Vec<Option<V::Signature>> {
        let missing = partials.clone().filter(|partial| !partial.is_decoded());
        let encodings: Vec<&[u8]> = missing.map(|partial| partial.bytes().as_slice()).collect();
        let mut decoded = self.decode_all(&encodings, Subgroup::Skipped).into_iter();
        partials.map(|partial| if partial.is_decoded() { partial.point() } else { decoded.next().flatten() }).collect()
    }

    fn decode_all(&self, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Option<V::Signature>> {
        V::decode(self.backend, encodings, subgroup).into_iter().map(Result::ok).collect()
    }
}

impl<V: Variant> ThresholdScheme for Bls<V> {
    fn name(&self) -> &'static str {
        V::NAME
    }

    fn verify(&self, rng: &mut dyn CryptoRng, items: &[(B256, SignatureBytes)]) -> Vec<bool> {
        let encodings: Vec<&[u8]> = items.iter().map(|(_, signature)| signature.as_slice()).collect();
        let signatures = self.decode_all(&encodings, Subgroup::Checked);
        self.check_some(rng, items.iter().map(|(digest, _)| *digest), &signatures)
    }

    fn decode(&self, partials: &mut [Partial]) -> Vec<bool> {
        let points = self.points(partials.iter());
        let held = partials.iter_mut().zip(&points);
        held.for_each(|(partial, point)| {
            if let Some(point) = point {
                partial.hold(point);
            }
        });
        points.iter().map(Option::is_some).collect()
    }

    fn recover(&self, rng: &mut dyn CryptoRng, items: &[Partials<'_>]) -> Vec<Option<SignatureBytes>> {
        let points = self.points(items.iter().flat_map(|item| item.partials).map(|(_, partial)| partial));
        let signatures = self.combine(items, &points);
        let verdicts = self.check_some(rng, items.iter().map(|item| item.digest), &signatures);
        signatures
            .iter()
            .zip(verdicts)
            .map(|(signature, good)| signature.filter(|_| good).as_ref().map(signature_bytes))
            .collect()
    }

    fn verify_partials(&self, rng: &mut dyn CryptoRng, item: Partials<'_>) -> Vec<bool> {
        let encodings: Vec<&[u8]> = item.partials.iter().map(|(_, partial)| partial.bytes().as_slice()).collect();
        let points = self.decode_all(&encodings, Subgroup::Checked);
        let (keys, signatures): (Vec<V::PublicKey>, Vec<V::Signature>) = item
            .partials
            .iter()
            .zip(&points)
            .filter_map(|((signer, _), point)| point.map(|point| (self.share_keys[signer.as_usize()], point)))
            .unzip();
        let hash = V::hash(self.backend, &[item.digest.as_slice()])[0];
        let weights = Weights::random(rng, signatures.len());
        // Some partial is bad: if not one that is no point, then one of these.
        let suspected = signatures.len() == points.len();
        let mut verdicts = bisect(
            signatures.len(),
            suspected,
            |range| {
                let weights = weights.range(range.clone());
                V::check_keys(self.backend, &keys[range.clone()], &signatures[range], &hash, &weights)
            },
            |index| V::check_once(self.backend, &keys[index], &signatures[index], &hash),
        )
        .into_iter();
        points.iter().map(|point| point.is_some() && verdicts.next() == Some(true)).collect()
    }
}

impl<V: Variant> fmt::Debug for Bls<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Bls")
            .field("scheme", &V::NAME)
            .field("backend", &self.backend.name())
            .field("key", &self.key)
            .field("operators", &self.share_keys.len())
            .finish_non_exhaustive()
    }
}

/// An operator's share at work under one variant.
#[derive(Clone)]
pub struct BlsSigner<V: Variant = MinSig> {
    share: SecretShare,
    variant: PhantomData<V>,
}

impl<V: Variant> BlsSigner<V> {
    /// Signs with a share.
    #[must_use]
    pub fn new(share: SecretShare) -> Self {
        Self { share, variant: PhantomData }
    }
}

impl<V: Variant> PartialSigner for BlsSigner<V> {
    fn index(&self) -> OperatorIndex {
        self.share.index()
    }

    fn sign(&self, digest: &B256) -> SignatureBytes {
        signature_bytes(&V::sign(self.share.secret(), digest.as_slice()))
    }
}

impl<V: Variant> fmt::Debug for BlsSigner<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlsSigner").field("scheme", &V::NAME).field("share", &self.share).finish()
    }
}

fn signature_bytes<P: Point>(point: &P) -> SignatureBytes {
    SignatureBytes::try_from(point.to_bytes().as_slice()).expect("a compressed point has 48 or 96 bytes")
}
