//! The fast endomorphisms, and membership of the prime-order subgroups by them.
//!
//! - On G1, `φ(x, y) = (βx, y)` with `β` a cube root of one. On the subgroup it is multiplication by `−z²`, and
//!   only there: a point is in it exactly when `φ(P) = −z²P` (Scott, eprint 2021/1130, section 6). Two chains of 63
//!   doublings.
//! - On G2, `ψ`, the Frobenius map seen through the twist: `ψ(x, y) = (cₓx̄, c_yȳ)`. On the subgroup, and only there, it
//!   is multiplication by `z` (section 4). One chain.
//!
//! The chains use Jacobian additions that are not complete. For a point of the subgroup none of their cases
//! arises: the summands are `P` and `kP` with `1 < k < r − 1`. A point for which one does has another order, and ends
//! in `Z = 0`, which no comparison accepts.
#![allow(unsafe_code, reason = "the constants are computed by a C library")]

use super::curve::{g1, g2};
use super::fp::{Element, Fp};
use super::fp2::Fp2;
use super::{Mask, PARAMETER};
use ::blst as ffi;
use ::blst::{blst_fp, blst_fp2, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};
use std::sync::LazyLock;

const PARAMETER_BITS: usize = 64;

/// `β`, by its action on the generator.
static BETA: LazyLock<blst_fp> = LazyLock::new(|| {
    let square = u128::from(PARAMETER).pow(2).to_le_bytes();
    let (mut multiple, mut affine) = (blst_p1::default(), blst_p1_affine::default());
    let mut beta = blst_fp::default();
    // SAFETY: the generators are constants of the library; 128 bits of a scalar are read; every other pointer is to
    // a value that lives here.
    unsafe {
        let generator = &*ffi::blst_p1_affine_generator();
        ffi::blst_p1_mult(&mut multiple, ffi::blst_p1_generator(), square.as_ptr(), 2 * PARAMETER_BITS);
        ffi::blst_p1_to_affine(&mut affine, &multiple);
        ffi::blst_fp_eucl_inverse(&mut beta, &generator.x);
        ffi::blst_fp_mul(&raw mut beta, &raw const beta, &affine.x);
    }
    beta
});

/// `cₓ` and `c_y`, by their action on the generator: `(cₓx̄, c_yȳ) = −|z|(x, y)`.
static PSI: LazyLock<[blst_fp2; 2]> = LazyLock::new(|| {
    let parameter = PARAMETER.to_le_bytes();
    let (mut multiple, mut affine) = (blst_p2::default(), blst_p2_affine::default());
    // SAFETY: as above, with 64 bits.
    let generator = unsafe {
        ffi::blst_p2_mult(&mut multiple, ffi::blst_p2_generator(), parameter.as_ptr(), PARAMETER_BITS);
        ffi::blst_p2_to_affine(&mut affine, &multiple);
        ffi::blst_fp2_cneg(&raw mut affine.y, &raw const affine.y, true);
        *ffi::blst_p2_affine_generator()
    };
    [(generator.x, affine.x), (generator.y, affine.y)].map(|(mut coordinate, image)| {
        let mut constant = blst_fp2::default();
        // SAFETY: every pointer is to a value that lives here, and the library allows results to be operands.
        unsafe {
            ffi::blst_fp_cneg(&raw mut coordinate.fp[1], &raw const coordinate.fp[1], true);
            ffi::blst_fp2_eucl_inverse(&mut constant, &coordinate);
            ffi::blst_fp2_mul(&raw mut constant, &raw const constant, &image);
        }
        constant
    })
});

/// The same, as memory holds them for the lanes.
static BETA_ELEMENT: LazyLock<Element> = LazyLock::new(|| {
    // SAFETY: only code that needs the processor to have IFMA comes here.
    unsafe { Element::from_blst(&BETA) }
});
static PSI_ELEMENTS: LazyLock<[[Element; 2]; 2]> = LazyLock::new(|| {
    // SAFETY: only code that needs the processor to have IFMA comes here.
    PSI.map(|constant| constant.fp.map(|coefficient| unsafe { Element::from_blst(&coefficient) }))
});

impl g1::Affine {
    /// `φ` of the point: `−z²` times it, in the subgroup.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn endomorphism(&self) -> Self {
        Self { x: self.x.mul(&Fp::splat(&BETA_ELEMENT)), y: self.y }
    }

    /// Which points lie in the subgroup.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn in_subgroup(&self) -> Mask {
        let multiple = self.times_parameter().times_parameter();
        multiple.is_opposite(&self.endomorphism())
    }
}

impl g2::Affine {
    /// `ψ` of the point: `z` times it, in the subgroup.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn endomorphism(&self) -> Self {
        let [x, y] = psi();
        // Not `conjugate`: a coordinate may be a difference.
        let conjugate = |element: &Fp2| Fp2 { c0: element.c0, c1: Fp::zero().sub_large(&element.c1).carried() };
        Self { x: conjugate(&self.x).mul(&x), y: conjugate(&self.y).mul(&y) }
    }

    /// Which points lie in the subgroup.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn in_subgroup(&self) -> Mask {
        self.times_parameter().is_opposite(&self.endomorphism())
    }
}

impl g1::Jacobian {
    /// A point of the subgroup, by multiplying with `1 − z` (RFC 9380, section 8.8.1).
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn cleared(&self) -> Self {
        self.times_parameter().add(self)
    }
}

impl g2::Jacobian {
    /// `ψ` of the point.
    #[target_feature(enable = "avx512ifma")]
    fn endomorphism(&self) -> Self {
        let [x, y] = psi();
        let conjugate = |element: &Fp2| Fp2 { c0: element.c0, c1: Fp::zero().sub_middle(&element.c1).carried() };
        Self { x: conjugate(&self.x).mul(&x), y: conjugate(&self.y).mul(&y), z: self.z.conjugate().lowered() }
    }

    /// A point of the subgroup: `(z² − z − 1)P + (z − 1)ψ(P) + ψ²(2P)` (Budroni and Pintore, eprint 2017/419).
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn cleared(&self) -> Self {
        // z is negative: this is −zP.
        let (opposite, image) = (self.times_parameter(), self.endomorphism());
        let twice = self.double().endomorphism().endomorphism();
        let product = opposite.negated().add(&image).times_parameter().negated();
        let sum = twice.add(&image.negated()).add(&product);
        sum.add(&opposite).add(&self.negated())
    }
}

/// `cₓ` and `c_y` in every lane.
#[target_feature(enable = "avx512ifma")]
fn psi() -> [Fp2; 2] {
    let [x, y] = &*PSI_ELEMENTS;
    let splat = |[c0, c1]: &[Element; 2]| Fp2 { c0: Fp::splat(c0), c1: Fp::splat(c1) };
    [splat(x), splat(y)]
}

#[cfg(test)]
mod tests;
