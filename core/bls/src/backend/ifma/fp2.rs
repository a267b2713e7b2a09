//! The quadratic extension `Fp[u] / (u² + 1)`, eight elements at a time.
//!
//! Bounds are those of [`Fp`](super::fp), for each coefficient. What is multiplied has up to four units in
//! both coefficients together, as `c0 + c1` must be a factor. A product takes three products and two
//! reductions of the base field: the products of coefficients are added before they are reduced.

use super::fp::{Coefficients, Fp, Slot, Wide, Wide2};
use super::{LANES, Mask};
use ::blst::blst_fp2;

/// Eight elements `c0 + c1·u`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp2 {
    pub(crate) c0: Fp,
    pub(crate) c1: Fp,
}

/// A function of both coefficients.
macro_rules! coefficientwise {
    ($(#[$doc:meta])* $name:ident($($argument:ident),*)) => {
        $(#[$doc])*
        #[inline]
        #[target_feature(enable = "avx512ifma")]
        pub(crate) fn $name(&self $(, $argument: &Self)*) -> Self {
            Self { c0: self.c0.$name($(&$argument.c0),*), c1: self.c1.$name($(&$argument.c1),*) }
        }
    };
}

// After the macro that it uses.
mod multiple;

impl Fp2 {
    coefficientwise!(
        /// The sum, uncarried: units and values add.
        add(other)
    );
    coefficientwise!(
        /// The difference, uncarried. The subtrahend has one unit and is below 8p.
        sub(other)
    );
    coefficientwise!(
        /// The difference, uncarried. The subtrahend has one unit and is below 16p.
        sub_middle(other)
    );
    coefficientwise!(
        /// The difference, uncarried. The subtrahend has one unit and is below 64p.
        sub_large(other)
    );
    coefficientwise!(
        /// Twice the element, uncarried.
        double()
    );
    coefficientwise!(
        /// Three times the element, uncarried.
        triple()
    );
    coefficientwise!(
        /// The negative, uncarried: two units. The element has one unit and is below 8p.
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
    coefficientwise!(
        /// Half the element: one unit.
        half()
    );

    /// Zero in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn zero() -> Self {
        Self { c0: Fp::zero(), c1: Fp::zero() }
    }

    /// One in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn one() -> Self {
        Self { c0: Fp::one(), c1: Fp::zero() }
    }

    /// From blst's form.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_blst(lanes: &[blst_fp2; LANES]) -> Self {
        Self { c0: Fp::from_blst(&lanes.map(|lane| lane.fp[0])), c1: Fp::from_blst(&lanes.map(|lane| lane.fp[1])) }
    }

    /// To blst's form.
    #[expect(clippy::wrong_self_convention, reason = "512 bytes a coefficient")]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_blst(&self) -> [blst_fp2; LANES] {
        let (c0, c1) = (self.c0.to_blst(), self.c1.to_blst());
        core::array::from_fn(|lane| blst_fp2 { fp: [c0[lane], c1[lane]] })
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn broadcast(element: &blst_fp2) -> Self {
        Self::from_blst(&[*element; LANES])
    }

    /// The conjugate, which is the Frobenius map. `c1` has one unit and is below 8p; the result's has two.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn conjugate(&self) -> Self {
        Self { c0: self.c0, c1: self.c1.neg() }
    }

    /// Times `1 + u`, uncarried: two units more than the element, which has one and is below 8p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_by_nonresidue(&self) -> Self {
        Self { c0: self.c0.sub(&self.c1), c1: self.c0.add(&self.c1) }
    }

    /// The product, reduced. Coefficients have up to four units together.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        let mut slot = Slot::new();
        let parts = slot.product_parts(self.coefficients(), other.coefficients());
        let (left, right) = (self.c0.add(&self.c1), other.c0.add(&other.c1));
        Self { c0: Wide::reduce_sum([&parts.c0], []), c1: left.mul_less(&right, &parts.c1) }
    }

    /// The product, not reduced. Coefficients have up to four units together.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_wide<'a>(&self, other: &Self, slot: &'a mut Slot) -> &'a Wide2 {
        let (left, right) = (self.coefficients(), other.coefficients());
        slot.product(left, right, [], []).known_as([(left, right)], [])
    }

    /// Both coefficients.
    #[inline]
    pub(crate) fn coefficients(&self) -> Coefficients<'_> {
        (&self.c0, &self.c1)
    }

    /// The square, reduced: two multiplications. `c0` has up to two units, `c1` one and is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square(&self) -> Self {
        Self { c0: self.c0.square_less_square(&self.c1), c1: self.c0.mul_twice(&self.c1) }
    }

    /// The square, not reduced. `c0` has up to two units, `c1` one and is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square_wide<'a>(&self, slot: &'a mut Slot) -> &'a Wide2 {
        slot.square(self.coefficients())
    }

    /// Times an element of the base field. All have up to four units.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_by_base(&self, factor: &Fp) -> Self {
        Self { c0: self.c0.mul(factor), c1: self.c1.mul(factor) }
    }

    /// `c0² + c1²`, reduced.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn norm(&self) -> Fp {
        Wide::reduce_sum([&self.c0.square_wide(), &self.c1.square_wide()], [])
    }

    /// The inverse; zero of zero. Coefficients have one unit.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        self.conjugate().mul_by_base(&self.norm().invert())
    }

    /// A square root, and which lanes have one (zero does); the others hold garbage. Coefficients have one
    /// unit.
    ///
    /// With `s² = c0² + c1²` and `t = (c0 ± s)/2`, of which exactly one is a square when `c1 ≠ 0`, a root is
    /// `√t + c1/(2√t)·u`. Let `k = t^((p−3)/4)`. If `t` is a square, its root is `tk` and `k` the inverse of
    /// that; if not, the root of the other is `c1·k/2`, whose inverse times `c1/2` is `−tk`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sqrt(&self) -> (Self, Mask) {
        let norm_root = self.norm().sqrt().0;
        let plus = self.c0.add(&norm_root).half();
        let minus = self.c0.sub(&norm_root).half();
        let chosen = minus.select(plus.is_zero(), &plus);
        let candidate = chosen.root_candidate();
        let root = chosen.mul(&candidate);
        let other = self.c1.half().mul(&candidate);
        let square = root.mul(&candidate).equals(&Fp::one());
        let root = Self { c0: root.select(square, &other), c1: other.select(square, &root.neg().carried()) };
        (root, root.square().equals(self))
    }

    /// `self` where the mask has a one, `other` where it has a zero.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn select(&self, mask: Mask, other: &Self) -> Self {
        Self { c0: self.c0.select(mask, &other.c0), c1: self.c1.select(mask, &other.c1) }
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
        self.c0.is_zero() & self.c1.is_zero()
    }

    /// Which lanes are equal. Both have up to four units; `other` is below 64p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn equals(&self, other: &Self) -> Mask {
        self.c0.equals(&other.c0) & self.c1.equals(&other.c1)
    }
}

#[cfg(test)]
mod tests;
