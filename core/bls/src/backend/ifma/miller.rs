//! Miller loops: eight pairings at once, and products of any number.
//!
//! Lanes hold different pairs. A product keeps one value for each lane, which all the pairs of that lane
//! multiply into, so that they share its squarings; at the end the lanes are multiplied together.

use super::fp12::Fp12;
use super::line::Pairs;
use super::{LANES, PARAMETER};
use crate::point::{G1, G2};
use ::blst::blst_fp12;

/// For each lane, the product of its pairs' Miller loops: pair `i` is in lane `i mod 8`. One where there is none.
#[target_feature(enable = "avx512ifma")]
pub(super) fn miller_lanes(left: &[G1], right: &[G2]) -> Fp12 {
    let mut groups: Vec<Pairs> =
        left.chunks(LANES).zip(right.chunks(LANES)).map(|(left, right)| Pairs::new(left, right)).collect();
    let mut value = Fp12::one();
    let bits = u64::BITS - PARAMETER.leading_zeros() - 1;
    for bit in (0..bits).rev() {
        if bit + 1 < bits {
            value = value.square();
        }
        for pairs in &mut groups {
            value = value.mul_by_line(&pairs.double());
        }
        if PARAMETER >> bit & 1 == 1 {
            for pairs in &mut groups {
                value = value.mul_by_line(&pairs.add());
            }
        }
    }
    value.conjugate()
}

/// The product of the pairs' Miller loops, lane by lane.
#[target_feature(enable = "avx512ifma")]
pub(super) fn miller_product(left: &[G1], right: &[G2]) -> [blst_fp12; LANES] {
    miller_lanes(left, right).to_blst()
}

#[cfg(test)]
mod tests;
