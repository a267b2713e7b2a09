//! Weights in parts, one for each power of an endomorphism: what makes a long weight of one point short weights of
//! several.
//!
//! To the base `z²`, `k = a + bz²`, and in G1 `kP = aP − bφ(P)` as `φ(P) = −z²P`. To the base `|z|`, `k = Σ dᵢ|z|ⁱ`, and
//! in G2 `kP = Σ (−1)ⁱdᵢψⁱ(P)` as `ψ(P) = −|z|P`. Digits are balanced, so a scalar has two of 127 bits or four of 63:
//! with a window's sign, a power of two. All this holds for points of the subgroup only.

use super::PARAMETER;
use crate::weights::Weights;

/// The group's order, `z⁴ − z² + 1`, from the lowest limb.
const ORDER: [u64; 4] = [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48];
/// `z²`.
const SQUARE: u128 = (PARAMETER as u128).pow(2);
/// The longest weights that gain nothing in G1 and in G2. Unit: bits.
const WHOLE_BITS_MAX: (usize, usize) = (128, 64);

/// A number below 2²⁵⁶, from the lowest limb.
type Limbs = [u64; 4];
/// Sign (true when negative) and magnitude.
type Signed = (bool, Limbs);

/// How many parts a weight of G1 is cut into.
fn g1_parts(bits: usize) -> usize {
    if bits <= WHOLE_BITS_MAX.0 { 1 } else { 2 }
}

/// How many parts a weight of G2 is cut into.
fn g2_parts(bits: usize) -> usize {
    bits.div_ceil(WHOLE_BITS_MAX.1).max(1)
}

/// The weights of each point, then those of its image.
pub(super) fn g1_split(weights: &Weights) -> Weights {
    split::<2>(weights, g1_parts(weights.bits()), g1_digits)
}

/// The weights of each point, then those of its first image, and so on.
pub(super) fn g2_split(weights: &Weights) -> Weights {
    let parts = g2_parts(weights.bits());
    split::<4>(weights, parts, |limbs| g2_digits(limbs, parts))
}

/// The first `parts` digits of each weight, in as many rows; digits at odd places are those of a negative base.
fn split<const DIGITS: usize>(weights: &Weights, parts: usize, digits: impl Fn(Limbs) -> [Signed; DIGITS]) -> Weights {
    if parts == 1 {
        return weights.clone();
    }
    let count = weights.len();
    let mut integers = vec![(false, [0; 4]); parts * count];
    let magnitudes = weights.magnitudes.chunks_exact(weights.bits.div_ceil(8));
    for (index, (magnitude, negative)) in magnitudes.zip(&weights.negative).enumerate() {
        let (flipped, least) = least(limbs(magnitude));
        for (part, (sign, digit)) in digits(least).into_iter().take(parts).enumerate() {
            integers[part * count + index] = (sign ^ flipped ^ negative ^ (part % 2 == 1), digit);
        }
    }
    Weights::from_integers(&integers)
}

fn limbs(magnitude: &[u8]) -> Limbs {
    let mut bytes = [0; 32];
    bytes[..magnitude.len()].copy_from_slice(magnitude);
    let (words, _) = bytes.as_chunks();
    core::array::from_fn(|index| u64::from_le_bytes(words[index]))
}

/// The remainder of least magnitude modulo the group's order, of a number below 2²⁵⁵.
fn least(limbs: Limbs) -> Signed {
    let (opposite, above) = difference(&ORDER, &limbs);
    if above {
        return (false, difference(&limbs, &ORDER).0);
    }
    let nearer = opposite.iter().rev().lt(limbs.iter().rev());
    (nearer, if nearer { opposite } else { limbs })
}

/// The difference modulo 2²⁵⁶, and whether it is negative.
fn difference(left: &Limbs, right: &Limbs) -> (Limbs, bool) {
    let (mut limbs, mut borrow) = (*left, false);
    for (limb, right) in limbs.iter_mut().zip(right) {
        (*limb, borrow) = limb.borrowing_sub(*right, borrow);
    }
    (limbs, borrow)
}

/// Divides by `|z|`, and returns the remainder.
#[expect(clippy::cast_possible_truncation, reason = "both are below 2⁶⁴")]
fn divide(limbs: &mut Limbs) -> u64 {
    limbs.iter_mut().rev().fold(0, |remainder, limb| {
        let value = u128::from(remainder) << 64 | u128::from(*limb);
        *limb = (value / u128::from(PARAMETER)) as u64;
        (value % u128::from(PARAMETER)) as u64
    })
}

/// A digit between zero and its base as one of least magnitude: its sign, which is what it carries too.
fn balanced(digit: u128, base: u128) -> (bool, u128) {
    if digit > base / 2 { (true, base - digit) } else { (false, digit) }
}

#[expect(clippy::cast_possible_truncation, reason = "halves of 128 bits")]
fn wide(number: u128) -> Limbs {
    [number as u64, (number >> 64) as u64, 0, 0]
}

/// Two digits to the base `z²`.
fn g1_digits(mut limbs: Limbs) -> [Signed; 2] {
    let low = u128::from(divide(&mut limbs));
    let (negative, digit) = balanced(low + u128::from(divide(&mut limbs)) * u128::from(PARAMETER), SQUARE);
    let rest = u128::from(limbs[1]) << 64 | u128::from(limbs[0]);
    [(negative, wide(digit)), (false, wide(rest + u128::from(negative)))]
}

/// So many digits to the base `|z|`, the highest being all that is left.
fn g2_digits(mut limbs: Limbs, parts: usize) -> [Signed; 4] {
    let mut digits = [(false, [0; 4]); 4];
    let mut carry = 0;
    for digit in &mut digits[..parts - 1] {
        let (negative, magnitude) = balanced(u128::from(divide(&mut limbs)) + carry, u128::from(PARAMETER));
        *digit = (negative, wide(magnitude));
        carry = u128::from(negative);
    }
    digits[parts - 1] = (false, wide((u128::from(limbs[1]) << 64 | u128::from(limbs[0])) + carry));
    digits
}

#[cfg(test)]
mod tests {
    //! Parts against the weights they are of.

    use super::*;
    use crate::scalar::Scalar;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::{Rng, SeedableRng};

    fn scalar((negative, limbs): (bool, Limbs)) -> Scalar {
        let bytes: Vec<u8> = limbs.iter().rev().flat_map(|limb| limb.to_be_bytes()).collect();
        let magnitude = Scalar::from_wide(&bytes);
        if negative { -magnitude } else { magnitude }
    }

    fn part(weights: &Weights, index: usize) -> Scalar {
        let bytes = weights.bits.div_ceil(8);
        scalar((weights.negative[index], limbs(&weights.magnitudes[index * bytes..][..bytes])))
    }

    #[test]
    fn parts_add_up_to_what_they_are_of() {
        let mut rng = ChaCha12Rng::seed_from_u64(31);
        let z = Scalar::from(PARAMETER);
        let (below_order, _) = difference(&ORDER, &[1, 0, 0, 0]);
        let (half, _) = difference(&ORDER, &wide(SQUARE));
        let edges =
            [[0; 4], [1, 0, 0, 0], wide(SQUARE / 2), wide(SQUARE), wide(u128::from(PARAMETER)), wide(SQUARE - 1)];
        for bits in [1, 64, 65, 128, 129, 192, 193, 255] {
            let mask = |limbs: Limbs| -> Limbs {
                core::array::from_fn(|limb| match bits - 64 * limb.min(bits / 64) {
                    _ if bits <= 64 * limb => 0,
                    left if left >= 64 => limbs[limb],
                    left => limbs[limb] & ((1 << left) - 1),
                })
            };
            let mut numbers: Vec<Limbs> = (0..200).map(|_| core::array::from_fn(|_| rng.next_u64())).collect();
            numbers.extend(edges);
            numbers.extend([below_order, half, [u64::MAX; 4]]);
            let integers: Vec<Signed> =
                numbers.into_iter().map(|limbs| (rng.next_u32().is_multiple_of(2), mask(limbs))).collect();
            let weights = Weights::from_integers(&integers);
            let (in_g1, in_g2) = (g1_split(&weights), g2_split(&weights));
            assert!(in_g1.bits() <= 128 && (bits < 255 || in_g1.bits() == 127), "{}", in_g1.bits());
            assert!(in_g2.bits() <= 66 && (bits < 255 || in_g2.bits() == 63), "{}", in_g2.bits());
            for (index, integer) in integers.iter().enumerate() {
                for (split, base) in [(&in_g1, -(z * z)), (&in_g2, -z)] {
                    let parts = split.len() / weights.len();
                    let sum = (0..parts)
                        .rev()
                        .fold(Scalar::ZERO, |sum, row| sum * base + part(split, row * weights.len() + index));
                    assert_eq!(sum, scalar(*integer), "{bits} bits, {integer:?}");
                }
            }
        }
    }
}
