//! The eight-lane backend: AVX-512 IFMA, eight items of a batch at once.
//!
//! Layers, each in a file of its own: [`fp`], the base field, whose module page derives the representation
//! and says how values are bounded; [`fp2`] above it. A value of any of these types is eight independent
//! elements, one in each 64-bit lane of its registers; nothing crosses lanes unless its name says so.
//!
//! Public values only. Nothing here is meant to be constant time, and no secret comes here: signing and
//! key derivation are blst's.
//!
//! Every function that uses vector registers carries `#[target_feature(enable = "avx512ifma")]` and is safe
//! to call from another such function. Ordinary code calls methods of [`Ifma`], of which there is a value only
//! where the processor has IFMA; that is the reason each `unsafe` here gives.
#![allow(unsafe_code, reason = "vector code must not run on a processor without IFMA")]

/// Repeats a block with a constant in place of a loop's index: where the loop must be unrolled for its arrays
/// to live in registers.
macro_rules! each {
    ($index:ident in [$($value:literal)*] $body:block) => {
        $({
            let $index: usize = $value;
            $body
        })*
    };
}

pub(crate) mod curve;
mod decode;
mod endomorphism;
mod exponentiation;
pub(crate) mod fp;
pub(crate) mod fp12;
pub(crate) mod fp2;
pub(crate) mod fp6;
mod frobenius;
mod hash;
mod line;
mod miller;
mod scale;
mod segments;
mod single;
mod split;
mod sum;
mod vectors;

pub(crate) use segments::Segments;
pub(crate) use vectors::Vectors;

use super::blst as oracle;
use crate::error::BlsError;
use crate::point::{G1, G2, PreparedG2, Subgroup};
use crate::weights::Weights;
use ::blst::{blst_fp, blst_fp12};
use std::sync::LazyLock;

/// The fewest pairs of a Miller loop that the lanes do faster than blst.
const PAIRS_MIN: usize = 3;

/// The fewest points that the lanes do faster than blst.
const POINTS_MIN: usize = 3;

/// The fewest points, and the shortest weights, of a sum that the lanes do faster than blst.
const SUM_POINTS_MIN: usize = 16;
/// Unit: bits.
const SUM_BITS_MIN: usize = 32;

/// The magnitude of the curve's parameter, which is negative.
const PARAMETER: u64 = 0xd201_0000_0001_0000;

/// What clears the cofactor of G1 when hashing: `1 − z` (RFC 9380, section 8.8.1).
pub(crate) const CLEARING: u64 = PARAMETER + 1;

/// How many independent items one value holds.
pub(crate) const LANES: usize = 8;

/// One bit for each lane, the lowest for lane 0.
pub(crate) type Mask = u8;

/// Proof that this processor has AVX-512 IFMA: what is asked of a value of this type runs on the lanes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ifma(());

impl Ifma {
    /// The proof, where there is one.
    pub(crate) fn detect() -> Option<Self> {
        available().then_some(Self(()))
    }

    /// Decodes G1 points, each to its own verdict.
    pub(crate) fn g1_decode(self, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G1, BlsError>> {
        if encodings.len() < POINTS_MIN {
            return encodings.iter().map(|encoding| oracle::g1_decode(encoding, subgroup)).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { decode::g1_decode(encodings, subgroup) }
    }

    /// Decodes G2 points, each to its own verdict.
    pub(crate) fn g2_decode(self, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G2, BlsError>> {
        if encodings.len() < POINTS_MIN {
            return encodings.iter().map(|encoding| oracle::g2_decode(encoding, subgroup)).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { decode::g2_decode(encodings, subgroup) }
    }

    /// Which points have prime order.
    pub(crate) fn g1_in_subgroup(self, points: &[G1]) -> Vec<bool> {
        if points.len() < POINTS_MIN {
            return points.iter().map(oracle::g1_in_subgroup).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { decode::g1_in_subgroup(points) }
    }

    /// Which points have prime order.
    pub(crate) fn g2_in_subgroup(self, points: &[G2]) -> Vec<bool> {
        if points.len() < POINTS_MIN {
            return points.iter().map(oracle::g2_in_subgroup).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { decode::g2_in_subgroup(points) }
    }

    /// Hashes messages to G2.
    pub(crate) fn g2_hash(self, messages: &[&[u8]], dst: &[u8]) -> Vec<G2> {
        if messages.len() < POINTS_MIN {
            return messages.iter().map(|message| oracle::g2_hash(message, dst)).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g2_hash(messages, dst) }
    }

    /// Hashes messages to G1.
    pub(crate) fn g1_hash(self, messages: &[&[u8]], dst: &[u8]) -> Vec<G1> {
        if messages.len() < POINTS_MIN {
            return messages.iter().map(|message| oracle::g1_hash(message, dst)).collect();
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g1_hash(messages, dst) }
    }

    /// `Σ wᵢPᵢ` in G2; `None` when that is infinity.
    pub(crate) fn g2_sum(self, points: &[G2], weights: &Weights) -> Option<G2> {
        if points.len() < SUM_POINTS_MIN || weights.bits() < SUM_BITS_MIN {
            return oracle::g2_sum(points, weights);
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { sum::g2_sum(points, weights) }
    }

    /// `Σ wᵢPᵢ` in G1; `None` when that is infinity.
    pub(crate) fn g1_sum(self, points: &[G1], weights: &Weights) -> Option<G1> {
        if points.len() < SUM_POINTS_MIN || weights.bits() < SUM_BITS_MIN {
            return oracle::g1_sum(points, weights);
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { sum::g1_sum(points, weights) }
    }

    /// `wᵢPᵢ` in G1, one by one; `None` where that is infinity.
    pub(crate) fn g1_scale(self, points: &[G1], weights: &Weights) -> Vec<Option<G1>> {
        if points.len() < POINTS_MIN {
            return oracle::g1_scale(points, weights);
        }
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { scale::g1_scale(points, weights) }
    }

    /// `wᵢPᵢ` for points that [`CLEARING`] times are the messages' hashes to G1; `None` where that is infinity, or not
    /// worked out.
    pub(crate) fn g1_uncleared_scaled(self, messages: &[&[u8]], dst: &[u8], weights: &Weights) -> Vec<Option<G1>> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g1_uncleared_scaled(messages, dst, weights) }
    }

    /// Points of the curve that [`Self::g1_cleared`] takes to the messages' hashes; `None` where some are not worked
    /// out.
    pub(crate) fn g1_uncleared(self, messages: &[&[u8]], dst: &[u8]) -> Option<Vec<G1>> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g1_uncleared(messages, dst) }
    }

    /// As [`Self::g1_uncleared`].
    pub(crate) fn g2_uncleared(self, messages: &[&[u8]], dst: &[u8]) -> Option<Vec<G2>> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g2_uncleared(messages, dst) }
    }

    /// Into the subgroup, as hashing does; `None` of infinity.
    pub(crate) fn g1_cleared(self, point: &G1) -> Option<G1> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g1_cleared(point) }
    }

    /// Into the subgroup, as hashing does; `None` of infinity.
    pub(crate) fn g2_cleared(self, point: &G2) -> Option<G2> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { hash::g2_cleared(point) }
    }

    /// The product of the Miller loops of pairs `(Pᵢ, Qᵢ)`, before the final exponentiation.
    ///
    /// # Panics
    /// When there is not one point in either group for each in the other.
    pub(crate) fn miller_product(self, left: &[G1], right: &[G2]) -> blst_fp12 {
        assert_eq!(left.len(), right.len(), "points come in pairs");
        let rest = left.len() % LANES;
        let on_lanes = if rest < PAIRS_MIN { left.len() - rest } else { left.len() };
        let (lanes_left, rest_left) = left.split_at(on_lanes);
        let (lanes_right, rest_right) = right.split_at(on_lanes);
        let product = oracle::miller_product(rest_left, rest_right);
        if on_lanes == 0 {
            return product;
        }
        // SAFETY: this value exists, so the processor has IFMA.
        let lanes = unsafe { miller::miller_product(lanes_left, lanes_right) };
        lanes.iter().take(on_lanes).fold(product, |product, lane| oracle::target_product(&product, lane))
    }

    /// Whether a product of Miller loops is one after the final exponentiation.
    pub(crate) fn product_is_one(self, product: &blst_fp12) -> bool {
        let easy = oracle::easy_part(product);
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { exponentiation::is_one(&easy) }
    }

    /// `e(left, g₂) = e(right, key)`.
    pub(crate) fn check_prepared(self, key: &PreparedG2, left: &G1, right: &G1) -> bool {
        let (generator, key) = (self.segments(&GENERATOR), self.segments(key));
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { segments::product_is_one([(generator, &oracle::g1_negate(left)), (key, right)]) }
    }

    /// `e(left) = e(right)`, each pair given by its two points.
    pub(crate) fn check_pair(self, left: (&G1, &G2), right: (&G1, &G2)) -> bool {
        self.product_is_one(&oracle::miller_product(&[oracle::g1_negate(left.0), *right.0], &[*left.1, *right.1]))
    }

    /// Elements on the lanes, a multiple of eight.
    pub(crate) fn vectors(self, elements: &oracle::Elements) -> Vectors {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { Vectors::new(elements.as_slice(), elements.factor()) }
    }

    /// Multiplies each element by the factor, so many times.
    pub(crate) fn multiply(self, vectors: &mut Vectors, times: usize) {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { vectors.multiply(times) }
    }

    /// Squares each element, so many times.
    pub(crate) fn square(self, vectors: &mut Vectors, times: usize) {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { vectors.square(times) }
    }

    /// The elements, back from the lanes.
    pub(crate) fn elements(self, vectors: &Vectors) -> Vec<blst_fp> {
        // SAFETY: this value exists, so the processor has IFMA.
        unsafe { vectors.elements() }
    }

    /// A prepared point's lines on the lanes, computed when they are first asked for.
    fn segments(self, point: &PreparedG2) -> &Segments {
        // SAFETY: this value exists, so the processor has IFMA.
        point.segments.get_or_init(|| Box::new(unsafe { Segments::new(&point.lines) }))
    }
}

/// The generator of G2, with which every signature of `min-sig` is paired.
static GENERATOR: LazyLock<PreparedG2> = LazyLock::new(|| PreparedG2::new(&oracle::g2_generator()));

/// Whether this processor runs the backend.
fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma")
}

#[cfg(test)]
mod points;
#[cfg(test)]
mod tests;
