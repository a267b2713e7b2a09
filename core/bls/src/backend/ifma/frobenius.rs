//! The Frobenius map of `Fp12`: the `p`-th power conjugates every coefficient in `Fp2` and multiplies that of `wᵏ`
//! by `γᵏ`, with `γ = w^(p−1) = (1 + u)^((p−1)/6)`.
#![allow(unsafe_code, reason = "the constant is computed by blst")]

use super::fp::MODULUS_WORDS;
use super::fp2::Fp2;
use super::fp6::Fp6;
use super::fp12::Fp12;
use ::blst as ffi;
use ::blst::blst_fp2;
use std::sync::LazyLock;

/// `γᵏ` for `k` from 0 to 5.
pub(super) static POWERS: LazyLock<[blst_fp2; 6]> = LazyLock::new(|| {
    let one = |count: u64| {
        let mut element = ffi::blst_fp::default();
        // SAFETY: reads six words of an array of six and writes one element.
        unsafe { ffi::blst_fp_from_uint64(&mut element, [count, 0, 0, 0, 0, 0].as_ptr()) };
        element
    };
    let product = |left: &blst_fp2, right: &blst_fp2| {
        let mut value = blst_fp2::default();
        // SAFETY: reads two elements and writes one.
        unsafe { ffi::blst_fp2_mul(&mut value, left, right) };
        value
    };
    let base = blst_fp2 { fp: [one(1), one(1)] };
    let identity = blst_fp2 { fp: [one(1), one(0)] };
    // (p − 1) / 6 = ⌊p / 6⌋, as p ≡ 1 mod 6: long division, bit by bit, of what is raised to at once.
    let (mut remainder, mut power) = (0, identity);
    for word in MODULUS_WORDS.iter().rev() {
        for bit in (0..u64::BITS).rev() {
            remainder = 2 * remainder + (word >> bit & 1);
            power = product(&power, &power);
            if remainder >= 6 {
                remainder -= 6;
                power = product(&power, &base);
            }
        }
    }
    assert_eq!(remainder, 1, "p ≡ 1 mod 6");
    let mut powers = [identity; 6];
    for index in 1..6 {
        powers[index] = product(&powers[index - 1], &power);
    }
    powers
});

impl Fp12 {
    /// The `p`-th power.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn frobenius(&self) -> Self {
        let map = |coefficient: &Fp2, power: usize| {
            let conjugate = coefficient.conjugate();
            Fp2 { c0: conjugate.c0, c1: conjugate.c1.lowered() }.mul(&Fp2::broadcast(&POWERS[power]))
        };
        Self {
            c0: Fp6 { c0: map(&self.c0.c0, 0), c1: map(&self.c0.c1, 2), c2: map(&self.c0.c2, 4) },
            c1: Fp6 { c0: map(&self.c1.c0, 1), c1: map(&self.c1.c1, 3), c2: map(&self.c1.c2, 5) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sixth_power_is_minus_u() {
        // γ⁶ = (1 + u)^(p − 1) = (1 − u)/(1 + u) = −u.
        let mut sixth = blst_fp2::default();
        // SAFETY: each reads two elements and writes one.
        unsafe {
            ffi::blst_fp2_mul(&mut sixth, &POWERS[5], &POWERS[1]);
        }
        let mut minus_one = POWERS[0].fp[0];
        // SAFETY: reads one element and writes it negated, which may be the same.
        unsafe { ffi::blst_fp_cneg(&raw mut minus_one, &raw const minus_one, true) };
        assert_eq!(sixth, blst_fp2 { fp: [ffi::blst_fp::default(), minus_one] });
    }
}
