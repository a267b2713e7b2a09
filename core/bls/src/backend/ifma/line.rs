//! A point's way through a Miller loop: doublings and additions on the twist, each with its line.
//!
//! Homogeneous coordinates `(X : Y : Z)` of `y² = x³ + 4(1 + u)`, after Aranha, Karabina, Longa, Gebotys and López
//! (eprint 2010/526, section 4), with every result scaled by 4 so that nothing is halved, and with sums of
//! products reduced once. A line through points of the twist, evaluated at `P = (x, y)` of G1 and scaled by a
//! factor of `Fp2`, which the final exponentiation removes, is `c + d·x·w² + e·y·w³`: the twist maps `(x, y)` to
//! `(x/w², y/w³)`.

use super::fp::{Fp, Slot};
use super::fp2::Fp2;
use super::fp6::reduce_parts;
use super::fp12::Line;
use super::{LANES, Mask};
use crate::point::{G1, G2};

/// Eight points of the twist, none of them infinity, none of small order.
#[derive(Clone, Copy, Debug)]
struct Multiple {
    x: Fp2,
    y: Fp2,
    z: Fp2,
}

/// Eight pairs of a Miller loop under way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pairs {
    multiple: Multiple,
    /// The points of G2.
    fixed: (Fp2, Fp2),
    /// Where the points of G1 enter lines: `−x`, `y` and `−y`.
    evaluated: (Fp, Fp, Fp),
    /// Lanes that hold a pair.
    used: Mask,
}

impl Multiple {
    /// Doubles the points; the tangents.
    #[target_feature(enable = "avx512ifma")]
    fn double(&mut self) -> Line {
        let mut slots = [const { Slot::new() }; 3];
        let [first, second, third] = &mut slots;
        let (x_y, y_z) = (self.x.mul(&self.y), self.y.mul(&self.z));
        let (x_squared, y_squared) = (self.x.square(), self.y.square());
        // 12(1 + u)·Z², of which 12(1 + u) is three times the curve's constant.
        let z_squared = self.z.double().carried().square_wide(first);
        let constant = reduce_parts!(+ ; - ; xi + z_squared, z_squared, z_squared ; -);
        let tripled = constant.triple().carried();
        let twice_y_z = y_z.double().carried();
        let line =
            Line { constant: y_squared.sub(&constant).carried(), w2: x_squared.triple().carried(), w3: twice_y_z };
        // X' = 2XY(Y² − 3c), Y' = (Y² + 3c)² − 12c², Z' = 8Y³Z, with c the constant above.
        self.x = x_y.double().mul(&y_squared.sub(&tripled).carried());
        let sum = y_squared.add(&tripled).carried();
        let (sum, square) = (sum.square_wide(second), constant.double().carried().square_wide(third));
        self.y = reduce_parts!(+ sum ; - square, square, square ; xi + ; -);
        self.z = y_squared.double().mul(&twice_y_z.double());
        line
    }

    /// Adds a point that differs from these and their negatives; the chords.
    #[target_feature(enable = "avx512ifma")]
    fn add(&mut self, (x, y): &(Fp2, Fp2)) -> Line {
        let mut slots = [const { Slot::new() }; 2];
        let [first, second] = &mut slots;
        // The slope is −height/width.
        let height = y.mul(&self.z).sub(&self.y).carried();
        let width = self.x.sub(&x.mul(&self.z)).carried();
        let (height_squared, width_squared) = (height.square(), width.square());
        let width_cubed = width.mul(&width_squared);
        let middle = self.x.mul(&width_squared);
        // Of the new point, X/width.
        let over_width = width_cubed.add(&self.z.mul(&height_squared)).sub(&middle.double().carried()).carried();
        let (through, across) = (height.mul_wide(x, first), width.mul_wide(y, second));
        let constant = reduce_parts!(+ through, across ; - ; xi + ; -);
        let line = Line { constant, w2: height, w3: width };
        self.x = width.mul(&over_width);
        let risen = over_width.sub(&middle).carried();
        let (risen, old) = (height.mul_wide(&risen, first), width_cubed.mul_wide(&self.y, second));
        self.y = reduce_parts!(+ risen ; - old ; xi + ; -);
        self.z = self.z.mul(&width_cubed);
        line
    }
}

impl Pairs {
    /// Up to eight pairs, at least one. The points of G2 are in the subgroup.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn new(left: &[G1], right: &[G2]) -> Self {
        let (first, second) = (left.first().expect("a pair"), right.first().expect("a pair"));
        let left: [&G1; LANES] = core::array::from_fn(|lane| left.get(lane).unwrap_or(first));
        let used = Mask::MAX >> (LANES - right.len());
        let right: [&G2; LANES] = core::array::from_fn(|lane| right.get(lane).unwrap_or(second));
        let (x, y) = (Fp::from_blst(&left.map(|point| point.0.x)), Fp::from_blst(&left.map(|point| point.0.y)));
        let fixed = (Fp2::from_blst(&right.map(|point| point.0.x)), Fp2::from_blst(&right.map(|point| point.0.y)));
        Self {
            multiple: Multiple { x: fixed.0, y: fixed.1, z: Fp2::one() },
            fixed,
            evaluated: (x.neg().carried(), y, y.neg().carried()),
            used,
        }
    }

    /// Doubles the points of G2; the tangents at the points of G1.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn double(&mut self) -> Line {
        let line = self.multiple.double().scaled(&self.evaluated.0, &self.evaluated.1);
        self.masked(line)
    }

    /// Adds the points of G2 once; the chords at the points of G1.
    #[target_feature(enable = "avx512ifma")]
    pub(super) fn add(&mut self) -> Line {
        let line = self.multiple.add(&self.fixed).scaled(&self.evaluated.0, &self.evaluated.2);
        self.masked(line)
    }

    /// One in lanes without a pair.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    fn masked(&self, line: Line) -> Line {
        if self.used == Mask::MAX { line } else { line.or_one(self.used) }
    }
}
