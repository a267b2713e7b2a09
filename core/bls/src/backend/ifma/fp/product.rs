//! Products of elements, reduced. Sums of products before reduction are [`Wide`]'s.

use super::constants::{FOLD, FOLD_SHORT, LIMB_MASK, MODULUS, NEGATIVE_INVERSE};
use super::kernel::{COLUMNS, shift_out, weighed};
use super::wide::Wide;
use super::{Fp, LIMBS, settled, splat};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
    _mm512_sub_epi64,
};

impl Fp {
    /// The product, reduced. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        align_spills!();
        let columns = product_columns!(&self.limbs, &other.limbs);
        Self { limbs: reduce_columns!(columns), bound: self.bound.product(other.bound).reduced() }
    }

    /// The square, reduced. The element has up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square(&self) -> Self {
        align_spills!();
        let columns = square_columns!(&self.limbs);
        Self { limbs: reduce_columns!(columns), bound: self.bound.product(self.bound).reduced() }
    }

    /// The square of the square … `count` times, times a factor: a step of a power, whose squarings pass their limbs
    /// on in registers. Both have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn square_times_mul(&self, count: usize, factor: &Self) -> Self {
        align_spills!();
        let mut power = *self;
        for _ in 0..count {
            let columns = square_columns!(&power.limbs);
            power = Self { limbs: reduce_columns!(columns), bound: power.bound.product(power.bound).reduced() };
        }
        let columns = product_columns!(&power.limbs, &factor.limbs);
        Self { limbs: reduce_columns!(columns), bound: power.bound.product(factor.bound).reduced() }
    }

    /// `2·self·other`, reduced. Twice `self` and `other` are factors.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_twice(&self, other: &Self) -> Self {
        align_spills!();
        let twice = self.double();
        let columns = product_columns!(&twice.limbs, &other.limbs);
        Self { limbs: reduce_columns!(columns), bound: twice.bound.product(other.bound).reduced() }
    }

    /// `self² − other²`, reduced, as the product of sum and difference, which must be factors. `other` has one
    /// unit and is below 64p.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_less_square(&self, other: &Self) -> Self {
        align_spills!();
        let (sum, difference) = (self.add(other), self.sub_large(other));
        let columns = product_columns!(&sum.limbs, &difference.limbs);
        Self { limbs: reduce_columns!(columns), bound: sum.bound.product(difference.bound).reduced() }
    }

    /// `self·other − less`, reduced. The caller knows from algebra that this is not negative.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_less(&self, other: &Self, less: &Wide) -> Self {
        align_spills!();
        let mut columns = product_columns!(&self.limbs, &other.limbs);
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            columns[index] = _mm512_sub_epi64(columns[index], less.columns[index]);
        });
        let bound = self.bound.product(other.bound).sub(less.bound).not_negative();
        Self { limbs: reduce_columns!(columns), bound: bound.reduced() }
    }

    /// The element as a sum to be reduced, which divides by the radix.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn divided_by_radix(&self) -> Self {
        let mut columns = [_mm512_setzero_si512(); COLUMNS];
        each!(index in [0 1 2 3 4 5 6 7] { columns[index] = self.limbs[index]; });
        Wide { columns, bound: self.bound.product(super::Bound::CANONICAL) }.reduce()
    }
}
