//! Sums of products before reduction. A reduction costs more than a product, and a sum that goes through memory
//! a third of one: so sums are taken inside the functions that multiply or reduce, and products are written where
//! they stay, into a [`Slot`], and never moved.
#![allow(unsafe_code, reason = "products are written into memory that nothing has initialised")]

use super::bound::{Bound, WideBound};
use super::constants::{FOLD, FOLD_SHORT, LIMB_MASK, MODULUS, NEGATIVE_INVERSE};
use super::kernel::{COLUMNS, shift_out, weighed};
use super::lanes::load;
use super::{Fp, LIMBS, settled, splat};
use core::arch::x86_64::{
    __m512i, _mm512_add_epi64, _mm512_and_si512, _mm512_madd52hi_epu64, _mm512_madd52lo_epu64, _mm512_mask_blend_epi64,
    _mm512_permutexvar_epi64, _mm512_setzero_si512, _mm512_sub_epi64,
};
use core::mem::MaybeUninit;

/// Eight unreduced sums of products: columns of radix `2⁴⁹`, of either sign.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Wide {
    pub(super) columns: [__m512i; COLUMNS],
    pub(super) bound: WideBound,
}

/// Eight unreduced sums of products `c0 + c1·u` in the quadratic extension.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Wide2 {
    pub(crate) c0: Wide,
    pub(crate) c1: Wide,
}

/// Where a [`Wide2`] is going to be.
#[derive(Debug)]
#[repr(C)]
pub(crate) struct Slot {
    c0: MaybeUninit<Wide>,
    c1: MaybeUninit<Wide>,
}

/// Both coefficients of an element of the quadratic extension.
pub(crate) type Coefficients<'a> = (&'a Fp, &'a Fp);

/// The columns of a sum of `$plus` less the sum of `$minus`.
macro_rules! sum_columns {
    ($plus:expr, $minus:expr) => {{
        let mut columns = $plus[0].columns;
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            for wide in &$plus[1..] {
                columns[index] = _mm512_add_epi64(columns[index], wide.columns[index]);
            }
            for wide in $minus {
                columns[index] = _mm512_sub_epi64(columns[index], wide.columns[index]);
            }
        });
        columns
    }};
}

fn sum_bound<const P: usize, const M: usize>(plus: [&Wide; P], minus: [&Wide; M]) -> WideBound {
    let added = plus[1..].iter().fold(plus[0].bound, |bound, wide| bound.add(wide.bound));
    minus.iter().fold(added, |bound, wide| bound.sub(wide.bound))
}

impl Fp {
    /// The product, not reduced. Factors have up to four units.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_wide(&self, other: &Self) -> Wide {
        let mut slot = MaybeUninit::uninit();
        *self.mul_into(other, &mut slot)
    }

    /// As [`Self::mul_wide`], into memory.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    fn mul_into<'a>(&self, other: &Self, out: &'a mut MaybeUninit<Wide>) -> &'a mut Wide {
        align_spills!();
        let columns = columns_of(out);
        each_column!(&self.limbs, &other.limbs, |index, value| {
            columns[index].write(value);
        });
        finished(out, self.bound.product(other.bound))
    }

    /// The square, not reduced. The element has up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_wide(&self) -> Wide {
        align_spills!();
        Wide { columns: square_columns!(&self.limbs), bound: self.bound.product(self.bound) }
    }

    /// `2·self·other`, not reduced. Twice `self` and `other` are factors.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    fn mul_twice_into<'a>(&self, other: &Self, out: &'a mut MaybeUninit<Wide>) -> &'a mut Wide {
        align_spills!();
        let (columns, twice) = (columns_of(out), self.double());
        each_column!(&twice.limbs, &other.limbs, |index, value| {
            columns[index].write(value);
        });
        finished(out, twice.bound.product(other.bound))
    }

    /// `self² − other²`, not reduced, as the product of sum and difference, which must be factors. `other` has
    /// one unit and is below 64p.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    fn square_less_square_into<'a>(&self, other: &Self, out: &'a mut MaybeUninit<Wide>) -> &'a mut Wide {
        align_spills!();
        let (columns, sum, difference) = (columns_of(out), self.add(other), self.sub_large(other));
        each_column!(&sum.limbs, &difference.limbs, |index, value| {
            columns[index].write(value);
        });
        let bound = sum.bound.product(difference.bound);
        finished(out, bound.known_as(&[(self.bound, self.bound)], &[(other.bound, other.bound)]))
    }
}

/// Where the columns go.
#[inline(always)]
fn columns_of(out: &mut MaybeUninit<Wide>) -> &mut [MaybeUninit<__m512i>; COLUMNS] {
    // SAFETY: the field of an allocation that is large enough, borrowed for as long; uninitialised values are
    // values of that type.
    unsafe { &mut *(&raw mut (*out.as_mut_ptr()).columns).cast() }
}

/// What has been written, all of whose columns have been.
#[inline(always)]
fn finished(out: &mut MaybeUninit<Wide>, bound: WideBound) -> &mut Wide {
    // SAFETY: every caller has written each of the columns; the bound is written here.
    unsafe {
        (&raw mut (*out.as_mut_ptr()).bound).write(bound);
        out.assume_init_mut()
    }
}

impl Wide {
    /// Turns `self` into `self − left·right` and gives `self + left·right`, less each of `less` and plus each of
    /// `more` coefficient by coefficient, the second the other way around.
    ///
    /// With `self` the product of the first coefficients and `left·right` of the second, that is the first
    /// coefficient of a product, and what [`Self::finish`] subtracts to get the second.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    fn split<'a, const N: usize, const M: usize>(
        &mut self,
        [left, right]: [&Fp; 2],
        less: [&Wide2; N],
        more: [&Wide2; M],
        out: &'a mut MaybeUninit<Self>,
    ) -> &'a mut Self {
        align_spills!();
        let columns = columns_of(out);
        each_column!(&left.limbs, &right.limbs, |index, value| {
            let (mut below, mut above) = (value, _mm512_add_epi64(value, self.columns[index]));
            for wide in less {
                below = _mm512_add_epi64(below, wide.c0.columns[index]);
                above = _mm512_add_epi64(above, wide.c1.columns[index]);
            }
            for wide in more {
                below = _mm512_sub_epi64(below, wide.c0.columns[index]);
                above = _mm512_sub_epi64(above, wide.c1.columns[index]);
            }
            self.columns[index] = _mm512_sub_epi64(self.columns[index], below);
            columns[index].write(above);
        });
        let product = left.bound.product(right.bound);
        let total = |part: fn(&Wide2) -> WideBound| {
            let below = less.iter().fold(product, |bound, wide| bound.add(part(wide)));
            more.iter().fold(below, |bound, wide| bound.sub(part(wide)))
        };
        let above = self.bound.add(total(|wide| wide.c1.bound));
        self.bound = self.bound.sub(total(|wide| wide.c0.bound));
        finished(out, above)
    }

    /// Turns what is to be subtracted into the product of the sums of both coefficients less that.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    fn finish(&mut self, left: Coefficients<'_>, right: Coefficients<'_>) {
        align_spills!();
        let (left, right) = (left.0.add(left.1), right.0.add(right.1));
        each_column!(&left.limbs, &right.limbs, |index, value| {
            self.columns[index] = _mm512_sub_epi64(value, self.columns[index]);
        });
        self.bound = left.bound.product(right.bound).sub(self.bound);
    }

    /// No products.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn zero() -> Self {
        Self { columns: [_mm512_setzero_si512(); COLUMNS], bound: WideBound::ZERO }
    }

    /// Adds a product. Factors have up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn add_product(&mut self, left: &Fp, right: &Fp) {
        align_spills!();
        each_column!(&left.limbs, &right.limbs, |index, value| {
            self.columns[index] = _mm512_add_epi64(self.columns[index], value);
        });
        self.bound = self.bound.add(left.bound.product(right.bound));
    }

    /// For squaring in a quadratic extension `Fp2[t] / (t² − (1 + u))` with the coefficients of an element in lanes
    /// `k` and `k + 3`, `k < 3`: one part of the square in the same lanes, reduced.
    ///
    /// `real` and `imaginary` hold the coefficients' squares. For the real part, `products` holds in lane `k` the
    /// product of imaginary and in lane `k + 3` of real parts, twice; for the imaginary part both mixed products.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn reduce_halves<const IMAGINARY: bool>(real: &Self, imaginary: &Self, products: &Self) -> Fp {
        align_spills!();
        let swap = load(&[3, 4, 5, 0, 1, 2, 6, 7]);
        let mut columns = [_mm512_setzero_si512(); COLUMNS];
        each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
            let (real, imaginary) = (real.columns[index], imaginary.columns[index]);
            let product = products.columns[index];
            let swapped = _mm512_permutexvar_epi64(swap, product);
            // a² + ξb² below, 2ab above, with ξ(r + iu) = (r − i) + (r + i)u.
            let (below, above) = if IMAGINARY {
                let turned = _mm512_permutexvar_epi64(swap, _mm512_add_epi64(real, imaginary));
                (_mm512_add_epi64(imaginary, turned), _mm512_add_epi64(product, swapped))
            } else {
                let turned = _mm512_permutexvar_epi64(swap, _mm512_sub_epi64(real, imaginary));
                (_mm512_add_epi64(real, turned), _mm512_sub_epi64(product, swapped))
            };
            columns[index] = _mm512_mask_blend_epi64(0b111, above, below);
        });
        each!(index in [0 1 2 3 4 5 6 7] {
            columns[LIMBS + index] = _mm512_add_epi64(columns[LIMBS + index], splat(MODULUS[index]));
        });
        let squares = if IMAGINARY {
            imaginary.bound.add(real.bound.add(imaginary.bound))
        } else {
            real.bound.add(real.bound.sub(imaginary.bound))
        };
        let products = if IMAGINARY { products.bound.add(products.bound) } else { products.bound.sub(products.bound) };
        Fp { limbs: reduce_columns!(columns), bound: squares.either(products).raised().reduced() }
    }

    /// The sum of `plus` less the sum of `minus`, reduced. It is no less than minus 2,500 p².
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn reduce_sum<const P: usize, const M: usize>(plus: [&Self; P], minus: [&Self; M]) -> Fp {
        align_spills!();
        let mut columns = sum_columns!(plus, minus);
        // 2³⁹²p in addition, so that the sum is not negative.
        each!(index in [0 1 2 3 4 5 6 7] {
            columns[LIMBS + index] = _mm512_add_epi64(columns[LIMBS + index], splat(MODULUS[index]));
        });
        Fp { limbs: reduce_columns!(columns), bound: sum_bound(plus, minus).raised().reduced() }
    }

    /// The element that a sum that is not negative stands for, reduced.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn reduce(&self) -> Fp {
        align_spills!();
        Fp { limbs: reduce_columns!(self.columns), bound: self.bound.reduced() }
    }
}

impl Slot {
    /// Room for a [`Wide2`].
    #[inline(always)]
    pub(crate) const fn new() -> Self {
        Self { c0: MaybeUninit::uninit(), c1: MaybeUninit::uninit() }
    }

    /// What has been written.
    #[inline(always)]
    fn finished(&mut self) -> &mut Wide2 {
        // SAFETY: a `Slot` has the layout of a `Wide2` (both are `repr(C)` of the same fields), and every caller
        // has written both coefficients.
        unsafe { &mut *(&raw mut *self).cast() }
    }

    /// The product less each of `less` and plus each of `more`. The sum of both coefficients is a factor.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product<const N: usize, const M: usize>(
        &mut self,
        left: Coefficients<'_>,
        right: Coefficients<'_>,
        less: [&Wide2; N],
        more: [&Wide2; M],
    ) -> &mut Wide2 {
        let c0 = left.0.mul_into(right.0, &mut self.c0);
        // (a + b)(c + d) − (ac + bd) = ad + bc.
        c0.split([left.1, right.1], less, more, &mut self.c1).finish(left, right);
        self.finished()
    }

    /// As [`Self::product`], with the second coefficient replaced by what is to be subtracted from the product
    /// of the sums.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product_parts(&mut self, left: Coefficients<'_>, right: Coefficients<'_>) -> &mut Wide2 {
        left.0.mul_into(right.0, &mut self.c0).split([left.1, right.1], [], [], &mut self.c1);
        self.finished()
    }

    /// The square. The first coefficient has up to two units, the second one and is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square(&mut self, element: Coefficients<'_>) -> &mut Wide2 {
        element.0.square_less_square_into(element.1, &mut self.c0);
        element.0.mul_twice_into(element.1, &mut self.c1);
        self.finished()
    }

    /// The sum of `plus` and `(1 + u)·xi`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sum<const P: usize, const X: usize>(&mut self, plus: [&Wide2; P], xi: [&Wide2; X]) -> &mut Wide2 {
        sum_into(plus, xi, &mut self.c0, &mut self.c1);
        self.finished()
    }
}

/// Both coefficients of the sum of `plus` and `(1 + u)·xi`: `(c0 + c1·u)(1 + u) = (c0 − c1) + (c0 + c1)·u`.
#[inline(never)]
#[target_feature(enable = "avx512ifma")]
fn sum_into<const P: usize, const X: usize>(
    plus: [&Wide2; P],
    xi: [&Wide2; X],
    c0: &mut MaybeUninit<Wide>,
    c1: &mut MaybeUninit<Wide>,
) {
    let (columns0, columns1) = (columns_of(c0), columns_of(c1));
    each!(index in [0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15] {
        let (mut sum0, mut sum1) = (plus[0].c0.columns[index], plus[0].c1.columns[index]);
        for wide in &plus[1..] {
            sum0 = _mm512_add_epi64(sum0, wide.c0.columns[index]);
            sum1 = _mm512_add_epi64(sum1, wide.c1.columns[index]);
        }
        for wide in xi {
            let (first, second) = (wide.c0.columns[index], wide.c1.columns[index]);
            sum0 = _mm512_add_epi64(sum0, _mm512_sub_epi64(first, second));
            sum1 = _mm512_add_epi64(sum1, _mm512_add_epi64(first, second));
        }
        columns0[index].write(sum0);
        columns1[index].write(sum1);
    });
    let bound =
        |part: fn(&Wide2) -> WideBound| plus[1..].iter().fold(part(plus[0]), |bound, wide| bound.add(part(wide)));
    let bound0 = xi.iter().fold(bound(|wide| wide.c0.bound), |bound, wide| bound.add(wide.c0.bound.sub(wide.c1.bound)));
    let bound1 = xi.iter().fold(bound(|wide| wide.c1.bound), |bound, wide| bound.add(wide.c0.bound.add(wide.c1.bound)));
    finished(c0, bound0);
    finished(c1, bound1);
}

impl Wide2 {
    /// The same sum, of which the caller knows that it is the sum of these products and these sums.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn known_as<const N: usize, const M: usize>(
        &mut self,
        products: [(Coefficients<'_>, Coefficients<'_>); N],
        more: [&Self; M],
    ) -> &mut Self {
        let pairs = |left: fn(&Coefficients<'_>) -> Bound, right: fn(&Coefficients<'_>) -> Bound| {
            products.map(|(first, second)| (left(&first), right(&second)))
        };
        let (c0, c1) = (|of: &Coefficients<'_>| of.0.bound, |of: &Coefficients<'_>| of.1.bound);
        let columns = (self.c0.bound, self.c1.bound);
        let c0 = columns.0.known_as(&pairs(c0, c0), &pairs(c1, c1));
        let c1 = columns.1.known_as(
            &[pairs(|of| of.0.bound, |of| of.1.bound), pairs(|of| of.1.bound, |of| of.0.bound)].concat(),
            &[],
        );
        self.c0.bound = more.iter().fold(c0, |bound, wide| bound.add_value(wide.c0.bound));
        self.c1.bound = more.iter().fold(c1, |bound, wide| bound.add_value(wide.c1.bound));
        self
    }
}
