//! The field against big integers and blst: random values, edges, and every bound at its extreme.

#![allow(unsafe_code, reason = "the oracle is a C library, and vector code needs a processor with IFMA")]

use super::bound::REDUCED_LIMB_MAX;
use super::*;
use crate::backend::ifma::tests::{Sample, edges, samples, skipped};
use crate::backend::ifma::{LANES, fp};
use ::blst as ffi;
use ::blst::blst_fp;
use proptest::prelude::*;

macro_rules! oracle {
    ($name:ident($($argument:ident),*) = $function:ident) => {
        fn $name($($argument: &blst_fp),*) -> blst_fp {
            let mut value = blst_fp::default();
            // SAFETY: reads one or two elements and writes one.
            unsafe { ffi::$function(&mut value, $($argument),*) };
            value
        }
    };
}

oracle!(product(left, right) = blst_fp_mul);
oracle!(square(factor) = blst_fp_sqr);
oracle!(sum(left, right) = blst_fp_add);
oracle!(difference(left, right) = blst_fp_sub);
oracle!(inverse(element) = blst_fp_eucl_inverse);

fn root(element: &blst_fp) -> Option<blst_fp> {
    let mut value = blst_fp::default();
    // SAFETY: reads one element and writes one.
    unsafe { ffi::blst_fp_sqrt(&mut value, element) }.then_some(value)
}

fn negative(element: &blst_fp) -> blst_fp {
    difference(&blst_fp::default(), element)
}

fn map(left: &Sample, right: &Sample, function: impl Fn(&blst_fp, &blst_fp) -> blst_fp) -> Sample {
    core::array::from_fn(|lane| function(&left[lane], &right[lane]))
}

#[target_feature(enable = "avx512ifma")]
fn arithmetic(left: &Sample, right: &Sample) {
    let (a, b) = (Fp::from_blst(left), Fp::from_blst(right));
    assert_eq!(a.to_blst(), *left, "there and back");
    assert_eq!(a.mul(&b).to_blst(), map(left, right, product));
    assert_eq!(a.square().to_blst(), map(left, left, product));
    assert_eq!(a.add(&b).to_blst(), map(left, right, sum));
    assert_eq!(a.sub(&b).to_blst(), map(left, right, difference));
    assert_eq!(a.sub_large(&b).to_blst(), map(left, right, difference));
    assert_eq!(a.neg().to_blst(), left.map(|lane| negative(&lane)));
    assert_eq!(a.triple().carried().to_blst(), left.map(|lane| sum(&lane, &sum(&lane, &lane))));
    assert_eq!(a.half().double().to_blst(), *left);
    assert_eq!(a.mul(&Fp::one_half()).to_blst(), a.half().to_blst());
    // A factor of four units, and sums of products of both signs.
    let loose = a.add(&b).sub(&a.mul(&b));
    let expected = map(left, right, |a, b| difference(&sum(a, b), &product(a, b)));
    assert_eq!(loose.square().to_blst(), expected.map(|lane| square(&lane)));
    let wide = Wide::reduce_sum([&a.mul_wide(&b)], [&loose.square_wide()]);
    let expected =
        core::array::from_fn(|lane| difference(&product(&left[lane], &right[lane]), &square(&expected[lane])));
    assert_eq!(wide.to_blst(), expected);
    assert_eq!(
        Wide::reduce_sum([&a.mul_wide(&b), &b.mul_wide(&b)], []).to_blst(),
        map(left, right, |a, b| { product(&sum(a, b), b) })
    );
}

#[target_feature(enable = "avx512ifma")]
fn comparisons(left: &Sample, right: &Sample) {
    let (a, b) = (Fp::from_blst(left), Fp::from_blst(right));
    let mask =
        |function: &dyn Fn(usize) -> bool| (0..LANES).fold(0, |mask, lane| mask | u8::from(function(lane)) << lane);
    assert_eq!(a.equals(&b), mask(&|lane| left[lane] == right[lane]));
    assert_eq!(a.sub(&b).add(&b).equals(&a), u8::MAX);
    assert_eq!(a.is_zero(), mask(&|lane| left[lane] == blst_fp::default()));
    assert_eq!(
        a.select(0b1010_0110, &b).to_blst(),
        core::array::from_fn(|lane| { if 0b1010_0110 >> lane & 1 == 1 { left[lane] } else { right[lane] } })
    );
    let integer = a.to_integer();
    let bytes = left.map(|lane| {
        let mut bytes = [0; 48];
        // SAFETY: reads one element and writes 48 bytes into an array of 48.
        unsafe { ffi::blst_bendian_from_fp(bytes.as_mut_ptr(), &lane) };
        bytes
    });
    assert_eq!(integer.to_be_bytes(), bytes);
    assert_eq!(integer.is_odd(), mask(&|lane| bytes[lane][47] % 2 == 1));
    let larger = |lane: usize| {
        bytes[lane] > {
            let mut negative_bytes = [0; 48];
            // SAFETY: reads one element and writes 48 bytes into an array of 48.
            unsafe { ffi::blst_bendian_from_fp(negative_bytes.as_mut_ptr(), &negative(&left[lane])) };
            negative_bytes
        }
    };
    assert_eq!(integer.exceeds_half(), mask(&larger));
    let (decoded, canonical) = Fp::from_be_bytes(&bytes);
    assert_eq!((decoded.to_blst(), canonical), (*left, u8::MAX));
}

#[target_feature(enable = "avx512ifma")]
fn powers(left: &Sample) {
    let a = Fp::from_blst(left);
    assert_eq!(a.invert().to_blst(), left.map(|lane| inverse(&lane)));
    let (found, exists) = a.sqrt();
    let (found, squares) = (found.to_blst(), a.is_square());
    for lane in 0..LANES {
        let expected = root(&left[lane]);
        assert_eq!(exists >> lane & 1 == 1, expected.is_some());
        assert_eq!(squares >> lane & 1 == 1, expected.is_some());
        if let Some(expected) = expected {
            assert!(found[lane] == expected || found[lane] == negative(&expected));
        }
    }
}

#[target_feature(enable = "avx512ifma")]
fn inverts_batches() {
    for count in [0, 1, 7, 8, 9, 40] {
        let lanes: Vec<Sample> = samples(count as u64).take(count).collect();
        let mut elements: Vec<Fp> = lanes.iter().map(|lanes| Fp::from_blst(lanes)).collect();
        invert_batch(&mut elements);
        for (element, lanes) in elements.iter().zip(&lanes) {
            assert_eq!(element.to_blst(), lanes.map(|lane| inverse(&lane)));
        }
    }
}

#[target_feature(enable = "avx512ifma")]
fn refuses_numbers_beyond_the_modulus() {
    // p − 1, p, p + 1, 2³⁸⁴ − 1 and small ones, in lanes side by side.
    let mut modulus = [0_u8; 48];
    for (word, bytes) in constants::MODULUS_WORDS.iter().rev().zip(modulus.as_chunks_mut().0) {
        *bytes = word.to_be_bytes();
    }
    let with_last = |last: u8| {
        let mut bytes = modulus;
        bytes[47] = last;
        bytes
    };
    let small = core::array::from_fn(|index| u8::from(index == 47));
    let lanes = [with_last(0xaa), modulus, with_last(0xac), [0xff; 48], [0; 48], small, with_last(0), with_last(0xff)];
    let (elements, canonical) = Fp::from_be_bytes(&lanes);
    assert_eq!(canonical, 0b0111_0001);
    let minus_one = negative(&Fp::one().to_blst()[0]);
    let values = elements.to_blst();
    assert_eq!((values[0], values[1], values[2]), (minus_one, blst_fp::default(), Fp::one().to_blst()[5]));
    assert_eq!(values[5], values[2]);
}

/// Every limb at the most that the documentation allows, in every operation: the true value of such limbs,
/// computed by the oracle from bytes, has to come out.
#[target_feature(enable = "avx512ifma")]
fn limbs_at_their_bounds() {
    let radix = |exponent: usize| {
        let (mut scalar, two) = (Fp::one().to_blst()[0], sum(&Fp::one().to_blst()[0], &Fp::one().to_blst()[0]));
        (0..exponent).for_each(|_| scalar = product(&scalar, &two));
        scalar
    };
    let number = |limbs: &[u64; LIMBS]| {
        let mut value = blst_fp::default();
        for (index, limb) in limbs.iter().enumerate() {
            let mut element = blst_fp::default();
            // SAFETY: reads six words of an array of six and writes one element.
            unsafe { ffi::blst_fp_from_uint64(&mut element, [*limb, 0, 0, 0, 0, 0].as_ptr()) };
            value = sum(&value, &product(&element, &radix(constants::LIMB_BITS * index)));
        }
        // Out of Montgomery form: the limbs are a value times 2³⁹².
        product(&value, &inverse(&radix(constants::RADIX_BITS)))
    };
    let factor_limb_max = (1 << 51) - 1;
    // About 2⁹ p at most: 46 bits in the highest limb.
    for (limb, highest) in [(factor_limb_max, (1 << 46) - 1), (REDUCED_LIMB_MAX, 1 << 31), (factor_limb_max, 0), (0, 1)]
    {
        let limbs = core::array::from_fn(|index| if index == LIMBS - 1 { highest } else { limb });
        let expected = number(&limbs);
        let element = Fp { bound: Bound::at_most(limb, 512.0), ..Fp::constant(&limbs) };
        assert_eq!(element.to_blst(), [expected; LANES], "limbs {limb:x}, {highest:x}");
        let element = Fp { bound: Bound::at_most(limb, 512.0), ..element };
        let squared = [square(&expected); LANES];
        assert_eq!((element.mul(&element).to_blst(), element.square().to_blst()), (squared, squared));
        assert_eq!(element.carried().mul(&element).to_blst(), squared);
        if highest < 1 << 40 {
            let element = Fp { bound: Bound::at_most(limb, 8.0), ..element };
            let (many, expected_many) =
                (element.mul_wide(&element), (1..16).fold(squared[0], |many, _| sum(&many, &squared[0])));
            assert_eq!(Wide::reduce_sum([&many; 16], []).to_blst(), [expected_many; LANES]);
            let one = Fp::one().mul_wide(&Fp::one());
            let below = Wide::reduce_sum([&one], [&element.square_wide()]);
            assert_eq!(below.to_blst(), [difference(&Fp::one().to_blst()[0], &squared[0]); LANES]);
        }
    }
}

#[test]
fn agrees_with_the_oracle_on_edges_and_random_elements() {
    if skipped() {
        return;
    }
    let mut lanes: Vec<Sample> = edges().chain(samples(1).take(50)).collect();
    let rotated: Vec<Sample> = (0..LANES)
        .map(|by| {
            let mut edge = lanes[0];
            edge.rotate_left(by);
            edge
        })
        .collect();
    lanes.extend(rotated);
    for left in &lanes {
        for right in &lanes {
            // SAFETY: the processor has IFMA.
            unsafe { arithmetic(left, right) };
        }
        // SAFETY: the processor has IFMA.
        unsafe {
            comparisons(left, &lanes[0]);
            comparisons(left, left);
            powers(left);
        }
    }
}

#[test]
fn batches_of_every_size_are_inverted() {
    if !skipped() {
        // SAFETY: the processor has IFMA.
        unsafe { inverts_batches() };
    }
}

#[test]
fn numbers_beyond_the_modulus_are_told_apart() {
    if !skipped() {
        // SAFETY: the processor has IFMA.
        unsafe { refuses_numbers_beyond_the_modulus() };
    }
}

#[test]
fn every_bound_holds_at_its_extreme() {
    if !skipped() {
        // SAFETY: the processor has IFMA.
        unsafe { limbs_at_their_bounds() };
    }
}

/// Runs an operation whose operands are out of bounds.
#[cfg(debug_assertions)]
fn asserts(operation: impl FnOnce() + std::panic::UnwindSafe) {
    assert!(skipped() || std::panic::catch_unwind(operation).is_err(), "an operand out of bounds");
}

#[cfg(debug_assertions)]
#[test]
fn operands_out_of_bounds_are_refused() {
    #[target_feature(enable = "avx512ifma")]
    fn five_units() {
        let one = Fp::one().mul(&Fp::one());
        one.double().double().add(&one).mul(&one);
    }
    #[target_feature(enable = "avx512ifma")]
    fn uncarried_subtrahend() {
        fp::Fp::one().sub(&Fp::one().double());
    }
    #[target_feature(enable = "avx512ifma")]
    fn large_subtrahend() {
        Fp::one().sub(&Fp::one().neg().carried());
    }
    #[target_feature(enable = "avx512ifma")]
    fn negative_sum() {
        let large = Fp::one().sub_large(&Fp::zero()).carried();
        Wide::reduce_sum([&Fp::one().mul_wide(&Fp::one())], [&large.mul_wide(&large)]);
    }
    // SAFETY: run only where the processor has IFMA.
    asserts(|| unsafe { five_units() });
    // SAFETY: run only where the processor has IFMA.
    asserts(|| unsafe { uncarried_subtrahend() });
    // SAFETY: run only where the processor has IFMA.
    asserts(|| unsafe { large_subtrahend() });
    // SAFETY: run only where the processor has IFMA.
    asserts(|| unsafe { negative_sum() });
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn agrees_with_the_oracle_on_any_bytes(left in prop::array::uniform32(any::<u8>()), seed in any::<u64>()) {
        if !skipped() {
            let mut sample = samples(seed).next().expect("endless");
            let mut wide = [0; 64];
            wide[..32].copy_from_slice(&left);
            sample[usize::from(left[0]) % LANES].l[..4].copy_from_slice(&left.as_chunks().0.iter().map(|bytes| u64::from_le_bytes(*bytes)).collect::<Vec<_>>());
            sample.iter_mut().for_each(|lane| lane.l[5] %= 0x1a01_11ea_397f_e69a);
            let other = samples(seed ^ 1).next().expect("endless");
            // SAFETY: the processor has IFMA.
            unsafe {
                arithmetic(&sample, &other);
                comparisons(&sample, &other);
            }
        }
    }
}
