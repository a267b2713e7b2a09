//! Products, sums of products before reduction, and the reduction. See the page of [`super`].

use super::bound::WideBound;
use super::constants::{FOLD, FOLD_SHORT, LIMB_MASK, LIMB_SHIFT, LIMBS, MODULUS, NEGATIVE_INVERSE};
use super::{Fp, settled, splat};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_setzero_si512,
    _mm512_slli_epi64, _mm512_srai_epi64, _mm512_sub_epi64,
};

/// Columns of a product.
const COLUMNS: usize = 2 * LIMBS;

/// Eight unreduced sums of products: columns of radix `2⁴⁹`, signed. A reduction costs half a
/// multiplication, so sums are taken here.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide {
    columns: [__m512i; COLUMNS],
    bound: WideBound,
}

/// High halves weigh `2⁵²`, columns `2⁴⁹`.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn weighed(high: __m512i) -> __m512i {
    _mm512_slli_epi64::<{ 52 - LIMB_SHIFT }>(high)
}

#[inline]
#[target_feature(enable = "avx512ifma")]
fn shift_out(column: __m512i) -> __m512i {
    _mm512_srai_epi64::<LIMB_SHIFT>(column)
}

// The parts below are macros because the compiler leaves functions of this size out of line, and the columns
// would go through memory. `$low[k]` gathers low halves, of weight `2^49k`; `$high[k + 1]` the high halves of
// the same products, of weight `8·2^49(k+1)`.

/// Makes the compiler align the stack to a register's 64 bytes, as a variable of that alignment lies there. It
/// spills registers without aligning it, and every access would touch two lines of the cache.
macro_rules! align_spills {
    () => {
        core::hint::black_box(&core::mem::MaybeUninit::<__m512i>::uninit());
    };
}

/// Products of four limbs with four limbs, column by column on top of `$from`: eight columns.
macro_rules! quarter {
    ($from:expr, $left:expr, $right:expr) => {{
        let mut columns: [__m512i; LIMBS] = $from;
        let mut high_below = _mm512_setzero_si512();
        each!(column in [0 1 2 3 4 5 6] {
            let (mut low, mut high) = (columns[column], _mm512_setzero_si512());
            each!(index in [0 1 2 3] {
                if column >= index && column - index < 4 {
                    low = _mm512_madd52lo_epu64(low, $left[index], $right[column.wrapping_sub(index) % 4]);
                    high = _mm512_madd52hi_epu64(high, $left[index], $right[column.wrapping_sub(index) % 4]);
                }
            });
            columns[column] = if column == 0 { low } else { _mm512_add_epi64(low, weighed(high_below)) };
            high_below = high;
        });
        columns[7] = _mm512_add_epi64(columns[7], weighed(high_below));
        columns
    }};
}

/// The columns of a product, by one level of Karatsuba's method: with halves of four limbs,
/// `(a + a'B)(b + b'B) = ab + ((a + a')(b + b') − ab − a'b')B + a'b'B²`, `B = 2¹⁹⁶`. The middle gathers on top of
/// what is to be subtracted, so its columns are signed. The sums of halves are why a factor's limbs have 51
/// bits, not 52.
macro_rules! product_columns {
    ($left:expr, $right:expr) => {{
        let (left, right): (&[__m512i; LIMBS], &[__m512i; LIMBS]) = ($left, $right);
        let zero = _mm512_setzero_si512();
        let below = quarter!([zero; LIMBS], left, right);
        let above = quarter!([zero; LIMBS], left[4..], right[4..]);
        let (mut left_sum, mut right_sum) = ([zero; 4], [zero; 4]);
        let mut middle = [zero; LIMBS];
        each!(index in [0 1 2 3] {
            left_sum[index] = _mm512_add_epi64(left[index], left[4 + index]);
            right_sum[index] = _mm512_add_epi64(right[index], right[4 + index]);
            let shared = _mm512_sub_epi64(below[4 + index], above[index]);
            middle[index] = _mm512_sub_epi64(shared, below[index]);
            middle[4 + index] = _mm512_sub_epi64(_mm512_sub_epi64(zero, shared), above[4 + index]);
        });
        let middle = quarter!(middle, left_sum, right_sum);
        let mut columns = [zero; COLUMNS];
        each!(index in [0 1 2 3] {
            columns[index] = below[index];
            columns[4 + index] = middle[index];
            columns[8 + index] = middle[4 + index];
            columns[12 + index] = above[4 + index];
        });
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

/// Adds multiples of the modulus until the lower eight columns are zero; the limbs above, carried once.
macro_rules! reduce_columns {
    ($columns:expr) => {{
        let zero = _mm512_setzero_si512();
        let mask = splat(LIMB_MASK);
        let mut low: [__m512i; COLUMNS] = $columns;
        let mut high = [zero; COLUMNS + 1];
        each!(row in [0 1 2 3 4 5] {
            let column = _mm512_add_epi64(low[row], weighed(high[row]));
            let factor = _mm512_and_si512(column, mask);
            low[row + 1] = _mm512_madd52lo_epu64(low[row + 1], factor, splat(FOLD[0]));
            high[row + 2] = _mm512_madd52hi_epu64(high[row + 2], factor, splat(FOLD[0]));
            low[row + 1] = _mm512_add_epi64(low[row + 1], shift_out(column));
            each!(index in [1 2 3 4 5 6 7] {
                low[row + 1 + index] = _mm512_madd52lo_epu64(low[row + 1 + index], factor, splat(FOLD[index]));
                high[row + 2 + index] = _mm512_madd52hi_epu64(high[row + 2 + index], factor, splat(FOLD[index]));
            });
        });
        let column = _mm512_add_epi64(low[6], weighed(high[6]));
        let factor = _mm512_and_si512(_mm512_sub_epi64(zero, column), mask);
        low[7] = _mm512_add_epi64(low[7], shift_out(_mm512_add_epi64(column, factor)));
        each!(index in [0 1 2 3 4 5 6 7] {
            low[7 + index] = _mm512_madd52lo_epu64(low[7 + index], factor, splat(FOLD_SHORT[index]));
            high[8 + index] = _mm512_madd52hi_epu64(high[8 + index], factor, splat(FOLD_SHORT[index]));
        });
        let column = _mm512_add_epi64(low[7], weighed(high[7]));
        let quotient = _mm512_and_si512(_mm512_madd52lo_epu64(zero, column, splat(NEGATIVE_INVERSE)), mask);
        let cleared = _mm512_madd52lo_epu64(column, quotient, splat(MODULUS[0]));
        high[8] = _mm512_madd52hi_epu64(high[8], quotient, splat(MODULUS[0]));
        low[8] = _mm512_add_epi64(low[8], shift_out(cleared));
        each!(index in [1 2 3 4 5 6 7] {
            low[7 + index] = _mm512_madd52lo_epu64(low[7 + index], quotient, splat(MODULUS[index]));
            high[8 + index] = _mm512_madd52hi_epu64(high[8 + index], quotient, splat(MODULUS[index]));
        });
        let mut limbs = [zero; LIMBS];
        each!(index in [0 1 2 3 4 5 6 7] {
            limbs[index] = _mm512_add_epi64(low[8 + index], weighed(high[8 + index]));
        });
        settled(&limbs)
    }};
}

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
        align_spills!();
        Wide { columns: product_columns!(&self.limbs, &other.limbs), bound: self.bound.product(other.bound) }
    }

    /// The square, not reduced. The element has up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_wide(&self) -> Wide {
        align_spills!();
        Wide { columns: square_columns!(&self.limbs), bound: self.bound.product(self.bound) }
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

    /// `self·other − first − second`, reduced. The caller knows from algebra that this is not negative.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_less(&self, other: &Self, first: &Wide, second: &Wide) -> Self {
        align_spills!();
        let mut columns = product_columns!(&self.limbs, &other.limbs);
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            let both = _mm512_add_epi64(first.columns[index], second.columns[index]);
            columns[index] = _mm512_sub_epi64(columns[index], both);
        });
        let bound = self.bound.product(other.bound).sub(first.bound.add(second.bound)).not_negative();
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

    /// The same element, with `2³⁹²p` added: positive if it was no less than minus 2,500 p².
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

    /// The difference, reduced. It is no less than minus 2,500 p².
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sub_reduce(&self, other: &Self) -> Fp {
        align_spills!();
        let difference = self.sub(other).raised();
        Fp { limbs: reduce_columns!(difference.columns), bound: difference.bound.reduced() }
    }

    /// The element that a sum that is not negative stands for, reduced.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn reduce(&self) -> Fp {
        align_spills!();
        Fp { limbs: reduce_columns!(self.columns), bound: self.bound.reduced() }
    }
}
