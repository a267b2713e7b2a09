//! Against blst, on elements of the cyclotomic subgroup, in chains.
#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::tests::skipped;
use ::blst as ffi;

/// The pairing of the generators.
fn pairing() -> blst_fp12 {
    let mut value = blst_fp12::default();
    let miller = oracle::miller_product(&[oracle::g1_generator()], &[oracle::g2_generator()]);
    // SAFETY: reads one value and writes one.
    unsafe { ffi::blst_final_exp(&mut value, &miller) };
    value
}

#[target_feature(enable = "avx512ifma")]
fn chain(element: &blst_fp12) {
    let one = oracle::miller_product(&[], &[]);
    let fixed = Single::from_blst(element);
    assert_eq!(fixed.to_blst(), *element, "there and back");
    let (mut value, mut expected) = (fixed, *element);
    for _ in 0..20 {
        value = value.cyclotomic_square();
        // SAFETY: reads one value and writes one, which may be the same.
        unsafe { ffi::blst_fp12_cyclotomic_sqr(&raw mut expected, &raw const expected) };
        assert_eq!(value.to_blst(), expected);
        value = value.mul(&fixed);
        expected = oracle::target_product(&expected, element);
        assert_eq!(value.to_blst(), expected);
        assert_eq!(value.mul(&value.conjugate()).to_blst(), one);
    }
    let mut value = fixed;
    for _ in 0..100 {
        value = value.cyclotomic_square();
    }
}

#[test]
fn agrees_with_the_oracle_in_chains() {
    if skipped() {
        return;
    }
    for element in [pairing(), oracle::miller_product(&[], &[])] {
        // SAFETY: the processor has IFMA.
        unsafe { chain(&element) };
    }
}
