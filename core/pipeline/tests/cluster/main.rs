//! Whole pipelines, four at a time, in virtual time: they make one chain, with a toy key and with a real
//! one, beside liars and floods, through crashes, and when the driver stalls.

mod network;

use network::{BLOCK_TIME, Keys, Network, operator};
use phalanx_bls::Backend;
use phalanx_journal::memory::{Fault, Unsynced};
use phalanx_pipeline::DropReason;
use phalanx_threshold::{BlsMinSig, BlsSigner, PartialSigner, deal, toy};
use phalanx_types::{BlockRef, Certificate, ClusterSize, Message, Position, Vote};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::sync::Arc;
use std::time::Duration;

fn toy_keys(n: usize) -> Keys {
    let size = ClusterSize::new(n).expect("within range");
    let (scheme, signers) = toy::deal(&mut ChaCha20Rng::from_seed([1; 32]), size);
    let signers = signers.into_iter().map(|signer| Arc::new(signer) as Arc<dyn PartialSigner>).collect();
    Keys::new(Arc::new(scheme), signers)
}

fn bls_keys(n: usize) -> Keys {
    let size = ClusterSize::new(n).expect("within range");
    let deal = deal(&mut ChaCha20Rng::from_seed([1; 32]), size);
    let scheme = BlsMinSig::new(Backend::detect(), size, deal.public_key, deal.share_keys).expect("one deal");
    let signers =
        deal.shares.into_iter().map(|share| Arc::new(BlsSigner::<phalanx_bls::MinSig>::new(share)) as _).collect();
    Keys::new(Arc::new(scheme), signers)
}

/// How many blocks fit into so many seconds.
fn blocks_in(seconds: u64) -> u64 {
    seconds * 1_000 / u64::try_from(BLOCK_TIME.as_millis()).expect("small")
}

fn lowest(network: &Network) -> u64 {
    network.heights().into_iter().min().expect("nodes")
}

#[test]
fn four_operators_make_one_chain() {
    let mut network = Network::new(toy_keys(4), 1);
    network.run(Duration::from_secs(5));
    network.check();
    assert!(lowest(&network) >= blocks_in(5) * 9 / 10, "{:?}", network.heights());
    for node in &network.nodes {
        let (_, handles) = node.up.as_ref().expect("up");
        let counters = &handles.counters;
        assert_eq!(counters.culprits.get(), 0);
        assert!(counters.compactions.get() > 0, "the journal was compacted meanwhile");
        assert_eq!(counters.dropped(DropReason::RingFull), 0);
        assert!(counters.certificates_recovered.get() + counters.certificates_received.get() > 0);
    }
}

#[test]
fn every_small_cluster_makes_a_chain() {
    for n in [1, 2, 3, 5, 7] {
        let mut network = Network::new(toy_keys(n), 2);
        network.run(Duration::from_secs(1));
        network.check();
        assert!(lowest(&network) >= blocks_in(1) * 8 / 10, "n = {n}: {:?}", network.heights());
    }
}

#[test]
fn a_real_key_makes_the_same_chain() {
    let mut network = Network::new(bls_keys(4), 3);
    network.run(Duration::from_millis(400));
    network.check();
    assert!(lowest(&network) >= 30, "{:?}", network.heights());
}

#[test]
fn a_real_key_survives_a_liar_and_a_crash() {
    let mut network = Network::new(bls_keys(4), 4);
    network.tamper = Some(Box::new(|_, from, message| match message {
        Message::Vote(mut signed) if from == operator(3) => {
            signed.partial = [0x11; 48].into();
            vec![Message::Vote(signed)]
        }
        message => vec![message],
    }));
    network.run(Duration::from_millis(150));
    network.crash(1, Unsynced::Lost);
    network.start(1);
    network.run(Duration::from_millis(400));
    network.check();
    assert!(lowest(&network) >= 20, "{:?}", network.heights());
}

#[test]
fn a_liar_costs_little() {
    let mut network = Network::new(toy_keys(4), 5);
    // Partials of other votes: well-formed, and wrong.
    network.tamper = Some(Box::new(|keys, from, message| match message {
        Message::Vote(mut signed) if from == operator(3) => {
            signed.partial = keys.signers[3].sign(&phalanx_types::keccak256([7]));
            vec![Message::Vote(signed)]
        }
        message => vec![message],
    }));
    network.run(Duration::from_secs(4));
    network.check();
    assert!(lowest(&network) >= blocks_in(4) * 8 / 10, "{:?}", network.heights());
    let culprits: u64 =
        (0..3).map(|index| network.nodes[index].up.as_ref().expect("up").1.counters.culprits.get()).sum();
    assert!(culprits > 0, "the liar was named");
}

#[test]
fn a_flood_costs_little() {
    let mut network = Network::new(toy_keys(4), 6);
    let mut serial = 0u32;
    network.tamper = Some(Box::new(move |_, from, message| {
        let mut messages = vec![message];
        if from == operator(3) {
            for _ in 0..100 {
                serial += 1;
                let vote = Vote::finalize(
                    Position::new(0, 1_000 + u64::from(serial), 0),
                    BlockRef::new(1, Default::default()),
                );
                messages.push(Message::Certificate(Certificate { vote, signature: [9; 48].into() }));
            }
        }
        messages
    }));
    network.run(Duration::from_secs(2));
    network.check();
    assert!(lowest(&network) >= blocks_in(2) * 8 / 10, "{:?}", network.heights());
    let (_, handles) = network.nodes[0].up.as_ref().expect("up");
    assert!(handles.counters.dropped(DropReason::CulpritRefused) > 1_000);
}

#[test]
fn a_stalled_driver_loses_nothing() {
    let mut network = Network::new(toy_keys(4), 7);
    network.run(Duration::from_millis(500));
    let before = lowest(&network);
    network.nodes[2].stalled = true;
    network.run(Duration::from_secs(4));
    let (_, handles) = network.nodes[2].up.as_ref().expect("up");
    let full: Vec<_> = handles.gauges.read().into_iter().filter(|depth| depth.length == depth.capacity).collect();
    assert!(!full.is_empty(), "the stall filled a ring");
    network.nodes[2].stalled = false;
    network.run(Duration::from_secs(2));
    network.check();
    assert!(network.nodes.iter().all(|node| node.fatal.is_none()));
    assert!(lowest(&network) > before + blocks_in(2), "{:?}", network.heights());
}

#[test]
fn a_full_disk_stops_one_operator_and_nobody_else() {
    let mut network = Network::new(toy_keys(4), 8);
    network.run(Duration::from_millis(500));
    let (turn, _) = network.nodes[1].up.as_mut().expect("up");
    turn.sign.journal_mut().disk_mut().fail_after(0, Fault::Full, 17);
    network.run(Duration::from_secs(3));
    network.check();
    let fatal = network.nodes[1].fatal.as_ref().expect("it says so");
    assert!(fatal.contains("full"), "{fatal}");
    let said = network.said.len();
    let height = network.nodes[0].committed.number;
    assert!(height > blocks_in(1), "{:?}", network.heights());
    network.crash(1, Unsynced::TornAt(17));
    network.start(1);
    network.run(Duration::from_secs(2));
    network.check();
    assert!(network.said.len() > said && network.nodes[1].fatal.is_none());
    assert!(lowest(&network) > height, "{:?}", network.heights());
}

/// Crashes at any operation of any disk, between signing and commit among them; restarts from the journal.
#[test]
fn crashes_never_make_anybody_contradict_itself() {
    for seed in 0..4 {
        let mut network = Network::new(toy_keys(4), 100 + seed);
        let mut down = None;
        for _ in 0..25 {
            let index = usize::try_from(network.rng.next_u64() % 4).expect("small");
            if let Some(index) = down.take() {
                network.start(index);
            } else if let Some((turn, _)) = network.nodes[index].up.as_mut() {
                let (after, done) = (network.rng.next_u64() % 5, network.rng.next_u64() % 400);
                let disk = turn.sign.journal_mut().disk_mut();
                disk.fail_after(after, Fault::Io, usize::try_from(done).expect("small"));
                let pause = Duration::from_millis(network.rng.next_u64() % 40);
                network.run(pause);
                let unsynced = match network.rng.next_u64() % 3 {
                    0 => Unsynced::Lost,
                    1 => Unsynced::TornAt(usize::try_from(network.rng.next_u64() % 300).expect("small")),
                    _ => Unsynced::Sectors(network.rng.next_u64()),
                };
                network.crash(index, unsynced);
                down = Some(index);
            }
            let pause = Duration::from_millis(network.rng.next_u64() % 150);
            network.run(pause);
            network.check();
        }
        if let Some(index) = down {
            network.start(index);
        }
        let before = lowest(&network);
        network.run(Duration::from_secs(3));
        network.check();
        assert!(lowest(&network) > before + 50, "seed {seed}: {before}, then {:?}", network.heights());
        assert!(network.nodes.iter().all(|node| node.fatal.is_none()), "seed {seed}");
    }
}

#[test]
fn all_of_them_restart_at_once() {
    let mut network = Network::new(toy_keys(4), 9);
    network.run(Duration::from_secs(1));
    for round in 0..5 {
        let before = lowest(&network);
        for index in 0..4 {
            network.crash(index, Unsynced::Lost);
        }
        for index in 0..4 {
            network.start(index);
        }
        network.run(Duration::from_secs(2));
        network.check();
        assert!(lowest(&network) > before + 50, "round {round}: {before}, then {:?}", network.heights());
    }
}
