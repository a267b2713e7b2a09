//! The blst backend: the oracle that every other one is compared with.
//!
//! All of `unsafe` in this crate. blst's functions take pointers to plain-data structs of fixed size,
//! read their inputs, write their outputs and keep neither; outputs may be uninitialised before. So what a
//! call needs is that every pointer comes from a live reference or slice of the length that the function
//! reads, and that is what each `SAFETY` comment says.
#![allow(unsafe_code, reason = "blst is a C library")]

use crate::error::BlsError;
use crate::point::{G1, G1_BYTES, G2, G2_BYTES, LINES, PreparedG2, Subgroup};
use crate::scalar::{SCALAR_BYTES, Scalar};
use crate::secret::SecretKey;
use crate::weights::Weights;
use ::blst as ffi;
use ::blst::{BLST_ERROR, blst_fp6, blst_fp12, blst_fr, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine, blst_scalar};
use core::ptr;
use std::sync::LazyLock;

/// Below this many bit-additions (points × bits), plain double-and-add beats the set-up of a windowed
/// sum. Unit: points × bits.
const DOUBLE_AND_ADD_MAX: usize = 96;

/// The lines of G2's generator, with which every signature is paired.
static GENERATOR_LINES: LazyLock<Box<[blst_fp6; LINES]>> = LazyLock::new(|| {
    // SAFETY: the library returns a pointer to a constant of its own, alive for ever.
    let generator = unsafe { *ffi::blst_p2_affine_generator() };
    g2_lines(&G2(generator))
});

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
    // SAFETY: reads one point.
    if subgroup == Subgroup::Checked && !unsafe { ffi::blst_p2_affine_in_g2(&point) } {
        return Err(BlsError::PeerNotInSubgroup);
    }
    Ok(G2(point))
}

pub(crate) fn g1_in_subgroup(point: &G1) -> bool {
    // SAFETY: reads one point.
    unsafe { ffi::blst_p1_affine_in_g1(&point.0) }
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

/// The affine form; `None` of infinity.
fn g1_affine(point: &blst_p1) -> Option<G1> {
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
fn g2_affine(point: &blst_p2) -> Option<G2> {
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

// Weighted sums.

/// The two groups have the same functions under two names each.
macro_rules! weighted_sum {
    ($name:ident, $point:ident, $projective:ident, $to_affine:ident, $double:ident, $add:ident, $negate:ident,
     $pippenger:ident, $scratch:ident, $doc:literal) => {
        #[doc = $doc]
        pub(crate) fn $name(points: &[$point], weights: &Weights) -> Option<$point> {
            let signed: Vec<$point> = points
                .iter()
                .zip(&weights.negative)
                .map(|(point, negative)| if *negative { $negate(point) } else { *point })
                .collect();
            if signed.is_empty() {
                return None;
            }
            let mut sum = $projective::default();
            if signed.len() * weights.bits <= DOUBLE_AND_ADD_MAX {
                for bit in (0..weights.bits).rev() {
                    // SAFETY: reads one point and writes one; the library allows them to be the same.
                    unsafe { ffi::$double(&raw mut sum, &raw const sum) };
                    for (index, point) in signed.iter().enumerate() {
                        if weights.bit(index, bit) {
                            // SAFETY: reads two points and writes one, which may be the first; complete:
                            // equal points and infinity included.
                            unsafe { ffi::$add(&raw mut sum, &raw const sum, &point.0) };
                        }
                    }
                }
                return $to_affine(&sum);
            }
            // SAFETY: takes a count and returns a size.
            let scratch_bytes = unsafe { ffi::$scratch(signed.len()) };
            let mut scratch = vec![0_u64; scratch_bytes.div_ceil(size_of::<u64>())];
            let point_rows = [ptr::from_ref(&signed[0].0), ptr::null()];
            let weight_rows = [weights.magnitudes.as_ptr(), ptr::null()];
            // SAFETY: a null second row means that the rows follow the first contiguously: `signed` is a
            // slice of that many one-field points, `magnitudes` holds ⌈bits/8⌉ bytes for each, and the
            // scratch space has the size asked for.
            unsafe {
                ffi::$pippenger(
                    &mut sum,
                    point_rows.as_ptr(),
                    signed.len(),
                    weight_rows.as_ptr(),
                    weights.bits,
                    scratch.as_mut_ptr(),
                );
            }
            $to_affine(&sum)
        }
    };
}

weighted_sum!(
    g1_sum,
    G1,
    blst_p1,
    g1_affine,
    blst_p1_double,
    blst_p1_add_or_double_affine,
    g1_negate,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof,
    "`Σ wᵢPᵢ` in G1; `None` when that is infinity."
);
weighted_sum!(
    g2_sum,
    G2,
    blst_p2,
    g2_affine,
    blst_p2_double,
    blst_p2_add_or_double_affine,
    g2_negate,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof,
    "`Σ wᵢPᵢ` in G2; `None` when that is infinity."
);

fn g1_negate(point: &G1) -> G1 {
    let mut negated = *point;
    // SAFETY: reads one coordinate and writes one; the library allows them to be the same.
    unsafe { ffi::blst_fp_cneg(&mut negated.0.y, &point.0.y, true) };
    negated
}

fn g2_negate(point: &G2) -> G2 {
    let mut negated = *point;
    // SAFETY: reads one coordinate and writes one; the library allows them to be the same.
    unsafe { ffi::blst_fp2_cneg(&mut negated.0.y, &point.0.y, true) };
    negated
}

// Pairings.

pub(crate) fn g2_lines(point: &G2) -> Box<[blst_fp6; LINES]> {
    let mut lines = Box::new([blst_fp6::default(); LINES]);
    // SAFETY: reads one point and writes 68 lines into an array of 68.
    unsafe { ffi::blst_precompute_lines(lines.as_mut_ptr(), &point.0) };
    lines
}

fn miller_lines(lines: &[blst_fp6; LINES], point: &G1) -> blst_fp12 {
    let mut value = blst_fp12::default();
    // SAFETY: reads 68 lines of an array of 68 and one point, and writes one value.
    unsafe { ffi::blst_miller_loop_lines(&mut value, lines.as_ptr(), &point.0) };
    value
}

fn equal_in_target(left: &blst_fp12, right: &blst_fp12) -> bool {
    // SAFETY: reads two values.
    unsafe { ffi::blst_fp12_finalverify(left, right) }
}

/// `e(left, g₂) = e(right, key)`.
pub(crate) fn check_prepared(key: &PreparedG2, left: &G1, right: &G1) -> bool {
    equal_in_target(&miller_lines(&GENERATOR_LINES, left), &miller_lines(&key.lines, right))
}

/// As `check_prepared`, under a key used once.
pub(crate) fn check_once(key: &G2, left: &G1, right: &G1) -> bool {
    let mut value = blst_fp12::default();
    // SAFETY: reads two points and writes one value.
    unsafe { ffi::blst_miller_loop(&mut value, &key.0, &right.0) };
    equal_in_target(&miller_lines(&GENERATOR_LINES, left), &value)
}

// Scalars.

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
