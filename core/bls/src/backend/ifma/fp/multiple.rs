//! Small multiples, and sums of two products with one reduction.

use super::constants::{FOLD, FOLD_SHORT, LIMB_MASK, MODULUS, NEGATIVE_INVERSE};
use super::kernel::{COLUMNS, shift_out, weighed};
use super::{Fp, LIMBS, settled, splat};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_sub_epi64,
};

impl Fp {
    /// Four times the element, of one unit.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn times_four(&self) -> Self {
        let mut limbs: [__m512i; LIMBS] = self.limbs;
        each!(index in [0 1 2 3 4 5 6 7] { limbs[index] = _mm512_slli_epi64::<2>(self.limbs[index]); });
        Self { limbs: settled(&limbs), bound: self.bound.times(4.0) }
    }

    /// Eight times the element, of one unit.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn times_eight(&self) -> Self {
        let mut limbs: [__m512i; LIMBS] = self.limbs;
        each!(index in [0 1 2 3 4 5 6 7] { limbs[index] = _mm512_slli_epi64::<3>(self.limbs[index]); });
        Self { limbs: settled(&limbs), bound: self.bound.times(8.0) }
    }

    /// Twelve times the element, of one unit: three times the coefficient of the curve `y² = x³ + 4`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn times_3b(&self) -> Self {
        let mut limbs: [__m512i; LIMBS] = self.limbs;
        each!(index in [0 1 2 3 4 5 6 7] {
            let (eight, four) = (_mm512_slli_epi64::<3>(self.limbs[index]), _mm512_slli_epi64::<2>(self.limbs[index]));
            limbs[index] = _mm512_add_epi64(eight, four);
        });
        Self { limbs: settled(&limbs), bound: self.bound.times(12.0) }
    }

    /// The element as a factor: itself. Its twin in the quadratic extension carries.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn factor(&self) -> Self {
        *self
    }

    /// `left.0·left.1 + right.0·right.1`, reduced. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product_sum(left: (&Self, &Self), right: (&Self, &Self)) -> Self {
        align_spills!();
        let mut columns = product_columns!(&left.0.limbs, &left.1.limbs);
        each_column!(&right.0.limbs, &right.1.limbs, |index, value| {
            columns[index] = _mm512_add_epi64(columns[index], value);
        });
        let bound = left.0.bound.product(left.1.bound).add(right.0.bound.product(right.1.bound));
        Self { limbs: reduce_columns!(columns), bound: bound.reduced() }
    }

    /// `left.0·left.1 − right.0·right.1`, reduced. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product_difference(left: (&Self, &Self), right: (&Self, &Self)) -> Self {
        align_spills!();
        let mut columns = product_columns!(&left.0.limbs, &left.1.limbs);
        each_column!(&right.0.limbs, &right.1.limbs, |index, value| {
            columns[index] = _mm512_sub_epi64(columns[index], value);
        });
        // 2³⁹²p in addition, so that the difference is not negative.
        each!(index in [0 1 2 3 4 5 6 7] {
            columns[LIMBS + index] = _mm512_add_epi64(columns[LIMBS + index], splat(MODULUS[index]));
        });
        let bound = left.0.bound.product(left.1.bound).sub(right.0.bound.product(right.1.bound));
        Self { limbs: reduce_columns!(columns), bound: bound.raised().reduced() }
    }

    /// As [`invert_batch`](super::invert_batch).
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert_all_of(elements: &mut [Self]) -> bool {
        super::invert_batch(elements)
    }
}
