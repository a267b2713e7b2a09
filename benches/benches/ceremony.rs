//! Key generation without a dealer: making a dealing, checking one, and what an operator computes at the end of a
//! ceremony (*finalise*: it checks all dealings, decrypts and adds up its shares, and gives its word), on one thread.
//!
//! `cargo bench -p phalanx-benches --bench ceremony`; `cargo test --benches` runs the smallest once.

use criterion::{BatchSize, BenchmarkId, Criterion, criterion_group, criterion_main};
use phalanx_bls::{Backend, MinSig};
use phalanx_threshold::dkg::{Ceremony, CeremonyMessage, Effect, Envelope, Machine, Participant, Step};
use phalanx_threshold::{Dealing, EncryptionSecret, Identity, Recipients};
use phalanx_types::{B256, OperatorIndex, Time};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::hint::black_box;
use std::sync::Arc;

const CEREMONY: B256 = B256::repeat_byte(5);

fn key(index: usize) -> [u8; 32] {
    [u8::try_from(index + 1).expect("few operators"); 32]
}

fn recipients(n: usize) -> Recipients {
    let keys = (0..n).map(|index| EncryptionSecret::from_bytes(&key(index)).public()).collect();
    Recipients::new(keys).expect("a number within bounds")
}

fn index(index: usize) -> OperatorIndex {
    OperatorIndex(u16::try_from(index).expect("few operators"))
}

fn machine(ceremony: &Ceremony<MinSig>, seat: usize) -> Machine<MinSig> {
    let own = Participant {
        index: index(seat),
        identity: Arc::new(Identity::from_seed(&key(seat))),
        encryption: EncryptionSecret::from_bytes(&key(seat)),
    };
    Machine::new(ceremony.clone(), own, Time::ZERO).expect("its own seat")
}

/// What operator 0 has when all echoes and all dealings but its own word are there.
fn last_messages(ceremony: &Ceremony<MinSig>, n: usize) -> Vec<Envelope> {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let mut machines: Vec<_> = (0..n).map(|seat| machine(ceremony, seat)).collect();
    let mut stored = Vec::new();
    for step in [Step::Commit, Step::Echo] {
        if step == Step::Commit {
            machines.iter_mut().for_each(|machine| machine.start(Time::ZERO, &mut rng));
        }
        let mut sent = Vec::new();
        for (seat, machine) in machines.iter_mut().enumerate() {
            for effect in machine.take_effects() {
                if let Effect::Store(envelope) = effect {
                    let goes_out = envelope.from == index(seat) && envelope.body.step() == step;
                    let is_kept = envelope.from == index(seat) && !stored.contains(&envelope);
                    sent.extend(goes_out.then(|| envelope.clone()));
                    stored.extend(is_kept.then_some(envelope));
                }
            }
        }
        for envelope in &sent {
            for (seat, machine) in machines.iter_mut().enumerate().filter(|(seat, _)| index(*seat) != envelope.from) {
                // Dealings go nowhere: only one operator is to check them, and that is what is measured.
                let last = step == Step::Echo;
                if !last || seat == 0 {
                    machine.receive(Time::ZERO, &mut rng, envelope.from, CeremonyMessage::Envelope(envelope.clone()));
                }
            }
        }
        stored.extend(sent.into_iter().filter(|envelope| step == Step::Echo && envelope.body.step() == step));
    }
    stored.sort_by_key(|envelope| (envelope.body.step(), envelope.from));
    stored.dedup();
    stored
}

fn deal(criterion: &mut Criterion) {
    for n in sizes() {
        let (recipients, mut rng) = (recipients(n), ChaCha12Rng::seed_from_u64(1));
        criterion.bench_function(&format!("deal/{n}"), |bencher| {
            bencher.iter(|| Dealing::<MinSig>::random(&mut rng, &recipients, CEREMONY, index(0)));
        });
        let dealing = Dealing::<MinSig>::random(&mut rng, &recipients, CEREMONY, index(0)).to_bytes();
        criterion.bench_function(&format!("check/{n}"), |bencher| {
            bencher.iter(|| {
                let dealing = Dealing::<MinSig>::from_bytes(black_box(&dealing)).expect("its own encoding");
                dealing.verify(Backend::detect(), &recipients, CEREMONY, index(0)).expect("an honest dealing")
            });
        });
    }
}

fn finalise(criterion: &mut Criterion) {
    let mut group = criterion.benchmark_group("finalise");
    group.sample_size(10);
    for n in sizes() {
        let identities = (0..n).map(|index| Identity::from_seed(&key(index)).public()).collect();
        let attest =
            Arc::new(|key: &phalanx_threshold::ClusterPublicKey, _: &[_]| B256::from_slice(&key.to_bytes()[..32]));
        let ceremony = Ceremony::<MinSig>::new(CEREMONY, identities, recipients(n), Backend::detect(), attest);
        let ceremony = ceremony.expect("as many identities as recipients");
        let messages = last_messages(&ceremony, n);
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        group.bench_function(BenchmarkId::from_parameter(n), |bencher| {
            bencher.iter_batched(
                || (machine(&ceremony, 0), messages.clone()),
                |(mut machine, messages)| {
                    machine.restore(Time::ZERO, &mut rng, messages);
                    machine.start(Time::ZERO, &mut rng);
                    let confirms =
                        |effect: &Effect| matches!(effect, Effect::Store(it) if it.body.step() == Step::Confirm);
                    assert!(n == 1 || machine.take_effects().iter().any(confirms), "{:?}", machine.status());
                    machine
                },
                BatchSize::PerIteration,
            );
        });
    }
}

/// All of them only when measuring.
fn sizes() -> Vec<usize> {
    let measuring = std::env::args().any(|argument| argument == "--bench");
    if measuring { vec![4, 16, 100] } else { vec![4] }
}

criterion_group!(benches, deal, finalise);
criterion_main!(benches);
