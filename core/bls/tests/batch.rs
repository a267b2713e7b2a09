//! Batches of signatures from their bytes, both variants, every backend: what is accepted, and that nothing
//! else is. The cases are those of Ethereum's `bls` test suites (infinity, wrong subgroup, tampering).
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use phalanx_bls::{
    BACKEND_NAMES, Backend, MinPk, MinSig, Point, Scalar, SecretKey, Signed, Variant, Weights, verify_distinct,
    verify_messages,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

fn backends() -> impl Iterator<Item = Backend> {
    BACKEND_NAMES.iter().filter_map(|name| match Backend::select(name) {
        Ok(backend) => Some(backend),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    })
}

#[derive(Clone)]
struct Item {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

fn secret(seed: u64) -> SecretKey {
    SecretKey::from_scalar(&Scalar::random(&mut ChaCha12Rng::seed_from_u64(seed))).unwrap()
}

fn items<V: Variant>(count: usize, one_key: bool) -> Vec<Item> {
    (0..count as u64)
        .map(|index| {
            let secret = secret(if one_key { 0 } else { index });
            let message = index.to_be_bytes().repeat(4);
            let signature = V::sign(&secret, &message).to_bytes();
            Item { key: V::public_key(&secret).to_bytes(), message, signature }
        })
        .collect()
}

fn distinct<V: Variant>(backend: Backend, items: &[Item]) -> Vec<bool> {
    let signed: Vec<Signed<'_>> = items
        .iter()
        .map(|item| Signed { key: &item.key, message: &item.message, signature: &item.signature })
        .collect();
    verify_distinct::<V>(backend, &mut ChaCha12Rng::seed_from_u64(7), &signed)
}

fn one_key<V: Variant>(backend: Backend, items: &[Item]) -> Vec<bool> {
    let Ok(key) = V::PublicKey::from_bytes(&items[0].key) else { return vec![false; items.len()] };
    let pairs: Vec<(&[u8], &[u8])> =
        items.iter().map(|item| (item.message.as_slice(), item.signature.as_slice())).collect();
    verify_messages::<V>(backend, &mut ChaCha12Rng::seed_from_u64(8), &V::prepare(&key), &pairs)
}

fn infinity(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| if index == 0 { 0xc0 } else { 0 }).collect()
}

/// A point of the curve outside the subgroup.
fn outside(bytes: usize) -> Vec<u8> {
    let candidates = (0..=u8::MAX).map(|last| {
        let mut encoding = vec![0; bytes];
        encoding[0] = 0x80;
        encoding[bytes - 1] = last;
        encoding
    });
    let on_curve = |encoding: &Vec<u8>| match bytes {
        48 => blst::min_pk::PublicKey::uncompress(encoding).is_ok_and(|point| point.validate().is_err()),
        _ => blst::min_sig::PublicKey::uncompress(encoding).is_ok_and(|point| point.validate().is_err()),
    };
    candidates.skip(3).find(on_curve).unwrap()
}

/// Every way in which one item of a batch can be spoilt.
fn spoilt(good: &[Item], index: usize) -> Vec<Item> {
    let item = &good[index];
    let with = |change: &dyn Fn(&mut Item)| {
        let mut item = item.clone();
        change(&mut item);
        item
    };
    let other = &good[(index + 1) % good.len()];
    vec![
        with(&|item| item.signature = infinity(item.signature.len())),
        with(&|item| item.signature = outside(item.signature.len())),
        with(&|item| item.signature[0] ^= 0x20),
        with(&|item| item.signature[0] &= 0x7f),
        with(&|item| *item.signature.last_mut().unwrap() ^= 1),
        with(&|item| item.signature.push(0)),
        with(&|item| item.signature.clear()),
        with(&|item| item.signature.fill(0xff)),
        with(&|item| item.signature.clone_from(&other.signature)),
        with(&|item| item.message[0] ^= 1),
        with(&|item| item.message.clone_from(&other.message)),
    ]
}

fn spoilt_keys(good: &[Item], index: usize) -> Vec<Item> {
    let item = &good[index];
    let key = |key: Vec<u8>| Item { key, ..item.clone() };
    let other = &good[(index + 1) % good.len()];
    // An infinity key with an infinity signature "verifies" by the equation: it must not.
    let both = Item { key: infinity(item.key.len()), signature: infinity(item.signature.len()), ..item.clone() };
    vec![key(infinity(item.key.len())), key(outside(item.key.len())), key(other.key.clone()), key(vec![]), both]
}

fn accepts_the_good_and_names_the_bad<V: Variant>() {
    for backend in backends() {
        for count in [0, 1, 2, 7, 8, 9, 33] {
            let good = items::<V>(count, false);
            assert_eq!(distinct::<V>(backend, &good), vec![true; count], "{count} of {backend:?}");
            if count > 0 {
                assert_eq!(one_key::<V>(backend, &items::<V>(count, true)), vec![true; count]);
            }
        }
        for index in [0, 8] {
            let expected: Vec<bool> = (0..9).map(|item| item != index).collect();
            let (many, one) = (items::<V>(9, false), items::<V>(9, true));
            for bad in spoilt(&many, index).into_iter().chain(spoilt_keys(&many, index)) {
                let mut batch = many.clone();
                batch[index] = bad;
                assert_eq!(distinct::<V>(backend, &batch), expected);
            }
            for bad in spoilt(&one, index) {
                let mut batch = one.clone();
                batch[index] = bad;
                assert_eq!(one_key::<V>(backend, &batch), expected);
            }
        }
    }
}

#[test]
fn min_sig_accepts_the_good_and_names_the_bad() {
    accepts_the_good_and_names_the_bad::<MinSig>();
}

#[test]
fn min_pk_accepts_the_good_and_names_the_bad() {
    accepts_the_good_and_names_the_bad::<MinPk>();
}

/// Two signatures shifted by a point and its negative: their plain sum is right, each alone is wrong.
fn catches_what_cancels<V: Variant>() {
    for backend in backends() {
        let mut batch = items::<V>(9, true);
        let points: Vec<V::Signature> =
            batch.iter().map(|item| V::Signature::from_bytes(&item.signature).unwrap()).collect();
        let shift = V::sign(&secret(99), b"shift");
        let plus = Weights::from_scalars(&[Scalar::one(), Scalar::one()]);
        let minus = Weights::from_scalars(&[Scalar::one(), -Scalar::one()]);
        batch[2].signature = V::sum(backend, &[points[2], shift], &plus).unwrap().to_bytes();
        batch[6].signature = V::sum(backend, &[points[6], shift], &minus).unwrap().to_bytes();
        let expected: Vec<bool> = (0..9).map(|item| item != 2 && item != 6).collect();
        assert_eq!(one_key::<V>(backend, &batch), expected);
        assert_eq!(distinct::<V>(backend, &batch), expected);
    }
}

#[test]
fn errors_that_cancel_are_caught() {
    catches_what_cancels::<MinSig>();
    catches_what_cancels::<MinPk>();
}

#[test]
fn one_votes_partials_are_checked_in_both_variants() {
    fn check<V: Variant>() {
        for backend in backends() {
            let mut rng = ChaCha12Rng::seed_from_u64(rand_chacha::ChaCha12Rng::seed_from_u64(1).next_u64());
            let secrets: Vec<SecretKey> = (0..20).map(secret).collect();
            let keys: Vec<V::PublicKey> = secrets.iter().map(V::public_key).collect();
            let mut signatures: Vec<V::Signature> = secrets.iter().map(|secret| V::sign(secret, b"vote")).collect();
            let hash = V::hash(backend, &[b"vote"])[0];
            let weights = Weights::random(&mut rng, 20);
            assert!(V::check_keys(backend, &keys, &signatures, &hash, &weights));
            signatures.swap(3, 4);
            assert!(!V::check_keys(backend, &keys, &signatures, &hash, &weights));
        }
    }
    check::<MinSig>();
    check::<MinPk>();
}
