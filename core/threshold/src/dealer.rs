//! A dealer: one party that makes every share, and could keep them. For the one-machine devnet and tests
//! only; clusters of several parties generate their key together.

use crate::keys::{ClusterPublicKey, PublicKey, SecretShare, SharePublicKey};
use crate::lagrange::evaluation_point;
use core::fmt;
use phalanx_bls::{MinSig, Scalar, SecretKey, Variant};
use phalanx_types::{ClusterSize, OperatorIndex};
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// What a dealer hands out.
#[derive(Debug)]
pub struct Deal {
    /// The cluster's public key.
    pub public_key: ClusterPublicKey,
    /// The public key of each share, by operator index.
    pub share_keys: Vec<SharePublicKey>,
    /// The secret of each operator, by operator index.
    pub shares: Vec<SecretShare>,
}

/// Deals a new key among the operators of a cluster, any `q` of whom can sign.
///
/// Shamir's scheme: the shares are the values of a random polynomial of degree `q − 1` at `index + 1`, and
/// the secret is its value at zero.
#[must_use]
pub fn deal(rng: &mut dyn CryptoRng, size: ClusterSize) -> Deal {
    loop {
        // A secret or share of zero is no key; it comes up about once in 2²⁴⁵ deals.
        if let Some(deal) = try_deal(rng, size) {
            return deal;
        }
    }
}

fn try_deal(rng: &mut dyn CryptoRng, size: ClusterSize) -> Option<Deal> {
    let polynomial = Polynomial::random(rng, size.q());
    let secret = SecretKey::from_scalar(&Zeroizing::new(polynomial.at(Scalar::ZERO))).ok()?;
    let shares: Vec<SecretShare> = size
        .operators()
        .map(|index| SecretShare::from_scalar(index, &polynomial.share(index)).ok())
        .collect::<Option<_>>()?;
    Some(Deal {
        public_key: PublicKey(MinSig::public_key(&secret)),
        share_keys: shares.iter().map(SecretShare::public_key).collect(),
        shares,
    })
}

/// A secret polynomial, lowest coefficient first. Wiped when dropped.
pub(crate) struct Polynomial(Vec<Scalar>);

impl Polynomial {
    /// Uniform, of `coefficients` coefficients.
    pub(crate) fn random(rng: &mut dyn CryptoRng, coefficients: usize) -> Self {
        Self((0..coefficients).map(|_| Scalar::random(rng)).collect())
    }

    /// Uniform among those whose value at zero is `secret`.
    pub(crate) fn through(rng: &mut dyn CryptoRng, secret: &Scalar, coefficients: usize) -> Self {
        let mut polynomial = Self::random(rng, coefficients);
        polynomial.0[0] = *secret;
        polynomial
    }

    /// Its value at `x`, by Horner's rule.
    pub(crate) fn at(&self, x: Scalar) -> Scalar {
        self.0.iter().rev().fold(Scalar::ZERO, |value, coefficient| value * x + *coefficient)
    }

    /// An operator's share of its value at zero.
    pub(crate) fn share(&self, index: OperatorIndex) -> Zeroizing<Scalar> {
        Zeroizing::new(self.at(evaluation_point(index)))
    }
}

impl Drop for Polynomial {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl fmt::Debug for Polynomial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Polynomial(…)")
    }
}
