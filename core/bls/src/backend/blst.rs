//! The blst backend: the oracle that every other one is compared with.
//!
//! All of `unsafe` in this crate. blst's functions take pointers to plain-data structs of fixed size,
//! read their inputs, write their outputs and keep neither; outputs may be uninitialised before. So what a
//! call needs is that every pointer comes from a live reference or slice of the length that the function
//! reads, and that is what each `SAFETY` comment says.
#![allow(unsafe_code, reason = "blst is a C library")]

mod field;
mod pairing;
mod scalar;
mod sum;

pub(crate) use field::Elements;
pub(crate) use pairing::{
    check_once, check_pair, check_prepared, easy_part, g2_lines, miller_product, product_is_one, target_product,
};
pub(crate) use scalar::{
    fr_add, fr_from_bytes, fr_from_limbs, fr_from_wide, fr_inverse, fr_mul, fr_sub, fr_to_le_bytes, secret_from_bytes,
};
#[cfg(test)]
pub(crate) use sum::g2_negate;
pub(crate) use sum::{g1_hash_scaled, g1_negate, g1_scale, g1_sum, g2_sum};

use crate::error::BlsError;
use crate::point::{G1, G1_BYTES, G2, G2_BYTES, Subgroup};
use crate::secret::SecretKey;
use ::blst as ffi;
use ::blst::{BLST_ERROR, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};
use core::ptr;

// Decoding and encoding.

fn peer_error(code: BLST_ERROR) -> BlsError {
    match code {
        BLST_ERROR::BLST_POINT_NOT_ON_CURVE => BlsError::PeerNotOnCurve,
        BLST_ERROR::BLST_POINT_NOT_IN_GROUP => BlsError::PeerNotInSubgroup,
        _ => BlsError::PeerEncoding,
    }
}

pub(crate) fn g1_decode(bytes: &[u8], subgroup: Subgroup) -> Result<G1, BlsError> {
    let bytes: &[u8; G1_BYTES] =
        bytes.try_into().map_err(|_| BlsError::PeerLength { expected: G1_BYTES, actual: bytes.len() })?;
    let mut point = blst_p1_affine::default();
    // SAFETY: reads 48 bytes of an array of 48 and writes one point.
    let code = unsafe { ffi::blst_p1_uncompress(&mut point, bytes.as_ptr()) };
    if code != BLST_ERROR::BLST_SUCCESS {
        return Err(peer_error(code));
    }
    // SAFETY: reads one point.
    if unsafe { ffi::blst_p1_affine_is_inf(&point) } {
        return Err(BlsError::PeerInfinity);
    }
    let point = G1(point);
    if subgroup == Subgroup::Checked && !g1_in_subgroup(&point) {
        return Err(BlsError::PeerNotInSubgroup);
    }
    Ok(point)
}

pub(crate) fn g2_decode(bytes: &[u8], subgroup: Subgroup) -> Result<G2, BlsError> {
    let bytes: &[u8; G2_BYTES] =
        bytes.try_into().map_err(|_| BlsError::PeerLength { expected: G2_BYTES, actual: bytes.len() })?;
    let mut point = blst_p2_affine::default();
    // SAFETY: reads 96 bytes of an array of 96 and writes one point.
    let code = unsafe { ffi::blst_p2_uncompress(&mut point, bytes.as_ptr()) };
    if code != BLST_ERROR::BLST_SUCCESS {
        return Err(peer_error(code));
    }
    // SAFETY: reads one point.
    if unsafe { ffi::blst_p2_affine_is_inf(&point) } {
        return Err(BlsError::PeerInfinity);
    }
    let point = G2(point);
    if subgroup == Subgroup::Checked && !g2_in_subgroup(&point) {
        return Err(BlsError::PeerNotInSubgroup);
    }
    Ok(point)
}

pub(crate) fn g1_in_subgroup(point: &G1) -> bool {
    // SAFETY: reads one point.
    unsafe { ffi::blst_p1_affine_in_g1(&point.0) }
}

pub(crate) fn g2_in_subgroup(point: &G2) -> bool {
    // SAFETY: reads one point.
    unsafe { ffi::blst_p2_affine_in_g2(&point.0) }
}

pub(crate) fn g1_compress(point: &G1) -> [u8; G1_BYTES] {
    let mut bytes = [0; G1_BYTES];
    // SAFETY: reads one point and writes 48 bytes into an array of 48.
    unsafe { ffi::blst_p1_affine_compress(bytes.as_mut_ptr(), &point.0) };
    bytes
}

pub(crate) fn g2_compress(point: &G2) -> [u8; G2_BYTES] {
    let mut bytes = [0; G2_BYTES];
    // SAFETY: reads one point and writes 96 bytes into an array of 96.
    unsafe { ffi::blst_p2_affine_compress(bytes.as_mut_ptr(), &point.0) };
    bytes
}

/// The generator of G1.
pub(crate) fn g1_generator() -> G1 {
    // SAFETY: the library returns a pointer to a constant of its own, alive for ever.
    G1(unsafe { *ffi::blst_p1_affine_generator() })
}

/// The generator of G2.
pub(crate) fn g2_generator() -> G2 {
    // SAFETY: the library returns a pointer to a constant of its own, alive for ever.
    G2(unsafe { *ffi::blst_p2_affine_generator() })
}

/// The affine form; `None` of infinity.
pub(crate) fn g1_affine(point: &blst_p1) -> Option<G1> {
    let mut affine = blst_p1_affine::default();
    // SAFETY: reads one point.
    if unsafe { ffi::blst_p1_is_inf(point) } {
        return None;
    }
    // SAFETY: reads one point and writes one.
    unsafe { ffi::blst_p1_to_affine(&mut affine, point) };
    Some(G1(affine))
}

/// The affine form; `None` of infinity.
pub(crate) fn g2_affine(point: &blst_p2) -> Option<G2> {
    let mut affine = blst_p2_affine::default();
    // SAFETY: reads one point.
    if unsafe { ffi::blst_p2_is_inf(point) } {
        return None;
    }
    // SAFETY: reads one point and writes one.
    unsafe { ffi::blst_p2_to_affine(&mut affine, point) };
    Some(G2(affine))
}

// Hashing and signing.

fn g1_hash_projective(message: &[u8], dst: &[u8]) -> blst_p1 {
    let mut point = blst_p1::default();
    // SAFETY: reads both slices within their lengths and no augmentation (null, 0), and writes one point.
    unsafe {
        ffi::blst_hash_to_g1(&mut point, message.as_ptr(), message.len(), dst.as_ptr(), dst.len(), ptr::null(), 0);
    }
    point
}

pub(crate) fn g1_hash(message: &[u8], dst: &[u8]) -> G1 {
    g1_affine(&g1_hash_projective(message, dst)).expect("nobody knows a message that hashes to infinity")
}

fn g2_hash_projective(message: &[u8], dst: &[u8]) -> blst_p2 {
    let mut point = blst_p2::default();
    // SAFETY: reads both slices within their lengths and no augmentation (null, 0), and writes one point.
    unsafe {
        ffi::blst_hash_to_g2(&mut point, message.as_ptr(), message.len(), dst.as_ptr(), dst.len(), ptr::null(), 0);
    }
    point
}

pub(crate) fn g2_hash(message: &[u8], dst: &[u8]) -> G2 {
    g2_affine(&g2_hash_projective(message, dst)).expect("nobody knows a message that hashes to infinity")
}

/// Hashes many, with one inversion for all of them.
pub(crate) fn g1_hash_all(messages: &[&[u8]], dst: &[u8]) -> Vec<G1> {
    let points: Vec<_> = messages.iter().map(|message| g1_hash_projective(message, dst)).collect();
    let affine = sum::g1_affine_all(&points).into_iter();
    affine.map(|point| point.expect("nobody knows a message that hashes to infinity")).collect()
}

/// Constant time in the secret.
pub(crate) fn g1_sign(secret: &SecretKey, message: &[u8], dst: &[u8]) -> G1 {
    let hash = g1_hash_projective(message, dst);
    let mut signature = blst_p1_affine::default();
    // SAFETY: no serialized output is asked for (null); reads one point and one scalar, writes one point.
    unsafe { ffi::blst_sign_pk2_in_g2(ptr::null_mut(), &mut signature, &hash, &secret.0) };
    G1(signature)
}

/// Constant time in the secret.
pub(crate) fn g2_public_key(secret: &SecretKey) -> G2 {
    let mut key = blst_p2_affine::default();
    // SAFETY: no serialized output is asked for (null); reads one scalar and writes one point.
    unsafe { ffi::blst_sk_to_pk2_in_g2(ptr::null_mut(), &mut key, &secret.0) };
    G2(key)
}

/// Hashes many, with one inversion for all of them.
pub(crate) fn g2_hash_all(messages: &[&[u8]], dst: &[u8]) -> Vec<G2> {
    let points: Vec<_> = messages.iter().map(|message| g2_hash_projective(message, dst)).collect();
    let affine = sum::g2_affine_all(&points).into_iter();
    affine.map(|point| point.expect("nobody knows a message that hashes to infinity")).collect()
}

/// Constant time in the secret.
pub(crate) fn g2_sign(secret: &SecretKey, message: &[u8], dst: &[u8]) -> G2 {
    let hash = g2_hash_projective(message, dst);
    let mut signature = blst_p2_affine::default();
    // SAFETY: no serialized output is asked for (null); reads one point and one scalar, writes one point.
    unsafe { ffi::blst_sign_pk2_in_g1(ptr::null_mut(), &mut signature, &hash, &secret.0) };
    G2(signature)
}

/// Constant time in the secret.
pub(crate) fn g1_public_key(secret: &SecretKey) -> G1 {
    let mut key = blst_p1_affine::default();
    // SAFETY: no serialized output is asked for (null); reads one scalar and writes one point.
    unsafe { ffi::blst_sk_to_pk2_in_g1(ptr::null_mut(), &mut key, &secret.0) };
    G1(key)
}

#[cfg(test)]
mod tests;
