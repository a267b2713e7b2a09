//! Sums against the oracle: of all sizes, lengths of weights and signs, with equal and opposite points.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]

use super::*;
use crate::backend::ifma::points::{g1_mixed, g1_plus, g2_mixed, g2_plus};
use crate::backend::ifma::tests::skipped;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Random weights of up to so many bits, with edges among them.
fn weights(rng: &mut ChaCha12Rng, count: usize, bits: u32) -> Weights {
    let mut integers: Vec<(bool, [u64; 4])> = (0..count)
        .map(|index| {
            let mut limbs: [u64; 4] = core::array::from_fn(|_| rng.next_u64());
            match index % 9 {
                3 => limbs = [0; 4],
                4 => limbs = [u64::MAX; 4],
                5 => limbs = [1 << 7, 0, 0, 0],
                _ => {}
            }
            for (limb, first) in limbs.iter_mut().zip((0..4_u32).map(|limb| 64 * limb)) {
                *limb &= u64::MAX.checked_shr(64 - bits.saturating_sub(first).min(64)).unwrap_or(0);
            }
            (rng.next_u32().is_multiple_of(2), limbs)
        })
        .collect();
    // One of the full length.
    integers[0].1[(bits as usize - 1) / 64] |= 1 << ((bits - 1) % 64);
    Weights::from_integers(&integers)
}

/// The sum bit by bit with complete additions: blst's own sums are not right for points of small order.
macro_rules! check {
    ($plus:ident, $negate:ident, $sum:ident, $points:expr, $weights:expr) => {{
        let (points, weights): (&[_], &Weights) = ($points, $weights);
        // SAFETY: the processor has IFMA.
        let ours = unsafe { $sum(points, weights) };
        let mut expected = None;
        for bit in (0..weights.bits).rev() {
            expected = $plus(expected, expected);
            for (index, point) in points.iter().enumerate().filter(|(index, _)| weights.bit(*index, bit)) {
                expected = $plus(expected, Some(if weights.negative[index] { oracle::$negate(point) } else { *point }));
            }
        }
        assert_eq!(ours, expected, "{} points, {} bits", points.len(), weights.bits);
    }};
}

#[test]
fn sums_agree_with_the_oracle() {
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(21);
    let (in_g1, in_g2) = (g1_mixed(1_000, 22), g2_mixed(70, 23));
    for bits in [1, 8, 63, 64, 128, 254] {
        for count in [1, 2, 3, 7, 8, 9, 67] {
            let weights = weights(&mut rng, count, bits);
            check!(g1_plus, g1_negate, g1_sum, &in_g1[..count], &weights);
            check!(g2_plus, g2_negate, g2_sum, &in_g2[..count], &weights);
        }
    }
    let weights = weights(&mut rng, 1_000, 255 - 1);
    check!(g1_plus, g1_negate, g1_sum, &in_g1, &weights);
}

#[test]
fn equal_and_opposite_points_are_added_right() {
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(24);
    let (in_g1, in_g2) = (g1_mixed(2, 25), g2_mixed(2, 26));
    let (same1, same2) = (vec![in_g1[0]; 40], vec![in_g2[0]; 40]);
    let alike = Weights::from_integers(&[(false, [5, 0, 0, 0]); 40]);
    let signs: Vec<_> = (0..40).map(|index| (index % 2 == 0, [5, 0, 0, 0])).collect();
    let cancelling = Weights::from_integers(&signs);
    for weights in [&alike, &cancelling, &weights(&mut rng, 40, 130)] {
        check!(g1_plus, g1_negate, g1_sum, &same1, weights);
        check!(g2_plus, g2_negate, g2_sum, &same2, weights);
    }
    // SAFETY: the processor has IFMA.
    unsafe {
        assert_eq!(g1_sum(&same1, &cancelling), None);
        assert_eq!(g2_sum(&[], &Weights::from_integers(&[])), None);
    }
}
