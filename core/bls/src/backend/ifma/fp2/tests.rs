//! The quadratic extension against blst: random values, edges, and every bound at its extreme.

#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::*;
use crate::backend::ifma::tests::{samples2, skipped};
use ::blst as ffi;

type Sample = [blst_fp2; LANES];

macro_rules! oracle {
    ($name:ident($($argument:ident),*) = $function:ident) => {
        fn $name($($argument: &blst_fp2),*) -> blst_fp2 {
            let mut value = blst_fp2::default();
            // SAFETY: reads one or two elements and writes one.
            unsafe { ffi::$function(&mut value, $($argument),*) };
            value
        }
    };
}

oracle!(product(left, right) = blst_fp2_mul);
oracle!(square(factor) = blst_fp2_sqr);
oracle!(sum(left, right) = blst_fp2_add);
oracle!(difference(left, right) = blst_fp2_sub);
oracle!(inverse(element) = blst_fp2_eucl_inverse);

fn root(element: &blst_fp2) -> Option<blst_fp2> {
    let mut value = blst_fp2::default();
    // SAFETY: reads one element and writes one.
    unsafe { ffi::blst_fp2_sqrt(&mut value, element) }.then_some(value)
}

fn map(left: &Sample, right: &Sample, function: impl Fn(&blst_fp2, &blst_fp2) -> blst_fp2) -> Sample {
    core::array::from_fn(|lane| function(&left[lane], &right[lane]))
}

#[target_feature(enable = "avx512ifma")]
fn arithmetic(left: &Sample, right: &Sample) {
    let (a, b) = (Fp2::from_blst(left), Fp2::from_blst(right));
    assert_eq!(a.to_blst(), *left, "there and back");
    assert_eq!(a.mul(&b).to_blst(), map(left, right, product));
    assert_eq!(a.square().to_blst(), left.map(|lane| square(&lane)));
    assert_eq!(a.add(&b).to_blst(), map(left, right, sum));
    assert_eq!(a.sub(&b).to_blst(), map(left, right, difference));
    assert_eq!(a.add(&b).carried().square().to_blst(), map(left, right, |a, b| square(&sum(a, b))));
    assert_eq!(
        a.add(&b).carried().mul(&b.double().carried()).to_blst(),
        map(left, right, |a, b| product(&sum(a, b), &sum(b, b)))
    );
    let nonresidue = |lane: &blst_fp2| {
        let mut shifted = blst_fp2 { fp: [lane.fp[0], lane.fp[0]] };
        let rest = blst_fp2 { fp: [lane.fp[1], lane.fp[1]] };
        // (a + bu)(1 + u) = (a − b) + (a + b)u.
        let (plus, minus) = (sum(&shifted, &rest), difference(&shifted, &rest));
        shifted.fp = [minus.fp[0], plus.fp[0]];
        shifted
    };
    assert_eq!(a.mul_by_nonresidue().to_blst(), left.map(|lane| nonresidue(&lane)));
    let conjugate = |lane: &blst_fp2| {
        let zero = difference(lane, lane);
        blst_fp2 { fp: [lane.fp[0], difference(&zero, lane).fp[1]] }
    };
    assert_eq!(a.conjugate().to_blst(), left.map(|lane| conjugate(&lane)));
    let (mut first, mut second) = (Slot::new(), Slot::new());
    let (first, second) = (a.mul_wide(&b, &mut first), b.mul_wide(&b, &mut second));
    let sum_of_two =
        Fp2 { c0: Wide::reduce_sum([&first.c0, &second.c0], []), c1: Wide::reduce_sum([&first.c1, &second.c1], []) };
    assert_eq!(sum_of_two.to_blst(), map(left, right, |a, b| product(&sum(a, b), b)));
    assert_eq!(a.equals(&b), (0..LANES).fold(0, |mask, lane| mask | u8::from(left[lane] == right[lane]) << lane));
}

#[target_feature(enable = "avx512ifma")]
fn powers(left: &Sample) {
    let a = Fp2::from_blst(left);
    assert_eq!(a.invert().to_blst(), left.map(|lane| inverse(&lane)));
    let (found, exists) = a.sqrt();
    let found = found.to_blst();
    for lane in 0..LANES {
        let expected = root(&left[lane]);
        assert_eq!(exists >> lane & 1 == 1, expected.is_some(), "{:?}", left[lane]);
        if let Some(expected) = expected {
            let zero = difference(&expected, &expected);
            assert!(found[lane] == expected || found[lane] == difference(&zero, &expected));
        }
    }
}

#[test]
fn agrees_with_the_oracle_on_edges_and_random_elements() {
    if skipped() {
        return;
    }
    // Half of the coefficients' lanes of some are edges; squares make roots exist.
    let mut lanes: Vec<Sample> = samples2(1).take(40).collect();
    let real = lanes[0].map(|lane| blst_fp2 { fp: [lane.fp[0], Default::default()] });
    let imaginary = lanes[1].map(|lane| blst_fp2 { fp: [Default::default(), lane.fp[1]] });
    lanes.extend([real, imaginary, [Default::default(); LANES]]);
    let squares: Vec<Sample> = lanes.iter().map(|lanes| lanes.map(|lane| square(&lane))).collect();
    for left in &lanes {
        for right in &lanes {
            // SAFETY: the processor has IFMA.
            unsafe { arithmetic(left, right) };
        }
    }
    for lanes in lanes.iter().chain(&squares) {
        // SAFETY: the processor has IFMA.
        unsafe { powers(lanes) };
    }
}
