//! The cubic extension `Fp2[v] / (v³ − (1 + u))`, eight elements at a time.
//!
//! A product is six products of the quadratic extension (Karatsuba's method on each pair of coefficients). They
//! stay apart and unreduced in variables of their own, which [`multiply_parts`] declares: whoever needs a sum of
//! products takes it from the parts of several of them and reduces that once, and nothing of the 12 KiB moves.
//! Coefficients are of one unit wherever they are multiplied.

use super::fp::{Slot, Wide2};
use super::fp2::Fp2;

/// Eight elements `c0 + c1·v + c2·v²`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp6 {
    pub(crate) c0: Fp2,
    pub(crate) c1: Fp2,
    pub(crate) c2: Fp2,
}

/// Declares the unreduced parts of a product `ab`: `$s`ᵢ is `aᵢbᵢ`, `$x12` is `a₁b₂ + a₂b₁`, `$x01` is
/// `a₀b₁ + a₁b₀` and `$c2` is `a₀b₂ + a₂b₀ + a₁b₁`.
///
/// With `ξ = 1 + u`, the product's coefficients are `$s0 + ξ·$x12`, `$x01 + ξ·$s2` and `$c2`.
macro_rules! multiply_parts {
    ($a:expr, $b:expr => [$s0:ident $s1:ident $s2:ident $x12:ident $x01:ident $c2:ident]) => {
        let mut slots = [const { $crate::backend::ifma::fp::Slot::new() }; 6];
        let [for_s0, for_s1, for_s2, for_x12, for_x01, for_c2] = &mut slots;
        let (a, b): (&$crate::backend::ifma::fp6::Fp6, &$crate::backend::ifma::fp6::Fp6) = ($a, $b);
        let $s0 = a.c0.mul_wide(&b.c0, for_s0);
        let $s1 = a.c1.mul_wide(&b.c1, for_s1);
        let $s2 = a.c2.mul_wide(&b.c2, for_s2);
        let $x12 = $crate::backend::ifma::fp6::crossed([&a.c1, &a.c2], [&b.c1, &b.c2], [$s1, $s2], [], for_x12);
        let $x01 = $crate::backend::ifma::fp6::crossed([&a.c0, &a.c1], [&b.c0, &b.c1], [$s0, $s1], [], for_x01);
        let $c2 = $crate::backend::ifma::fp6::crossed([&a.c0, &a.c2], [&b.c0, &b.c2], [$s0, $s2], [$s1], for_c2);
    };
}
pub(super) use multiply_parts;

/// Reduces a sum of parts, each a [`Wide2`]; those after `xi` count `1 + u` times:
/// `(c0 + c1·u)(1 + u) = (c0 − c1) + (c0 + c1)·u`.
macro_rules! reduce_parts {
    (+ $($plus:expr),* ; - $($minus:expr),* ; xi + $($xi_plus:expr),* ; - $($xi_minus:expr),*) => {
        $crate::backend::ifma::fp2::Fp2 {
            c0: $crate::backend::ifma::fp::Wide::reduce_sum(
                [$(&$plus.c0,)* $(&$xi_plus.c0,)* $(&$xi_minus.c1,)*],
                [$(&$minus.c0,)* $(&$xi_plus.c1,)* $(&$xi_minus.c0,)*],
            ),
            c1: $crate::backend::ifma::fp::Wide::reduce_sum(
                [$(&$plus.c1,)* $(&$xi_plus.c0, &$xi_plus.c1,)*],
                [$(&$minus.c1,)* $(&$xi_minus.c0, &$xi_minus.c1,)*],
            ),
        }
    };
}
pub(super) use reduce_parts;

/// A function of every coefficient.
macro_rules! coefficientwise {
    ($(#[$doc:meta])* $name:ident($($argument:ident),*)) => {
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx512ifma")]
        pub(crate) fn $name(&self $(, $argument: &Self)*) -> Self {
            Self {
                c0: self.c0.$name($(&$argument.c0),*),
                c1: self.c1.$name($(&$argument.c1),*),
                c2: self.c2.$name($(&$argument.c2),*),
            }
        }
    };
}

impl Fp6 {
    coefficientwise!(
        /// The sum, uncarried: units and values add.
        add(other)
    );
    coefficientwise!(
        /// The negative, uncarried: two units. Coefficients have one unit and are below 8p.
        neg()
    );
    coefficientwise!(
        /// The difference, uncarried. The subtrahend has one unit and is below 4p.
        sub_tiny(other)
    );
    coefficientwise!(
        /// The same element, of one unit and below 2.01p. It has up to four units and is below 15.9p.
        lowered()
    );
    coefficientwise!(
        /// The same value in limbs of one unit.
        carried()
    );

    /// Zero in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn zero() -> Self {
        Self { c0: Fp2::zero(), c1: Fp2::zero(), c2: Fp2::zero() }
    }

    /// One in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn one() -> Self {
        Self { c0: Fp2::one(), c1: Fp2::zero(), c2: Fp2::zero() }
    }

    /// Times `v`, carried. `c2` has one unit and is below 8p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_by_v(&self) -> Self {
        Self { c0: self.c2.mul_by_nonresidue().carried(), c1: self.c0, c2: self.c1 }
    }

    /// The product, reduced. Coefficients have one unit.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        multiply_parts!(self, other => [s0 s1 s2 x12 x01 c2]);
        Self {
            c0: reduce_parts!(+ s0 ; - ; xi + x12 ; -),
            c1: reduce_parts!(+ x01 ; - ; xi + s2 ; -),
            c2: reduce_parts!(+ c2 ; - ; xi + ; -),
        }
    }

    /// Times an element of the quadratic extension, reduced. Coefficients have up to two units.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_by_fp2(&self, factor: &Fp2) -> Self {
        Self { c0: self.c0.mul(factor), c1: self.c1.mul(factor), c2: self.c2.mul(factor) }
    }

    /// The inverse; zero of zero. Coefficients have one unit.
    ///
    /// With `A = c0² − ξ·c1·c2`, `B = ξ·c2² − c0·c1` and `C = c1² − c0·c2` it is `(A + Bv + Cv²) / N`, where
    /// `N = c0·A + ξ·(c2·B + c1·C)`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        let mut slots = [const { Slot::new() }; 3];
        let [first, second, third] = &mut slots;
        let (square, product) = (self.c0.square_wide(first), self.c1.mul_wide(&self.c2, second));
        let a = reduce_parts!(+ square ; - ; xi + ; - product);
        let (square, product) = (self.c2.square_wide(first), self.c0.mul_wide(&self.c1, second));
        let b = reduce_parts!(+ ; - product ; xi + square ; -);
        let (square, product) = (self.c1.square_wide(first), self.c0.mul_wide(&self.c2, second));
        let c = reduce_parts!(+ square ; - product ; xi + ; -);
        let (first, second) = (self.c0.mul_wide(&a, first), self.c2.mul_wide(&b, second));
        let third = self.c1.mul_wide(&c, third);
        let norm = reduce_parts!(+ first ; - ; xi + second, third ; -);
        Self { c0: a, c1: b, c2: c }.mul_by_fp2(&norm.invert())
    }
}

/// `a₀b₁ + a₁b₀ + Σ more`, given `a₀b₀` and `a₁b₁`.
#[inline]
#[target_feature(enable = "avx512ifma")]
pub(crate) fn crossed<'a, const M: usize>(
    a: [&Fp2; 2],
    b: [&Fp2; 2],
    straight: [&Wide2; 2],
    more: [&Wide2; M],
    slot: &'a mut Slot,
) -> &'a Wide2 {
    let (left, right) = (a[0].add(a[1]), b[0].add(b[1]));
    let products = [(a[0].coefficients(), b[1].coefficients()), (a[1].coefficients(), b[0].coefficients())];
    slot.product(left.coefficients(), right.coefficients(), straight, more).known_as(products, more)
}
