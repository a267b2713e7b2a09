//! The base field, eight elements at a time.
//!
//! # Representation
//! An element `x` is held as `x·2³⁹² mod p` (Montgomery form) in eight limbs of radix `2⁴⁹`, one register for
//! each limb, one lane for each element. The multiplier, `vpmadd52`, reads 52 bits of each factor and adds
//! the low or the high 52 bits of their product to a 64-bit lane. Radix `2⁴⁹` rather than `2⁵²` leaves three
//! bits free in every limb: sums and differences are factors as they are, without carrying, and one level
//! of Karatsuba's method can add halves. The price is that high halves weigh `2⁵² = 8·2⁴⁹`: a shift for each
//! column.
//!
//! The value itself has 11 bits to spare (`p` has 381 bits, the radix `2³⁹²`), so nothing is ever reduced
//! below `p` until it is encoded or compared: a product of values below `ap` and `bp` is below
//! `1.001p + abp/2500`.
//!
//! # Reduction
//! Let `t` be the lowest limb of a product and `k = −p⁻¹ mod 2⁴⁹`. Then `t + tkp = 2⁴⁹·t·(kp + 1)/2⁴⁹`: the limb is
//! replaced by a row of `t` times a constant, `FOLD`, on the limbs above, and no quotient is multiplied out.
//! Such a row adds up to `p·2⁴⁹` to what is left, so the seventh uses that `κ = p⁻¹ mod 2⁴⁹` has 34 bits only:
//! with `u = −t mod 2⁴⁹`, `t + uκp` is a row of `u` times `FOLD_SHORT`, of 366 bits, which adds less than `2⁻¹⁵p`
//! to the result. The last row takes the ordinary quotient `tk mod 2⁴⁹` and adds that times `p`. So a reduction
//! is 7·16 + 17 = 129 multiply-adds, a multiplication 96 + 129 = 225, a squaring 72 + 129 = 201.
//!
//! # Products
//! One level of Karatsuba's method: three products of four limbs with four, 96 multiply-adds rather than 128.
//! On the processors measured (Zen 4: one 512-bit multiply-add a cycle, two additions) its additions are free.
//!
//! # Bounds
//! Results of [`Fp::mul`], [`Fp::square`] and [`Wide::reduce_sum`] are *reduced*: limbs below `2⁴⁹`, value below
//! `1.1p` unless the factors were large. Count a reduced value as one unit. [`Fp::add`] adds units;
//! [`Fp::sub`] and [`Fp::neg`] add two units to the minuend's and need a subtrahend of one unit and below 8p
//! ([`Fp::sub_large`]: 64p). A factor may have four units: `a + b − c` and `(a − b) + c` are factors,
//! `a + b + c − d` is not. [`Fp::carried`] turns any of them into one unit (its value stays). Builds with debug
//! assertions carry the worst case along with every value and assert all of this, whatever the inputs.
//!
//! # Use
//! Convert with [`Fp::from_blst`], [`Fp::to_blst`], [`Fp::from_be_bytes`]; compare with [`Fp::equals`] and
//! [`Fp::is_zero`], which answer one bit for each lane; choose by such a [`Mask`] with [`Fp::select`].
//! Anything about the number itself (sign, parity, bytes) is asked of [`Fp::to_integer`].

mod bound;
mod constants;
mod element;
mod encoding;
#[macro_use]
mod kernel;
mod lanes;
mod multiple;
mod power;
mod product;
mod wide;

pub(crate) use self::constants::{LIMBS, MODULUS_WORDS};
pub(crate) use self::element::Element;
pub(crate) use self::lanes::Permutation;
pub(crate) use self::power::invert_batch;
pub(crate) use self::wide::{Coefficients, Slot, Wide, Wide2};

use self::bound::Bound;
use self::constants::{BIAS_LARGE, BIAS_MIDDLE, BIAS_SMALL, BIAS_TINY, HALF, LIMB_MASK, LIMB_SHIFT, MODULUS, ONE};
use super::Mask;
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_mask_blend_epi64, _mm512_set1_epi64, _mm512_setzero_si512,
    _mm512_srai_epi64, _mm512_sub_epi64,
};

/// Eight elements of the base field.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp {
    limbs: [__m512i; LIMBS],
    bound: Bound,
}

/// The same number in every lane.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn splat(value: u64) -> __m512i {
    _mm512_set1_epi64(value.cast_signed())
}

/// Passes carries on from the lowest limb to the highest, so that every limb but that is below `2⁴⁹`, and none
/// is negative unless the value is. Limbs have either sign: one pass from each limb to the next alone would
/// leave a limb of −1 where a negative carry meets a zero, which the multiplier would read as `2⁵² − 1`.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn settled(limbs: &[__m512i; LIMBS]) -> [__m512i; LIMBS] {
    let mut settled = *limbs;
    each!(index in [0 1 2 3 4 5 6] {
        let carry = _mm512_srai_epi64::<LIMB_SHIFT>(settled[index]);
        settled[index + 1] = _mm512_add_epi64(settled[index + 1], carry);
        settled[index] = _mm512_and_si512(settled[index], splat(LIMB_MASK));
    });
    settled
}

impl Fp {
    /// The same element in every lane, of a constant below `p`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    fn constant(limbs: &[u64; LIMBS]) -> Self {
        let mut element = Self::zero();
        each!(index in [0 1 2 3 4 5 6 7] { element.limbs[index] = splat(limbs[index]); });
        element
    }

    /// Zero in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn zero() -> Self {
        Self { limbs: [_mm512_setzero_si512(); LIMBS], bound: Bound::CANONICAL }
    }

    /// One in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn one() -> Self {
        Self::constant(&ONE)
    }

    /// One half in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn one_half() -> Self {
        Self::constant(&HALF)
    }

    /// The sum, uncarried: units and values add.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut sum = *self;
        each!(index in [0 1 2 3 4 5 6 7] {
            sum.limbs[index] = _mm512_add_epi64(self.limbs[index], other.limbs[index]);
        });
        sum.bound = self.bound.add(other.bound);
        sum
    }

    /// Twice the element, uncarried.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn double(&self) -> Self {
        self.add(self)
    }

    /// Three times the element, uncarried.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn triple(&self) -> Self {
        self.add(self).add(self)
    }

    #[inline]
    #[target_feature(enable = "avx512ifma")]
    fn sub_biased(&self, other: &Self, bias: &[u64; LIMBS], multiple: f64) -> Self {
        let mut difference = *self;
        each!(index in [0 1 2 3 4 5 6 7] {
            let raised = _mm512_add_epi64(self.limbs[index], splat(bias[index]));
            difference.limbs[index] = _mm512_sub_epi64(raised, other.limbs[index]);
        });
        difference.bound = self.bound.sub(other.bound, multiple);
        difference
    }

    /// The difference, uncarried. The subtrahend has one unit and is below 8p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub(&self, other: &Self) -> Self {
        self.sub_biased(other, &BIAS_SMALL, 8.0)
    }

    /// The difference, uncarried. The subtrahend has one unit and is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub_large(&self, other: &Self) -> Self {
        self.sub_biased(other, &BIAS_LARGE, 64.0)
    }

    /// The difference, uncarried. The subtrahend has one unit and is below 16p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub_middle(&self, other: &Self) -> Self {
        self.sub_biased(other, &BIAS_MIDDLE, 16.0)
    }

    /// The difference, uncarried. The subtrahend has one unit and is below 4p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub_tiny(&self, other: &Self) -> Self {
        self.sub_biased(other, &BIAS_TINY, 4.0)
    }

    /// The negative, uncarried: two units. The element has one unit and is below 8p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn neg(&self) -> Self {
        Self::zero().sub(self)
    }

    /// The same value in limbs of one unit.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn carried(&self) -> Self {
        Self { limbs: settled(&self.limbs), bound: self.bound.carried() }
    }

    /// Half the element: one unit, and less than half its value plus `p`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn half(&self) -> Self {
        use core::arch::x86_64::{_mm512_mask_add_epi64, _mm512_slli_epi64, _mm512_test_epi64_mask};
        let one = splat(1);
        let odd = _mm512_test_epi64_mask(self.limbs[0], one);
        let mut even = self.limbs;
        each!(index in [0 1 2 3 4 5 6 7] {
            even[index] = _mm512_mask_add_epi64(even[index], odd, even[index], splat(MODULUS[index]));
        });
        let mut half = even;
        each!(index in [0 1 2 3 4 5 6 7] { half[index] = _mm512_srai_epi64::<1>(even[index]); });
        each!(index in [0 1 2 3 4 5 6] {
            let from_above =
                _mm512_slli_epi64::<{ LIMB_SHIFT - 1 }>(_mm512_and_si512(even[index + 1], one));
            half[index] = _mm512_add_epi64(half[index], from_above);
        });
        Self { limbs: settled(&half), bound: self.bound.add(Bound::CANONICAL).carried() }
    }

    /// `self` where the mask has a one, `other` where it has a zero.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn select(&self, mask: Mask, other: &Self) -> Self {
        let mut chosen = *self;
        each!(index in [0 1 2 3 4 5 6 7] {
            chosen.limbs[index] = _mm512_mask_blend_epi64(mask, other.limbs[index], self.limbs[index]);
        });
        chosen.bound = self.bound.either(other.bound);
        chosen
    }

    /// The negative where the mask has a one: two units.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn negate_where(&self, mask: Mask) -> Self {
        self.neg().select(mask, self)
    }

    /// Which lanes are zero.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn is_zero(&self) -> Mask {
        self.to_integer().is_zero()
    }

    /// Which lanes are equal. Both have up to four units; `other` is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn equals(&self, other: &Self) -> Mask {
        self.carried().sub_large(&other.carried()).is_zero()
    }
}

#[cfg(test)]
mod tests;
