//! Sums against the oracle: of all sizes, lengths of weights and signs, with equal and opposite points; and what
//! long weights do to points outside the subgroup.
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

/// Points of the subgroup, some of them more than once, or one the opposite of another.
macro_rules! of_subgroup {
    ($mixed:ident, $contains:ident, $count:expr, $seed:expr) => {{
        let mut points = $mixed(4 * $count, $seed);
        points.retain(oracle::$contains);
        points.truncate($count);
        assert_eq!(points.len(), $count, "too few in the subgroup");
        points
    }};
}

#[test]
fn short_sums_of_any_points_agree_with_the_oracle() {
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(21);
    let (in_g1, in_g2) = (g1_mixed(1_000, 22), g2_mixed(67, 23));
    for bits in [1, 8, 63, 64, 128] {
        for count in [1, 2, 3, 7, 8, 9, 67] {
            let weights = weights(&mut rng, count, bits);
            check!(g1_plus, g1_negate, g1_sum, &in_g1[..count], &weights);
            if bits <= 64 {
                check!(g2_plus, g2_negate, g2_sum, &in_g2[..count], &weights);
            }
        }
    }
    let weights = weights(&mut rng, 1_000, 128);
    check!(g1_plus, g1_negate, g1_sum, &in_g1, &weights);
}

#[test]
fn long_sums_of_points_in_the_subgroup_agree_with_the_oracle() {
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(25);
    let in_g1 = of_subgroup!(g1_mixed, g1_in_subgroup, 1_000, 26);
    let in_g2 = of_subgroup!(g2_mixed, g2_in_subgroup, 67, 27);
    for bits in [65, 127, 128, 129, 191, 193, 254] {
        for count in [1, 2, 3, 7, 8, 9, 67] {
            let weights = weights(&mut rng, count, bits);
            check!(g1_plus, g1_negate, g1_sum, &in_g1[..count], &weights);
            check!(g2_plus, g2_negate, g2_sum, &in_g2[..count], &weights);
        }
    }
    let weights = weights(&mut rng, 1_000, 254);
    check!(g1_plus, g1_negate, g1_sum, &in_g1, &weights);
}

#[test]
fn clearing_a_long_sum_gives_the_sum_of_cleared_points() {
    use crate::backend::ifma::hash::{g1_cleared, g2_cleared};
    if skipped() {
        return;
    }
    let mut rng = ChaCha12Rng::seed_from_u64(28);
    let (in_g1, in_g2) = (g1_mixed(400, 29), g2_mixed(400, 30));
    // SAFETY: the processor has IFMA.
    let (in_g1, in_g2): ((Vec<_>, Vec<_>), (Vec<_>, Vec<_>)) = unsafe {
        (
            in_g1.into_iter().filter_map(|point| Some((point, g1_cleared(&point)?))).take(100).unzip(),
            in_g2.into_iter().filter_map(|point| Some((point, g2_cleared(&point)?))).take(100).unzip(),
        )
    };
    assert_eq!((in_g1.0.len(), in_g2.0.len()), (100, 100), "too few that do not clear to infinity");
    let weights = weights(&mut rng, 100, 254);
    // SAFETY: the processor has IFMA.
    unsafe {
        assert!(g1_sum(&in_g1.1, &weights).is_some() && g2_sum(&in_g2.1, &weights).is_some());
        assert_eq!(g1_sum(&in_g1.0, &weights).and_then(|sum| g1_cleared(&sum)), g1_sum(&in_g1.1, &weights));
        assert_eq!(g2_sum(&in_g2.0, &weights).and_then(|sum| g2_cleared(&sum)), g2_sum(&in_g2.1, &weights));
    }
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
    for weights in [&alike, &cancelling, &weights(&mut rng, 40, 60)] {
        check!(g1_plus, g1_negate, g1_sum, &same1, weights);
        check!(g2_plus, g2_negate, g2_sum, &same2, weights);
    }
    // SAFETY: the processor has IFMA.
    unsafe {
        assert_eq!(g1_sum(&same1, &cancelling), None);
        assert_eq!(g2_sum(&[], &Weights::from_integers(&[])), None);
    }
}
