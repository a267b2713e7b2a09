//! The kept corpora, on every test run: whatever fuzzing found once stays found.

use phalanx_bls::{Backend, MinSig};
use phalanx_fuzz::TARGETS;
use phalanx_threshold::dkg::{Body, Ceremony, CeremonyMessage, Effect, Envelope, Machine, Participant};
use phalanx_threshold::{EncryptionSecret, Identity, Recipients};
use phalanx_types::{B256, OperatorIndex, Time};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

fn corpus(target: &str) -> Vec<PathBuf> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(target);
    let entries = fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    entries.map(|entry| entry.expect("readable").path()).collect()
}

#[test]
fn every_target_holds_on_its_corpus() {
    for (name, target) in TARGETS {
        let files = corpus(name);
        assert!(!files.is_empty(), "{name} has no corpus");
        for file in files {
            println!("{}", file.display());
            target(&fs::read(&file).expect("readable"));
        }
    }
}

#[test]
fn the_scripts_of_the_engine_make_it_vote() {
    let votes = corpus("engine").into_iter().map(|file| phalanx_fuzz::votes_of(&fs::read(file).expect("readable")));
    assert!(votes.max().expect("a corpus") >= 4, "no script gets the engine anywhere");
}

/// Fuzzing hardly finds a point of the curve by itself: the corpus of ceremonies begins with what a real one says.
/// To write it anew: `cargo test -p phalanx-fuzz --test corpus -- --ignored`.
#[test]
#[ignore = "writes into the source tree"]
fn write_what_a_ceremony_says() {
    for (number, message) in said_in_a_ceremony().into_iter().enumerate() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("corpus/ceremony/seed-{number}"));
        fs::write(path, message).expect("a writable source tree");
    }
}

#[test]
fn what_a_ceremony_says_is_in_the_corpus() {
    let kept: Vec<Vec<u8>> = corpus("ceremony").into_iter().map(|file| fs::read(file).expect("readable")).collect();
    for said in said_in_a_ceremony() {
        assert!(kept.contains(&said), "run this test file with --ignored to write it");
    }
}

/// One message of each kind of a ceremony of four, and the dealing in it, as the target reads them.
fn said_in_a_ceremony() -> Vec<Vec<u8>> {
    const N: u8 = 4;
    let identity = |index: u8| Identity::from_seed(&[index + 1; 32]);
    let secret = |index: u8| EncryptionSecret::from_bytes(&[index + 1; 32]);
    let recipients = Recipients::new((0..N).map(|index| secret(index).public()).collect()).expect("few");
    let identities = (0..N).map(|index| identity(index).public()).collect();
    let ceremony = Ceremony::<MinSig>::new(
        B256::repeat_byte(9),
        identities,
        recipients,
        Backend::Blst,
        Arc::new(|key, _| B256::from_slice(&key.to_bytes()[..32])),
    );
    let ceremony = ceremony.expect("as many identities as recipients");
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let participant = |index: u8| Participant {
        index: OperatorIndex(index.into()),
        identity: Arc::new(identity(index)),
        encryption: secret(index),
    };
    let mut machines: Vec<_> =
        (0..N).map(|index| Machine::new(ceremony.clone(), participant(index), Time::ZERO).expect("a seat")).collect();
    machines.iter_mut().for_each(|machine| machine.start(Time::ZERO, &mut rng));
    let mut said: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    loop {
        let mut sent = Vec::new();
        for (from, machine) in machines.iter_mut().enumerate() {
            for effect in machine.take_effects() {
                match effect {
                    Effect::Store(_) => {}
                    Effect::Send(to, message) => sent.push((from, usize::from(to.0), message)),
                    Effect::Broadcast(message) => {
                        sent.extend((0..usize::from(N)).filter(|to| *to != from).map(|to| (from, to, message.clone())));
                    }
                }
            }
        }
        if sent.is_empty() {
            break;
        }
        for (from, to, message) in sent {
            let (kind, dealing) = match &message {
                CeremonyMessage::Have(have) => (format!("{have:?}"), None),
                CeremonyMessage::Envelope(Envelope { body, .. }) => (
                    format!("{:?}", body.step()),
                    if let Body::Deal(bytes) = body { Some(bytes.clone()) } else { None },
                ),
            };
            let prefixed = |which: u8, bytes: Vec<u8>| [vec![which], bytes].concat();
            said.entry(kind).or_insert_with(|| prefixed(3 * (N - 1), message.to_bytes()));
            if let Some(dealing) = dealing {
                said.entry("dealing".to_owned()).or_insert_with(|| prefixed(1, dealing));
            }
            let from = OperatorIndex(u16::try_from(from).expect("few"));
            machines[to].receive(Time::ZERO, &mut rng, from, message);
        }
    }
    assert!(machines.iter().all(|machine| machine.outcome().is_some()), "the ceremony did not end");
    said.into_values().collect()
}
