//! Elements of the quadratic extension to points of G2's curve.

use super::constants::G2;
use crate::backend::ifma::Mask;
use crate::backend::ifma::curve::g2::{Affine, Jacobian};
use crate::backend::ifma::fp::Fp;
use crate::backend::ifma::fp2::Fp2;

/// `sgn0` of RFC 9380, section 4.1.
#[target_feature(enable = "avx512ifma")]
fn sign(element: &Fp2) -> Mask {
    let (c0, c1) = (element.c0.to_integer(), element.c1.to_integer());
    c0.is_odd() | (c0.is_zero() & c1.is_odd())
}

/// A root of `numerator/denominator`, or where there is none, of `Z` times that, `Z = −(2 + u)`; and where there is
/// one.
///
/// By the complex method, and without dividing. Let `w = numerator·conj(denominator)` and `D` the denominator's
/// norm, so that the quotient is `w/D`. With `n` the norm of `w`, `s = n·n^((p−3)/4)` squares to `±n`. If to `n`, the
/// quotient is a square; if not, `s√−5` is the root of the norm of `Zw`, and that takes the place of `w`. Then
/// `t = (w₀ + s)/2D` or its conjugate is a square. With `k = (nd³)^((p−3)/4)` for `t = n/d`: if `t` is a square, the
/// root is `knd + w₁kd·u`, and if not, `w₁kd − knd·u`.
#[target_feature(enable = "avx512ifma")]
fn root_of_quotient(numerator: &Fp2, denominator: &Fp2, z: &Fp2) -> (Fp2, Mask) {
    let product = numerator.mul(&denominator.conjugate().carried());
    let norm = product.norm();
    let norm_root = norm.mul(&norm.root_candidate());
    let square = norm_root.square().equals(&norm);
    let norm_root = norm_root.select(square, &norm_root.mul(&G2.root()));
    let product = product.select(square, &product.mul(z));
    let (plus, minus) = (product.c0.add(&norm_root), product.c0.sub(&norm_root));
    let above = minus.select(plus.is_zero(), &plus).carried();
    let below = denominator.norm().double().carried();
    let candidate = above.mul(&below.square().mul(&below)).root_candidate().mul(&below);
    let (real, imaginary) = (above.mul(&candidate), product.c1.mul(&candidate));
    let direct = real.mul(&candidate.mul(&below)).equals(&Fp::one());
    let turned = Fp2 { c0: imaginary, c1: Fp::zero().sub_tiny(&real).carried() };
    (Fp2 { c0: real, c1: imaginary }.select(direct, &turned), square)
}

/// The simplified map of Shallue, van de Woestijne and Ulas (RFC 9380, section 6.6.2), to the isogenous curve
/// `y² = x³ + 240u·x + 1012(1 + u)`.
#[target_feature(enable = "avx512ifma")]
pub(super) fn simplified(u: &Fp2) -> Jacobian {
    let [a, b] = G2.simple();
    let negative_a = Fp2 { c0: a.c0, c1: Fp::zero().sub_tiny(&a.c1).carried() };
    let negative_z = Fp2 { c0: Fp::one().double().carried(), c1: Fp::one() };
    let z = Fp2::zero().sub_tiny(&negative_z).carried();
    let scaled = u.square().mul(&z);
    let sum = scaled.square().add(&scaled).carried();
    // x = n/d with n = B'(s + 1) and d = −A's, or A'Z where s = 0.
    let zero = sum.is_zero();
    let numerator = b.mul(&sum.add(&Fp2::one()).carried());
    let denominator = negative_a.mul(&negative_z.select(zero, &sum));
    let denominator_squared = denominator.square();
    let denominator_cubed = denominator_squared.mul(&denominator);
    // g(x) = (n(n² + A'd²) + B'd³) / d³.
    let inner = numerator.square().add(&a.mul(&denominator_squared)).carried();
    let value = Fp2::product_sum((&numerator, &inner), (&b, &denominator_cubed));
    let (root, square) = root_of_quotient(&value, &denominator_cubed, &z);
    // Otherwise g(Zu²x) = Z³u⁶·g(x) is a square, and Zu³ times the root of Z·g(x) is its root.
    let y = root.select(square, &root.mul(&scaled.mul(u)));
    let numerator = numerator.select(square, &scaled.mul(&numerator));
    let y = y.negate_where(sign(u) ^ sign(&y)).carried();
    Jacobian { x: numerator.mul(&denominator), y: y.mul(&denominator_cubed), z: denominator }
}

/// The isogeny to G2's curve. Points of its kernel go to `Z = 0`.
#[target_feature(enable = "avx512ifma")]
pub(super) fn isogeny(point: &Affine) -> Jacobian {
    let [x, y] = G2.isogeny(&point.x);
    let six = Fp::one().times_four().add(&Fp::one().double()).carried();
    let kernel = Fp2 { c0: point.x.c0.add(&six), c1: point.x.c1.sub(&six) };
    Jacobian { x, y: y.mul(&point.y), z: kernel.lowered() }
}
