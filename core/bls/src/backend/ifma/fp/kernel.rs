//! The instruction sequences of products and of the reduction, which [`super`] derives.

use super::LIMBS;
use super::constants::LIMB_SHIFT;
use core::arch::x86_64::{__m512i, _mm512_slli_epi64, _mm512_srai_epi64};

/// Columns of a product.
pub(super) const COLUMNS: usize = 2 * LIMBS;

/// High halves weigh `2⁵²`, columns `2⁴⁹`.
#[inline]
#[target_feature(enable = "avx512ifma")]
pub(super) fn weighed(high: __m512i) -> __m512i {
    _mm512_slli_epi64::<{ 52 - LIMB_SHIFT }>(high)
}

#[inline]
#[target_feature(enable = "avx512ifma")]
pub(super) fn shift_out(column: __m512i) -> __m512i {
    _mm512_srai_epi64::<LIMB_SHIFT>(column)
}

// Macros, because the compiler leaves functions of this size out of line, and the columns would go through
// memory. They take their names from where they are used.

/// Makes the compiler align the stack to a register's 64 bytes, as a variable of that alignment lies there. It
/// spills registers without aligning it, and every access would touch two lines of the cache.
macro_rules! align_spills {
    () => {
        core::hint::black_box(&core::mem::MaybeUninit::<__m512i>::uninit());
    };
}

/// Products of four limbs with four limbs on top of `$from`: eight columns, of which each is handed to `$body`
/// as `$value` when it is complete, so that stores go on beside the multiplications.
macro_rules! quarter {
    ($from:expr, $left:expr, $right:expr, |$column:ident, $value:ident| $body:block) => {{
        let from: [__m512i; LIMBS] = $from;
        let mut high_below = _mm512_setzero_si512();
        each!(column in [0 1 2 3 4 5 6] {
            let (mut low, mut high) = (from[column], _mm512_setzero_si512());
            each!(index in [0 1 2 3] {
                if column >= index && column - index < 4 {
                    low = _mm512_madd52lo_epu64(low, $left[index], $right[column.wrapping_sub(index) % 4]);
                    high = _mm512_madd52hi_epu64(high, $left[index], $right[column.wrapping_sub(index) % 4]);
                }
            });
            let $column = column;
            let $value = if column == 0 { low } else { _mm512_add_epi64(low, weighed(high_below)) };
            $body
            high_below = high;
        });
        let $column = LIMBS - 1;
        let $value = _mm512_add_epi64(from[LIMBS - 1], weighed(high_below));
        $body
    }};
}

/// Hands every column of a product to `$body`, in some order. By one level of Karatsuba's method: with halves
/// of four limbs, `(a + a'B)(b + b'B) = ab + ((a + a')(b + b') − ab − a'b')B + a'b'B²`, `B = 2¹⁹⁶`. The middle
/// gathers on top of what is to be subtracted, so its columns are signed. The sums of halves are why a factor's
/// limbs have 51 bits, not 52.
macro_rules! each_column {
    ($left:expr, $right:expr, |$index:ident, $value:ident| $body:block) => {{
        let (left, right): (&[__m512i; LIMBS], &[__m512i; LIMBS]) = ($left, $right);
        let zero = _mm512_setzero_si512();
        let (mut below, mut above) = ([zero; LIMBS], [zero; LIMBS]);
        quarter!([zero; LIMBS], left, right, |column, value| {
            below[column] = value;
            if column < 4 {
                let ($index, $value) = (column, value);
                $body
            }
        });
        quarter!([zero; LIMBS], left[4..], right[4..], |column, value| {
            above[column] = value;
            if column >= 4 {
                let ($index, $value) = (column + 8, value);
                $body
            }
        });
        let (mut left_sum, mut right_sum) = ([zero; 4], [zero; 4]);
        let mut middle = [zero; LIMBS];
        each!(index in [0 1 2 3] {
            left_sum[index] = _mm512_add_epi64(left[index], left[4 + index]);
            right_sum[index] = _mm512_add_epi64(right[index], right[4 + index]);
            let shared = _mm512_sub_epi64(below[4 + index], above[index]);
            middle[index] = _mm512_sub_epi64(shared, below[index]);
            middle[4 + index] = _mm512_sub_epi64(_mm512_sub_epi64(zero, shared), above[4 + index]);
        });
        quarter!(middle, left_sum, right_sum, |column, value| {
            let ($index, $value) = (column + 4, value);
            $body
        });
    }};
}

/// The columns of a product.
macro_rules! product_columns {
    ($left:expr, $right:expr) => {{
        let mut columns = [_mm512_setzero_si512(); COLUMNS];
        each_column!($left, $right, |index, value| {
            columns[index] = value;
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
