//! That the endomorphisms are such, and act on the subgroups as stated.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::LANES;
use crate::backend::ifma::decode::{g1_from_blst, g1_to_blst, g2_from_blst, g2_to_blst};
use crate::backend::ifma::points::{g1_mixed, g1_plus, g2_mixed, g2_plus};
use crate::backend::ifma::tests::skipped;
use crate::point::{G1, G2};
use crate::weights::Weights;

#[target_feature(enable = "avx512ifma")]
fn phi(points: &[G1]) -> [G1; LANES] {
    g1_to_blst(&g1_from_blst(points).endomorphism())
}

#[target_feature(enable = "avx512ifma")]
fn psi_of(points: &[G2]) -> [G2; LANES] {
    g2_to_blst(&g2_from_blst(points).endomorphism())
}

fn negative(limbs: [u64; 4]) -> Weights {
    Weights::from_integers(&[(true, limbs)])
}

#[test]
fn they_are_endomorphisms_with_the_eigenvalues_stated() {
    if skipped() {
        return;
    }
    let square = u128::from(PARAMETER).pow(2);
    let square = [u64::try_from(square & u128::from(u64::MAX)).unwrap(), u64::try_from(square >> 64).unwrap(), 0, 0];
    let points = g1_mixed(80, 6);
    for group in points.chunks_exact(LANES) {
        // SAFETY: the processor has IFMA.
        let images = unsafe { phi(group) };
        for lane in 0..LANES {
            let next = (lane + 1) % LANES;
            let sum = g1_plus(Some(group[lane]), Some(group[next]));
            // SAFETY: the processor has IFMA.
            let image = sum.map(|sum| unsafe { phi(&[sum]) }[0]);
            assert_eq!(image, g1_plus(Some(images[lane]), Some(images[next])));
            let multiple = oracle::g1_sum(&[group[lane]], &negative(square));
            if oracle::g1_in_subgroup(&group[lane]) {
                assert_eq!(Some(images[lane]), multiple);
            }
        }
    }
    let points = g2_mixed(80, 7);
    for group in points.chunks_exact(LANES) {
        // SAFETY: the processor has IFMA.
        let images = unsafe { psi_of(group) };
        for lane in 0..LANES {
            let next = (lane + 1) % LANES;
            let sum = g2_plus(Some(group[lane]), Some(group[next]));
            // SAFETY: the processor has IFMA.
            let image = sum.map(|sum| unsafe { psi_of(&[sum]) }[0]);
            assert_eq!(image, g2_plus(Some(images[lane]), Some(images[next])));
            if oracle::g2_in_subgroup(&group[lane]) {
                assert_eq!(Some(images[lane]), oracle::g2_sum(&[group[lane]], &negative([PARAMETER, 0, 0, 0])));
            }
        }
    }
}
