//! The factors of a weighted sum of points, all of one bit length, so that a short factor costs what it
//! is and not what a scalar would.

use crate::backend::blst as oracle;
use crate::scalar::Scalar;
use rand::CryptoRng;

/// The length of a random coefficient. Odd ones only, so a false batch passes with probability 2⁻⁶³.
pub const COEFFICIENT_BITS: usize = 64;
const COEFFICIENT_BYTES: usize = COEFFICIENT_BITS / 8;
const SCALAR_BITS: usize = 255;

/// Factors `wᵢ` of `Σ wᵢPᵢ`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Weights {
    /// Little-endian magnitudes, `bits.div_ceil(8)` bytes each.
    pub(crate) magnitudes: Vec<u8>,
    pub(crate) negative: Vec<bool>,
    pub(crate) bits: usize,
}

impl Weights {
    /// `count` random odd coefficients of [`COEFFICIENT_BITS`] bits, for a random linear combination.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRng, count: usize) -> Self {
        let mut magnitudes = vec![0; count * COEFFICIENT_BYTES];
        rng.fill_bytes(&mut magnitudes);
        magnitudes.iter_mut().step_by(COEFFICIENT_BYTES).for_each(|lowest| *lowest |= 1);
        Self { magnitudes, negative: vec![false; count], bits: COEFFICIENT_BITS }
    }

    /// Scalars as they are.
    #[must_use]
    pub fn from_scalars(scalars: &[Scalar]) -> Self {
        let magnitudes = scalars.iter().flat_map(oracle::fr_to_le_bytes).collect();
        Self { magnitudes, negative: vec![false; scalars.len()], bits: SCALAR_BITS }
    }

    /// Integers by sign (true when negative) and little-endian 64-bit limbs of the magnitude, which must be
    /// below the group's order.
    #[must_use]
    pub fn from_integers(integers: &[(bool, [u64; 4])]) -> Self {
        let bits = integers.iter().map(|(_, limbs)| bit_length(limbs)).max().unwrap_or(0).max(1);
        assert!(bits <= SCALAR_BITS, "a weight lies below the group's order");
        let bytes = bits.div_ceil(8);
        let mut magnitudes = Vec::with_capacity(bytes * integers.len());
        for (_, limbs) in integers {
            magnitudes.extend(limbs.iter().flat_map(|limb| limb.to_le_bytes()).take(bytes));
        }
        Self { magnitudes, negative: integers.iter().map(|(negative, _)| *negative).collect(), bits }
    }

    /// How many there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.negative.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.negative.is_empty()
    }

    /// How long the longest is. Unit: bits.
    #[must_use]
    pub fn bits(&self) -> usize {
        self.bits
    }

    /// The weights of a range of the items, for bisection.
    ///
    /// # Panics
    /// When the range goes beyond the end.
    #[must_use]
    pub fn range(&self, range: core::ops::Range<usize>) -> Self {
        let bytes = self.bits.div_ceil(8);
        Self {
            magnitudes: self.magnitudes[range.start * bytes..range.end * bytes].to_vec(),
            negative: self.negative[range].to_vec(),
            bits: self.bits,
        }
    }

    /// Bit `bit` of the magnitude of weight `index`.
    pub(crate) fn bit(&self, index: usize, bit: usize) -> bool {
        let byte = self.magnitudes[index * self.bits.div_ceil(8) + bit / 8];
        byte >> (bit % 8) & 1 == 1
    }
}

/// Unit: bits.
fn bit_length(limbs: &[u64; 4]) -> usize {
    let used = limbs.iter().rposition(|limb| *limb != 0).map_or(0, |index| index + 1);
    match used {
        0 => 0,
        _ => 64 * used - limbs[used - 1].leading_zeros() as usize,
    }
}
