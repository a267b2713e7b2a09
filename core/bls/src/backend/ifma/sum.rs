//! Weighted sums of points by buckets (Pippenger's method), eight additions at once.
//!
//! Weights are cut into windows of signed digits, and in each window the points of one digit go into one bucket. A
//! bucket's points are added in pairs, then their sums, and so on: all the additions of a round are independent, of
//! whatever buckets, so they fill the lanes, and being affine they share one inversion for [`STEPS`] vectors. An
//! addition costs five products and a square. Then `Σ j·Bⱼ` of a window is summed from its highest bucket down by
//! complete additions, one window in each lane; blst puts the windows together.
//!
//! Long weights are cut into parts first ([`split`](super::split)), which go to the points' images under an
//! endomorphism: as many additions, but half the windows in G1, a quarter in G2.
//!
//! Points may be any of the curve. Equal and opposite summands are looked for when a denominator was zero. What a
//! long weight does to a point outside the subgroup is not that multiple of it, but still a homomorphism: clearing
//! the cofactor of a sum gives the sum of cleared points.
#![allow(unsafe_code, reason = "blst puts the windows together")]

mod digits;

use self::digits::Lists;
pub(super) use self::digits::{Windows, digits};
use super::curve::{g1, g2};
use super::decode::{g1_from_blst, g2_from_blst};
use super::fp::{Element, Fp};
use super::fp2::Fp2;
use super::split::{g1_split, g2_split};
use super::{LANES, Mask};
use crate::backend::blst as oracle;
use crate::point::{G1, G2};
use crate::weights::Weights;
use ::blst as ffi;
use ::blst::{blst_p1, blst_p2};

/// The most points of one sum.
pub(crate) const SUM_POINTS_MAX: usize = 1 << 24;
/// Vectors of additions that share an inversion.
const STEPS: usize = 128;
/// About how many points are in buckets at once, unless one window has more.
const BUCKETED_POINTS: usize = 1 << 12;

/// A point of G1 in memory: `x`, `y`.
type Stored1 = [Element; 2];
/// A point of G2 in memory: both coefficients of `x`, then of `y`.
type Stored2 = [Element; 4];

#[inline]
#[target_feature(enable = "avx512ifma")]
fn load1(points: [&Stored1; LANES]) -> g1::Affine {
    let part = |index: usize| Fp::from_elements(&points.map(|point| &point[index]));
    g1::Affine { x: part(0), y: part(1) }
}

#[inline]
#[target_feature(enable = "avx512ifma")]
fn load2(points: [&Stored2; LANES]) -> g2::Affine {
    let part = |index: usize| Fp::from_elements(&points.map(|point| &point[index]));
    g2::Affine { x: Fp2 { c0: part(0), c1: part(1) }, y: Fp2 { c0: part(2), c1: part(3) } }
}

#[inline]
#[target_feature(enable = "avx512ifma")]
fn store1(point: &g1::Affine) -> [Stored1; LANES] {
    let (x, y) = (point.x.to_elements(), point.y.to_elements());
    core::array::from_fn(|lane| [x[lane], y[lane]])
}

#[inline]
#[target_feature(enable = "avx512ifma")]
fn store2(point: &g2::Affine) -> [Stored2; LANES] {
    let (x, y) = (&point.x, &point.y);
    let parts = [x.c0.to_elements(), x.c1.to_elements(), y.c0.to_elements(), y.c1.to_elements()];
    core::array::from_fn(|lane| parts.map(|part| part[lane]))
}

macro_rules! sum {
    ($sum:ident, $store_points:ident, $add_pairs:ident, $operand:ident, $add_block:ident, $reduced:ident, $windows_sum:ident,
     $split:ident, $curve:ident, $field:ident, $group:ident, $stored:ident, $load:ident, $store:ident, $from_blst:ident,
     $projective:ident, $double:ident, $add:ident, $affine:ident, $doc:literal) => {
        #[doc = $doc]
        ///
        /// # Panics
        /// When there is not one weight for each point, or more than [`SUM_POINTS_MAX`] points.
        #[target_feature(enable = "avx512ifma")]
        pub(super) fn $sum(points: &[$group], weights: &Weights) -> Option<$group> {
            assert!(points.len() == weights.len() && points.len() <= SUM_POINTS_MAX, "a weight for each point");
            if points.is_empty() {
                return None;
            }
            let weights = $split(weights);
            let count = weights.len();
            let windows = Windows::cheapest(count, weights.bits);
            let digits = digits(&weights, windows);
            let at_once = (BUCKETED_POINTS / count).clamp(1, LANES.min(windows.count));
            // Points with their negatives, and fewer sums than there are points in the buckets.
            let mut arena = Vec::with_capacity((2 + at_once) * count);
            $store_points(points, count / points.len(), &mut arena);
            let mut sums = Vec::with_capacity(windows.count);
            for digits in digits.chunks(count * LANES) {
                let mut buckets = Vec::with_capacity(LANES * windows.buckets());
                for digits in digits.chunks(count * at_once) {
                    $add_pairs(&mut arena, Lists::new(digits, count, windows), &mut buckets);
                    arena.truncate(2 * count);
                }
                sums.extend($reduced(&buckets, windows.buckets()));
            }
            $windows_sum(&sums, windows.bits)
        }

        /// Every point, its negative behind it; then so many images of each under the endomorphism.
        #[target_feature(enable = "avx512ifma")]
        fn $store_points(points: &[$group], parts: usize, arena: &mut Vec<$stored>) {
            let mut images = Vec::with_capacity(points.len().div_ceil(LANES));
            for group in points.chunks(LANES) {
                images.push($from_blst(group));
            }
            for part in 0..parts {
                for (image, group) in images.iter_mut().zip(points.chunks(LANES)) {
                    if part > 0 {
                        *image = image.endomorphism();
                    }
                    let negative = $curve::Affine { x: image.x, y: $field::zero().sub_tiny(&image.y).lowered() };
                    let pairs = $store(image).into_iter().zip($store(&negative)).take(group.len());
                    arena.extend(pairs.flat_map(|(point, negative)| [point, negative]));
                }
            }
        }

        /// Adds the points of each bucket together, and appends the buckets' sums; `None` of an empty one.
        #[target_feature(enable = "avx512ifma")]
        fn $add_pairs(arena: &mut Vec<$stored>, mut lists: Lists, buckets: &mut Vec<Option<$stored>>) {
            loop {
                let pairs = lists.pair(u32::try_from(arena.len()).expect("places of 32 bits"));
                if pairs.is_empty() {
                    break;
                }
                let mut infinite = Vec::new();
                for block in pairs.chunks(LANES * STEPS) {
                    $add_block(arena, block, &mut infinite);
                }
                if !infinite.is_empty() {
                    lists.remove(&infinite);
                }
            }
            let mut places = lists.places.iter();
            buckets.extend(lists.lengths.iter().map(|length| {
                let place = (*length == 1).then(|| places.next()).flatten();
                place.map(|place| arena[*place as usize])
            }));
        }

        /// The first or the second points of up to eight pairs; those of the first pair in the lanes left over.
        #[inline]
        #[target_feature(enable = "avx512ifma")]
        fn $operand(arena: &[$stored], group: &[[u32; 2]], operand: usize) -> $curve::Affine {
            $load(core::array::from_fn(|lane| {
                &arena[group[if lane < group.len() { lane } else { 0 }][operand] as usize]
            }))
        }

        /// Appends the sums of pairs, and to `infinite` the places of those that are infinity and mean nothing.
        #[target_feature(enable = "avx512ifma")]
        fn $add_block(arena: &mut Vec<$stored>, block: &[[u32; 2]], infinite: &mut Vec<u32>) {
            let count = block.len().div_ceil(LANES);
            let (mut rises, mut runs) = (Vec::with_capacity(count), Vec::with_capacity(count));
            for group in block.chunks(LANES) {
                let (left, right) = ($operand(arena, group, 0), $operand(arena, group, 1));
                runs.push(right.x.sub_tiny(&left.x).carried());
                rises.push(right.y.sub_tiny(&left.y).carried());
            }
            let mut opposite = vec![0; 0];
            if !$field::invert_all_of(&mut runs) {
                // The tangent's slope where points are equal.
                let mut twice = Vec::with_capacity(count);
                for group in block.chunks(LANES) {
                    twice.push($operand(arena, group, 0).y.double().carried());
                }
                $field::invert_all_of(&mut twice);
                for (step, group) in block.chunks(LANES).enumerate() {
                    let left = $operand(arena, group, 0);
                    let vertical: Mask = runs[step].is_zero();
                    let equal = vertical & rises[step].is_zero();
                    runs[step] = twice[step].select(equal, &runs[step]);
                    rises[step] = left.x.square().triple().carried().select(equal, &rises[step]);
                    opposite.push(vertical & !equal);
                }
            }
            for (step, group) in block.chunks(LANES).enumerate() {
                // Brought together again: that is no dearer than having kept them.
                let (left, right) = ($operand(arena, group, 0), $operand(arena, group, 1));
                let slope = rises[step].mul(&runs[step]);
                let x = slope.square().sub(&left.x.add(&right.x).carried()).lowered();
                let y = slope.mul(&left.x.sub_tiny(&x).carried()).sub_tiny(&left.y).lowered();
                let base = u32::try_from(arena.len()).expect("places of 32 bits");
                let mask = opposite.get(step).copied().unwrap_or(0);
                infinite.extend(
                    (0..group.len()).zip(base..).filter(|(lane, _)| mask >> lane & 1 == 1).map(|(_, place)| place),
                );
                arena.extend_from_slice(&$store(&$curve::Affine { x, y })[..group.len()]);
            }
        }

        /// `Σ j·Bⱼ` of up to eight windows, whose buckets follow each other.
        #[target_feature(enable = "avx512ifma")]
        fn $reduced(buckets: &[Option<$stored>], width: usize) -> Vec<$projective> {
            let nothing = $stored::default();
            let (mut running, mut total) = ($curve::Projective::infinity(), $curve::Projective::infinity());
            for index in (0..width).rev() {
                let lanes: [Option<&$stored>; LANES] =
                    core::array::from_fn(|lane| buckets.get(lane * width + index).and_then(Option::as_ref));
                let there =
                    lanes.iter().enumerate().fold(0, |mask, (lane, point)| mask | Mask::from(point.is_some()) << lane);
                let points = $load(lanes.map(|point| point.unwrap_or(&nothing)));
                running = running.add_affine(&points).select(there, &running);
                total = total.add(&running);
            }
            // From (X/Z, Y/Z) to (X/Z², Y/Z³).
            let (x, y) = (total.x.mul(&total.z).to_blst(), total.y.mul(&total.z.square()).to_blst());
            let z = total.z.to_blst();
            let sums = (0..buckets.len() / width).map(|lane| $projective { x: x[lane], y: y[lane], z: z[lane] });
            sums.collect()
        }

        /// The sum of all windows, the lowest first.
        fn $windows_sum(sums: &[$projective], window_bits: usize) -> Option<$group> {
            let mut total = $projective::default();
            for sum in sums.iter().rev() {
                // SAFETY: each reads one point or two and writes one, which may be the first; complete.
                unsafe {
                    for _ in 0..window_bits {
                        ffi::$double(&raw mut total, &raw const total);
                    }
                    ffi::$add(&raw mut total, &raw const total, sum);
                }
            }
            oracle::$affine(&total)
        }
    };
}

sum!(
    g1_sum,
    store_points1,
    add_pairs1,
    operand1,
    add_block1,
    reduced1,
    windows_sum1,
    g1_split,
    g1,
    Fp,
    G1,
    Stored1,
    load1,
    store1,
    g1_from_blst,
    blst_p1,
    blst_p1_double,
    blst_p1_add_or_double,
    g1_affine,
    "`Σ wᵢPᵢ` in G1; `None` when that is infinity."
);
sum!(
    g2_sum,
    store_points2,
    add_pairs2,
    operand2,
    add_block2,
    reduced2,
    windows_sum2,
    g2_split,
    g2,
    Fp2,
    G2,
    Stored2,
    load2,
    store2,
    g2_from_blst,
    blst_p2,
    blst_p2_double,
    blst_p2_add_or_double,
    g2_affine,
    "`Σ wᵢPᵢ` in G2; `None` when that is infinity."
);

#[cfg(test)]
mod tests;
