//! Weighted sums of points, and points weighted one by one, on blst.
#![allow(unsafe_code, reason = "blst is a C library; what its functions need is said in the parent module")]

use super::{g1_affine, g1_hash_projective, g2_affine};
use crate::point::{G1, G2};
use crate::weights::Weights;
use ::blst as ffi;
use ::blst::{blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};
use core::ptr;

/// Up to this length of the weights, double-and-add beats the tables of a windowed sum; from
/// [`BUCKET_POINTS_MIN`] points on, where blst has buckets instead of tables, up to a quarter of it. Unit: bits.
const DOUBLE_AND_ADD_BITS_MAX: usize = 24;
/// From where on blst sums by buckets. Unit: points.
const BUCKET_POINTS_MIN: usize = 32;

/// The two groups have the same functions under two names each.
macro_rules! weighted_sum {
    ($name:ident, $point:ident, $projective:ident, $to_affine:ident, $double:ident, $add:ident, $negate:ident,
     $from_affine:ident, $multiply:ident, $pippenger:ident, $scratch:ident, $doc:literal) => {
        #[doc = $doc]
        pub(crate) fn $name(points: &[$point], weights: &Weights) -> Option<$point> {
            let signed: Vec<$point> = points
                .iter()
                .zip(&weights.negative)
                .map(|(point, negative)| if *negative { $negate(point) } else { *point })
                .collect();
            if signed.is_empty() {
                return None;
            }
            let mut sum = $projective::default();
            if weights.bits <= double_and_add_bits_max(signed.len()) {
                for bit in (0..weights.bits).rev() {
                    // SAFETY: reads one point and writes one; the library allows them to be the same.
                    unsafe { ffi::$double(&raw mut sum, &raw const sum) };
                    for (index, point) in signed.iter().enumerate() {
                        if weights.bit(index, bit) {
                            // SAFETY: reads two points and writes one, which may be the first; complete:
                            // equal points and infinity included.
                            unsafe { ffi::$add(&raw mut sum, &raw const sum, &point.0) };
                        }
                    }
                }
                return $to_affine(&sum);
            }
            if let [only] = signed.as_slice() {
                // By an endomorphism, so that a point outside the subgroup gives another point.
                // SAFETY: reads one point, writes one that may be the same, and reads the ⌈bits/8⌉ bytes
                // that there are of one magnitude.
                unsafe {
                    ffi::$from_affine(&raw mut sum, &only.0);
                    ffi::$multiply(&raw mut sum, &raw const sum, weights.magnitudes.as_ptr(), weights.bits);
                }
                return $to_affine(&sum);
            }
            // SAFETY: takes a count and returns a size.
            let scratch_bytes = unsafe { ffi::$scratch(signed.len()) };
            let mut scratch = vec![0_u64; scratch_bytes.div_ceil(size_of::<u64>())];
            let point_rows = [ptr::from_ref(&signed[0].0), ptr::null()];
            let weight_rows = [weights.magnitudes.as_ptr(), ptr::null()];
            // SAFETY: a null second row means that the rows follow the first contiguously: `signed` is a
            // slice of that many one-field points, `magnitudes` holds ⌈bits/8⌉ bytes for each, and the
            // scratch space has the size asked for.
            unsafe {
                ffi::$pippenger(
                    &mut sum,
                    point_rows.as_ptr(),
                    signed.len(),
                    weight_rows.as_ptr(),
                    weights.bits,
                    scratch.as_mut_ptr(),
                );
            }
            $to_affine(&sum)
        }
    };
}

weighted_sum!(
    g1_sum,
    G1,
    blst_p1,
    g1_affine,
    blst_p1_double,
    blst_p1_add_or_double_affine,
    g1_negate,
    blst_p1_from_affine,
    blst_p1_mult,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof,
    "`Σ wᵢPᵢ` in G1; `None` when that is infinity."
);
weighted_sum!(
    g2_sum,
    G2,
    blst_p2,
    g2_affine,
    blst_p2_double,
    blst_p2_add_or_double_affine,
    g2_negate,
    blst_p2_from_affine,
    blst_p2_mult,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof,
    "`Σ wᵢPᵢ` in G2; `None` when that is infinity."
);

fn double_and_add_bits_max(points: usize) -> usize {
    if points < BUCKET_POINTS_MIN { DOUBLE_AND_ADD_BITS_MAX } else { DOUBLE_AND_ADD_BITS_MAX / 4 }
}

pub(crate) fn g1_negate(point: &G1) -> G1 {
    let mut negated = *point;
    // SAFETY: reads one coordinate and writes one; the library allows them to be the same.
    unsafe { ffi::blst_fp_cneg(&mut negated.0.y, &point.0.y, true) };
    negated
}

pub(crate) fn g2_negate(point: &G2) -> G2 {
    let mut negated = *point;
    // SAFETY: reads one coordinate and writes one; the library allows them to be the same.
    unsafe { ffi::blst_fp2_cneg(&mut negated.0.y, &point.0.y, true) };
    negated
}

/// `wᵢPᵢ`, one by one; `None` where that is infinity.
pub(crate) fn g1_scale(points: &[G1], weights: &Weights) -> Vec<Option<G1>> {
    let projective = points.iter().map(|point| {
        let mut projective = blst_p1::default();
        // SAFETY: reads one point and writes one.
        unsafe { ffi::blst_p1_from_affine(&mut projective, &point.0) };
        projective
    });
    scale(projective, weights)
}

/// `wᵢH(mᵢ)`, one by one; `None` where that is infinity.
pub(crate) fn g1_hash_scaled(messages: &[&[u8]], dst: &[u8], weights: &Weights) -> Vec<Option<G1>> {
    scale(messages.iter().map(|message| g1_hash_projective(message, dst)), weights)
}

fn scale(points: impl Iterator<Item = blst_p1>, weights: &Weights) -> Vec<Option<G1>> {
    let bytes = weights.bits.div_ceil(8);
    let scaled: Vec<blst_p1> = points
        .zip(weights.magnitudes.chunks_exact(bytes).zip(&weights.negative))
        .map(|(point, (magnitude, negative))| {
            let mut scaled = blst_p1::default();
            // SAFETY: reads one point and ⌈bits/8⌉ bytes of a slice of that length, and writes one point, of
            // which the last call reads and writes the sign.
            unsafe {
                ffi::blst_p1_mult(&mut scaled, &point, magnitude.as_ptr(), weights.bits);
                ffi::blst_p1_cneg(&mut scaled, *negative);
            }
            scaled
        })
        .collect();
    g1_affine_all(&scaled)
}

/// The affine forms, with one inversion unless one of them is infinity.
macro_rules! affine_all {
    ($name:ident, $group:ident, $point:ident, $affine:ident, $one:ident, $is_inf:ident, $to_affine:ident) => {
        pub(super) fn $name(points: &[$point]) -> Vec<Option<$group>> {
            // SAFETY: reads one point.
            if points.is_empty() || points.iter().any(|point| unsafe { ffi::$is_inf(point) }) {
                return points.iter().map($one).collect();
            }
            let mut affine = vec![$affine::default(); points.len()];
            let rows = [points.as_ptr(), ptr::null()];
            // SAFETY: a null second row means that the rows follow the first contiguously; reads as many points as
            // it writes, and both slices hold that many.
            unsafe { ffi::$to_affine(affine.as_mut_ptr(), rows.as_ptr(), points.len()) };
            affine.into_iter().map(|point| Some($group(point))).collect()
        }
    };
}

affine_all!(g1_affine_all, G1, blst_p1, blst_p1_affine, g1_affine, blst_p1_is_inf, blst_p1s_to_affine);
affine_all!(g2_affine_all, G2, blst_p2, blst_p2_affine, g2_affine, blst_p2_is_inf, blst_p2s_to_affine);
