//! The other side of the comparison: the best that blst 0.3.17 does with the same work on one thread, called as
//! its own Rust binding calls it.
//!
//! Its safe functions are used where they stay on the calling thread. Sums of points and pairings of many do not
//! (the binding spreads them over a pool of its own), so there the C functions beneath are called.
#![allow(unsafe_code, reason = "blst's safe functions for many points start threads, and hashing has none")]

use blst::{BLST_ERROR, Pairing, blst_fp12, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine, min_pk, min_sig};
use phalanx_bls::{COEFFICIENT_BITS, SCALAR_BYTES, Signed};
use std::ptr;

/// Bytes of a random coefficient.
pub const COEFFICIENT_BYTES: usize = COEFFICIENT_BITS / 8;

/// Decompresses G1 points, each with its subgroup check.
///
/// # Panics
/// When one is refused.
#[must_use]
pub fn g1_decode(encodings: &[&[u8]]) -> Vec<blst_p1_affine> {
    let decode = |bytes: &&[u8]| *<&blst_p1_affine>::from(&min_pk::PublicKey::key_validate(bytes).expect("good"));
    encodings.iter().map(decode).collect()
}

/// Decompresses G2 points, each with its subgroup check.
///
/// # Panics
/// When one is refused.
#[must_use]
pub fn g2_decode(encodings: &[&[u8]]) -> Vec<blst_p2_affine> {
    let decode = |bytes: &&[u8]| *<&blst_p2_affine>::from(&min_sig::PublicKey::key_validate(bytes).expect("good"));
    encodings.iter().map(decode).collect()
}

/// The groups have the same functions under two names each.
macro_rules! group {
    ($hash:ident, $hash_one:ident, $sum:ident, $point:ident, $affine:ident, $to_affine:ident,
     $many_to_affine:ident, $pippenger:ident, $scratch:ident) => {
        /// Hashes messages to the curve, and brings them into affine form together.
        #[must_use]
        pub fn $hash(messages: &[&[u8]], dst: &[u8]) -> Vec<$affine> {
            let points: Vec<$point> = messages
                .iter()
                .map(|message| {
                    let mut point = $point::default();
                    let (bytes, count) = (message.as_ptr(), message.len());
                    // SAFETY: reads both slices within their lengths and no augmentation, writes one point.
                    unsafe { blst::$hash_one(&mut point, bytes, count, dst.as_ptr(), dst.len(), ptr::null(), 0) };
                    point
                })
                .collect();
            let mut affine = vec![$affine::default(); points.len()];
            let rows = [points.as_ptr(), ptr::null()];
            // SAFETY: a null second row means that the rows follow the first; both slices hold as many points.
            unsafe { blst::$many_to_affine(affine.as_mut_ptr(), rows.as_ptr(), points.len()) };
            affine
        }

        /// `Σ wᵢPᵢ` with little-endian weights of `bits` bits.
        ///
        /// # Panics
        /// When there are too few bytes of weights.
        #[must_use]
        pub fn $sum(points: &[$affine], weights: &[u8], bits: usize) -> $affine {
            assert!(weights.len() >= points.len() * bits.div_ceil(8), "a weight for each point");
            // SAFETY: takes a count and returns a size.
            let scratch_bytes = unsafe { blst::$scratch(points.len()) };
            let mut scratch = vec![0_u64; scratch_bytes.div_ceil(size_of::<u64>())];
            let (rows, weight_rows) = ([points.as_ptr(), ptr::null()], [weights.as_ptr(), ptr::null()]);
            let (mut sum, mut affine) = ($point::default(), $affine::default());
            // SAFETY: a null second row means that the rows follow the first; there are as many weights as points,
            // and the scratch space has the size asked for. Then reads one point and writes one.
            unsafe {
                let scratch = scratch.as_mut_ptr();
                blst::$pippenger(&mut sum, rows.as_ptr(), points.len(), weight_rows.as_ptr(), bits, scratch);
                blst::$to_affine(&mut affine, &sum);
            }
            affine
        }
    };
}

group!(
    g1_hash,
    blst_hash_to_g1,
    g1_sum,
    blst_p1,
    blst_p1_affine,
    blst_p1_to_affine,
    blst_p1s_to_affine,
    blst_p1s_mult_pippenger,
    blst_p1s_mult_pippenger_scratch_sizeof
);
group!(
    g2_hash,
    blst_hash_to_g2,
    g2_sum,
    blst_p2,
    blst_p2_affine,
    blst_p2_to_affine,
    blst_p2s_to_affine,
    blst_p2s_mult_pippenger,
    blst_p2s_mult_pippenger_scratch_sizeof
);

/// `e(left, g₂) = e(right, key)`.
#[must_use]
pub fn check(key: &blst_p2_affine, left: &blst_p1_affine, right: &blst_p1_affine) -> bool {
    let (mut left_value, mut right_value) = (blst_fp12::default(), blst_fp12::default());
    // SAFETY: the generator is a constant of the library; each reads two points and writes one value.
    unsafe {
        blst::blst_miller_loop(&mut left_value, blst::blst_p2_affine_generator(), left);
        blst::blst_miller_loop(&mut right_value, key, right);
    }
    blst_fp12::finalverify(&left_value, &right_value)
}

/// What `verify_multiple_aggregate_signatures` does on each of its threads, after the decoding and the checks of
/// every point that it leaves to its caller. Signatures in G1.
#[must_use]
pub fn verify_min_sig(items: &[Signed<'_>], dst: &[u8], coefficients: &[u8]) -> bool {
    let mut pairing = Pairing::new(true, dst);
    for (item, coefficient) in items.iter().zip(coefficients.chunks(COEFFICIENT_BYTES)) {
        let (Ok(key), Ok(signature)) =
            (min_sig::PublicKey::key_validate(item.key), min_sig::Signature::sig_validate(item.signature, true))
        else {
            return false;
        };
        let (key, signature): (&blst_p2_affine, &blst_p1_affine) = ((&key).into(), (&signature).into());
        let code =
            pairing.mul_n_aggregate(key, false, signature, false, coefficient, COEFFICIENT_BITS, item.message, &[]);
        if code != BLST_ERROR::BLST_SUCCESS {
            return false;
        }
    }
    pairing.commit();
    pairing.finalverify(None)
}

/// As [`verify_min_sig`], with signatures in G2.
#[must_use]
pub fn verify_min_pk(items: &[Signed<'_>], dst: &[u8], coefficients: &[u8]) -> bool {
    let mut pairing = Pairing::new(true, dst);
    for (item, coefficient) in items.iter().zip(coefficients.chunks(COEFFICIENT_BYTES)) {
        let (Ok(key), Ok(signature)) =
            (min_pk::PublicKey::key_validate(item.key), min_pk::Signature::sig_validate(item.signature, true))
        else {
            return false;
        };
        let (key, signature): (&blst_p1_affine, &blst_p2_affine) = ((&key).into(), (&signature).into());
        let code =
            pairing.mul_n_aggregate(key, false, signature, false, coefficient, COEFFICIENT_BITS, item.message, &[]);
        if code != BLST_ERROR::BLST_SUCCESS {
            return false;
        }
    }
    pairing.commit();
    pairing.finalverify(None)
}

/// Checks certificates under one key: `e(Σ rᵢσᵢ, g) = e(Σ rᵢH(mᵢ), PK)`, from bytes.
#[must_use]
pub fn verify_messages(key: &blst_p2_affine, items: &[(&[u8], &[u8])], dst: &[u8], coefficients: &[u8]) -> bool {
    let (messages, signatures): (Vec<&[u8]>, Vec<&[u8]>) = items.iter().copied().unzip();
    let signatures = g1_decode(&signatures);
    let hashes = g1_hash(&messages, dst);
    let left = g1_sum(&signatures, coefficients, COEFFICIENT_BITS);
    let right = g1_sum(&hashes, coefficients, COEFFICIENT_BITS);
    check(key, &left, &right)
}

/// Recovers a signature from partials, which skip their subgroup checks, and checks the result.
///
/// # Panics
/// When a partial is no point.
#[must_use]
pub fn recover(key: &blst_p2_affine, partials: &[&[u8]], lambdas: &[u8], message: &[u8], dst: &[u8]) -> bool {
    let decode = |bytes: &&[u8]| *<&blst_p1_affine>::from(&min_sig::Signature::uncompress(bytes).expect("a point"));
    let points: Vec<blst_p1_affine> = partials.iter().map(decode).collect();
    let signature = g1_sum(&points, lambdas, 8 * SCALAR_BYTES - 1);
    // SAFETY: reads one point.
    let in_subgroup = unsafe { blst::blst_p1_affine_in_g1(&signature) };
    in_subgroup && check(key, &signature, &g1_hash(&[message], dst)[0])
}
