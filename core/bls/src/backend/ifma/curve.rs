//! Points of both groups, eight at a time, in three forms.
//!
//! - [`g1::Affine`]: what comes in and goes out. Infinity has no such form.
//! - [`g1::Jacobian`], `(X/Z², Y/Z³)`: cheap doublings. Its additions are *not* complete, and need not be: one of
//!   equal or opposite points, or with infinity, gives `Z = 0`, and `Z` stays zero from there on. So a chain over a
//!   point of prime order, whose multiples below the order all differ, is right; a chain that met such a case
//!   ends in `Z = 0`, and whoever asks about the point's order knows the answer.
//! - [`g1::Projective`], `(X/Z, Y/Z)`: the complete formulas of Renes, Costello and Batina (eprint 2015/1060,
//!   algorithms 7, 8 and 9, for `a = 0`), right for all points of either curve's prime-order subgroup and
//!   of every odd order, infinity `(0, 1, 0)` included. Neither curve has a rational point of order two.
//!
//! The two groups differ by their field alone, so each formula is written once, in a macro. Values of a point's
//! coordinates are of one unit; `Fp::factor` carries where the quadratic extension needs it.

use super::Mask;
use super::fp::Fp;
use super::fp2::Fp2;

/// After the first doubling, each 1 bit of `|z| = 0xd201000000010000`, the curve's parameter, is one addition;
/// between them lie this many doublings.
const DOUBLINGS: [usize; 5] = [2, 3, 9, 32, 16];

macro_rules! group {
    ($module:ident, $field:ident, $doc:literal) => {
        #[doc = $doc]
        pub(crate) mod $module {
            use super::{DOUBLINGS, Mask, $field as Field};

            /// Eight points other than infinity.
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct Affine {
                pub(crate) x: Field,
                pub(crate) y: Field,
            }

            /// Eight points `(X/Z², Y/Z³)`.
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct Jacobian {
                pub(crate) x: Field,
                pub(crate) y: Field,
                pub(crate) z: Field,
            }

            /// Eight points `(X/Z, Y/Z)`.
            #[derive(Clone, Copy, Debug)]
            pub(crate) struct Projective {
                pub(crate) x: Field,
                pub(crate) y: Field,
                pub(crate) z: Field,
            }

            impl Affine {
                /// The point in Jacobian form.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn jacobian(&self) -> Jacobian {
                    Jacobian { x: self.x, y: self.y, z: Field::one() }
                }

                /// The point in projective form.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn projective(&self) -> Projective {
                    Projective { x: self.x, y: self.y, z: Field::one() }
                }

                /// The negative where the mask has a one.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn negate_where(&self, mask: Mask) -> Self {
                    Self { x: self.x, y: self.y.negate_where(mask).carried() }
                }
            }

            impl Jacobian {
                /// Twice the point.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn double(&self) -> Self {
                    let slope = self.x.square().triple().factor();
                    let b = self.y.square();
                    let d = self.x.times_four().mul(&b);
                    let x = slope.square().sub(&d.double().carried()).carried();
                    let y = Field::product_difference((&slope, &d.sub_middle(&x).factor()), (&b, &b.times_eight()));
                    Self { x, y, z: self.y.double().factor().mul(&self.z) }
                }

                /// The sum with an affine point; see the module's page for what it is not right for.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn add_affine(&self, other: &Affine) -> Self {
                    let zz = self.z.square();
                    let h = other.x.mul(&zz).sub_middle(&self.x).carried();
                    let r = other.y.mul(&zz.mul(&self.z)).sub(&self.y).carried();
                    self.added(&self.x, &self.y, &self.z, &h, &r)
                }

                /// The sum; see the module's page for what it is not right for.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn add(&self, other: &Self) -> Self {
                    let (zz, other_zz) = (self.z.square(), other.z.square());
                    let x = self.x.mul(&other_zz);
                    let y = self.y.mul(&other_zz.mul(&other.z));
                    let h = other.x.mul(&zz).sub(&x).carried();
                    let r = other.y.mul(&zz.mul(&self.z)).sub(&y).carried();
                    self.added(&x, &y, &self.z.mul(&other.z), &h, &r)
                }

                /// Infinity where the mask has a one.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn infinite_where(&self, mask: Mask) -> Self {
                    Self { z: Field::zero().select(mask, &self.z), ..*self }
                }

                /// The negative.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn negated(&self) -> Self {
                    Self { x: self.x, y: Field::zero().sub_tiny(&self.y).carried(), z: self.z }
                }

                /// From coordinates brought to one denominator, and their differences.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                fn added(&self, x: &Field, y: &Field, z: &Field, h: &Field, r: &Field) -> Self {
                    let hh = h.square();
                    let hhh = h.mul(&hh);
                    let v = x.mul(&hh);
                    let sum_x = r.square().sub(&hhh.add(&v.double()).carried()).carried();
                    let sum_y = Field::product_difference((r, &v.sub_middle(&sum_x).factor()), (y, &hhh));
                    Self { x: sum_x, y: sum_y, z: z.mul(h) }
                }

                /// `|z|` times the point, given how the point itself is added.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn times_parameter(&self) -> Self {
                    let mut sum = self.double();
                    for doublings in DOUBLINGS {
                        sum = sum.add(self);
                        for _ in 0..doublings {
                            sum = sum.double();
                        }
                    }
                    sum
                }

                /// Where the point is the negative of this affine one.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn is_opposite(&self, other: &Affine) -> Mask {
                    let zz = self.z.square();
                    let x = other.x.mul(&zz);
                    let y = other.y.mul(&zz.mul(&self.z));
                    !self.z.is_zero() & self.x.equals(&x) & self.y.add(&y).is_zero()
                }
            }

            /// The affine forms, with one inversion for all of them, and which lanes are infinity: those have a form
            /// that means nothing.
            #[target_feature(enable = "avx512ifma")]
            pub(crate) fn normalized(points: &[Jacobian]) -> Vec<(Affine, Mask)> {
                let mut inverses: Vec<Field> = points.iter().map(|point| point.z).collect();
                Field::invert_all_of(&mut inverses);
                let affine = |(point, inverse): (&Jacobian, &Field)| {
                    let square = inverse.square();
                    let (x, y) = (point.x.mul(&square), point.y.mul(&square.mul(inverse)));
                    (Affine { x, y }, inverse.is_zero())
                };
                points.iter().zip(&inverses).map(affine).collect()
            }

            impl Affine {
                /// `|z|` times the point.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn times_parameter(&self) -> Jacobian {
                    let mut sum = self.jacobian().double();
                    for doublings in DOUBLINGS {
                        sum = sum.add_affine(self);
                        for _ in 0..doublings {
                            sum = sum.double();
                        }
                    }
                    sum
                }
            }

            impl Projective {
                /// Infinity.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn infinity() -> Self {
                    Self { x: Field::zero(), y: Field::one(), z: Field::zero() }
                }

                /// Twice the point.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn double(&self) -> Self {
                    let yy = self.y.square();
                    let eight = yy.times_eight();
                    let zz = self.z.square().times_3b();
                    let left = yy.sub_large(&zz.triple().carried()).carried();
                    let y = Field::product_sum((&left, &yy.add(&zz).factor()), (&zz, &eight));
                    let x = left.mul(&self.x.mul(&self.y).double().factor());
                    Self { x, y, z: self.y.mul(&self.z).mul(&eight) }
                }

                /// The sum.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn add(&self, other: &Self) -> Self {
                    let xx = self.x.mul(&other.x);
                    let yy = self.y.mul(&other.y);
                    let zz = self.z.mul(&other.z);
                    let xy = Field::product_sum((&self.x, &other.y), (&other.x, &self.y));
                    let yz = Field::product_sum((&self.y, &other.z), (&other.y, &self.z));
                    let xz = Field::product_sum((&self.x, &other.z), (&other.x, &self.z));
                    Self::combined(&xx, &yy, &zz, &xy, &yz, &xz)
                }

                /// The sum with an affine point.
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn add_affine(&self, other: &Affine) -> Self {
                    let xx = self.x.mul(&other.x);
                    let yy = self.y.mul(&other.y);
                    let xy = Field::product_sum((&self.x, &other.y), (&other.x, &self.y));
                    let yz = other.y.mul(&self.z).add(&self.y).carried();
                    let xz = other.x.mul(&self.z).add(&self.x).carried();
                    Self::combined(&xx, &yy, &self.z, &xy, &yz, &xz)
                }

                /// From the products of like coordinates and the sums of those of unlike ones.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                fn combined(xx: &Field, yy: &Field, zz: &Field, xy: &Field, yz: &Field, xz: &Field) -> Self {
                    let xx = xx.triple().factor();
                    let zz = zz.times_3b();
                    let (plus, minus) = (yy.add(&zz).factor(), yy.sub_large(&zz).factor());
                    let xz = xz.times_3b();
                    Self {
                        x: Field::product_difference((xy, &minus), (yz, &xz)),
                        y: Field::product_sum((&minus, &plus), (&xx, &xz)),
                        z: Field::product_sum((yz, &plus), (&xx, xy)),
                    }
                }

                /// This point where the mask has a one, the other where it has a zero.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn select(&self, mask: Mask, other: &Self) -> Self {
                    Self {
                        x: self.x.select(mask, &other.x),
                        y: self.y.select(mask, &other.y),
                        z: self.z.select(mask, &other.z),
                    }
                }

                /// The negative where the mask has a one.
                #[inline]
                #[target_feature(enable = "avx512ifma")]
                pub(crate) fn negate_where(&self, mask: Mask) -> Self {
                    Self { x: self.x, y: self.y.negate_where(mask).carried(), z: self.z }
                }
            }
        }
    };
}

group!(g1, Fp, "The curve `y² = x³ + 4` over the base field.");
group!(g2, Fp2, "The curve `y² = x³ + 4 + 4u` over its quadratic extension.");

#[cfg(test)]
mod tests;
