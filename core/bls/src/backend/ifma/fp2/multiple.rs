//! Small multiples, and sums of two products with one reduction of each coefficient.

use super::{Fp, Fp2};
use crate::backend::ifma::fp::{Slot, invert_batch};
use crate::backend::ifma::fp6::reduce_parts;

impl Fp2 {
    coefficientwise!(
        /// Four times the element, of one unit.
        times_four()
    );
    coefficientwise!(
        /// Eight times the element, of one unit.
        times_eight()
    );

    /// `12 + 12u` times the element, of one unit and below 4p: three times the coefficient of the curve
    /// `y² = x³ + 4 + 4u`. The element has one unit and is below 8p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn times_3b(&self) -> Self {
        self.mul_by_nonresidue().mul_by_base(&Fp::one().times_3b())
    }

    /// The element as a factor: of one unit.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn factor(&self) -> Self {
        self.carried()
    }

    /// `left.0·left.1 + right.0·right.1`, reduced. Coefficients have up to four units together.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product_sum(left: (&Self, &Self), right: (&Self, &Self)) -> Self {
        let mut slots = [const { Slot::new() }; 2];
        let [first, second] = &mut slots;
        let (left, right) = (left.0.mul_wide(left.1, first), right.0.mul_wide(right.1, second));
        reduce_parts!(+ left, right ; - ; xi + ; -)
    }

    /// `left.0·left.1 − right.0·right.1`, reduced. Coefficients have up to four units together.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn product_difference(left: (&Self, &Self), right: (&Self, &Self)) -> Self {
        let mut slots = [const { Slot::new() }; 2];
        let [first, second] = &mut slots;
        let (left, right) = (left.0.mul_wide(left.1, first), right.0.mul_wide(right.1, second));
        reduce_parts!(+ left ; - right ; xi + ; -)
    }

    /// Inverts every lane of every element, zero to zero, at the cost of one inversion; whether none was zero.
    /// Coefficients have one unit and are below 8p.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert_all_of(elements: &mut [Self]) -> bool {
        let mut norms: Vec<Fp> = elements.iter().map(|element| element.norm()).collect();
        let none_zero = invert_batch(&mut norms);
        for (element, norm) in elements.iter_mut().zip(&norms) {
            *element = element.conjugate().mul_by_base(norm);
        }
        none_zero
    }
}
