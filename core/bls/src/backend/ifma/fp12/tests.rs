//! The tower against blst: random values and edges, in chains, so that bounds settle.
#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::*;
use crate::backend::ifma::tests::{samples2, skipped};
use ::blst as ffi;

type Sample = [blst_fp12; LANES];

/// Lanes of elements, in one of eight coefficients an edge.
fn samples12(seed: u64) -> impl Iterator<Item = Sample> {
    let mut coefficients = samples2(seed);
    core::iter::from_fn(move || {
        let parts: [[blst_fp2; LANES]; 6] = core::array::from_fn(|_| coefficients.next().expect("endless"));
        Some(core::array::from_fn(|lane| blst_fp12 {
            fp6: [0, 3].map(|half| blst_fp6 { fp2: core::array::from_fn(|index| parts[half + index][lane]) }),
        }))
    })
}

macro_rules! oracle {
    ($name:ident($($argument:ident : $type:ty),*) = $function:ident) => {
        fn $name($($argument: &$type),*) -> blst_fp12 {
            let mut value = blst_fp12::default();
            // SAFETY: reads one or two elements and writes one.
            unsafe { ffi::$function(&mut value, $($argument),*) };
            value
        }
    };
}

oracle!(product(left: blst_fp12, right: blst_fp12) = blst_fp12_mul);
oracle!(square(element: blst_fp12) = blst_fp12_sqr);
oracle!(inverse(element: blst_fp12) = blst_fp12_inverse);
oracle!(line_product(element: blst_fp12, line: blst_fp6) = blst_fp12_mul_by_xy00z0);

fn conjugate(element: &blst_fp12) -> blst_fp12 {
    let mut value = *element;
    // SAFETY: reads and writes one element.
    unsafe { ffi::blst_fp12_conjugate(&mut value) };
    value
}

fn line(lanes: &[blst_fp6; LANES]) -> Line {
    #[target_feature(enable = "avx512ifma")]
    fn load(lanes: &[blst_fp6; LANES]) -> Line {
        let part = |index: usize| Fp2::from_blst(&lanes.map(|lane| lane.fp2[index]));
        Line { constant: part(0), w2: part(1), w3: part(2) }
    }
    // SAFETY: the processor has IFMA, or the test would have been skipped.
    unsafe { load(lanes) }
}

#[target_feature(enable = "avx512ifma")]
fn chain(left: &Sample, right: &Sample) {
    let lines = right.map(|lane| lane.fp6[1]);
    let (mut a, b, l) = (Fp12::from_blst(left), Fp12::from_blst(right), line(&lines));
    assert_eq!(a.to_blst(), *left, "there and back");
    let mut expected = *left;
    for _ in 0..6 {
        (a, expected) = (a.mul(&b), core::array::from_fn(|lane| product(&expected[lane], &right[lane])));
        assert_eq!(a.to_blst(), expected);
        (a, expected) = (a.square(), expected.map(|lane| square(&lane)));
        assert_eq!(a.to_blst(), expected);
        (a, expected) = (a.mul_by_line(&l), core::array::from_fn(|lane| line_product(&expected[lane], &lines[lane])));
        assert_eq!(a.to_blst(), expected);
        (a, expected) = (a.conjugate(), expected.map(|lane| conjugate(&lane)));
        assert_eq!(a.to_blst(), expected);
        (a, expected) = (a.mul(&a), expected.map(|lane| square(&lane)));
        assert_eq!(a.to_blst(), expected);
    }
    assert_eq!(Fp12::from_blst(left).invert().to_blst(), left.map(|lane| inverse(&lane)));
    let masked = a.mul_by_line(&l.or_one(0b0101_1010)).to_blst();
    for lane in 0..LANES {
        let multiplied = line_product(&expected[lane], &lines[lane]);
        assert_eq!(masked[lane], if 0b0101_1010 >> lane & 1 == 1 { multiplied } else { expected[lane] });
    }
}

#[test]
fn agrees_with_the_oracle_in_chains() {
    if skipped() {
        return;
    }
    let mut lanes: Vec<Sample> = samples12(1).take(8).collect();
    // The library's default is one.
    lanes.extend([[blst_fp12::default(); LANES], [blst_fp12 { fp6: Default::default() }; LANES]]);
    for left in &lanes {
        for right in &lanes {
            // SAFETY: the processor has IFMA.
            unsafe { chain(left, right) };
        }
    }
}
