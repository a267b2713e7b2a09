//! One element of the cyclotomic subgroup of `Fp12`, its coefficients in lanes: for the final exponentiation of a
//! single pairing product, where there are not eight elements to work on.
//!
//! Lane `k` holds the coefficient of `wᵏ`, in `Fp2`; `w⁶ = 1 + u`. Lanes 6 and 7 hold nothing of use. Coefficients
//! are of one unit and below 2.2p.

use super::LANES;
use super::fp::{Fp, Permutation, Wide};
use super::fp2::Fp2;
use super::frobenius::POWERS;
use ::blst::{blst_fp, blst_fp12};

/// One element.
#[derive(Clone, Copy, Debug)]
pub(super) struct Single {
    /// Coefficients of 1.
    c0: Fp,
    /// Coefficients of `u`.
    c1: Fp,
}

/// Of the coefficient of `wᵏ`: its half in blst's tower, and its place there.
const PLACES: [(usize, usize); 6] = [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)];

/// Lanes with coefficients of even powers of `w`.
const EVEN: u8 = 0b01_0101;

/// Where the coefficients of `wʲ·self` come from, for each `j`: of `self`, or, where `w⁶` came about, of `ξ·self`.
const SHIFTED: [Permutation; 6] = {
    let mut shifted = [[6; LANES]; 6];
    let mut by = 0;
    while by < 6 {
        let mut power = 0;
        while power < 6 {
            shifted[by][power] = if power >= by { power - by } else { LANES + power + 6 - by } as u64;
            power += 1;
        }
        by += 1;
    }
    shifted
};

/// After squaring in `Fp4 = Fp2[w³]`: lane `k` below 3 holds the first coefficient of `(aₖ + aₖ₊₃w³)²`, lane `k + 3`
/// the second. Where each goes: see [`Single::cyclotomic_square`].
const SQUARED: Permutation = [0, 5, 1, 3, 2, 4, 6, 6];

impl Single {
    /// From blst's form.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn from_blst(element: &blst_fp12) -> Self {
        let part = |part: usize| {
            core::array::from_fn(|lane| match PLACES.get(lane) {
                Some((half, place)) => element.fp6[*half].fp2[*place].fp[part],
                None => blst_fp::default(),
            })
        };
        Self { c0: Fp::from_blst(&part(0)), c1: Fp::from_blst(&part(1)) }
    }

    /// To blst's form.
    #[expect(clippy::wrong_self_convention, reason = "it is 1 KiB large")]
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn to_blst(&self) -> blst_fp12 {
        let (c0, c1) = (self.c0.to_blst(), self.c1.to_blst());
        let mut element = blst_fp12::default();
        for (lane, (half, place)) in PLACES.iter().enumerate() {
            element.fp6[*half].fp2[*place].fp = [c0[lane], c1[lane]];
        }
        element
    }

    /// Times `1 + u`, carried.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    fn mul_by_nonresidue(&self) -> Self {
        Self { c0: self.c0.sub_tiny(&self.c1).carried(), c1: self.c0.add(&self.c1).carried() }
    }

    /// The conjugate over `Fp6`, which is the inverse: odd powers of `w` change sign.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn conjugate(&self) -> Self {
        let negated = |part: &Fp| part.select(EVEN, &Fp::zero().sub_tiny(part).lowered());
        Self { c0: negated(&self.c0), c1: negated(&self.c1) }
    }

    /// The product: `Σ bⱼ·(wʲa)`, each `bⱼ` in all lanes at once.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn mul(&self, other: &Self) -> Self {
        let wrapped = self.mul_by_nonresidue();
        let (mut first, mut second, mut cross) = (Wide::zero(), Wide::zero(), Wide::zero());
        for (power, from) in SHIFTED.iter().enumerate() {
            let (a0, a1) = (self.c0.permuted_with(&wrapped.c0, from), self.c1.permuted_with(&wrapped.c1, from));
            let everywhere = [power as u64; LANES];
            let (b0, b1) = (other.c0.permuted(&everywhere), other.c1.permuted(&everywhere));
            first.add_product(&a0, &b0);
            second.add_product(&a1, &b1);
            cross.add_product(&a0.add(&a1), &b0.add(&b1));
        }
        Self { c0: Wide::reduce_sum([&first], [&second]), c1: Wide::reduce_sum([&cross], [&first, &second]) }
    }

    /// The `p`-th power.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn frobenius(&self) -> Self {
        let powers = |part: usize| {
            core::array::from_fn(|lane| POWERS.get(lane).map_or(blst_fp::default(), |power| power.fp[part]))
        };
        let element = Fp2 { c0: self.c0, c1: Fp::zero().sub_tiny(&self.c1).lowered() };
        let mapped = element.mul(&Fp2 { c0: Fp::from_blst(&powers(0)), c1: Fp::from_blst(&powers(1)) });
        Self { c0: mapped.c0, c1: mapped.c1 }
    }

    /// Whether the element is one.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn is_one(&self) -> bool {
        const COEFFICIENTS: u8 = 0b11_1111;
        let one = Fp::one().select(1, &Fp::zero());
        self.c0.equals(&one) & self.c1.is_zero() & COEFFICIENTS == COEFFICIENTS
    }

    /// The square, of an element of the cyclotomic subgroup (Granger and Scott, eprint 2009/565).
    ///
    /// With `a = Σ aₖwᵏ` and `(aₖ + aₖ₊₃w³)² = sₖ + tₖw³` for `k < 3`, the square's coefficients are
    /// `3s₀ − 2a₀`, `3ξt₂ + 2a₁`, `3s₁ − 2a₂`, `3t₀ + 2a₃`, `3s₂ − 2a₄`, `3t₁ + 2a₅`.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn cyclotomic_square(&self) -> Self {
        let (a0, a1) = (&self.c0, &self.c1);
        // Of every coefficient, its square.
        let real = a0.add(a1).mul_wide(&a0.sub_tiny(a1));
        let imaginary = a0.double().mul_wide(a1);
        // Of every pair of coefficients, twice the products: first·second and second·first in lanes side by side.
        const BELOW: Permutation = [0, 1, 2, 8, 9, 10, 6, 6];
        const ABOVE: Permutation = [3, 4, 5, 11, 12, 13, 6, 6];
        const ABOVE_SWAPPED: Permutation = [11, 12, 13, 3, 4, 5, 6, 6];
        let below = a1.permuted_with(a0, &BELOW).double();
        let straight = below.mul_wide(&a1.permuted_with(a0, &ABOVE));
        let crossed = below.mul_wide(&a1.permuted_with(a0, &ABOVE_SWAPPED));
        let squared = Self {
            c0: Wide::reduce_halves::<false>(&real, &imaginary, &straight),
            c1: Wide::reduce_halves::<true>(&real, &imaginary, &crossed),
        };
        let squared = Self { c0: squared.c0.permuted(&SQUARED), c1: squared.c1.permuted(&SQUARED) };
        let turned = squared.mul_by_nonresidue();
        const FIRST_POWER: u8 = 0b10;
        let combined = |squared: &Fp, turned: &Fp, old: &Fp| {
            let squared = turned.lowered().select(FIRST_POWER, squared);
            // s + 2(s ± a).
            let twice = squared.add(old).select(!EVEN, &squared.sub_tiny(old)).carried();
            twice.double().add(&squared).lowered()
        };
        Self { c0: combined(&squared.c0, &turned.c0, a0), c1: combined(&squared.c1, &turned.c1, a1) }
    }
}

#[cfg(test)]
mod tests;
