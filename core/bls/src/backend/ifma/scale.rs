//! Points of G1's curve times weights, one by one, eight at once.
//!
//! Weights are cut into windows of signed digits, as for sums. Every formula is the complete one, so points may be any
//! of the curve, and weights any at all: with the base field's costs, a complete doubling is as cheap as a Jacobian
//! one.

use super::LANES;
use super::Mask;
use super::curve::g1::{Affine, Jacobian, Projective};
use super::decode::{g1_from_blst, g1_to_blst};
use super::fp::Fp;
use super::sum::{Windows, digits};
use crate::point::G1;
use crate::weights::Weights;

/// Bits of a window.
const WINDOW_BITS: usize = 4;
/// The multiples of a point that a digit may ask for, but the zeroth.
const MULTIPLES: usize = 1 << (WINDOW_BITS - 1);

impl Jacobian {
    /// The point as `(X/Z, Y/Z)`; where `Z = 0`, infinity.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn projective(&self) -> Projective {
        let zzz = self.z.square().mul(&self.z);
        let (point, infinity) = (Projective { x: self.x.mul(&self.z), y: self.y, z: zzz }, Projective::infinity());
        infinity.select(self.z.is_zero(), &point)
    }
}

/// Once to eight times the points.
#[target_feature(enable = "avx512ifma")]
fn multiples(point: &Projective) -> [Projective; MULTIPLES] {
    let two = point.double();
    let (three, four) = (two.add(point), two.double());
    let (five, six) = (four.add(point), three.double());
    [*point, two, three, four, five, six, six.add(point), four.double()]
}

/// The multiples that digits ask for, one in each lane.
#[target_feature(enable = "avx512ifma")]
fn chosen(multiples: &[Projective; MULTIPLES], digits: &[i16]) -> Projective {
    let lanes = |is: &dyn Fn(i16) -> bool| {
        digits.iter().enumerate().fold(0, |mask, (lane, digit)| mask | Mask::from(is(*digit)) << lane)
    };
    let mut chosen = Projective::infinity();
    for (multiple, magnitude) in multiples.iter().zip(1..) {
        chosen = multiple.select(lanes(&|digit| digit.unsigned_abs() == magnitude), &chosen);
    }
    chosen.negate_where(lanes(&|digit| digit < 0))
}

/// `wᵢPᵢ`, given the points eight in each item; `None` where that is infinity.
///
/// # Panics
/// When there are not points for all weights.
#[target_feature(enable = "avx512ifma")]
pub(super) fn scaled(points: &[Projective], weights: &Weights) -> Vec<Option<G1>> {
    let count = weights.len();
    assert_eq!(points.len(), count.div_ceil(LANES), "points for every weight");
    let windows = Windows::of(WINDOW_BITS, weights.bits());
    let digits = digits(weights, windows);
    let of_window =
        |group: usize, window: usize| &digits[window * count..][group * LANES..count.min((group + 1) * LANES)];
    let mut products = Vec::with_capacity(points.len());
    for (group, point) in points.iter().enumerate() {
        let multiples = multiples(point);
        let mut product = chosen(&multiples, of_window(group, windows.count - 1));
        for window in (0..windows.count - 1).rev() {
            for _ in 0..WINDOW_BITS {
                product = product.double();
            }
            product = product.add(&chosen(&multiples, of_window(group, window)));
        }
        products.push(product);
    }
    let mut inverses: Vec<Fp> = products.iter().map(|product| product.z).collect();
    Fp::invert_all_of(&mut inverses);
    let mut scaled = Vec::with_capacity(count);
    for (product, inverse) in products.iter().zip(&inverses) {
        let infinite = inverse.is_zero();
        let lanes = g1_to_blst(&Affine { x: product.x.mul(inverse), y: product.y.mul(inverse) });
        let group = lanes.into_iter().enumerate().take(count - scaled.len());
        scaled.extend(group.map(|(lane, point)| (infinite >> lane & 1 == 0).then_some(point)));
    }
    scaled
}

/// `wᵢPᵢ`, one by one; `None` where that is infinity.
#[target_feature(enable = "avx512ifma")]
pub(super) fn g1_scale(points: &[G1], weights: &Weights) -> Vec<Option<G1>> {
    let mut groups = Vec::with_capacity(points.len().div_ceil(LANES));
    for group in points.chunks(LANES) {
        groups.push(g1_from_blst(group).projective());
    }
    scaled(&groups, weights)
}

#[cfg(test)]
mod tests;
