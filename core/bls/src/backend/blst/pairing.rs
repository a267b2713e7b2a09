//! Pairings and checks of their products, on blst.
#![allow(unsafe_code, reason = "blst is a C library; what its functions need is said in the parent module")]

use super::sum::g1_negate;
use crate::point::{G1, G2, LINES, PreparedG2};
use ::blst as ffi;
use ::blst::{blst_fp, blst_fp6, blst_fp12};
use core::ptr;
use std::sync::LazyLock;

/// The lines of G2's generator, with which every signature is paired.
static GENERATOR_LINES: LazyLock<Box<[blst_fp6; LINES]>> = LazyLock::new(|| g2_lines(&super::g2_generator()));

pub(crate) fn g2_lines(point: &G2) -> Box<[blst_fp6; LINES]> {
    let mut lines = Box::new([blst_fp6::default(); LINES]);
    // SAFETY: reads one point and writes 68 lines into an array of 68.
    unsafe { ffi::blst_precompute_lines(lines.as_mut_ptr(), &point.0) };
    lines
}

pub(super) fn miller_lines(lines: &[blst_fp6; LINES], point: &G1) -> blst_fp12 {
    let mut value = blst_fp12::default();
    // SAFETY: reads 68 lines of an array of 68 and one point, and writes one value.
    unsafe { ffi::blst_miller_loop_lines(&mut value, lines.as_ptr(), &point.0) };
    value
}

/// After the first doubling, each 1 bit of the curve's parameter `|z| = 0xd201000000010000` is one addition;
/// between them lie this many doublings.
const DOUBLINGS: [usize; 5] = [2, 3, 9, 32, 16];

/// The product of two Miller loops over fixed points. As two calls of `blst_miller_loop_lines`, but the
/// squarings in the target field, a third of the work, are shared (bench `certificates/1` in
/// `benches/benches/threshold.rs`).
pub(super) fn miller_lines_product(pairs: [(&[blst_fp6; LINES], &G1); 2]) -> blst_fp12 {
    let points = pairs.map(|(_, point)| line_factors(point));
    let mut value = one_in_target();
    let mut next = 0;
    let mut multiply = |value: &mut blst_fp12| {
        for ((lines, _), (x, y)) in pairs.iter().zip(&points) {
            let line = line_at(&lines[next], x, y);
            // SAFETY: reads one value and one line and writes one value, which may be the same.
            unsafe { ffi::blst_fp12_mul_by_xy00z0(&raw mut *value, &raw const *value, &line) };
        }
        next += 1;
    };
    multiply(&mut value);
    for doublings in DOUBLINGS {
        multiply(&mut value);
        for _ in 0..doublings {
            // SAFETY: reads one value and writes one, which may be the same.
            unsafe { ffi::blst_fp12_sqr(&raw mut value, &raw const value) };
            multiply(&mut value);
        }
    }
    // SAFETY: reads and writes one value. The parameter is negative.
    unsafe { ffi::blst_fp12_conjugate(&raw mut value) };
    value
}

/// `(−2x, 2y)`: what the library's lines are to be scaled by.
fn line_factors(point: &G1) -> (blst_fp, blst_fp) {
    let (mut x, mut y) = (blst_fp::default(), blst_fp::default());
    // SAFETY: each reads one or two coordinates and writes one, which may be the same.
    unsafe {
        ffi::blst_fp_add(&raw mut x, &point.0.x, &point.0.x);
        ffi::blst_fp_cneg(&raw mut x, &raw const x, true);
        ffi::blst_fp_add(&raw mut y, &point.0.y, &point.0.y);
    }
    (x, y)
}

/// A line of a Miller loop evaluated at a point, given by its `line_factors`.
fn line_at(line: &blst_fp6, x: &blst_fp, y: &blst_fp) -> blst_fp6 {
    let mut value = *line;
    for (coefficient, factor) in [(1, x), (2, y)] {
        for part in 0..2 {
            // SAFETY: reads two field elements and writes one.
            unsafe {
                ffi::blst_fp_mul(&raw mut value.fp2[coefficient].fp[part], &line.fp2[coefficient].fp[part], factor);
            }
        }
    }
    value
}

fn one_in_target() -> blst_fp12 {
    // SAFETY: the library returns a pointer to a constant of its own, alive for ever.
    unsafe { *ffi::blst_fp12_one() }
}

/// `e(left, g₂) = e(right, key)`.
pub(crate) fn check_prepared(key: &PreparedG2, left: &G1, right: &G1) -> bool {
    let product = miller_lines_product([(&GENERATOR_LINES, &g1_negate(left)), (&key.lines, right)]);
    product_is_one(&product)
}

/// As `check_prepared`, under a key used once.
pub(crate) fn check_once(key: &G2, left: &G1, right: &G1) -> bool {
    let mut value = blst_fp12::default();
    // SAFETY: reads two points and writes one value, then reads two values.
    unsafe {
        ffi::blst_miller_loop(&mut value, &key.0, &right.0);
        ffi::blst_fp12_finalverify(&miller_lines(&GENERATOR_LINES, left), &value)
    }
}

/// `e(left) = e(right)`, each pair given by its two points.
pub(crate) fn check_pair(left: (&G1, &G2), right: (&G1, &G2)) -> bool {
    product_is_one(&miller_product(&[g1_negate(left.0), *right.0], &[*left.1, *right.1]))
}

/// The product of the Miller loops of pairs `(Pᵢ, Qᵢ)`, before the final exponentiation.
///
/// # Panics
/// When there is not one point in either group for each in the other.
pub(crate) fn miller_product(left: &[G1], right: &[G2]) -> blst_fp12 {
    assert_eq!(left.len(), right.len(), "points come in pairs");
    let mut value = one_in_target();
    if left.is_empty() {
        return value;
    }
    let left_rows = [ptr::from_ref(&left[0].0), ptr::null()];
    let right_rows = [ptr::from_ref(&right[0].0), ptr::null()];
    // SAFETY: a null second row means that the rows follow the first contiguously: both are slices of that
    // many one-field points. Writes one value.
    unsafe { ffi::blst_miller_loop_n(&mut value, right_rows.as_ptr(), left_rows.as_ptr(), left.len()) };
    value
}

/// The product of two values.
pub(crate) fn target_product(left: &blst_fp12, right: &blst_fp12) -> blst_fp12 {
    let mut value = blst_fp12::default();
    // SAFETY: reads two values and writes one.
    unsafe { ffi::blst_fp12_mul(&mut value, left, right) };
    value
}

/// The easy part of the final exponentiation, the power by `(p⁶ − 1)(p² + 1)`; zero of zero.
pub(crate) fn easy_part(value: &blst_fp12) -> blst_fp12 {
    let (mut power, mut inverse, mut map) = (*value, blst_fp12::default(), blst_fp12::default());
    // SAFETY: each reads one or two values and writes one, which may be the same.
    unsafe {
        ffi::blst_fp12_conjugate(&raw mut power);
        ffi::blst_fp12_inverse(&mut inverse, value);
        ffi::blst_fp12_mul(&raw mut power, &raw const power, &inverse);
        ffi::blst_fp12_frobenius_map(&mut map, &power, 2);
        ffi::blst_fp12_mul(&raw mut power, &raw const power, &map);
    }
    power
}

/// Whether a product of Miller loops is one after the final exponentiation.
pub(crate) fn product_is_one(product: &blst_fp12) -> bool {
    let mut value = blst_fp12::default();
    // SAFETY: reads one value and writes another; then reads that.
    unsafe {
        ffi::blst_final_exp(&mut value, product);
        ffi::blst_fp12_is_one(&value)
    }
}
