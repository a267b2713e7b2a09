//! A hundred thousand random corruptions of batches, in both variants, on every backend: each is caught, and nothing
//! else is refused. A hundredth of them in builds with debug assertions, where every batch is checked for overflow too;
//! `.ci/full` runs all, in a release build.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use phalanx_bls::{
    BACKEND_NAMES, Backend, MinPk, MinSig, Point, Scalar, SecretKey, Signed, Subgroup, Variant, Weights,
    verify_distinct, verify_messages,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use rayon::prelude::*;

/// On the fastest backend.
const CORRUPTIONS: usize = if cfg!(debug_assertions) { 1_000 } else { 100_000 };
/// Items of one batch: full lanes and a rest.
const BATCH: usize = 37;
/// One item in so many stays as it is.
const KEPT_ONE_IN: u32 = 4;

#[derive(Clone)]
struct Item {
    key: Vec<u8>,
    message: Vec<u8>,
    signature: Vec<u8>,
}

/// What corruptions are made of.
struct Pool<V: Variant> {
    items: Vec<Item>,
    signatures: Vec<V::Signature>,
    /// A point of small order on the signatures' curve.
    small: V::Signature,
}

/// A point of the curve outside the subgroup, times the subgroup's order: what is left has an order that divides the
/// cofactor, so that it vanishes from no sum by being outside alone.
fn small_order<V: Variant>() -> V::Signature {
    let encodings: Vec<Vec<u8>> = (1..=u8::MAX)
        .map(|last| {
            let mut encoding = vec![0; V::Signature::BYTES];
            encoding[0] = 0x80;
            encoding[V::Signature::BYTES - 1] = last;
            encoding
        })
        .collect();
    let encodings: Vec<&[u8]> = encodings.iter().map(Vec::as_slice).collect();
    let points = V::decode(Backend::Blst, &encodings, Subgroup::Skipped);
    let outside = points.into_iter().flatten().find(|point| !V::in_subgroup(Backend::Blst, &[*point])[0]).unwrap();
    let order = Weights::from_scalars(&[-Scalar::one(), Scalar::one()]);
    let small = V::sum(Backend::Blst, &[outside; 2], &order).unwrap();
    assert!(!V::in_subgroup(Backend::Blst, &[small])[0]);
    small
}

impl<V: Variant> Pool<V> {
    fn new(one_key: bool) -> Self {
        let (items, signatures) = (0..2 * BATCH as u64)
            .map(|index| {
                let mut rng = ChaCha12Rng::seed_from_u64(if one_key { 0 } else { index });
                let secret = SecretKey::from_scalar(&Scalar::random(&mut rng)).unwrap();
                let message = index.to_be_bytes().repeat(4);
                let signature = V::sign(&secret, &message);
                (Item { key: V::public_key(&secret).to_bytes(), message, signature: signature.to_bytes() }, signature)
            })
            .unzip();
        Self { items, signatures, small: small_order::<V>() }
    }

    fn sum(&self, signature: V::Signature, other: V::Signature, rng: &mut ChaCha12Rng) -> Vec<u8> {
        // By sign, as the order less one would be nothing to a point of small order.
        let one = [1, 0, 0, 0];
        let weights = Weights::from_integers(&[(false, one), (rng.next_u32().is_multiple_of(2), one)]);
        V::sum(Backend::Blst, &[signature, other], &weights).unwrap().to_bytes()
    }

    /// Spoils one item in one of the ways that a forger, a liar or a bad wire would.
    fn corrupt(&self, index: usize, rng: &mut ChaCha12Rng) -> Item {
        let (mut item, original) = (self.items[index].clone(), &self.items[index]);
        let other = &self.items[(index + 1 + rng.next_u32() as usize % (BATCH - 1)) % self.items.len()];
        let flip = |bytes: &mut [u8], rng: &mut ChaCha12Rng| {
            let bit = rng.next_u32() as usize % (8 * bytes.len());
            bytes[bit / 8] ^= 1 << (bit % 8);
        };
        match rng.next_u32() % 10 {
            0 => flip(&mut item.signature, rng),
            1 => flip(&mut item.message, rng),
            2 => item.signature[0] ^= 0x20,
            3 => item.signature.clone_from(&other.signature),
            4 => item.message.clone_from(&other.message),
            5 => rng.fill_bytes(&mut item.signature[1..]),
            6 => item.signature = self.sum(self.signatures[index], self.small, rng),
            7 => {
                let shift = V::hash(Backend::Blst, &[&rng.next_u64().to_be_bytes()])[0];
                item.signature = self.sum(self.signatures[index], shift, rng);
            }
            8 => item.signature = V::hash(Backend::Blst, &[&item.message])[0].to_bytes(),
            _ => {
                // Twice the signature: in the subgroup, and of the right key's message twice over.
                let twice = Weights::from_scalars(&[Scalar::one() + Scalar::one()]);
                item.signature = V::sum(Backend::Blst, &[self.signatures[index]], &twice).unwrap().to_bytes();
            }
        }
        assert!(item.signature != original.signature || item.message != original.message, "a corruption");
        item
    }

    /// A batch of which some items are spoilt, and which are not.
    fn batch(&self, rng: &mut ChaCha12Rng) -> (Vec<Item>, Vec<bool>) {
        (0..BATCH)
            .map(|index| {
                let good = rng.next_u32().is_multiple_of(KEPT_ONE_IN);
                (if good { self.items[index].clone() } else { self.corrupt(index, rng) }, good)
            })
            .unzip()
    }
}

fn distinct<V: Variant>(backend: Backend, rng: &mut ChaCha12Rng, items: &[Item]) -> Vec<bool> {
    let signed: Vec<Signed<'_>> = items
        .iter()
        .map(|item| Signed { key: &item.key, message: &item.message, signature: &item.signature })
        .collect();
    verify_distinct::<V>(backend, rng, &signed)
}

fn one_key<V: Variant>(backend: Backend, rng: &mut ChaCha12Rng, key: &V::PreparedKey, items: &[Item]) -> Vec<bool> {
    let pairs: Vec<(&[u8], &[u8])> =
        items.iter().map(|item| (item.message.as_slice(), item.signature.as_slice())).collect();
    verify_messages::<V>(backend, rng, key, &pairs)
}

/// Returns how many corruptions were caught.
fn catches_all<V: Variant>(backend: Backend, one: bool, corruptions: usize) -> usize {
    let pool = Pool::<V>::new(one);
    let key = V::prepare(&V::PublicKey::from_bytes(&pool.items[0].key).unwrap());
    let batches = corruptions.div_ceil(BATCH * (KEPT_ONE_IN as usize - 1) / KEPT_ONE_IN as usize);
    (0..batches as u64)
        .into_par_iter()
        .map(|seed| {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            let (batch, expected) = pool.batch(&mut rng);
            let verdicts = if one {
                one_key::<V>(backend, &mut rng, &key, &batch)
            } else {
                distinct::<V>(backend, &mut rng, &batch)
            };
            assert_eq!(verdicts, expected, "{backend:?}, {}, one key: {one}, seed {seed}", V::NAME);
            expected.iter().filter(|good| !**good).count()
        })
        .sum()
}

#[test]
fn corruptions_are_each_caught() {
    let backends: Vec<Backend> = BACKEND_NAMES
        .iter()
        .filter_map(|name| Backend::select(name).inspect_err(|error| eprintln!("SKIPPED: {error}")).ok())
        .collect();
    // The oracle gets a tenth: what is at stake is the other, where there is one.
    let fastest = *backends.last().unwrap();
    for backend in backends {
        let corruptions = if backend == fastest { CORRUPTIONS } else { CORRUPTIONS / 10 };
        // How many items are spoilt is random: a fiftieth more batches than it takes on average.
        let share = (corruptions + corruptions / 50) / 4;
        let caught: usize = [false, true]
            .into_iter()
            .map(|one| catches_all::<MinSig>(backend, one, share) + catches_all::<MinPk>(backend, one, share))
            .sum();
        eprintln!("{}: {caught} corruptions, each caught", backend.name());
        assert!(caught >= corruptions, "{caught} corruptions");
    }
}
