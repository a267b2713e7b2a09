//! The oracle against the library's own interface, the standards' vectors, and edges.

use super::pairing::{miller_lines, miller_lines_product};
use super::sum::g1_negate;
use super::*;
use crate::point::{Point, PreparedG2};
use crate::scalar::{SCALAR_BYTES, Scalar};
use crate::weights::Weights;
use crate::{Backend, MinSig, Variant};
use ::blst::{blst_fp12, min_sig};
use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

const DST: &[u8] = MinSig::DST.as_bytes();

fn secret(seed: u64) -> SecretKey {
    let scalar = Scalar::random(&mut ChaCha12Rng::seed_from_u64(seed));
    SecretKey::from_scalar(&scalar).expect("not zero")
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
    let weights = |bits: [u64; 2]| Weights::from_integers(&[(false, [bits[0], 0, 0, 0]), (true, [bits[1], 0, 0, 0])]);
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
    let modulus = "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";
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
