//! The final exponentiation against blst's, of Miller loops' values and of edges, eight at once and one alone.
#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::LANES;
use crate::backend::ifma::tests::skipped;
use crate::{MinPk, Scalar, SecretKey, Variant};
use ::blst as ffi;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

/// Seven values of Miller loops, and one.
fn values() -> [blst_fp12; LANES] {
    let mut rng = ChaCha12Rng::seed_from_u64(4);
    core::array::from_fn(|lane| {
        let secret = SecretKey::from_scalar(&Scalar::random(&mut rng)).expect("not zero");
        let (left, right) = ([MinPk::public_key(&secret)], [oracle::g2_generator()]);
        if lane == 3 { oracle::miller_product(&[], &[]) } else { oracle::miller_product(&left, &right) }
    })
}

fn exponentiated(value: &blst_fp12) -> blst_fp12 {
    let mut result = blst_fp12::default();
    // SAFETY: reads one value and writes one.
    unsafe { ffi::blst_final_exp(&mut result, value) };
    result
}

#[target_feature(enable = "avx512ifma")]
fn compare(values: &[blst_fp12; LANES]) {
    let easy = easy_part(&Fp12::from_blst(values));
    assert_eq!(easy.to_blst(), values.map(|value| oracle::easy_part(&value)));
    let expected = values.map(|value| exponentiated(&value));
    assert_eq!(hard_part(&easy).to_blst(), expected);
    for (value, expected) in values.iter().zip(&expected) {
        let single = Single::from_blst(&oracle::easy_part(value));
        assert_eq!(hard_part_single(&single).to_blst(), *expected);
        assert_eq!(is_one(&oracle::easy_part(value)), *expected == oracle::miller_product(&[], &[]));
    }
    let mapped = easy.frobenius().to_blst();
    for (lane, value) in values.iter().enumerate() {
        let (easy, mut expected) = (oracle::easy_part(value), blst_fp12::default());
        // SAFETY: reads one value and writes one.
        unsafe { ffi::blst_fp12_frobenius_map(&mut expected, &easy, 1) };
        assert_eq!(mapped[lane], expected);
        assert_eq!(Single::from_blst(&easy).frobenius().to_blst(), expected);
    }
}

#[test]
fn agrees_with_the_oracle() {
    if !skipped() {
        // SAFETY: the processor has IFMA.
        unsafe { compare(&values()) };
    }
}

#[test]
fn zero_stays_zero() {
    if !skipped() {
        // The library's default is one.
        let zero = blst_fp12 { fp6: Default::default() };
        // SAFETY: the processor has IFMA.
        let lanes = unsafe { easy_part(&Fp12::from_blst(&[zero; LANES])).to_blst() };
        assert_eq!(lanes, [zero; LANES]);
        // SAFETY: as above.
        assert!(!unsafe { is_one(&zero) });
    }
}
