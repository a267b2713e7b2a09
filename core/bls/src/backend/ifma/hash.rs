//! Hashing to the curves (RFC 9380: `hash_to_curve` with SHA-256, the simplified map and an isogeny), eight messages
//! at once.
//!
//! Both points of a message are added on the isogenous curve, so that the isogeny is taken once. All additions are the
//! short ones of Jacobian form: where one of their exceptions arises, or a point of the isogeny's kernel, or
//! infinity, a lane ends in `Z = 0`, and blst hashes that message. Nobody knows such a message.
#![allow(unsafe_code, reason = "blst expands messages")]

mod constants;
mod g1;
mod g2;

use super::curve::{g1 as curve1, g2 as curve2};
use super::decode::{g1_from_blst, g1_to_blst, g2_from_blst, g2_to_blst};
use super::fp::Fp;
use super::fp2::Fp2;
use super::scale::scaled;
use super::{LANES, Mask};
use crate::backend::blst as oracle;
use crate::point::{G1, G2};
use crate::weights::Weights;
use ::blst as ffi;

/// What each element of the base field is hashed from. Unit: bytes.
const WIDE_BYTES: usize = 64;

/// `expand_message_xmd` with SHA-256 of up to eight messages, `BYTES` each; zeros in the lanes left over.
fn expanded<const BYTES: usize>(messages: &[&[u8]], dst: &[u8]) -> [[u8; BYTES]; LANES] {
    let mut lanes = [[0; BYTES]; LANES];
    for (bytes, message) in lanes.iter_mut().zip(messages) {
        // SAFETY: reads both slices within their lengths and fills an array of the length given, a multiple of 32.
        unsafe {
            ffi::blst_expand_message_xmd(
                bytes.as_mut_ptr(),
                BYTES,
                message.as_ptr(),
                message.len(),
                dst.as_ptr(),
                dst.len(),
            );
        }
    }
    lanes
}

/// The element from the `index`-th part of every lane.
#[target_feature(enable = "avx512ifma")]
fn element<const BYTES: usize>(lanes: &[[u8; BYTES]; LANES], index: usize) -> Fp {
    Fp::from_wide_be_bytes(&lanes.map(|bytes| *bytes[index * WIDE_BYTES..].first_chunk().expect("long enough")))
}

/// Both elements that up to eight messages are hashed to.
#[target_feature(enable = "avx512ifma")]
fn g1_elements(messages: &[&[u8]], dst: &[u8]) -> [Fp; 2] {
    let bytes = expanded::<{ 2 * WIDE_BYTES }>(messages, dst);
    [element(&bytes, 0), element(&bytes, 1)]
}

/// Both elements that up to eight messages are hashed to.
#[target_feature(enable = "avx512ifma")]
fn g2_elements(messages: &[&[u8]], dst: &[u8]) -> [Fp2; 2] {
    let bytes = expanded::<{ 4 * WIDE_BYTES }>(messages, dst);
    let pair = |index| Fp2 { c0: element(&bytes, index), c1: element(&bytes, index + 1) };
    [pair(0), pair(2)]
}

macro_rules! hash {
    ($hash:ident, $uncleared:ident, $mapped:ident, $module:ident, $curve:ident, $group:ident, $field:ident, $elements:ident, $to_blst:ident) => {
        /// Points of the curve, eight in each item, for each pair of elements.
        #[target_feature(enable = "avx512ifma")]
        fn $mapped(elements: impl Iterator<Item = [$field; 2]>) -> Vec<$curve::Jacobian> {
            let sum = |[first, second]: [$field; 2]| $module::simplified(&first).add(&$module::simplified(&second));
            let sums: Vec<_> = elements.map(sum).collect();
            let isogenous =
                |(point, infinite): ($curve::Affine, Mask)| $module::isogeny(&point).infinite_where(infinite);
            $curve::normalized(&sums).into_iter().map(isogenous).collect()
        }

        /// Points of the curve, which clearing the cofactor takes to the messages' hashes; `None` when one of them is
        /// exceptional.
        #[target_feature(enable = "avx512ifma")]
        pub(super) fn $uncleared(messages: &[&[u8]], dst: &[u8]) -> Option<Vec<$group>> {
            let mapped = $mapped(messages.chunks(LANES).map(|group| $elements(group, dst)));
            let mut points = Vec::with_capacity(messages.len());
            for (group, (affine, exceptional)) in messages.chunks(LANES).zip($curve::normalized(&mapped)) {
                if exceptional << (LANES - group.len()) != 0 {
                    return None;
                }
                points.extend_from_slice(&$to_blst(&affine)[..group.len()]);
            }
            Some(points)
        }

        /// Hashes messages to the subgroup.
        #[target_feature(enable = "avx512ifma")]
        pub(super) fn $hash(messages: &[&[u8]], dst: &[u8]) -> Vec<$group> {
            let mapped = $mapped(messages.chunks(LANES).map(|group| $elements(group, dst)));
            let cleared: Vec<_> = mapped.iter().map(|point| point.cleared()).collect();
            let mut points = Vec::with_capacity(messages.len());
            for (group, (affine, exceptional)) in messages.chunks(LANES).zip($curve::normalized(&cleared)) {
                let lanes = $to_blst(&affine);
                points.extend(group.iter().enumerate().map(|(lane, message)| {
                    if exceptional >> lane & 1 == 1 { oracle::$hash(message, dst) } else { lanes[lane] }
                }));
            }
            points
        }
    };
}

hash!(g1_hash, g1_uncleared, g1_mapped, g1, curve1, G1, Fp, g1_elements, g1_to_blst);
hash!(g2_hash, g2_uncleared, g2_mapped, g2, curve2, G2, Fp2, g2_elements, g2_to_blst);

/// `wᵢPᵢ`, with `Pᵢ` the points of the curve that clearing the cofactor takes to the messages' hashes; `None` where that
/// is infinity or exceptional.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_uncleared_scaled(messages: &[&[u8]], dst: &[u8], weights: &Weights) -> Vec<Option<G1>> {
    let mapped = g1_mapped(messages.chunks(LANES).map(|group| g1_elements(group, dst)));
    let mut points = Vec::with_capacity(mapped.len());
    for point in &mapped {
        points.push(point.projective());
    }
    scaled(&points, weights)
}

/// The point of the subgroup that clearing the cofactor of G1 takes one of the curve to; `None` of infinity.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_cleared(point: &G1) -> Option<G1> {
    let (affine, infinite) = curve1::normalized(&[g1_from_blst(&[*point]).jacobian().cleared()])[0];
    (infinite & 1 == 0).then(|| g1_to_blst(&affine)[0])
}

/// The point of the subgroup that clearing the cofactor of G2 takes one of the curve to; `None` of infinity.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g2_cleared(point: &G2) -> Option<G2> {
    let (affine, infinite) = curve2::normalized(&[g2_from_blst(&[*point]).jacobian().cleared()])[0];
    (infinite & 1 == 0).then(|| g2_to_blst(&affine)[0])
}

#[cfg(test)]
mod tests;
