//! Lagrange's coefficients at zero, for recovering a secret-shared value from the values at a quorum's
//! points, and a bounded cache of them.
//!
//! Operator `i` stands at `xᵢ = i + 1`. With signers `S`, `f(0) = Σ λᵢ f(xᵢ)`, `λᵢ = Π xⱼ / (xⱼ − xᵢ)` over
//! the other `j` in `S`. These are rationals of small numbers, so with their least common denominator `D`
//! the `cᵢ = Dλᵢ` are integers: for three of four operators at most 8, and `D` is 1 or 3. A sum over
//! points with such weights costs next to nothing, and one multiplication by `1/D` (none when `D = 1`)
//! makes up for it (bench `certify` in `benches/benches/threshold.rs`). Where the integers grow beyond what that saves, the `λᵢ` are taken modulo the group's
//! order as they are.

use arc_swap::ArcSwap;
use phalanx_bls::{Scalar, Weights};
use phalanx_types::{OPERATORS_MAX, OperatorIndex};
use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

/// The most sets of signers whose coefficients are kept; when there are more, all are dropped and those
/// in use come back. Unit: sets.
pub(crate) const SIGNER_SETS_MAX: usize = 256;

/// The length of a scalar. Unit: bits.
const SCALAR_BITS: usize = 255;

/// Where an operator's share stands on the polynomial.
pub(crate) fn evaluation_point(index: OperatorIndex) -> Scalar {
    Scalar::from(u64::from(index.0) + 1)
}

/// How to combine the values of one set of signers: `f(0) = scale · Σ weightsᵢ f(xᵢ)`.
#[derive(Clone, Debug)]
pub(crate) struct Coefficients {
    /// One weight for each signer, in the order given.
    pub(crate) weights: Weights,
    /// The weight of the sum; `None` stands for one.
    pub(crate) scale: Option<Weights>,
    /// The coefficients themselves, in the order given.
    #[cfg(feature = "toy-scheme")]
    pub(crate) lambdas: Vec<Scalar>,
}

impl Coefficients {
    /// The coefficients of a set of different signers.
    pub(crate) fn of(signers: &[OperatorIndex]) -> Self {
        let lambdas = lambdas(signers);
        let (weights, scale) = match Integers::of(signers) {
            Some(integers) if integers.saves() => {
                let denominator = integers.denominator;
                let scale = (denominator != Scalar::one()).then(|| {
                    let inverse = denominator.inverse().expect("a product of small primes is not zero in the field");
                    Weights::from_scalars(&[inverse])
                });
                (Weights::from_integers(&integers.weights), scale)
            }
            _ => (Weights::from_scalars(&lambdas), None),
        };
        Self {
            weights,
            scale,
            #[cfg(feature = "toy-scheme")]
            lambdas,
        }
    }
}

/// `λᵢ` modulo the group's order.
pub(crate) fn lambdas(signers: &[OperatorIndex]) -> Vec<Scalar> {
    let points: Vec<u64> = signers.iter().map(|signer| u64::from(signer.0) + 1).collect();
    let numerator = product(points.iter().copied());
    let denominators: Vec<Scalar> = points
        .iter()
        .map(|own| {
            let others = points.iter().filter(|other| *other != own);
            let negative = others.clone().filter(|other| *other < own).count() % 2 == 1;
            let magnitude = product(others.map(|other| other.abs_diff(*own)).chain([*own]));
            if negative { -magnitude } else { magnitude }
        })
        .collect();
    inverses(&denominators).into_iter().map(|inverse| numerator * inverse).collect()
}

/// The product of numbers up to [`OPERATORS_MAX`], multiplied as integers as long as they fit.
fn product(factors: impl Iterator<Item = u64>) -> Scalar {
    let (total, pending) =
        factors.fold((Scalar::one(), 1_u64), |(total, pending), factor| match pending.checked_mul(factor) {
            Some(pending) => (total, pending),
            None => (total * Scalar::from(pending), factor),
        });
    total * Scalar::from(pending)
}

/// The inverses of values other than zero, with one inversion (Montgomery's trick).
fn inverses(values: &[Scalar]) -> Vec<Scalar> {
    let mut before = Vec::with_capacity(values.len());
    let total = values.iter().fold(Scalar::one(), |product, value| {
        before.push(product);
        product * *value
    });
    let mut rest = total.inverse().expect("different signers stand at different points, none at zero");
    let mut inverses = vec![Scalar::ZERO; values.len()];
    for (index, value) in values.iter().enumerate().rev() {
        inverses[index] = rest * before[index];
        rest = rest * *value;
    }
    inverses
}

/// `cᵢ = Dλᵢ`, by sign and magnitude, and `D`.
struct Integers {
    weights: Vec<(bool, [u64; 4])>,
    bits: usize,
    denominator: Scalar,
}

impl Integers {
    /// `None` when some magnitude does not lie safely below the group's order.
    fn of(signers: &[OperatorIndex]) -> Option<Self> {
        if signers.len() > SCALAR_BITS {
            // The middle coefficient of consecutive signers is a binomial, longer than a scalar by now.
            return None;
        }
        let rationals: Vec<Rational> = signers.iter().map(|own| Rational::lambda(*own, signers)).collect();
        let mut lowest = vec![0; factor_max(signers) + 1];
        for rational in &rationals {
            for (low, exponent) in lowest.iter_mut().zip(&rational.exponents) {
                *low = (*low).min(*exponent);
            }
        }
        let weights = rationals
            .iter()
            .map(|rational| rational.over(&lowest).map(|magnitude| (rational.negative, magnitude)))
            .collect::<Option<Vec<_>>>()?;
        let bits = Weights::from_integers(&weights).bits();
        let denominator = lowest.iter().zip(0_u64..).fold(Scalar::one(), |product, (low, prime)| {
            (*low..0).fold(product, |product, _| product * Scalar::from(prime))
        });
        Some(Self { weights, bits, denominator })
    }

    /// Whether they are cheaper than scalars, counting bits of multiplications.
    fn saves(&self) -> bool {
        let scale = if self.denominator == Scalar::one() { 0 } else { SCALAR_BITS };
        self.weights.len() * self.bits + scale < self.weights.len() * SCALAR_BITS
    }
}

/// The largest factor of any `λ` of these signers: a point, and so at most [`OPERATORS_MAX`].
fn factor_max(signers: &[OperatorIndex]) -> usize {
    signers.iter().map(|signer| signer.as_usize() + 1).max().unwrap_or(0)
}

/// A rational with small factors: its sign, and the exponent of each prime.
struct Rational {
    negative: bool,
    exponents: Vec<i32>,
}

impl Rational {
    /// `λ` of one of the signers.
    fn lambda(own: OperatorIndex, signers: &[OperatorIndex]) -> Self {
        let mut rational = Self { negative: false, exponents: vec![0; factor_max(signers) + 1] };
        for other in signers.iter().filter(|other| **other != own) {
            rational.multiply(other.as_usize() + 1, 1);
            rational.multiply(other.0.abs_diff(own.0).into(), -1);
            rational.negative ^= *other < own;
        }
        rational
    }

    fn multiply(&mut self, mut factor: usize, power: i32) {
        while factor > 1 {
            let prime = usize::from(SMALLEST_FACTORS[factor]);
            self.exponents[prime] += power;
            factor /= prime;
        }
    }

    /// The magnitude over the least common denominator, whose exponents are given negated.
    fn over(&self, lowest: &[i32]) -> Option<[u64; 4]> {
        let mut magnitude = [1, 0, 0, 0];
        for ((exponent, low), prime) in self.exponents.iter().zip(lowest).zip(0_u64..) {
            for _ in *low..*exponent {
                multiply(&mut magnitude, prime)?;
            }
        }
        Some(magnitude)
    }
}

/// Multiplies little-endian limbs; `None` when the result takes more than 254 bits, which are surely below
/// the group's order.
fn multiply(limbs: &mut [u64; 4], factor: u64) -> Option<()> {
    let mut carry = 0;
    for limb in limbs.iter_mut() {
        (*limb, carry) = limb.carrying_mul(factor, carry);
    }
    (carry == 0 && limbs[3] >> 62 == 0).then_some(())
}

/// The smallest prime factor of every number up to [`OPERATORS_MAX`], by the sieve.
static SMALLEST_FACTORS: LazyLock<Box<[u16; OPERATORS_MAX + 1]>> = LazyLock::new(|| {
    let mut smallest = Box::new([0_u16; OPERATORS_MAX + 1]);
    for (candidate, prime) in (0_u16..).take(OPERATORS_MAX + 1).enumerate().skip(2) {
        if smallest[candidate] == 0 {
            for multiple in (candidate..=OPERATORS_MAX).step_by(candidate) {
                if smallest[multiple] == 0 {
                    smallest[multiple] = prime;
                }
            }
        }
    }
    smallest
});

/// Coefficients by set of signers, shared by every thread that recovers. A pure function, remembered: what
/// is in the cache changes no result.
#[derive(Debug, Default)]
pub(crate) struct CoefficientCache(ArcSwap<BTreeMap<Arc<[OperatorIndex]>, Arc<Coefficients>>>);

impl CoefficientCache {
    /// The coefficients of a set of different signers, in the order given.
    pub(crate) fn of(&self, signers: &[OperatorIndex]) -> Arc<Coefficients> {
        if let Some(known) = self.0.load().get(signers) {
            return Arc::clone(known);
        }
        let computed = Arc::new(Coefficients::of(signers));
        let mut sets = BTreeMap::clone(&self.0.load());
        if sets.len() >= SIGNER_SETS_MAX {
            sets.clear();
        }
        sets.insert(signers.into(), Arc::clone(&computed));
        // Two threads may lose each other's entry here: it is computed again when it is wanted.
        self.0.store(Arc::new(sets));
        computed
    }
}

/// Weights whose sum over the values of a polynomial at `0, 1, …, last` is zero, for every polynomial of
/// degree below `coefficients` and, except with negligible probability over `challenge`, for nothing else.
///
/// They are a word of the dual of the Reed–Solomon code: `m(xⱼ) / Π (xⱼ − xₖ)` with `m` of degree
/// `last − coefficients`, here `m(x) = Σ (challenge·x)ᵏ` (SCRAPE, Cascudo and David, eprint 2017/216).
pub(crate) fn dual_weights(last: usize, coefficients: usize, challenge: Scalar) -> Vec<Scalar> {
    let numbers: Vec<Scalar> = (0_u64..).take(last + 1).map(Scalar::from).collect();
    let mut factorials = vec![Scalar::one()];
    for number in &numbers[1..] {
        factorials.push(factorials[factorials.len() - 1] * *number);
    }
    let differences: Vec<Scalar> = (0..=last)
        .map(|own| {
            let magnitude = factorials[own] * factorials[last - own];
            if (last - own) % 2 == 1 { -magnitude } else { magnitude }
        })
        .collect();
    let degree = last - coefficients;
    numbers
        .iter()
        .zip(inverses(&differences))
        .map(|(x, inverse)| {
            let step = challenge * *x;
            let value = (0..degree).fold(Scalar::one(), |value, _| value * step + Scalar::one());
            value * inverse
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dealer::Polynomial;
    use proptest::prelude::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    fn operators(points: &[u16]) -> Vec<OperatorIndex> {
        points.iter().map(|point| OperatorIndex(point - 1)).collect()
    }

    fn integers(points: &[u16]) -> (Vec<i64>, Scalar) {
        let integers = Integers::of(&operators(points)).expect("small");
        let weights = integers.weights.iter().map(|(negative, [low, rest @ ..])| {
            assert_eq!(rest, &[0; 3]);
            let magnitude = i64::try_from(*low).unwrap();
            if *negative { -magnitude } else { magnitude }
        });
        (weights.collect(), integers.denominator)
    }

    #[test]
    fn small_sets_have_small_integers() {
        assert_eq!(integers(&[1]), (vec![1], Scalar::one()));
        assert_eq!(integers(&[1, 2, 3]), (vec![3, -3, 1], Scalar::one()));
        assert_eq!(integers(&[1, 2, 4]), (vec![8, -6, 1], Scalar::from(3)));
        assert_eq!(integers(&[1, 3, 4]), (vec![2, -2, 1], Scalar::one()));
        assert_eq!(integers(&[2, 3, 4]), (vec![6, -8, 3], Scalar::one()));
        assert_eq!(integers(&[4, 1, 3]), (vec![1, 2, -2], Scalar::one()), "in the order given");
    }

    /// What the weights and the scale say, as scalars.
    fn by_integers(signers: &[OperatorIndex]) -> Option<Vec<Scalar>> {
        let integers = Integers::of(signers)?;
        let inverse = integers.denominator.inverse().expect("not zero");
        let scalar = |(negative, limbs): &(bool, [u64; 4])| {
            let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
            let magnitude = Scalar::from_wide(&bytes);
            if *negative { -magnitude } else { magnitude }
        };
        Some(integers.weights.iter().map(|weight| scalar(weight) * inverse).collect())
    }

    fn recovers(signers: &[OperatorIndex], seed: u64) {
        let polynomial = Polynomial::random(&mut ChaCha12Rng::seed_from_u64(seed), signers.len());
        let lambdas = lambdas(signers);
        let value = signers
            .iter()
            .zip(&lambdas)
            .fold(Scalar::ZERO, |sum, (signer, lambda)| sum + *polynomial.share(*signer) * *lambda);
        assert_eq!(value, polynomial.at(Scalar::ZERO));
        if let Some(other) = by_integers(signers) {
            assert_eq!(other, lambdas);
        }
    }

    fn signers() -> impl Strategy<Value = Vec<OperatorIndex>> {
        let one = (0..OPERATORS_MAX).prop_map(|index| OperatorIndex(u16::try_from(index).unwrap()));
        prop::collection::btree_set(one, 1..40).prop_map(|set| set.into_iter().collect::<Vec<_>>()).prop_shuffle()
    }

    proptest! {
        #[test]
        fn any_set_of_signers_recovers(signers in signers(), seed: u64) {
            recovers(&signers, seed);
        }
    }

    #[test]
    fn large_sets_recover() {
        for count in [67_u16, 171, 256, 683] {
            let consecutive: Vec<OperatorIndex> = (0..count).map(OperatorIndex).collect();
            recovers(&consecutive, 1);
            let spread: Vec<OperatorIndex> = (0..count).map(|index| OperatorIndex(index + index / 2)).collect();
            recovers(&spread, 2);
        }
    }

    #[test]
    fn integers_are_used_where_they_save() {
        let bits = |points: &[u16]| Coefficients::of(&operators(points)).weights.bits();
        assert!(bits(&[1, 2, 3]) <= 4);
        assert!(bits(&(1..=67).collect::<Vec<_>>()) < 80);
        assert_eq!(bits(&(1..=300).collect::<Vec<_>>()), SCALAR_BITS);
    }

    #[test]
    fn the_cache_is_bounded_and_changes_nothing() {
        let cache = CoefficientCache::default();
        for round in 0..2 {
            for index in 0..u16::try_from(SIGNER_SETS_MAX + 10).unwrap() {
                let signers = [OperatorIndex(index), OperatorIndex(index + 1)];
                let (cached, fresh) = (cache.of(&signers), Coefficients::of(&signers));
                assert_eq!((&cached.weights, &cached.scale), (&fresh.weights, &fresh.scale), "round {round}");
                assert!(cache.0.load().len() <= SIGNER_SETS_MAX);
            }
        }
        let signers = [OperatorIndex(3), OperatorIndex(1)];
        assert!(Arc::ptr_eq(&cache.of(&signers), &cache.of(&signers)));
    }

    #[test]
    fn dual_weights_annihilate_polynomials_of_low_degree_only() {
        let challenge = Scalar::from(0x1234_5678_9abc);
        for (n, q) in [(1, 1), (3, 3), (4, 3), (10, 7), (100, 67)] {
            let weights = dual_weights(n, q, challenge);
            let sum = |coefficients: usize| {
                let polynomial = Polynomial::random(&mut ChaCha12Rng::seed_from_u64(9), coefficients);
                let values = (0_u64..).take(n + 1).map(|point| polynomial.at(Scalar::from(point)));
                values.zip(&weights).fold(Scalar::ZERO, |sum, (value, weight)| sum + value * *weight)
            };
            assert_eq!(sum(q), Scalar::ZERO);
            assert_ne!(sum(q + 1), Scalar::ZERO);
        }
    }
}
