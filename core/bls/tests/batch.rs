//! Batches of signatures from their bytes, both variants, every backend: what is accepted, and that nothing
//! else is. The cases are those of Ethereum's `bls` test suites (infinity, wrong subgroup, tampering).
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use phalanx_bls::{
    BACKEND_NAMES, Backend, MinPk, MinSig, Point, Scalar, SecretKey, Signed, Variant, Weights, verify_distinct,
    verify_messages,
};
use proptest::prelude::*;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::sync::LazyLock;

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

/// The equations themselves, which a verdict on single items would cover for.
fn equations_hold_of_good_batches_only<V: Variant>() {
    for backend in backends() {
        for count in [1, 2, 7, 8, 9, 33] {
            for same_key in [false, true] {
                let batch = items::<V>(count, same_key);
                let keys: Vec<V::PublicKey> =
                    batch.iter().map(|item| V::PublicKey::from_bytes(&item.key).unwrap()).collect();
                let mut signatures: Vec<V::Signature> =
                    batch.iter().map(|item| V::Signature::from_bytes(&item.signature).unwrap()).collect();
                let messages: Vec<&[u8]> = batch.iter().map(|item| item.message.as_slice()).collect();
                let weights = Weights::random(&mut ChaCha12Rng::seed_from_u64(10), count);
                let holds = |signatures: &[V::Signature]| {
                    let distinct = V::check_distinct(backend, &keys, &messages, signatures, &weights);
                    let key = V::prepare(&keys[0]);
                    let batch = !same_key || V::check_batch(backend, &key, &messages, signatures, &weights);
                    (distinct, batch)
                };
                assert_eq!(holds(&signatures), (true, true), "{count} of {backend:?}");
                signatures[count / 2] = V::sign(&secret(99), b"another");
                assert_eq!(holds(&signatures), (false, !same_key), "{count} of {backend:?}");
                let sum = V::sum_hashes(backend, &messages, &weights);
                assert_eq!(sum, V::sum_hashes(Backend::Blst, &messages, &weights));
            }
        }
    }
}

#[test]
fn equations_hold_of_good_batches_only_in_both_variants() {
    equations_hold_of_good_batches_only::<MinSig>();
    equations_hold_of_good_batches_only::<MinPk>();
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

/// A thousand good items of each variant, which the batches below are cut from.
struct Thousand {
    many: Vec<Item>,
    one: Vec<Item>,
}

static MIN_SIG: LazyLock<Thousand> =
    LazyLock::new(|| Thousand { many: items::<MinSig>(1_000, false), one: items::<MinSig>(1_000, true) });
static MIN_PK: LazyLock<Thousand> =
    LazyLock::new(|| Thousand { many: items::<MinPk>(1_000, false), one: items::<MinPk>(1_000, true) });

/// Every backend's verdicts on one batch with some items spoilt are those that the items deserve; so all agree.
fn backends_agree<V: Variant>(good: &[Item], many_keys: bool, spoil: &[(usize, usize)]) {
    let mut batch = good.to_vec();
    let mut expected = vec![true; batch.len()];
    for (position, kind) in spoil.iter().filter(|_| good.len() > 1) {
        let index = position % good.len();
        let mut ways = spoilt(good, index);
        if many_keys {
            ways.extend(spoilt_keys(good, index));
        }
        batch[index] = ways.swap_remove(kind % ways.len());
        expected[index] = false;
    }
    for backend in backends() {
        let verdicts = match (many_keys, batch.is_empty()) {
            (false, false) => {
                // The key is the cluster's, whatever item comes first.
                let key = V::prepare(&V::PublicKey::from_bytes(&good[0].key).unwrap());
                let pairs: Vec<(&[u8], &[u8])> =
                    batch.iter().map(|item| (item.message.as_slice(), item.signature.as_slice())).collect();
                verify_messages::<V>(backend, &mut ChaCha12Rng::seed_from_u64(9), &key, &pairs)
            }
            _ => distinct::<V>(backend, &batch),
        };
        assert_eq!(verdicts, expected, "{backend:?}, {}, many keys: {many_keys}, {spoil:?}", V::NAME);
    }
}

#[test]
fn a_thousand_are_checked_together_and_the_bad_ones_named() {
    // In the first lane, in the last, on both sides of a group of eight, and in the group that is not full.
    let spoil = [(0, 0), (7, 8), (8, 9), (15, 10), (500, 1), (992, 4), (999, 8)];
    backends_agree::<MinSig>(&MIN_SIG.one, false, &spoil);
    backends_agree::<MinPk>(&MIN_PK.many, true, &spoil[..3]);
    backends_agree::<MinSig>(&MIN_SIG.many, true, &[]);
    backends_agree::<MinPk>(&MIN_PK.one, false, &[]);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]
    /// Lanes of every mixture of valid and invalid, in batches about the width of the lanes.
    #[test]
    fn all_backends_give_each_item_its_due(
        count in prop::sample::select(vec![0_usize, 1, 2, 3, 7, 8, 9, 15, 16, 17, 24, 31]),
        start in 0_usize..900,
        many_keys: bool,
        spoil in proptest::collection::vec((0_usize..32, 0_usize..64), 0..6),
    ) {
        let cut = |thousand: &'static Thousand| {
            let items = if many_keys { &thousand.many } else { &thousand.one };
            &items[start..start + count]
        };
        backends_agree::<MinSig>(cut(&MIN_SIG), many_keys, &spoil);
        backends_agree::<MinPk>(cut(&MIN_PK), many_keys, &spoil);
    }
}
