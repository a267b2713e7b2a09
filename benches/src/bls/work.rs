//! What is measured: fixed items, our way of doing them on any backend, and blst's.

use super::plain;
use phalanx_bls::{
    Backend, FieldWork, G1, MinPk, MinSig, Point, Scalar, SecretKey, Signed, Subgroup, Variant, Weights,
    verify_distinct, verify_messages,
};
use phalanx_threshold::{Bls, BlsMinSig, BlsSigner, Partial, PartialSigner, Partials, ThresholdScheme, deal};
use phalanx_types::{B256, ClusterSize, OperatorIndex};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::hint::black_box;
use std::sync::Mutex;

/// The line that [`crate::profile`] records.
pub const DISTINCT: &str = "verify 128 distinct, min-sig";
/// The line that has an absolute bar too.
pub const CERTIFICATES: &str = "verify 1,024 certificates under one key, min-sig";
/// Items of most lines.
const BATCH: usize = 128;
/// Items of the long ones.
const LONG: usize = 1_024;

/// How often each element of the base field is multiplied in one run.
const FIELD_ROUNDS: usize = 64;

/// What the other side of a line does.
type Theirs = Box<dyn Fn() + Send + Sync>;
/// What our side does.
type Ours = Box<dyn Fn(Backend) + Send + Sync>;

/// One line: both sides of it on the same items.
pub struct Work {
    name: &'static str,
    bar: Option<f64>,
    items: usize,
    ours: Ours,
    theirs: Theirs,
}

impl std::fmt::Debug for Work {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Work").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Work {
    /// Every line but the recoveries.
    #[must_use]
    pub fn all() -> Vec<Self> {
        vec![
            field("Fp products, 64 x 256", Some(4.0), FieldWork::multiply),
            field("Fp squares, 64 x 256", None, FieldWork::square),
            decode_g1(),
            decode_g2(),
            hash_g1(),
            hash_g2(),
            distinct::<MinSig>(DISTINCT, plain::verify_min_sig),
            distinct::<MinPk>("verify 128 distinct, min-pk", plain::verify_min_pk),
            certificates(),
            sum(),
        ]
    }

    /// What it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the ratio must reach on one core.
    #[must_use]
    pub fn bar(&self) -> Option<f64> {
        self.bar
    }

    /// How many items one run does.
    #[must_use]
    pub fn items(&self) -> usize {
        self.items
    }

    /// Whether the algorithm is ours, so that the backends are compared.
    #[must_use]
    pub fn compares_with_our_blst(&self) -> bool {
        self.name == CERTIFICATES
    }

    /// Whether it is work of the dispatcher's, which spreads it and for which blst is a backend.
    #[must_use]
    pub fn is_batch(&self) -> bool {
        !self.name.starts_with("Fp ")
    }

    /// Our side.
    pub fn ours(&self, backend: Backend) {
        (self.ours)(backend);
    }

    /// The other side.
    pub fn theirs(&self) {
        (self.theirs)();
    }
}

fn rng(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

fn secret(seed: u64) -> SecretKey {
    SecretKey::from_scalar(&Scalar::random(&mut rng(seed))).expect("not zero")
}

fn messages(count: usize) -> Vec<[u8; 32]> {
    let mut rng = rng(0);
    (0..count)
        .map(|_| {
            let mut message = [0; 32];
            rng.fill_bytes(&mut message);
            message
        })
        .collect()
}

fn coefficients(count: usize) -> Vec<u8> {
    let mut coefficients = vec![0; count * plain::COEFFICIENT_BYTES];
    rng(1).fill_bytes(&mut coefficients);
    coefficients.iter_mut().step_by(plain::COEFFICIENT_BYTES).for_each(|lowest| *lowest |= 1);
    coefficients
}

fn slices<T: AsRef<[u8]>>(items: &[T]) -> Vec<&[u8]> {
    items.iter().map(AsRef::as_ref).collect()
}

/// Products or squares of independent elements, one behind the other: throughput, each backend in its own form.
fn field(name: &'static str, bar: Option<f64>, operation: fn(&mut FieldWork, usize)) -> Work {
    let of = |backend| (backend, Mutex::new(FieldWork::new(backend)));
    let works = [of(Backend::detect()), of(Backend::Blst)];
    let theirs = Mutex::new(FieldWork::new(Backend::Blst));
    let run = move |work: &Mutex<FieldWork>| operation(&mut work.lock().expect("one thread"), FIELD_ROUNDS);
    Work {
        name,
        bar,
        items: FIELD_ROUNDS * FieldWork::ELEMENTS,
        ours: Box::new(move |backend| {
            let work = works.iter().find(|(of, _)| *of == backend).map(|(_, work)| work);
            run(work.expect("a backend of the two"));
        }),
        theirs: Box::new(move || run(&theirs)),
    }
}

fn decode_g1() -> Work {
    let encodings: Vec<Vec<u8>> = (0..BATCH as u64).map(|seed| MinPk::public_key(&secret(seed)).to_bytes()).collect();
    let same = encodings.clone();
    Work {
        name: "decompress and check 128 in G1",
        bar: Some(4.0),
        items: BATCH,
        ours: Box::new(move |backend| {
            let points = backend.g1_decode(black_box(&slices(&encodings)), Subgroup::Checked);
            assert!(black_box(points).iter().all(Result::is_ok));
        }),
        theirs: Box::new(move || {
            black_box(plain::g1_decode(black_box(&slices(&same))));
        }),
    }
}

fn decode_g2() -> Work {
    let encodings: Vec<Vec<u8>> = (0..BATCH as u64).map(|seed| MinSig::public_key(&secret(seed)).to_bytes()).collect();
    let same = encodings.clone();
    Work {
        name: "decompress and check 128 in G2",
        bar: Some(4.0),
        items: BATCH,
        ours: Box::new(move |backend| {
            let points = backend.g2_decode(black_box(&slices(&encodings)), Subgroup::Checked);
            assert!(black_box(points).iter().all(Result::is_ok));
        }),
        theirs: Box::new(move || {
            black_box(plain::g2_decode(black_box(&slices(&same))));
        }),
    }
}

fn hash_g1() -> Work {
    let (messages, same) = (messages(BATCH), messages(BATCH));
    Work {
        name: "hash 128 to G1",
        bar: Some(4.0),
        items: BATCH,
        ours: Box::new(move |backend| {
            black_box(backend.g1_hash(black_box(&slices(&messages)), MinSig::DST.as_bytes()));
        }),
        theirs: Box::new(move || {
            black_box(plain::g1_hash(black_box(&slices(&same)), MinSig::DST.as_bytes()));
        }),
    }
}

fn hash_g2() -> Work {
    let (messages, same) = (messages(BATCH), messages(BATCH));
    Work {
        name: "hash 128 to G2",
        bar: Some(4.0),
        items: BATCH,
        ours: Box::new(move |backend| {
            black_box(backend.g2_hash(black_box(&slices(&messages)), MinPk::DST.as_bytes()));
        }),
        theirs: Box::new(move || {
            black_box(plain::g2_hash(black_box(&slices(&same)), MinPk::DST.as_bytes()));
        }),
    }
}

/// A key, a message and a signature, as sent.
type Item = (Vec<u8>, [u8; 32], Vec<u8>);

fn signed_of(items: &[Item]) -> Vec<Signed<'_>> {
    items.iter().map(|(key, message, signature)| Signed { key, message, signature }).collect()
}

fn distinct<V: Variant>(name: &'static str, plain: fn(&[Signed<'_>], &[u8], &[u8]) -> bool) -> Work {
    let items: Vec<Item> = messages(BATCH)
        .into_iter()
        .zip(0..)
        .map(|(message, seed)| {
            let secret = secret(seed);
            (V::public_key(&secret).to_bytes(), message, V::sign(&secret, &message).to_bytes())
        })
        .collect();
    let same = items.clone();
    let coefficients = coefficients(BATCH);
    Work {
        name,
        bar: Some(3.5),
        items: BATCH,
        ours: Box::new(move |backend| {
            let verdicts = verify_distinct::<V>(backend, &mut rng(2), black_box(&signed_of(&items)));
            assert!(verdicts.iter().all(|good| *good));
        }),
        theirs: Box::new(move || {
            assert!(plain(black_box(&signed_of(&same)), V::DST.as_bytes(), &coefficients));
        }),
    }
}

/// Messages with their signatures.
fn pairs_of(items: &[([u8; 32], Vec<u8>)]) -> Vec<(&[u8], &[u8])> {
    items.iter().map(|(message, signature)| (message.as_slice(), signature.as_slice())).collect()
}

fn certificates() -> Work {
    let secret = secret(3);
    let items: Vec<([u8; 32], Vec<u8>)> =
        messages(LONG).into_iter().map(|message| (message, MinSig::sign(&secret, &message).to_bytes())).collect();
    let same = items.clone();
    let key = MinSig::public_key(&secret);
    let prepared = MinSig::prepare(&key);
    let plain_key = plain::g2_decode(&[&key.to_bytes()])[0];
    let coefficients = coefficients(LONG);
    Work {
        name: CERTIFICATES,
        bar: Some(4.0),
        items: LONG,
        ours: Box::new(move |backend| {
            let pairs = pairs_of(&items);
            let verdicts = verify_messages::<MinSig>(backend, &mut rng(4), &prepared, black_box(&pairs));
            assert!(verdicts.iter().all(|good| *good));
        }),
        theirs: Box::new(move || {
            let pairs = pairs_of(&same);
            assert!(plain::verify_messages(&plain_key, black_box(&pairs), MinSig::DST.as_bytes(), &coefficients));
        }),
    }
}

fn sum() -> Work {
    let points: Vec<G1> = (0..LONG as u64).map(|seed| MinPk::public_key(&secret(seed))).collect();
    let scalars: Vec<Scalar> = (0..LONG as u64).map(|seed| Scalar::random(&mut rng(seed))).collect();
    let weights = Weights::from_scalars(&scalars);
    let encodings: Vec<Vec<u8>> = points.iter().map(Point::to_bytes).collect();
    let plain_points = plain::g1_decode(&slices(&encodings));
    let plain_weights: Vec<u8> = scalars.iter().flat_map(|scalar| scalar.to_bytes().into_iter().rev()).collect();
    Work {
        name: "sum of 1,024 in G1, 255 bits",
        bar: Some(3.0),
        items: LONG,
        ours: Box::new(move |backend| {
            black_box(backend.g1_sum(black_box(&points), &weights));
        }),
        theirs: Box::new(move || {
            black_box(plain::g1_sum(black_box(&plain_points), &plain_weights, 255));
        }),
    }
}

/// Recovering a signature from a quorum's partials, from bytes, and checking it.
pub struct Recovery {
    name: &'static str,
    bar: f64,
    schemes: [(Backend, BlsMinSig); 2],
    digest: B256,
    partials: Vec<(OperatorIndex, Partial)>,
    lambdas: Vec<u8>,
    key: blst::blst_p2_affine,
}

impl std::fmt::Debug for Recovery {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Recovery").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Recovery {
    /// The quorum of a cluster of 100 or 1,000.
    ///
    /// # Panics
    /// Of any other.
    #[must_use]
    pub fn new(n: usize) -> Self {
        let (name, bar) = match n {
            100 => ("recover from 67 and check, min-sig", 2.3),
            1_000 => ("recover from 667 and check, min-sig", 4.0),
            other => panic!("no bar for {other} operators"),
        };
        let size = ClusterSize::new(n).expect("a size within bounds");
        let deal = deal(&mut rng(5), size);
        let schemes = [Backend::detect(), Backend::Blst].map(|backend| {
            let scheme = Bls::new(backend, size, deal.public_key, deal.share_keys.clone());
            (backend, scheme.expect("a dealer's keys are consistent"))
        });
        let key = plain::g2_decode(&[&deal.public_key.to_bytes()])[0];
        let digest = B256::repeat_byte(9);
        let mut signers: Vec<OperatorIndex> = size.operators().collect();
        // Not the first ones, whose coefficients are shorter than most.
        signers.rotate_left(n / 5);
        signers.truncate(size.q());
        signers.sort_unstable();
        let shares = deal.shares.into_iter().filter(|share| signers.contains(&share.index()));
        let partials: Vec<_> =
            shares.map(|share| (share.index(), BlsSigner::<MinSig>::new(share).sign(&digest).into())).collect();
        let lambdas = lambdas(&signers).iter().flat_map(|lambda| lambda.to_bytes().into_iter().rev()).collect();
        Self { name, bar, schemes, digest, partials, lambdas, key }
    }

    /// What it is.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What the ratio must reach on one core.
    #[must_use]
    pub fn bar(&self) -> Option<f64> {
        Some(self.bar)
    }

    /// Our side.
    ///
    /// # Panics
    /// When nothing is recovered.
    pub fn ours(&self, backend: Backend) {
        let scheme = self.schemes.iter().find(|(of, _)| *of == backend).map(|(_, scheme)| scheme);
        let item = Partials { digest: self.digest, partials: black_box(&self.partials) };
        let signatures = scheme.expect("a backend of the constructor's").recover(&mut rng(6), &[item]);
        assert!(black_box(signatures)[0].is_some());
    }

    /// The other side.
    ///
    /// # Panics
    /// When nothing is recovered.
    pub fn theirs(&self) {
        let partials: Vec<&[u8]> = self.partials.iter().map(|(_, partial)| partial.bytes().as_slice()).collect();
        let (message, dst) = (self.digest.as_slice(), MinSig::DST.as_bytes());
        assert!(plain::recover(&self.key, black_box(&partials), &self.lambdas, message, dst));
    }
}

/// Lagrange's coefficients at zero.
fn lambdas(signers: &[OperatorIndex]) -> Vec<Scalar> {
    let points: Vec<Scalar> = signers.iter().map(|signer| Scalar::from(u64::from(signer.0) + 1)).collect();
    let of = |own: &Scalar| {
        let others = points.iter().filter(|other| *other != own);
        let (above, below) = others
            .fold((Scalar::one(), Scalar::one()), |(above, below), other| (above * *other, below * (*other - *own)));
        above * below.inverse().expect("different points")
    };
    points.iter().map(of).collect()
}
