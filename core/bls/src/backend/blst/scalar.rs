//! Arithmetic modulo the group's order, on blst.
#![allow(unsafe_code, reason = "blst is a C library; what its functions need is said in the parent module")]

use crate::scalar::{SCALAR_BYTES, Scalar};
use crate::secret::SecretKey;
use ::blst as ffi;
use ::blst::{blst_fr, blst_scalar};

/// Little-endian limbs, which must be below the group's order.
pub(crate) fn fr_from_limbs(limbs: &[u64; 4]) -> Scalar {
    let mut value = blst_fr::default();
    // SAFETY: reads four limbs of an array of four and writes one value.
    unsafe { ffi::blst_fr_from_uint64(&mut value, limbs.as_ptr()) };
    Scalar(value)
}

/// Big-endian bytes of any length, reduced.
pub(crate) fn fr_from_wide(bytes: &[u8]) -> Scalar {
    let mut scalar = blst_scalar::default();
    let mut value = blst_fr::default();
    // SAFETY: reads the slice within its length, then one scalar, and writes one of each. Whether the
    // result is zero, which the first call returns, does not matter here.
    unsafe {
        ffi::blst_scalar_from_be_bytes(&mut scalar, bytes.as_ptr(), bytes.len());
        ffi::blst_fr_from_scalar(&mut value, &scalar);
    }
    Scalar(value)
}

/// Big-endian bytes; `None` when not below the group's order.
pub(crate) fn fr_from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Option<Scalar> {
    let mut scalar = blst_scalar::default();
    let mut value = blst_fr::default();
    // SAFETY: reads 32 bytes of an array of 32, then one scalar, and writes one of each.
    unsafe {
        ffi::blst_scalar_from_bendian(&mut scalar, bytes.as_ptr());
        if !ffi::blst_scalar_fr_check(&scalar) {
            return None;
        }
        ffi::blst_fr_from_scalar(&mut value, &scalar);
    }
    Some(Scalar(value))
}

pub(crate) fn fr_to_le_bytes(value: &Scalar) -> [u8; SCALAR_BYTES] {
    let mut scalar = blst_scalar::default();
    // SAFETY: reads one value and writes one scalar.
    unsafe { ffi::blst_scalar_from_fr(&mut scalar, &value.0) };
    scalar.b
}

macro_rules! scalar_operation {
    ($name:ident, $function:ident) => {
        pub(crate) fn $name(left: &Scalar, right: &Scalar) -> Scalar {
            let mut value = blst_fr::default();
            // SAFETY: reads two values and writes one.
            unsafe { ffi::$function(&mut value, &left.0, &right.0) };
            Scalar(value)
        }
    };
}

scalar_operation!(fr_add, blst_fr_add);
scalar_operation!(fr_sub, blst_fr_sub);
scalar_operation!(fr_mul, blst_fr_mul);

/// The inverse of a value other than zero. Not constant time.
pub(crate) fn fr_inverse(value: &Scalar) -> Scalar {
    let mut inverse = blst_fr::default();
    // SAFETY: reads one value and writes one.
    unsafe { ffi::blst_fr_eucl_inverse(&mut inverse, &value.0) };
    Scalar(inverse)
}

/// Big-endian bytes; `None` of zero and of numbers not below the group's order.
pub(crate) fn secret_from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Option<SecretKey> {
    let mut scalar = blst_scalar::default();
    // SAFETY: reads 32 bytes of an array of 32 and writes one scalar, then reads that.
    let valid = unsafe {
        ffi::blst_scalar_from_bendian(&mut scalar, bytes.as_ptr());
        ffi::blst_sk_check(&scalar)
    };
    valid.then_some(SecretKey(scalar))
}
