//! Threshold BLS as the pipeline uses it: signing, certifying ballots, checking certificates, finding a
//! culprit. Each figure is one call, on one thread unless the batch is large enough to be spread.
//!
//! `cargo bench -p phalanx-benches --bench threshold`; `cargo test --benches` runs everything once.

use criterion::{BatchSize, BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_bls::Backend;
use phalanx_threshold::{Ballot, BlsMinSig, BlsSigner, Domain, Identity, PartialSigner, Verifier, deal, digest};
use phalanx_types::{B256, BlockRef, Certificate, ClusterId, ClusterSize, Position, Vote};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::hint::black_box;
use std::sync::Arc;

struct Cluster {
    verifier: Verifier,
    signers: Vec<BlsSigner>,
    rng: ChaCha12Rng,
}

impl Cluster {
    fn new(n: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let size = ClusterSize::new(n).expect("a size within bounds");
        let deal = deal(&mut rng, size);
        let scheme = BlsMinSig::new(Backend::detect(), size, deal.public_key, deal.share_keys);
        let scheme = Arc::new(scheme.expect("a dealer's keys are consistent"));
        let identities = (0..n).map(|_| Identity::generate(&mut rng).public()).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(7)));
        let verifier = Verifier::new(domain, size, scheme, identities).expect("one identity for each operator");
        Self { verifier, signers: deal.shares.into_iter().map(BlsSigner::new).collect(), rng }
    }

    /// A ballot with the partials of the operators from `first` on, `q` of them.
    fn ballot(&self, slot: u32, first: usize) -> Ballot {
        let vote = Vote::notarize(Position::new(0, 0, slot), BlockRef::new(u64::from(slot) + 1, B256::repeat_byte(9)));
        let digest = digest(self.verifier.domain(), &vote);
        let signers = self.signers.iter().cycle().skip(first).take(self.verifier.size().q());
        Ballot { vote, partials: signers.map(|signer| (signer.index(), signer.sign(&digest).into())).collect() }
    }

    fn certify(&mut self, ballots: Vec<Ballot>) -> Vec<Certificate> {
        let certified = self.verifier.certify(&mut self.rng, ballots);
        certified.into_iter().map(|one| *one.certificate.expect("good partials certify")).collect()
    }
}

fn sign(criterion: &mut Criterion) {
    let cluster = Cluster::new(4);
    let message = B256::repeat_byte(3);
    criterion.bench_function("sign", |bencher| bencher.iter(|| cluster.signers[0].sign(black_box(&message))));
}

fn certify(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certify");
    // Which three of four sign decides whether the coefficients are integers (1, 2, 3 or 4, 1, 2: thirds).
    for (n, first) in [(1, 0), (4, 0), (4, 3), (16, 0), (16, 9), (100, 0), (100, 50)] {
        let mut cluster = Cluster::new(n);
        let ballot = cluster.ballot(0, first);
        group.bench_function(BenchmarkId::new(format!("n={n}"), format!("from operator {first}")), |bencher| {
            bencher.iter_batched(|| vec![ballot.clone()], |ballots| cluster.certify(ballots), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn certify_batch(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certify batch");
    for count in [2_u32, 8, 32] {
        let mut cluster = Cluster::new(4);
        let ballots: Vec<Ballot> = (0..count).map(|slot| cluster.ballot(slot, 0)).collect();
        group.throughput(Throughput::Elements(count.into()));
        group.bench_function(BenchmarkId::new("n=4", count), |bencher| {
            bencher.iter_batched(|| ballots.clone(), |ballots| cluster.certify(ballots), BatchSize::SmallInput);
        });
    }
    group.finish();
}

fn culprit(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certify with one bad partial");
    for n in [4, 100] {
        let mut cluster = Cluster::new(n);
        let mut ballot = cluster.ballot(0, 0);
        ballot.partials[1].1 = ballot.partials[0].1;
        group.bench_function(BenchmarkId::from_parameter(format!("n={n}")), |bencher| {
            bencher.iter_batched(
                || vec![ballot.clone()],
                |ballots| cluster.verifier.certify(&mut cluster.rng, ballots),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

fn certificates(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("certificates");
    let mut cluster = Cluster::new(1);
    let ballots = (0..128).map(|slot| cluster.ballot(slot, 0)).collect();
    let certificates = cluster.certify(ballots);
    for count in [1, 16, 128] {
        group.throughput(Throughput::Elements(count));
        group.bench_function(BenchmarkId::from_parameter(count), |bencher| {
            bencher.iter_batched(
                || certificates[..usize::try_from(count).expect("small")].to_vec(),
                |batch| cluster.verifier.certificates(&mut cluster.rng, batch),
                BatchSize::SmallInput,
            );
        });
    }
    group.finish();
}

criterion_group!(benches, sign, certify, certify_batch, culprit, certificates);
criterion_main!(benches);
