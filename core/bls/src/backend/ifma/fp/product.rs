//! Products, sums of products before reduction, and the reduction. See the page of [`super`].

use super::bound::WideBound;
use super::constants::{FOLD, INVERSE, LIMB_MASK, LIMB_SHIFT, LIMBS, MODULUS};
use super::{Fp, carry_once, splat};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srai_epi64, _mm512_sub_epi64,
};

/// Columns of a product.
const COLUMNS: usize = 2 * LIMBS;

/// Eight unreduced sums of products: columns of radix `2⁵⁰`, signed. A reduction costs half a
/// multiplication, so sums are taken here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide {
    columns: [__m512i; COLUMNS],
    bound: WideBound,
}

/// High halves weigh `2⁵²`, columns `2⁵⁰`.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn weighed(high: __m512i) -> __m512i {
    _mm512_slli_epi64::<2>(high)
}

#[inline]
#[target_feature(enable = "avx512ifma")]
fn shift_out(column: __m512i) -> __m512i {
    _mm512_srai_epi64::<LIMB_SHIFT>(column)
}

/// The columns of a product, low and high halves gathered column by column. A macro, as are the other two:
/// the compiler leaves functions of this size out of line, and the columns would go through memory.
macro_rules! product_columns {
    ($left:expr, $right:expr) => {{
        let (left, right): (&[__m512i; LIMBS], &[__m512i; LIMBS]) = ($left, $right);
        let zero = _mm512_setzero_si512();
        let mut columns = [zero; COLUMNS];
        let mut high_below = zero;
        each!(column in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14] {
            let (mut low, mut high) = (zero, zero);
            each!(index in [0 1 2 3 4 5 6 7] {
                if column >= index && column - index < LIMBS {
                    low = _mm512_madd52lo_epu64(low, left[index], right[column.wrapping_sub(index) % LIMBS]);
                    high = _mm512_madd52hi_epu64(high, left[index], right[column.wrapping_sub(index) % LIMBS]);
                }
            });
            columns[column] = _mm512_add_epi64(low, weighed(high_below));
            high_below = high;
        });
        columns[COLUMNS - 1] = weighed(high_below);
        columns
    }};
}

/// The columns of a square: the products of different limbs once, doubled as columns.
macro_rules! square_columns {
    ($factor:expr) => {{
        let factor: &[__m512i; LIMBS] = $factor;
        let zero = _mm512_setzero_si512();
        let mut columns = [zero; COLUMNS];
        let mut high_below = zero;
        each!(column in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            let (mut low, mut high) = (zero, zero);
            each!(index in [0 1 2 3 4 5 6 7] {
                if column > 2 * index && column - index < LIMBS {
                    low = _mm512_madd52lo_epu64(low, factor[index], factor[column.wrapping_sub(index) % LIMBS]);
                    high = _mm512_madd52hi_epu64(high, factor[index], factor[column.wrapping_sub(index) % LIMBS]);
                }
            });
            let once = _mm512_add_epi64(low, weighed(high_below));
            let twice = _mm512_add_epi64(once, once);
            let middle = factor[column / 2];
            columns[column] = if column % 2 == 0 {
                _mm512_madd52lo_epu64(twice, middle, middle)
            } else {
                _mm512_add_epi64(twice, weighed(_mm512_madd52hi_epu64(zero, middle, middle)))
            };
            high_below = high;
        });
        let _ = high_below;
        columns
    }};
}

/// Adds multiples of the modulus until the low half is zero; the limbs of the high half, carried once.
macro_rules! reduce_columns {
    ($columns:expr) => {{
        let zero = _mm512_setzero_si512();
        let mask = splat(LIMB_MASK);
        let mut low = $columns;
        let mut high = [zero; COLUMNS + 1];
        each!(row in [0 1 2 3 4 5 6] {
            let column = _mm512_add_epi64(low[row], weighed(high[row]));
            let factor = _mm512_and_si512(_mm512_sub_epi64(zero, column), mask);
            low[row + 1] = _mm512_add_epi64(low[row + 1], shift_out(_mm512_add_epi64(column, factor)));
            each!(index in [0 1 2 3 4 5 6 7] {
                low[row + 1 + index] = _mm512_madd52lo_epu64(low[row + 1 + index], factor, splat(FOLD[index]));
                high[row + 2 + index] = _mm512_madd52hi_epu64(high[row + 2 + index], factor, splat(FOLD[index]));
            });
        });
        let column = _mm512_add_epi64(low[LIMBS - 1], weighed(high[LIMBS - 1]));
        let negative = _mm512_and_si512(_mm512_sub_epi64(zero, column), mask);
        let quotient = _mm512_and_si512(_mm512_madd52lo_epu64(zero, negative, splat(INVERSE)), mask);
        let cleared = _mm512_madd52lo_epu64(column, quotient, splat(MODULUS[0]));
        high[LIMBS] = _mm512_madd52hi_epu64(high[LIMBS], quotient, splat(MODULUS[0]));
        low[LIMBS] = _mm512_add_epi64(low[LIMBS], shift_out(cleared));
        each!(index in [1 2 3 4 5 6 7] {
            low[LIMBS - 1 + index] = _mm512_madd52lo_epu64(low[LIMBS - 1 + index], quotient, splat(MODULUS[index]));
            high[LIMBS + index] = _mm512_madd52hi_epu64(high[LIMBS + index], quotient, splat(MODULUS[index]));
        });
        let mut limbs = [zero; LIMBS];
        each!(index in [0 1 2 3 4 5 6 7] {
            limbs[index] = _mm512_add_epi64(low[LIMBS + index], weighed(high[LIMBS + index]));
        });
        carry_once(&limbs)
    }};
}

impl Fp {
    /// The product, reduced. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        let columns = product_columns!(&self.limbs, &other.limbs);
        Self { limbs: reduce_columns!(columns), bound: self.bound.product(other.bound).reduced() }
    }

    /// The square, reduced. The element has up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square(&self) -> Self {
        let columns = square_columns!(&self.limbs);
        Self { limbs: reduce_columns!(columns), bound: self.bound.product(self.bound).reduced() }
    }

    /// The square of the square … `count` times.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_times(&self, count: usize) -> Self {
        let mut power = *self;
        for _ in 0..count {
            power = power.square();
        }
        power
    }

    /// The product, not reduced. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_wide(&self, other: &Self) -> Wide {
        Wide { columns: product_columns!(&self.limbs, &other.limbs), bound: self.bound.product(other.bound) }
    }

    /// The square, not reduced. The element has up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_wide(&self) -> Wide {
        Wide { columns: square_columns!(&self.limbs), bound: self.bound.product(self.bound) }
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

impl Wide {
    /// The sum.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn add(&self, other: &Self) -> Self {
        let mut sum = *self;
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            sum.columns[index] = _mm512_add_epi64(self.columns[index], other.columns[index]);
        });
        sum.bound = self.bound.add(other.bound);
        sum
    }

    /// The difference, which may be negative.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub(&self, other: &Self) -> Self {
        let mut difference = *self;
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            difference.columns[index] = _mm512_sub_epi64(self.columns[index], other.columns[index]);
        });
        difference.bound = self.bound.sub(other.bound);
        difference
    }

    /// The same element, with `2⁴⁰⁰p` added: positive if it was no less than minus 640,000 p².
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn raised(&self) -> Self {
        let mut raised = *self;
        each!(index in [0 1 2 3 4 5 6 7] {
            raised.columns[LIMBS + index] = _mm512_add_epi64(self.columns[LIMBS + index], splat(MODULUS[index]));
        });
        raised.bound = self.bound.raised();
        raised
    }

    /// The same sum, which the caller knows from algebra not to be negative.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn not_negative(&self) -> Self {
        Self { columns: self.columns, bound: self.bound.not_negative() }
    }

    /// The element that a sum that is not negative stands for, reduced.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn reduce(&self) -> Fp {
        Fp { limbs: reduce_columns!(self.columns), bound: self.bound.reduced() }
    }
}
