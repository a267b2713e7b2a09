//! Ceremonies in a virtual network, with `f` dealers that do one of the [`Kind`]s of wrong, and honest operators
//! that lose messages and restart: each ends in one agreed key, or with every honest operator naming one of
//! those who are in the way.

mod network;

use super::*;
use network::{End, Kind, Run};
use phalanx_types::OperatorIndex;

/// What the rest of the tests rely on: the seeds do not decide what happens, only how.
fn sweep(n: u8, seeds: core::ops::Range<u64>, progress: bool) {
    let total = seeds.end - seeds.start;
    for seed in seeds.clone() {
        let kind = Kind::ALL[usize::try_from(seed).expect("few") % Kind::ALL.len()];
        let run = Run::new(n, kind, seed);
        let end = run.end();
        check(n, kind, seed, &end);
        let done = seed + 1 - seeds.start;
        if progress && (n >= 50 || done.is_multiple_of(100)) {
            eprintln!("n = {n}: {done} of {total} ceremonies, the last one with {kind:?}: {}", end.summary());
        }
    }
}

fn check(n: u8, kind: Kind, seed: u64, end: &End) {
    let context = format!("n = {n}, {kind:?}, seed {seed}: {}", end.summary());
    let faulty = &end.faulty;
    let honest_ones = end.statuses.len();
    let finished = end.statuses.iter().filter(|status| matches!(status, Status::Finished(_))).count();
    let named = |culprit: &OperatorIndex| faulty.contains(culprit);
    match kind {
        // Late is not never; and a wrong word for the outcome to some is made good by the right one to others.
        Kind::Late | Kind::ConfirmTwice => assert_eq!(finished, honest_ones, "{context}"),
        Kind::Silence(step) => {
            for status in &end.statuses {
                let Status::Waiting(waiting, whom) = status else { panic!("{context}") };
                assert_eq!((*waiting, whom), (step, faulty), "{context}");
            }
        }
        // The second word may be lost on its way, or come when the first has been acted on by all.
        Kind::Equivocation | Kind::LateEquivocation if finished == honest_ones => {}
        Kind::WrongShare | Kind::Malformed | Kind::Equivocation | Kind::LateEquivocation | Kind::WrongConfirm => {
            for status in &end.statuses {
                let Status::Aborted(abort) = status else { panic!("{context}") };
                assert!(named(&abort.culprit), "{context}: {}", abort.reason);
            }
        }
    }
    if finished > 0 {
        end.check_keys(&context);
    }
}

#[test]
fn four_operators_agree_or_name_a_culprit() {
    sweep(4, 0..30, false);
}

#[test]
fn seven_operators_agree_or_name_a_culprit() {
    sweep(7, 0..10, false);
}

#[test]
fn one_operator_needs_nobody() {
    let end = Run::new(1, Kind::Late, 0).end();
    check(1, Kind::Late, 0, &end);
}

#[test]
fn without_faults_all_finish_though_messages_are_lost_and_operators_restart() {
    for seed in 0..10 {
        let end = Run::honest(4, seed).end();
        check(4, Kind::Late, seed, &end);
        assert_eq!(end.statuses.len(), 4);
    }
}

#[test]
fn the_same_seed_runs_the_same_ceremony() {
    let trace = |seed| Run::honest(4, seed).end().trace;
    assert_eq!(trace(3), trace(3));
    assert_ne!(trace(3), trace(4));
}

/// The bars in full, with progress:
/// `cargo test --release -p phalanx-threshold dkg_in_full -- --ignored --nocapture`; `PHALANX_DKG_OPERATORS` picks
/// one size.
#[test]
#[ignore = "takes an hour of one core"]
fn dkg_in_full() {
    let only = std::env::var("PHALANX_DKG_OPERATORS").ok().and_then(|n| n.parse().ok());
    let kinds = u64::try_from(Kind::ALL.len()).expect("few");
    for (n, seeds) in [(4, 10_000), (7, 10_000), (16, 200), (50, kinds), (100, kinds)] {
        if only.is_none_or(|only: u8| only == n) {
            sweep(n, 0..seeds, true);
        }
    }
}

#[test]
fn messages_read_back_and_nothing_else_does() {
    let n = 4;
    let have =
        Have { steps: core::array::from_fn(|step| (0..n).map(|index| index == step).collect()), ..Have::default() };
    let messages = [
        CeremonyMessage::Have(Have { finished: true, ..have.clone() }),
        CeremonyMessage::Have(Have { aborted: true, ..have }),
        envelope(Body::Commit([7; 32].into())),
        envelope(Body::Echo(vec![([7; 32].into(), phalanx_types::IdentitySignature([1; 64].into())); n])),
        envelope(Body::Deal(vec![1, 2, 3])),
        envelope(Body::Confirm {
            digest: [3; 32].into(),
            attestation: phalanx_types::IdentitySignature([1; 64].into()),
            partial: [5; 48].into(),
        }),
    ];
    for message in messages {
        let bytes = message.to_bytes();
        assert_eq!(CeremonyMessage::from_bytes(&bytes, n), Ok(message.clone()));
        let smaller = CeremonyMessage::from_bytes(&bytes, n - 3);
        assert!(smaller.is_err(), "of an operator of a larger ceremony: {message:?}");
        if !matches!(&message, CeremonyMessage::Envelope(Envelope { body: Body::Deal(_), .. })) {
            assert!(CeremonyMessage::from_bytes(&[&bytes[..], &[0]].concat(), n).is_err(), "longer: {message:?}");
            assert!(CeremonyMessage::from_bytes(&bytes[..bytes.len() - 1], n).is_err(), "shorter: {message:?}");
        }
        let mut later = bytes;
        later[0] += 1;
        assert!(CeremonyMessage::from_bytes(&later, n).is_err(), "another version");
    }
}

fn envelope(body: Body) -> CeremonyMessage {
    CeremonyMessage::Envelope(Envelope {
        from: phalanx_types::OperatorIndex(2),
        body,
        signature: phalanx_types::IdentitySignature([9; 64].into()),
    })
}
