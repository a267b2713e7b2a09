//! The final exponentiation: eight values at once, or one with its coefficients in lanes.
//!
//! Every result is a power by `3(p¹² − 1)/r`, three times what a pairing needs, which changes no comparison with
//! one, nor any between results. With `x` the curve's parameter, `3(p⁴ − p² + 1)/r = (x − 1)²(x + p)(x² + p² − 1) + 3`
//! (Hayashida, Hayasaka, Teruya, eprint 2020/875).

use super::PARAMETER;
use super::fp::Slot;
use super::fp2::Fp2;
use super::fp6::{Fp6, reduce_parts};
use super::fp12::Fp12;
use super::single::Single;
use ::blst::blst_fp12;

/// What the exponentiation does, of both kinds of operand.
macro_rules! hard_part {
    ($value:expr, $power:path) => {{
        let value = $value;
        let first = $power(value).mul(&value.conjugate());
        let first = $power(&first).mul(&first.conjugate());
        let second = $power(&first).mul(&first.frobenius());
        let third = $power(&$power(&second)).mul(&second.frobenius().frobenius()).mul(&second.conjugate());
        third.mul(&value.cyclotomic_square()).mul(value)
    }};
}

/// A power by the curve's parameter, which is negative.
macro_rules! power {
    ($value:expr) => {{
        let value = $value;
        let mut power = *value;
        for bit in (0..u64::BITS - PARAMETER.leading_zeros() - 1).rev() {
            power = power.cyclotomic_square();
            if PARAMETER >> bit & 1 == 1 {
                power = power.mul(value);
            }
        }
        power.conjugate()
    }};
}

#[target_feature(enable = "avx512ifma")]
fn power(value: &Fp12) -> Fp12 {
    power!(value)
}

#[target_feature(enable = "avx512ifma")]
fn power_single(value: &Single) -> Single {
    power!(value)
}

/// Into the cyclotomic subgroup: the power by `(p⁶ − 1)(p² + 1)`; zero of zero.
#[target_feature(enable = "avx512ifma")]
pub(super) fn easy_part(value: &Fp12) -> Fp12 {
    let power = value.conjugate().mul(&value.invert());
    power.frobenius().frobenius().mul(&power)
}

/// Of eight elements of the cyclotomic subgroup.
#[target_feature(enable = "avx512ifma")]
pub(super) fn hard_part(value: &Fp12) -> Fp12 {
    hard_part!(value, power)
}

/// Of one element of the cyclotomic subgroup.
#[target_feature(enable = "avx512ifma")]
pub(super) fn hard_part_single(value: &Single) -> Single {
    hard_part!(value, power_single)
}

/// `s + 2(s − a)`, or `s + 2(s + a)`.
macro_rules! combined {
    ($squared:expr, $sum:ident, $old:expr) => {{
        let (squared, old) = ($squared, $old);
        let combine =
            |squared: &super::fp::Fp, old: &super::fp::Fp| squared.$sum(old).carried().double().add(squared).lowered();
        Fp2 { c0: combine(&squared.c0, &old.c0), c1: combine(&squared.c1, &old.c1) }
    }};
}

impl Fp12 {
    /// The square, of elements of the cyclotomic subgroup (Granger and Scott, eprint 2009/565): with `aₖ` the
    /// coefficient of `wᵏ`, see [`Single::cyclotomic_square`].
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn cyclotomic_square(&self) -> Self {
        let (a0, a2, a4) = (&self.c0.c0, &self.c0.c1, &self.c0.c2);
        let (a1, a3, a5) = (&self.c1.c0, &self.c1.c1, &self.c1.c2);
        let mut slots = [const { Slot::new() }; 3];
        let [first, second, both] = &mut slots;
        let (lower, upper) = (a0.square_wide(first), a3.square_wide(second));
        let sum = a0.add(a3).carried();
        let sum = sum.square_wide(both);
        let s0 = reduce_parts!(+ lower ; - ; xi + upper ; -);
        let t0 = reduce_parts!(+ sum ; - lower, upper ; xi + ; -);
        let (lower, upper) = (a1.square_wide(first), a4.square_wide(second));
        let sum = a1.add(a4).carried();
        let sum = sum.square_wide(both);
        let s1 = reduce_parts!(+ lower ; - ; xi + upper ; -);
        let t1 = reduce_parts!(+ sum ; - lower, upper ; xi + ; -);
        let (lower, upper) = (a2.square_wide(first), a5.square_wide(second));
        let sum = a2.add(a5).carried();
        let sum = sum.square_wide(both);
        let s2 = reduce_parts!(+ lower ; - ; xi + upper ; -);
        let turned = reduce_parts!(+ ; - ; xi + sum ; - lower, upper);
        Self {
            c0: Fp6 {
                c0: combined!(&s0, sub_tiny, a0),
                c1: combined!(&s1, sub_tiny, a2),
                c2: combined!(&s2, sub_tiny, a4),
            },
            c1: Fp6 { c0: combined!(&turned, add, a1), c1: combined!(&t0, add, a3), c2: combined!(&t1, add, a5) },
        }
    }
}

/// Whether a product of Miller loops is one after the final exponentiation.
#[target_feature(enable = "avx512ifma")]
pub(super) fn is_one(easy: &blst_fp12) -> bool {
    hard_part_single(&Single::from_blst(easy)).is_one()
}

#[cfg(test)]
mod tests;
