//! A scheme without any security, for simulation: the same algebra as BLS, over the field of scalars
//! instead of a curve, so that an operation takes about a microsecond.
//!
//! A secret `s` signs a digest `m` as the number `s·H(m)`, written big-endian into 48 bytes. Shares combine
//! by the same Lagrange coefficients as real partials, so that errors in several partials can cancel in
//! their sum here as they can there. Whoever sees one signature can make every other: never use it outside
//! a simulation. There is no batching to get wrong, so `rng` goes unused.

use super::{Partial, PartialSigner, Partials, ThresholdScheme};
use crate::dealer::Polynomial;
use crate::lagrange::CoefficientCache;
use alloy_primitives::B256;
use phalanx_bls::{SCALAR_BYTES, Scalar};
use phalanx_types::{ClusterSize, OperatorIndex, SignatureBytes};
use rand::CryptoRng;

/// As long as a `min-sig` signature. Unit: bytes.
const SIGNATURE_BYTES: usize = 48;
const PADDING_BYTES: usize = SIGNATURE_BYTES - SCALAR_BYTES;

/// The scheme with the keys of one cluster, which here are its secrets.
#[derive(Debug)]
pub struct Toy {
    secret: Scalar,
    shares: Vec<Scalar>,
    coefficients: CoefficientCache,
}

/// One operator's share.
#[derive(Clone, Debug)]
pub struct ToySigner {
    index: OperatorIndex,
    share: Scalar,
}

/// Deals a toy key: the scheme, and the signers by operator index.
#[must_use]
pub fn deal(rng: &mut dyn CryptoRng, size: ClusterSize) -> (Toy, Vec<ToySigner>) {
    let polynomial = Polynomial::random(rng, size.q());
    let signers: Vec<ToySigner> =
        size.operators().map(|index| ToySigner { index, share: *polynomial.share(index) }).collect();
    let toy = Toy {
        secret: polynomial.at(Scalar::ZERO),
        shares: signers.iter().map(|signer| signer.share).collect(),
        coefficients: CoefficientCache::default(),
    };
    (toy, signers)
}

impl Toy {
    fn combine(&self, item: &Partials<'_>) -> Option<Scalar> {
        let signers: Vec<OperatorIndex> = item.partials.iter().map(|(signer, _)| *signer).collect();
        let coefficients = self.coefficients.of(&signers);
        item.partials
            .iter()
            .zip(&coefficients.lambdas)
            .try_fold(Scalar::ZERO, |sum, ((_, partial), lambda)| Some(sum + decode(partial.bytes())? * *lambda))
    }
}

impl ThresholdScheme for Toy {
    fn name(&self) -> &'static str {
        "toy"
    }

    fn verify(&self, _: &mut dyn CryptoRng, items: &[(B256, SignatureBytes)]) -> Vec<bool> {
        items.iter().map(|(digest, signature)| decode(signature) == Some(self.secret * hash(digest))).collect()
    }

    fn decode(&self, partials: &mut [Partial]) -> Vec<bool> {
        partials.iter().map(|partial| decode(partial.bytes()).is_some()).collect()
    }

    fn recover(&self, _: &mut dyn CryptoRng, items: &[Partials<'_>]) -> Vec<Option<SignatureBytes>> {
        items
            .iter()
            .map(|item| {
                let sum = self.combine(item)?;
                (sum == self.secret * hash(&item.digest)).then(|| encode(&sum))
            })
            .collect()
    }

    fn verify_partials(&self, _: &mut dyn CryptoRng, item: Partials<'_>) -> Vec<bool> {
        let hash = hash(&item.digest);
        item.partials
            .iter()
            .map(|(signer, partial)| decode(partial.bytes()) == Some(self.shares[signer.as_usize()] * hash))
            .collect()
    }
}

impl PartialSigner for ToySigner {
    fn index(&self) -> OperatorIndex {
        self.index
    }

    fn sign(&self, digest: &B256) -> SignatureBytes {
        encode(&(self.share * hash(digest)))
    }
}

/// A digest is a hash already.
fn hash(digest: &B256) -> Scalar {
    Scalar::from_wide(digest.as_slice())
}

fn encode(value: &Scalar) -> SignatureBytes {
    let mut bytes = [0; SIGNATURE_BYTES];
    bytes[PADDING_BYTES..].copy_from_slice(&value.to_bytes());
    bytes.into()
}

/// As strict as the real decoder: zero, which stands for infinity, is refused too.
fn decode(signature: &SignatureBytes) -> Option<Scalar> {
    let bytes: &[u8; SIGNATURE_BYTES] = signature.as_slice().try_into().ok()?;
    let (padding, number) = bytes.split_at(PADDING_BYTES);
    let number: &[u8; SCALAR_BYTES] = number.try_into().ok()?;
    let value = Scalar::from_bytes(number).ok()?;
    (padding.iter().all(|byte| *byte == 0) && value != Scalar::ZERO).then_some(value)
}
