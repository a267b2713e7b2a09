//! What the tests of every layer need: lanes of random elements, edges, and whether to run at all.
#![allow(unsafe_code, reason = "the oracle is a C library")]

use super::{LANES, available};
use ::blst as ffi;
use ::blst::{blst_fp, blst_fp2};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// One element of the base field in each lane.
pub(super) type Sample = [blst_fp; LANES];

/// Says so, loudly, when this processor cannot run the tests.
pub(super) fn skipped() -> bool {
    if available() {
        return false;
    }
    eprintln!("SKIPPED: this processor has no AVX-512 IFMA; nothing of the eight-lane backend was tested");
    true
}

/// A small integer.
fn small(value: u64) -> blst_fp {
    let mut element = blst_fp::default();
    // SAFETY: reads six words of an array of six and writes one element.
    unsafe { ffi::blst_fp_from_uint64(&mut element, [value, 0, 0, 0, 0, 0].as_ptr()) };
    element
}

fn negative(element: &blst_fp) -> blst_fp {
    let mut value = blst_fp::default();
    // SAFETY: reads one element and writes one.
    unsafe { ffi::blst_fp_cneg(&mut value, element, true) };
    value
}

/// `0, 1, p−1, 2, p−2, (p±1)/2` and a zero again, in lanes side by side; the same in one; and all zero.
pub(super) fn edges() -> impl Iterator<Item = Sample> {
    let (one, two) = (small(1), small(2));
    let mut half = blst_fp::default();
    // SAFETY: reads one element and writes one.
    unsafe { ffi::blst_fp_eucl_inverse(&mut half, &two) };
    let mixed = [small(0), one, negative(&one), two, negative(&two), half, negative(&half), small(0)];
    [mixed, [small(0); LANES], [one; LANES], [negative(&one); LANES]].into_iter()
}

/// Random elements; in one lane of eight, an edge.
pub(super) fn samples(seed: u64) -> impl Iterator<Item = Sample> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let mixed = edges().next().expect("four of them");
    core::iter::from_fn(move || {
        Some(core::array::from_fn(|_| {
            let mut words: [u64; 6] = core::array::from_fn(|_| rng.next_u64());
            words[5] %= 0x1a01_11ea_397f_e69a;
            let edge = rng.next_u64();
            if edge % 8 == 0 { mixed[(edge >> 8) as usize % LANES] } else { blst_fp { l: words } }
        }))
    })
}

/// Pairs of [`samples`].
pub(super) fn samples2(seed: u64) -> impl Iterator<Item = [blst_fp2; LANES]> {
    let (mut first, mut second) = (samples(seed), samples(!seed));
    core::iter::from_fn(move || {
        let (first, second) = (first.next()?, second.next()?);
        Some(core::array::from_fn(|lane| blst_fp2 { fp: [first[lane], second[lane]] }))
    })
}
