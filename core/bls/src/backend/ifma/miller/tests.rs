//! Miller loops against blst's, after the final exponentiation: batches of every size, in every lane.
#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::{Ifma, tests::skipped};
use crate::{Backend, MinPk, MinSig, Scalar, SecretKey, Variant};
use ::blst as ffi;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// Random points in pairs; among the first are the generators.
fn pairs(count: usize) -> (Vec<G1>, Vec<G2>) {
    let mut rng = ChaCha12Rng::seed_from_u64(count as u64);
    let mut secret = || SecretKey::from_scalar(&Scalar::random(&mut rng)).expect("not zero");
    let mut left: Vec<G1> = (0..count).map(|_| MinPk::public_key(&secret())).collect();
    let mut right: Vec<G2> = (0..count).map(|_| MinSig::public_key(&secret())).collect();
    left.iter_mut().take(1).for_each(|point| *point = oracle::g1_generator());
    right.iter_mut().skip(1).take(1).for_each(|point| *point = oracle::g2_generator());
    (left, right)
}

fn exponentiated(value: &blst_fp12) -> blst_fp12 {
    let mut result = blst_fp12::default();
    // SAFETY: reads one value and writes one.
    unsafe { ffi::blst_final_exp(&mut result, value) };
    result
}

#[test]
fn lanes_agree_with_the_oracle() {
    if skipped() {
        return;
    }
    for count in [1, 2, 7, 8, 9, 17] {
        let (left, right) = pairs(count);
        // SAFETY: the processor has IFMA.
        let lanes = unsafe { miller_product(&left, &right) };
        for (lane, value) in lanes.iter().enumerate() {
            let of_lane = |index: &usize| index % LANES == lane;
            let left: Vec<G1> = (0..count).filter(of_lane).map(|index| left[index]).collect();
            let right: Vec<G2> = (0..count).filter(of_lane).map(|index| right[index]).collect();
            let expected = oracle::miller_product(&left, &right);
            assert_eq!(exponentiated(value), exponentiated(&expected), "lane {lane} of {count}");
        }
    }
}

#[test]
fn no_pairs_are_one() {
    if !skipped() {
        // SAFETY: the processor has IFMA.
        let lanes = unsafe { miller_product(&[], &[]) };
        assert_eq!(lanes, [oracle::miller_product(&[], &[]); LANES]);
    }
}

#[test]
fn products_of_any_number_of_pairs_are_told_from_others() {
    let Some(lanes) = Ifma::detect() else {
        assert!(skipped());
        return;
    };
    let backend = Backend::Ifma(lanes);
    for count in [0, 1, 2, 3, 7, 8, 9, 10, 11, 16, 33] {
        // e(P, Q)·e(−P, Q) = 1, for every P; one left over makes it another value.
        let (left, right) = pairs(count);
        let negated = left.iter().map(oracle::g1_negate);
        let (both, twice) = (left.iter().copied().chain(negated).collect::<Vec<_>>(), right.repeat(2));
        assert!(backend.product_is_one(&both, &twice), "{count} pairs and their inverses");
        if count > 0 {
            assert!(!backend.product_is_one(&both[1..], &twice[1..]), "one missing of {count}");
            assert!(!backend.product_is_one(&left, &right), "{count} pairs");
        }
    }
}
