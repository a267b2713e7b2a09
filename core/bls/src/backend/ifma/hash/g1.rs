//! Elements of the base field to points of G1's curve.

use super::constants::G1;
use crate::backend::ifma::curve::g1::{Affine, Jacobian};
use crate::backend::ifma::fp::Fp;

/// The simplified map of Shallue, van de Woestijne and Ulas (RFC 9380, section 6.6.2), to the isogenous curve.
///
/// The root of a quotient `n/d` is that of appendix F.2.1.2: with `k = (nd³)^((p−3)/4)`, `knd` squares to `±n/d`.
#[target_feature(enable = "avx512ifma")]
pub(super) fn simplified(u: &Fp) -> Jacobian {
    let [a, b, root_of_negative] = G1.simple();
    let (negative_a, z) = (Fp::zero().sub_tiny(&a).carried(), Fp::one().times_eight().add(&Fp::one().triple()));
    let scaled = u.square().mul(&z);
    let sum = scaled.square().add(&scaled);
    // x = n/d with n = B'(s + 1) and d = −A's, or A'Z where s = 0.
    let zero = sum.is_zero();
    let numerator = b.mul(&sum.add(&Fp::one()));
    let denominator = negative_a.mul(&Fp::zero().sub_middle(&z.carried()).select(zero, &sum));
    let denominator_squared = denominator.square();
    let denominator_cubed = denominator_squared.mul(&denominator);
    // g(x) = (n(n² + A'd²) + B'd³) / d³.
    let inner = Fp::product_sum((&numerator, &numerator), (&a, &denominator_squared));
    let value = Fp::product_sum((&numerator, &inner), (&b, &denominator_cubed));
    let product = value.mul(&denominator_cubed);
    let root = product.mul(&denominator_cubed.square()).root_candidate().mul(&product);
    let square = root.square().mul(&denominator_cubed).equals(&value);
    // Otherwise g(Zu²x) = Z³u⁶·g(x) is a square, and Zu³ times the root of Z·g(x) is its root.
    let y = root.select(square, &root.mul(&scaled.mul(u).mul(&root_of_negative)));
    let numerator = numerator.select(square, &scaled.mul(&numerator));
    let opposite = u.to_integer().is_odd() ^ y.to_integer().is_odd();
    let y = y.negate_where(opposite);
    Jacobian { x: numerator.mul(&denominator), y: y.mul(&denominator_cubed), z: denominator }
}

/// The isogeny to G1's curve. Points of its kernel go to `Z = 0`.
#[target_feature(enable = "avx512ifma")]
pub(super) fn isogeny(point: &Affine) -> Jacobian {
    let [x, z, y] = G1.isogeny(&point.x);
    Jacobian { x: x.carried(), y: y.mul(&point.y), z: z.carried() }
}
