//! The extension `Fp6[w] / (w² − v)` in which pairings have their values, eight elements at a time.
//!
//! The tower is blst's, so that values pass between the two as they are. Results are reduced: coefficients of
//! one unit, a little above 2p.

use super::LANES;
use super::fp::{Fp, Slot, Wide2};
use super::fp2::Fp2;
use super::fp6::{Fp6, crossed, multiply_parts, reduce_parts};
use ::blst::{blst_fp2, blst_fp6, blst_fp12};

/// Eight elements `c0 + c1·w`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Fp12 {
    pub(crate) c0: Fp6,
    pub(crate) c1: Fp6,
}

/// Eight elements `constant + w2·w² + w3·w³`, which lines of a Miller loop are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Line {
    pub(crate) constant: Fp2,
    pub(crate) w2: Fp2,
    pub(crate) w3: Fp2,
}

/// The product of which these are parts, less three sums, reduced.
macro_rules! less_sums {
    ([$s0:ident $s2:ident $x12:ident $x01:ident $c2:ident], $sums:ident) => {
        Fp6 {
            c0: reduce_parts!(+ $s0 ; - $sums[0] ; xi + $x12 ; -),
            c1: reduce_parts!(+ $x01 ; - $sums[1] ; xi + $s2 ; -),
            c2: reduce_parts!(+ $c2 ; - $sums[2] ; xi + ; -),
        }
    };
}

impl Fp12 {
    /// One in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn one() -> Self {
        Self { c0: Fp6::one(), c1: Fp6::zero() }
    }

    /// The product.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul(&self, other: &Self) -> Self {
        let c0;
        let mut slots = [const { Slot::new() }; 3];
        let [sum0, sum1, sum2] = &mut slots;
        let sums: [&Wide2; 3];
        {
            multiply_parts!(&self.c0, &other.c0 => [l0 l1 l2 l12 l01 l_c2]);
            multiply_parts!(&self.c1, &other.c1 => [h0 h1 h2 h12 h01 h_c2]);
            // low + v·high, where v·(c0, c1, c2) = (ξ·c2, c0, c1).
            c0 = Fp6 {
                c0: reduce_parts!(+ l0 ; - ; xi + l12, h_c2 ; -),
                c1: reduce_parts!(+ l01, h0 ; - ; xi + l2, h12 ; -),
                c2: reduce_parts!(+ l_c2, h01 ; - ; xi + h2 ; -),
            };
            sums = [sum0.sum([l0, h0], [l12, h12]), sum1.sum([l01, h01], [l2, h2]), sum2.sum([l_c2, h_c2], [])];
        }
        let (left, right) = (self.c0.add(&self.c1).carried(), other.c0.add(&other.c1).carried());
        multiply_parts!(&left, &right => [b0 b1 b2 b12 b01 b_c2]);
        Self { c0, c1: less_sums!([b0 b2 b12 b01 b_c2], sums) }
    }

    /// The square: `(c0 + c1)(c0 + v·c1) − c0c1 − v·c0c1` and `2·c0c1`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn square(&self) -> Self {
        let c1;
        let mut slots = [const { Slot::new() }; 3];
        let [sum0, sum1, sum2] = &mut slots;
        let sums: [&Wide2; 3];
        {
            multiply_parts!(&self.c0, &self.c1 => [p0 p1 p2 p12 p01 p_c2]);
            c1 = Fp6 {
                c0: reduce_parts!(+ p0, p0 ; - ; xi + p12, p12 ; -),
                c1: reduce_parts!(+ p01, p01 ; - ; xi + p2, p2 ; -),
                c2: reduce_parts!(+ p_c2, p_c2 ; - ; xi + ; -),
            };
            sums = [sum0.sum([p0], [p12, p_c2]), sum1.sum([p01, p0], [p2, p12]), sum2.sum([p_c2, p01], [p2])];
        }
        let (left, right) = (self.c0.add(&self.c1).carried(), self.c0.add(&self.c1.mul_by_v()).carried());
        multiply_parts!(&left, &right => [b0 b1 b2 b12 b01 b_c2]);
        Self { c0: less_sums!([b0 b2 b12 b01 b_c2], sums), c1 }
    }

    /// Times a line: 13 products of the quadratic extension.
    ///
    /// With `c`, `d`, `e` the line's coefficients and `aᵢ`, `bᵢ` those of `self.c0`, `self.c1`, the result is
    /// `a₀c + ξ(a₂d + b₁e)`, `a₀d + a₁c + ξ·b₂e`, `a₂c + a₁d + b₀e`, and
    /// `b₀c + ξ(b₂d + a₂e)`, `b₀d + b₁c + a₀e`, `b₂c + b₁d + a₁e`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn mul_by_line(&self, line: &Line) -> Self {
        let (a, b) = (&self.c0, &self.c1);
        let (c, d, e) = (&line.constant, &line.w2, &line.w3);
        let pair = |x, y| (Fp2::coefficients(x), Fp2::coefficients(y));
        let mut slots = [const { Slot::new() }; 13];
        let [a0c, a1d, a2d, b0e, b1e, b2e, a01, a_c2, b0c, b1d_a1e, b2d_a2e, b01, b2c] = &mut slots;
        let (a0c, a1d, a2d) = (a.c0.mul_wide(c, a0c), a.c1.mul_wide(d, a1d), a.c2.mul_wide(d, a2d));
        let (b0e, b1e, b2e) = (b.c0.mul_wide(e, b0e), b.c1.mul_wide(e, b1e), b.c2.mul_wide(e, b2e));
        let a01 = crossed([&a.c0, &a.c1], [c, d], [a0c, a1d], [], a01);
        let (a2, b2) = (a.c2.coefficients(), b.c2.coefficients());
        let a_c2 = a_c2.product(a2, c.coefficients(), [], [a1d, b0e]).known_as([pair(&a.c2, c)], [a1d, b0e]);
        let c0 = Fp6 {
            c0: reduce_parts!(+ a0c ; - ; xi + a2d, b1e ; -),
            c1: reduce_parts!(+ a01 ; - ; xi + b2e ; -),
            c2: reduce_parts!(+ a_c2 ; - ; xi + ; -),
        };
        let b0c = b.c0.mul_wide(c, b0c);
        let de = d.add(e).carried();
        let sum = [a.c1.add(&b.c1), a.c2.add(&b.c2)];
        let b1d_a1e = b1d_a1e
            .product(sum[0].coefficients(), de.coefficients(), [a1d, b1e], [])
            .known_as([pair(&b.c1, d), pair(&a.c1, e)], []);
        let b2d_a2e = b2d_a2e
            .product(sum[1].coefficients(), de.coefficients(), [a2d, b2e], [])
            .known_as([pair(&b.c2, d), pair(&a.c2, e)], []);
        // (a₀ + b₀ + a₁ + b₁)(c + d + e), less all that is not wanted.
        let (all, cde) = (a.c0.add(&b.c0).add(&sum[0]).carried(), c.add(&de).carried());
        let unwanted = [b0c, &*b1d_a1e, b1e, b0e, a0c, a1d, a01];
        let b01 = b01
            .product(all.coefficients(), cde.coefficients(), unwanted, [])
            .known_as([pair(&b.c0, d), pair(&b.c1, c), pair(&a.c0, e)], []);
        let b_c2 = b2c.product(b2, c.coefficients(), [], [b1d_a1e]).known_as([pair(&b.c2, c)], [b1d_a1e]);
        let c1 = Fp6 {
            c0: reduce_parts!(+ b0c ; - ; xi + b2d_a2e ; -),
            c1: reduce_parts!(+ b01 ; - ; xi + ; -),
            c2: reduce_parts!(+ b_c2 ; - ; xi + ; -),
        };
        Self { c0, c1 }
    }

    /// The conjugate, which is the inverse where the norm over `Fp6` is one.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn conjugate(&self) -> Self {
        Self { c0: self.c0, c1: self.c1.neg().lowered() }
    }

    /// The inverse, `(c0 − c1·w) / (c0² − v·c1²)`; zero of zero.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        let (square, other) = (self.c0.mul(&self.c0), self.c1.mul(&self.c1).mul_by_v());
        let other = Fp6 { c0: other.c0.lowered(), ..other };
        let inverse = square.sub_tiny(&other).lowered().invert();
        Self { c0: self.c0.mul(&inverse), c1: self.c1.mul(&inverse).neg().lowered() }
    }

    /// From blst's form.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_blst(lanes: &[blst_fp12; LANES]) -> Self {
        let fp2 = |half: usize, index: usize| Fp2::from_blst(&lanes.map(|lane| lane.fp6[half].fp2[index]));
        let fp6 = |half: usize| Fp6 { c0: fp2(half, 0), c1: fp2(half, 1), c2: fp2(half, 2) };
        Self { c0: fp6(0), c1: fp6(1) }
    }

    /// To blst's form.
    #[expect(clippy::wrong_self_convention, reason = "it is 6 KiB large")]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_blst(&self) -> [blst_fp12; LANES] {
        let halves = [&self.c0, &self.c1].map(|half| [half.c0.to_blst(), half.c1.to_blst(), half.c2.to_blst()]);
        core::array::from_fn(|lane| blst_fp12 {
            fp6: halves.map(|half: [[blst_fp2; LANES]; 3]| blst_fp6 { fp2: half.map(|lanes| lanes[lane]) }),
        })
    }
}

impl Line {
    /// A line through an element of the base field for each of the last two coefficients.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn scaled(&self, w2: &Fp, w3: &Fp) -> Self {
        Self { constant: self.constant, w2: self.w2.mul_by_base(w2), w3: self.w3.mul_by_base(w3) }
    }

    /// The line where the mask has a one, one where it has a zero.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn or_one(&self, mask: super::Mask) -> Self {
        let zero = Fp2::zero();
        Self {
            constant: self.constant.select(mask, &Fp2::one()),
            w2: self.w2.select(mask, &zero),
            w3: self.w3.select(mask, &zero),
        }
    }
}

#[cfg(test)]
mod tests;
