//! Products against sums of one term and against additions bit by bit, for points and weights of every kind.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::points::{g1_mixed, g1_plus};
use crate::backend::ifma::tests::skipped;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// Bit by bit with complete additions: blst's own products are not right for points of small order.
fn expected(point: &G1, weights: &Weights, index: usize) -> Option<G1> {
    let point = if weights.negative[index] { oracle::g1_negate(point) } else { *point };
    (0..weights.bits).rev().fold(None, |sum, bit| {
        let twice = g1_plus(sum, sum);
        if weights.bit(index, bit) { g1_plus(twice, Some(point)) } else { twice }
    })
}

#[test]
fn products_agree_with_additions() {
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(31);
    for (bits, count) in [(1, 9), (4, 40), (16, 40), (64, 90), (128, 7), (254, 17)] {
        let points = g1_mixed(count, 32);
        let mut integers: Vec<(bool, [u64; 4])> = (0..count)
            .map(|index| {
                let mut limbs: [u64; 4] = core::array::from_fn(|_| rng.next_u64());
                match index % 7 {
                    2 => limbs = [0; 4],
                    3 => limbs = [u64::MAX; 4],
                    4 => limbs = [8, 0, 0, 0],
                    5 => limbs = [0x8888_8888_8888_8888; 4],
                    _ => {}
                }
                for (limb, first) in limbs.iter_mut().zip((0..4_u32).map(|limb| 64 * limb)) {
                    *limb &= u64::MAX.checked_shr(64 - u32::saturating_sub(bits, first).min(64)).unwrap_or(0);
                }
                (rng.next_u32().is_multiple_of(2), limbs)
            })
            .collect();
        integers[0].1[(bits as usize - 1) / 64] |= 1 << ((bits - 1) % 64);
        let weights = Weights::from_integers(&integers);
        // SAFETY: the processor has IFMA.
        let ours = unsafe { g1_scale(&points, &weights) };
        assert_eq!(ours.len(), count);
        for (index, (point, ours)) in points.iter().zip(&ours).enumerate() {
            assert_eq!(*ours, expected(point, &weights, index), "{bits} bits, {index}, {:?}", integers[index]);
        }
    }
    // SAFETY: the processor has IFMA.
    assert!(unsafe { g1_scale(&[], &Weights::from_integers(&[])) }.is_empty());
}
