//! Compressed points to points, and back to blst's form, with the verdicts that blst gives.
//!
//! Eight encodings are decoded together whatever they hold: a lane that is malformed, at infinity or not there
//! decodes zeros, and its verdict was given before.

use super::curve::{g1, g2};
use super::fp::Fp;
use super::fp2::Fp2;
use super::{LANES, Mask};
use crate::error::BlsError;
use crate::point::{G1, G1_BYTES, G2, G2_BYTES, Subgroup};
use ::blst::{blst_fp, blst_p1_affine, blst_p2_affine};

/// A coordinate's length. Unit: bytes.
const COORDINATE_BYTES: usize = 48;
const COMPRESSED: u8 = 0x80;
const INFINITY: u8 = 0x40;
const LARGER_ROOT: u8 = 0x20;
const FLAGS: u8 = COMPRESSED | INFINITY | LARGER_ROOT;

/// What the first byte and the length say: the bytes without flags, and whether the larger root is meant.
fn parsed<const BYTES: usize>(encoding: &[u8]) -> Result<([u8; BYTES], bool), BlsError> {
    let mut bytes: [u8; BYTES] =
        encoding.try_into().map_err(|_| BlsError::PeerLength { expected: BYTES, actual: encoding.len() })?;
    let flags = bytes[0] & FLAGS;
    bytes[0] &= !FLAGS;
    match flags {
        COMPRESSED => Ok((bytes, false)),
        flags if flags == COMPRESSED | LARGER_ROOT => Ok((bytes, true)),
        flags if flags == COMPRESSED | INFINITY && bytes.iter().all(|byte| *byte == 0) => Err(BlsError::PeerInfinity),
        _ => Err(BlsError::PeerEncoding),
    }
}

/// Up to eight parsed encodings, one in each lane.
struct Lanes<const BYTES: usize> {
    bytes: [[u8; BYTES]; LANES],
    larger: Mask,
    refused: [Option<BlsError>; LANES],
}

impl<const BYTES: usize> Lanes<BYTES> {
    fn new(encodings: &[&[u8]]) -> Self {
        let mut lanes = Self { bytes: [[0; BYTES]; LANES], larger: 0, refused: [const { None }; LANES] };
        for (lane, encoding) in encodings.iter().enumerate() {
            match parsed(encoding) {
                Ok((bytes, larger)) => {
                    lanes.bytes[lane] = bytes;
                    lanes.larger |= Mask::from(larger) << lane;
                }
                Err(error) => lanes.refused[lane] = Some(error),
            }
        }
        lanes
    }
}

/// What is known of eight points. In this order a verdict is given, which is blst's.
struct Verdicts {
    canonical: Mask,
    on_curve: Mask,
    in_subgroup: Mask,
}

impl Verdicts {
    fn of(&self, lane: usize) -> Result<(), BlsError> {
        let holds = |mask: Mask| mask >> lane & 1 == 1;
        match () {
            () if !holds(self.canonical) => Err(BlsError::PeerEncoding),
            () if !holds(self.on_curve) => Err(BlsError::PeerNotOnCurve),
            () if !holds(self.in_subgroup) => Err(BlsError::PeerNotInSubgroup),
            () => Ok(()),
        }
    }
}

/// Decodes G1 points, each to its own verdict.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_decode(encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G1, BlsError>> {
    let mut points = Vec::with_capacity(encodings.len());
    for group in encodings.chunks(LANES) {
        let mut lanes = Lanes::<G1_BYTES>::new(group);
        let (x, canonical) = Fp::from_be_bytes(&lanes.bytes);
        let right = x.square().mul(&x).add(&Fp::one().times_four());
        let (root, on_curve) = right.sqrt();
        let y = root.negate_where(root.to_integer().exceeds_half() ^ lanes.larger).carried();
        // The opposite point is as good for the subgroup's check.
        let point = g1::Affine { x, y: root };
        // Points with x = 0 have order three; blst refuses them whatever is asked.
        let in_subgroup = match subgroup {
            Subgroup::Checked => point.in_subgroup(),
            Subgroup::Skipped => !x.is_zero(),
        };
        let verdicts = Verdicts { canonical, on_curve, in_subgroup };
        let decoded = g1_to_blst(&g1::Affine { x, y });
        points.extend((0..group.len()).map(|lane| match lanes.refused[lane].take() {
            Some(error) => Err(error),
            None => verdicts.of(lane).map(|()| decoded[lane]),
        }));
    }
    points
}

/// Decodes G2 points, each to its own verdict.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g2_decode(encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G2, BlsError>> {
    let mut points = Vec::with_capacity(encodings.len());
    for group in encodings.chunks(LANES) {
        let mut lanes = Lanes::<G2_BYTES>::new(group);
        // The imaginary part comes first.
        let half = |part: usize| {
            lanes.bytes.map(|bytes| {
                let mut half = [0; COORDINATE_BYTES];
                half.copy_from_slice(&bytes[part * COORDINATE_BYTES..][..COORDINATE_BYTES]);
                half
            })
        };
        let (c1, c1_canonical) = Fp::from_be_bytes(&half(0));
        let (c0, c0_canonical) = Fp::from_be_bytes(&half(1));
        let x = Fp2 { c0, c1 };
        let four = Fp::one().times_four();
        let (root, on_curve) = x.square().mul(&x).add(&Fp2 { c0: four, c1: four }).carried().sqrt();
        // Not `negate_where`: a root may be a difference.
        let y = Fp2::zero().sub_large(&root).select(exceeds_half(&root) ^ lanes.larger, &root).carried();
        let point = g2::Affine { x, y: root };
        // No point has x = 0: 4 + 4u is no square.
        let in_subgroup = match subgroup {
            Subgroup::Checked => point.in_subgroup(),
            Subgroup::Skipped => Mask::MAX,
        };
        let verdicts = Verdicts { canonical: c0_canonical & c1_canonical, on_curve, in_subgroup };
        let decoded = g2_to_blst(&g2::Affine { x, y });
        points.extend((0..group.len()).map(|lane| match lanes.refused[lane].take() {
            Some(error) => Err(error),
            None => verdicts.of(lane).map(|()| decoded[lane]),
        }));
    }
    points
}

/// Which elements are larger than their negatives, the imaginary part deciding unless it is zero.
#[target_feature(enable = "avx512ifma")]
fn exceeds_half(element: &Fp2) -> Mask {
    let (c0, c1) = (element.c0.to_integer(), element.c1.to_integer());
    c1.exceeds_half() | (c1.is_zero() & c0.exceeds_half())
}

/// Up to eight points to lanes; the rest are filled with the first one.
fn padded<T: Copy>(points: &[T]) -> [T; LANES] {
    core::array::from_fn(|lane| points[if lane < points.len() { lane } else { 0 }])
}

/// Up to eight points, at least one; the first one in the lanes left over.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_from_blst(points: &[G1]) -> g1::Affine {
    let points = padded(points);
    let coordinate = |of: fn(&blst_p1_affine) -> blst_fp| points.map(|point| of(&point.0));
    g1::Affine { x: Fp::from_blst(&coordinate(|point| point.x)), y: Fp::from_blst(&coordinate(|point| point.y)) }
}

/// Up to eight points, at least one; the first one in the lanes left over.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g2_from_blst(points: &[G2]) -> g2::Affine {
    let points = padded(points);
    g2::Affine { x: Fp2::from_blst(&points.map(|point| point.0.x)), y: Fp2::from_blst(&points.map(|point| point.0.y)) }
}

/// To blst's form.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_to_blst(point: &g1::Affine) -> [G1; LANES] {
    let (x, y) = (point.x.to_blst(), point.y.to_blst());
    core::array::from_fn(|lane| G1(blst_p1_affine { x: x[lane], y: y[lane] }))
}

/// To blst's form.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g2_to_blst(point: &g2::Affine) -> [G2; LANES] {
    let (x, y) = (point.x.to_blst(), point.y.to_blst());
    core::array::from_fn(|lane| G2(blst_p2_affine { x: x[lane], y: y[lane] }))
}

/// Which points have prime order.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_in_subgroup(points: &[G1]) -> Vec<bool> {
    let mut verdicts = Vec::with_capacity(points.len());
    for group in points.chunks(LANES) {
        let mask = g1_from_blst(group).in_subgroup();
        verdicts.extend((0..group.len()).map(|lane| mask >> lane & 1 == 1));
    }
    verdicts
}

/// Which points have prime order.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g2_in_subgroup(points: &[G2]) -> Vec<bool> {
    let mut verdicts = Vec::with_capacity(points.len());
    for group in points.chunks(LANES) {
        let mask = g2_from_blst(group).in_subgroup();
        verdicts.extend((0..group.len()).map(|lane| mask >> lane & 1 == 1));
    }
    verdicts
}

#[cfg(test)]
mod tests;
