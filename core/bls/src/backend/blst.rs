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
use ::blst::{
    BLST_ERROR, blst_fp, blst_fp6, blst_fp12, blst_fr, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine, blst_scalar,
};
use core::ptr;
use std::sync::LazyLock;

/// Up to this length of the weights, double-and-add beats the tables of a windowed sum; from
/// [`BUCKET_POINTS_MIN`] points on, where blst has buckets instead of tables, up to a quarter of it. Unit: bits.
const DOUBLE_AND_ADD_BITS_MAX: usize = 24;
/// From where on blst sums by buckets. Unit: points.
const BUCKET_POINTS_MIN: usize = 32;

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
     $from_affine:ident, $multiply:ident, $pippenger:ident, $scratch:ident, $doc:literal) => {
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
            if weights.bits <= double_and_add_bits_max(signed.len()) {
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
            if let [only] = signed.as_slice() {
                // By an endomorphism, so that a point outside the subgroup gives another point.
                // SAFETY: reads one point, writes one that may be the same, and reads the ⌈bits/8⌉ bytes
                // that there are of one magnitude.
                unsafe {
                    ffi::$from_affine(&raw mut sum, &only.0);
                    ffi::$multiply(&raw mut sum, &raw const sum, weights.magnitudes.as_ptr(), weights.bits);
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
    blst_p1_from_affine,
    blst_p1_mult,
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
    blst_p2_from_affine,
    blst_p2_mult,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof,
    "`Σ wᵢPᵢ` in G2; `None` when that is infinity."
);

fn double_and_add_bits_max(points: usize) -> usize {
    if points < BUCKET_POINTS_MIN { DOUBLE_AND_ADD_BITS_MAX } else { DOUBLE_AND_ADD_BITS_MAX / 4 }
}

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

/// After the first doubling, each 1 bit of the curve's parameter `|z| = 0xd201000000010000` is one addition;
/// between them lie this many doublings.
const DOUBLINGS: [usize; 5] = [2, 3, 9, 32, 16];

/// The product of two Miller loops over fixed points. As two calls of `blst_miller_loop_lines`, but the
/// squarings in the target field, a third of the work, are shared (bench `certificates/1` in
/// `benches/benches/threshold.rs`).
fn miller_lines_product(pairs: [(&[blst_fp6; LINES], &G1); 2]) -> blst_fp12 {
    let points = pairs.map(|(_, point)| line_factors(point));
    let mut value = one_in_target();
    let mut next = 0;
    let mut multiply = |value: &mut blst_fp12| {
        for ((lines, _), (x, y)) in pairs.iter().zip(&points) {
            let line = line_at(&lines[next], x, y);
            // SAFETY: reads one value and one line and writes one value, which may be the same.
            unsafe { ffi::blst_fp12_mul_by_xy00z0(&raw mut *value, &raw const *value, &line) };
        }
        next += 1;
    };
    multiply(&mut value);
    for doublings in DOUBLINGS {
        multiply(&mut value);
        for _ in 0..doublings {
            // SAFETY: reads one value and writes one, which may be the same.
            unsafe { ffi::blst_fp12_sqr(&raw mut value, &raw const value) };
            multiply(&mut value);
        }
    }
    // SAFETY: reads and writes one value. The parameter is negative.
    unsafe { ffi::blst_fp12_conjugate(&raw mut value) };
    value
}

/// `(−2x, 2y)`: what the library's lines are to be scaled by.
fn line_factors(point: &G1) -> (blst_fp, blst_fp) {
    let (mut x, mut y) = (blst_fp::default(), blst_fp::default());
    // SAFETY: each reads one or two coordinates and writes one, which may be the same.
    unsafe {
        ffi::blst_fp_add(&raw mut x, &point.0.x, &point.0.x);
        ffi::blst_fp_cneg(&raw mut x, &raw const x, true);
        ffi::blst_fp_add(&raw mut y, &point.0.y, &point.0.y);
    }
    (x, y)
}

/// A line of a Miller loop evaluated at a point, given by its `line_factors`.
fn line_at(line: &blst_fp6, x: &blst_fp, y: &blst_fp) -> blst_fp6 {
    let mut value = *line;
    for (coefficient, factor) in [(1, x), (2, y)] {
        for part in 0..2 {
            // SAFETY: reads two field elements and writes one.
            unsafe {
                ffi::blst_fp_mul(&raw mut value.fp2[coefficient].fp[part], &line.fp2[coefficient].fp[part], factor);
            }
        }
    }
    value
}

fn one_in_target() -> blst_fp12 {
    // SAFETY: the library returns a pointer to a constant of its own, alive for ever.
    unsafe { *ffi::blst_fp12_one() }
}

/// `e(left, g₂) = e(right, key)`.
pub(crate) fn check_prepared(key: &PreparedG2, left: &G1, right: &G1) -> bool {
    let product = miller_lines_product([(&GENERATOR_LINES, &g1_negate(left)), (&key.lines, right)]);
    let mut value = blst_fp12::default();
    // SAFETY: reads one value and writes another; then reads that.
    unsafe {
        ffi::blst_final_exp(&mut value, &product);
        ffi::blst_fp12_is_one(&value)
    }
}

/// As `check_prepared`, under a key used once.
pub(crate) fn check_once(key: &G2, left: &G1, right: &G1) -> bool {
    let mut value = blst_fp12::default();
    // SAFETY: reads two points and writes one value, then reads two values.
    unsafe {
        ffi::blst_miller_loop(&mut value, &key.0, &right.0);
        ffi::blst_fp12_finalverify(&miller_lines(&GENERATOR_LINES, left), &value)
    }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::point::Point;
    use crate::{Backend, MinSig, Variant};
    use ::blst::min_sig;
    use proptest::prelude::*;
    use rand_chacha::ChaCha12Rng;
    use rand_chacha::rand_core::SeedableRng;

    const DST: &[u8] = MinSig::DST.as_bytes();

    fn secret(seed: u64) -> SecretKey {
        let scalar = Scalar::random(&mut ChaCha12Rng::seed_from_u64(seed));
        SecretKey::from_scalar(&scalar).expect("not zero")
    }

    fn g1_generator() -> G1 {
        // SAFETY: the library returns a pointer to a constant of its own.
        G1(unsafe { *ffi::blst_p1_affine_generator() })
    }

    fn g2_generator() -> G2 {
        // SAFETY: the library returns a pointer to a constant of its own.
        G2(unsafe { *ffi::blst_p2_affine_generator() })
    }

    #[test]
    fn hashes_to_the_curve_as_rfc_9380_says() {
        // J.9.1 of the RFC, the empty message and "abc".
        let dst = b"QUUX-V01-CS02-with-BLS12381G1_XMD:SHA-256_SSWU_RO_";
        let x = |message: &[u8]| {
            let mut bytes = g1_hash(message, dst).to_compressed();
            bytes[0] &= 0x1f;
            bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>()
        };
        assert_eq!(
            x(b""),
            "052926add2207b76ca4fa57a8734416c8dc95e24501772c814278700eed6d1e4e8cf62d9c09db0fac349612b759e79a1"
        );
        assert_eq!(
            x(b"abc"),
            "03567bc5ef9c690c2ab2ecdf6a96ef1c139cc0b2f284dca0a9a7943388a49a3aee664ba5379a7655d3c68900be2f6903"
        );
    }

    #[test]
    fn signs_and_checks_as_the_library_does() {
        for seed in 0..4 {
            let (ours, message) = (secret(seed), [seed.to_le_bytes(); 4].concat());
            let theirs = min_sig::SecretKey::from_bytes(ours.to_bytes().as_slice()).unwrap();
            let signature = g1_sign(&ours, &message, DST);
            let key = g2_public_key(&ours);
            assert_eq!(signature.to_compressed(), theirs.sign(&message, DST, &[]).compress());
            assert_eq!(key.to_compressed(), theirs.sk_to_pk().compress());
            let hash = g1_hash(&message, DST);
            assert!(check_prepared(&PreparedG2::new(&key), &signature, &hash) && check_once(&key, &signature, &hash));
            for (left, right) in [(&hash, &signature), (&signature, &signature), (&g1_negate(&signature), &hash)] {
                assert!(!check_prepared(&PreparedG2::new(&key), left, right));
                assert!(!check_once(&key, left, right));
            }
        }
    }

    #[test]
    fn a_fused_miller_loop_is_the_product_of_two() {
        let (left, right) = (g1_hash(b"left", DST), g1_hash(b"right", DST));
        let (key, other) = (g2_public_key(&secret(1)), g2_public_key(&secret(2)));
        let (key, other) = (g2_lines(&key), g2_lines(&other));
        let mut product = blst_fp12::default();
        // SAFETY: reads two values and writes one.
        unsafe { ffi::blst_fp12_mul(&mut product, &miller_lines(&key, &left), &miller_lines(&other, &right)) };
        assert_eq!(miller_lines_product([(&key, &left), (&other, &right)]), product);
    }

    /// `Σ wᵢ·(kᵢG) = (Σ wᵢkᵢ)·G` for every way of summing that the sizes and lengths select.
    fn sums_are_linear(count: usize, bits: usize, seed: u64) {
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let keys: Vec<Scalar> = (0..count).map(|_| Scalar::random(&mut rng)).collect();
        let integers: Vec<(bool, [u64; 4])> = (0..count)
            .map(|index| {
                let bytes = fr_to_le_bytes(&Scalar::random(&mut rng));
                let mut limbs = [0; 4];
                for (limb, chunk) in limbs.iter_mut().zip(bytes.chunks(8)) {
                    *limb = u64::from_le_bytes(chunk.try_into().unwrap());
                }
                for bit in bits..256 {
                    limbs[bit / 64] &= !(1 << (bit % 64));
                }
                (index % 3 == 1, limbs)
            })
            .collect();
        let expected = keys.iter().zip(&integers).fold(Scalar::ZERO, |sum, (key, (negative, limbs))| {
            let product = *key * fr_from_limbs(limbs);
            if *negative { sum - product } else { sum + product }
        });
        let weights = Weights::from_integers(&integers);
        let expected = SecretKey::from_scalar(&expected).ok();
        let g1: Vec<G1> = keys
            .iter()
            .map(|key| g1_sum(&[g1_generator()], &Weights::from_scalars(&[*key])).expect("a random key"))
            .collect();
        let g2: Vec<G2> = keys.iter().map(|key| g2_public_key(&SecretKey::from_scalar(key).unwrap())).collect();
        assert_eq!(g2_sum(&g2, &weights), expected.as_ref().map(g2_public_key), "{count} points, {bits} bits");
        let in_g1 = expected.map(|key| Weights::from_scalars(&[Scalar::from_bytes(&key.to_bytes()).unwrap()]));
        let in_g1 = in_g1.and_then(|weights| g1_sum(&[g1_generator()], &weights));
        assert_eq!(g1_sum(&g1, &weights), in_g1, "{count} points, {bits} bits");
    }

    #[test]
    fn sums_of_every_shape_are_linear() {
        for (seed, count) in (0..).zip([1, 2, 3, 31, 32, 33, 130]) {
            for bits in [1, 2, 6, 7, 24, 25, 64, 130, 254] {
                sums_are_linear(count, bits, seed);
            }
        }
    }

    #[test]
    fn sums_that_cancel_are_infinity() {
        let point = g1_hash(b"point", DST);
        let weights =
            |bits: [u64; 2]| Weights::from_integers(&[(false, [bits[0], 0, 0, 0]), (true, [bits[1], 0, 0, 0])]);
        for weight in [1, 3, u64::MAX] {
            assert_eq!(g1_sum(&[point, point], &weights([weight, weight])), None);
            assert_eq!(g2_sum(&[g2_generator(), g2_generator()], &weights([weight, weight])), None);
            assert_eq!(g1_sum(&[point, point], &weights([weight, weight - 1])), Some(point));
        }
        assert_eq!(g1_sum(&[], &Weights::from_integers(&[])), None);
    }

    #[test]
    fn scalars_make_a_field() {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        for _ in 0..100 {
            let (a, b, c) = (Scalar::random(&mut rng), Scalar::random(&mut rng), Scalar::random(&mut rng));
            assert_eq!((a + b) * c, a * c + b * c);
            assert_eq!(a * b.inverse().unwrap() * b, a);
            assert_eq!(a - b, a + -b);
            assert_eq!(Scalar::from_bytes(&a.to_bytes()), Ok(a));
        }
        assert_eq!(Scalar::ZERO.inverse(), None);
        assert_eq!(Scalar::from(6) * Scalar::from(7), Scalar::from(42));
        let order = -Scalar::one();
        let mut bytes = order.to_bytes();
        assert_eq!(Scalar::from_bytes(&bytes), Ok(order));
        bytes[SCALAR_BYTES - 1] += 1;
        assert_eq!(Scalar::from_bytes(&bytes), Err(BlsError::PeerScalar));
        assert_eq!(Scalar::from_wide(&bytes), Scalar::ZERO);
    }

    #[test]
    fn secrets_are_not_zero_and_below_the_order() {
        assert!(matches!(SecretKey::from_bytes(&[0; 32]), Err(BlsError::PeerScalar)));
        assert!(matches!(SecretKey::from_bytes(&[0xff; 32]), Err(BlsError::PeerScalar)));
        assert!(matches!(SecretKey::from_scalar(&Scalar::ZERO), Err(BlsError::PeerScalar)));
        let key = secret(5);
        assert_eq!(SecretKey::from_bytes(&key.to_bytes()).unwrap().to_bytes(), key.to_bytes());
        assert_eq!(format!("{key:?}"), "SecretKey(…)");
    }

    /// A point of the curve outside the subgroup.
    fn outside(seed: u8) -> G1 {
        let mut bytes = [seed; G1_BYTES];
        (0..=u8::MAX)
            .find_map(|last| {
                bytes[0] = 0x80;
                bytes[G1_BYTES - 1] = last;
                g1_decode(&bytes, Subgroup::Skipped).ok()
            })
            .expect("half of all numbers are coordinates")
    }

    #[test]
    fn decoding_is_strict() {
        let good = g1_hash(b"message", DST).to_compressed();
        let with = |index: usize, byte: u8| {
            let mut bytes = good;
            bytes[index] = byte;
            g1_decode(&bytes, Subgroup::Checked)
        };
        assert!(with(0, good[0]).is_ok());
        assert_eq!(with(0, good[0] & 0x7f), Err(BlsError::PeerEncoding), "not marked as compressed");
        assert_eq!(with(0, good[0] | 0x40), Err(BlsError::PeerEncoding), "marked as infinity");
        assert_eq!(g1_decode(&good[1..], Subgroup::Checked), Err(BlsError::PeerLength { expected: 48, actual: 47 }));
        assert_eq!(g1_decode(&[0; 96], Subgroup::Checked), Err(BlsError::PeerLength { expected: 48, actual: 96 }));
        let mut infinity = [0; G1_BYTES];
        infinity[0] = 0xc0;
        assert_eq!(g1_decode(&infinity, Subgroup::Skipped), Err(BlsError::PeerInfinity));
        let outside = outside(3).to_compressed();
        assert!(g1_decode(&outside, Subgroup::Skipped).is_ok());
        assert_eq!(g1_decode(&outside, Subgroup::Checked), Err(BlsError::PeerNotInSubgroup));
        assert_eq!(g1_decode(&[0x9f; 48], Subgroup::Checked), Err(BlsError::PeerEncoding), "beyond the modulus");
        let zero = core::array::from_fn::<u8, 48, _>(|index| if index == 0 { 0x80 } else { 0 });
        assert!(g1_decode(&zero, Subgroup::Skipped).is_err(), "a point of order three");
        let off = (0..=u8::MAX).map(|byte| with(47, byte)).filter(|r| *r == Err(BlsError::PeerNotOnCurve)).count();
        assert!(off > 64, "about half of all coordinates are off the curve");
    }

    #[test]
    fn a_coordinate_has_one_encoding() {
        // The modulus, big-endian; adding it to a small coordinate keeps the value and changes the bytes.
        let modulus =
            "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
        let modulus: Vec<u8> =
            (0..48).map(|index| u8::from_str_radix(&modulus[2 * index..2 * index + 2], 16).unwrap()).collect();
        let mut bytes = [0_u8; G1_BYTES];
        let small = (1..=u8::MAX)
            .find(|last| {
                bytes[0] = 0x80;
                bytes[47] = *last;
                g1_decode(&bytes, Subgroup::Skipped).is_ok()
            })
            .unwrap();
        let mut carry = u16::from(small);
        for index in (0..48).rev() {
            carry += u16::from(modulus[index]);
            bytes[index] = carry.to_le_bytes()[0];
            carry >>= 8;
        }
        bytes[0] |= 0x80;
        assert_eq!(g1_decode(&bytes, Subgroup::Skipped), Err(BlsError::PeerEncoding));
    }

    #[test]
    fn keys_are_decoded_strictly_too() {
        let good = g2_public_key(&secret(1)).to_compressed();
        assert_eq!(G2::from_bytes(&good).map(|key| key.to_compressed()), Ok(good));
        let mut infinity = [0; G2_BYTES];
        infinity[0] = 0xc0;
        assert_eq!(G2::from_bytes(&infinity), Err(BlsError::PeerInfinity));
        let mut bytes = [0; G2_BYTES];
        bytes[0] = 0x80;
        let outside = (1..=u8::MAX).find_map(|last| {
            bytes[95] = last;
            g2_decode(&bytes, Subgroup::Skipped).ok()
        });
        assert_eq!(G2::from_bytes(&outside.unwrap().to_compressed()), Err(BlsError::PeerNotInSubgroup));
    }

    #[test]
    fn backends_are_chosen_by_name() {
        for name in crate::BACKEND_NAMES {
            assert_eq!(Backend::select(name).map(Backend::name), Ok(name));
        }
        assert_eq!(Backend::select("abacus"), Err(BlsError::MisuseBackend("abacus".to_owned())));
    }

    #[test]
    fn batches_of_every_size_keep_their_order() {
        for count in [0, 1, 15, 16, 100] {
            let messages: Vec<[u8; 4]> = (0..count).map(|index: u32| index.to_le_bytes()).collect();
            let slices: Vec<&[u8]> = messages.iter().map(|message| message.as_slice()).collect();
            let hashes = Backend::Blst.g1_hash(&slices, DST);
            assert_eq!(hashes, slices.iter().map(|message| g1_hash(message, DST)).collect::<Vec<_>>());
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn what_decodes_encodes_to_the_same_bytes(bytes in prop::collection::vec(any::<u8>(), G1_BYTES)) {
            if let Ok(point) = g1_decode(&bytes, Subgroup::Skipped) {
                prop_assert_eq!(point.to_bytes(), bytes);
            }
        }
    }
}
