//! The Miller loop of few pairs whose points of G2 are fixed: the loop itself is cut into eight segments, one for each
//! lane.
//!
//! With `lᵢ` the lines and `eᵢ` the squarings that follow each, the loop's value is `Π lᵢ^(2^eᵢ)`. Lane `j` multiplies the
//! lines of bits `8j … 8j + 7` of the curve's parameter together, with seven squarings, to `Gⱼ`; the value is `Π Gⱼ^(2^8j)`.
//! The squarings that are left wait until the easy part of the final exponentiation, on all lanes, has brought
//! the `Gⱼ` into the cyclotomic subgroup, where a squaring costs a fifth.

use super::fp::Fp;
use super::fp2::Fp2;
use super::fp12::{Fp12, Line};
use super::{LANES, Mask, PARAMETER};
use crate::backend::ifma::exponentiation::{easy_part, hard_part_single};
use crate::backend::ifma::single::Single;
use crate::point::{G1, LINES};
use ::blst::{blst_fp, blst_fp2, blst_fp6};

/// Bits of the parameter for each lane.
const SEGMENT_BITS: usize = 8;
/// Bits of the parameter but the highest.
const BITS: usize = PARAMETER.ilog2() as usize;

/// The lines of one point of G2, not yet at any point of G1, one segment in each lane.
#[derive(Clone, Debug)]
pub(crate) struct Segments {
    /// The tangents at each position in a segment.
    tangents: Vec<Line>,
    /// The chords, where there are any, and the position.
    chords: Vec<(usize, Line)>,
}

/// Lanes of lines; one where there is none.
#[target_feature(enable = "avx512ifma")]
fn gather(lines: &[Option<blst_fp6>; LANES]) -> Line {
    let part =
        |index: usize| Fp2::from_blst(&lines.map(|line| line.map_or(blst_fp2::default(), |line| line.fp2[index])));
    let line = Line { constant: part(0), w2: part(1), w3: part(2) };
    let there = lines.iter().enumerate().fold(0, |mask, (lane, line)| mask | Mask::from(line.is_some()) << lane);
    line.or_one(there)
}

impl Segments {
    /// From blst's lines of a point.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn new(lines: &[blst_fp6; LINES]) -> Self {
        let mut next = lines.iter().copied();
        let (mut tangents, mut chords) = ([None; LANES * SEGMENT_BITS], [None; LANES * SEGMENT_BITS]);
        for bit in (0..BITS).rev() {
            tangents[bit] = next.next();
            if PARAMETER >> bit & 1 == 1 {
                chords[bit] = next.next();
            }
        }
        assert!(next.next().is_none(), "a line for each step");
        let segment = |lines: &[Option<blst_fp6>], position: usize| {
            core::array::from_fn::<_, LANES, _>(|lane| lines[SEGMENT_BITS * lane + position])
        };
        let mut segments = Self { tangents: Vec::new(), chords: Vec::new() };
        for position in 0..SEGMENT_BITS {
            segments.tangents.push(gather(&segment(&tangents, position)));
            let chords = segment(&chords, position);
            if chords.iter().any(Option::is_some) {
                segments.chords.push((position, gather(&chords)));
            }
        }
        segments
    }
}

/// Whether the product of the pairings of fixed points with points of G1 is one.
#[target_feature(enable = "avx512ifma")]
pub(super) fn product_is_one<const N: usize>(pairs: [(&Segments, &G1); N]) -> bool {
    let pairs = pairs.map(|(segments, point)| (segments, factors(point)));
    let mut value = Fp12::one();
    for position in (0..SEGMENT_BITS).rev() {
        if position + 1 < SEGMENT_BITS {
            value = value.square();
        }
        for (segments, (x, y)) in &pairs {
            value = value.mul_by_line(&segments.tangents[position].scaled(x, y));
            for (_, chord) in segments.chords.iter().filter(|(there, _)| *there == position) {
                value = value.mul_by_line(&chord.scaled(x, y));
            }
        }
    }
    // The parameter is negative, so this is the inverse of the product: one if that is.
    let lanes = easy_part(&value).to_blst();
    let mut product = Single::from_blst(&lanes[LANES - 1]);
    for lane in lanes.iter().rev().skip(1) {
        for _ in 0..SEGMENT_BITS {
            product = product.cyclotomic_square();
        }
        product = product.mul(&Single::from_blst(lane));
    }
    hard_part_single(&product).is_one()
}

/// What blst's lines are to be scaled by: `−2x` and `2y`.
#[target_feature(enable = "avx512ifma")]
fn factors(point: &G1) -> (Fp, Fp) {
    let everywhere = |coordinate: &blst_fp| Fp::broadcast(coordinate).double().carried();
    (everywhere(&point.0.x).neg().carried(), everywhere(&point.0.y))
}
