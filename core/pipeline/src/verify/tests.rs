//! What comes out of the verify stage, for honest peers, liars and floods.

use super::*;
use crate::ring::{NoWake, Wake};
use crate::testing::{Cluster, PlainInspector, block, counters, drain, notarize, ring, rng, window};
use core::time::Duration;
use phalanx_consensus::{Config, Engine, Outbox, Restored, Window};
use phalanx_types::{B256, BlockRef, Position, Vote};
use proptest::prelude::*;

struct Bench {
    cluster: Cluster,
    stage: VerifyStage,
    ingress: Arc<Ingress>,
    own: Arc<Ring<SignedVote>>,
    verified: Arc<Ring<Input>>,
    snapshots: Snapshots,
    counters: Arc<Counters>,
    now: Time,
}

const ME: OperatorIndex = OperatorIndex(0);

fn status() -> phalanx_consensus::Status {
    let second = Duration::from_secs(1);
    let config = Config {
        me: ME,
        size: phalanx_types::ClusterSize::new(4).expect("within range"),
        epoch: 0,
        genesis: BlockRef::default(),
        slots_per_term: 50,
        block_time: Duration::from_millis(10),
        pipeline_depth: 4,
        progress_timeout_min: second,
        progress_timeout_max: second,
        finality_lag_min: second,
        finality_lag_max: second,
        resend_interval_min: second,
        resend_interval_max: second,
        jitter_seed: 0,
        collectors: phalanx_consensus::Collectors::default(),
    };
    Engine::new(config, Restored::default(), Time::ZERO, &mut Outbox::new()).status()
}

impl Bench {
    fn new() -> Self {
        Self::with_ring(VERIFIED_RING_MAX)
    }

    fn with_ring(capacity: usize) -> Self {
        let cluster = Cluster::new();
        let nobody: Arc<dyn Wake> = Arc::new(NoWake);
        let (counters, own, verified) = (counters(), ring(OWN_RING_MAX), ring(capacity));
        let ingress = Arc::new(Ingress::new(ME, cluster.verifier.size(), &nobody, &counters));
        let snapshots = Snapshots::new(Snapshot { window: window(), status: status() });
        let stage = VerifyStage::new(VerifyWiring {
            ingress: Arc::clone(&ingress),
            own: Arc::clone(&own),
            verified: Arc::clone(&verified),
            snapshots: snapshots.clone(),
            verifier: Arc::clone(&cluster.verifier),
            inspector: Arc::new(PlainInspector),
            counters: Arc::clone(&counters),
            rng: rng(3),
        });
        Self { cluster, stage, ingress, own, verified, snapshots, counters, now: Time::ZERO }
    }

    fn push(&self, from: u16, message: Message) -> bool {
        self.ingress.push(OperatorIndex(from), message)
    }

    fn vote(&self, from: u16, vote: Vote) -> bool {
        self.push(from, Message::Vote(self.cluster.vote(from, vote)))
    }

    /// Runs until idle, taking everything out.
    fn run(&mut self) -> Vec<Input> {
        let mut inputs = Vec::new();
        loop {
            let did_work = self.stage.turn(self.now).did_work;
            let taken = drain(&self.verified);
            if !did_work && taken.is_empty() {
                return inputs;
            }
            inputs.extend(taken);
        }
    }

    fn look_at(&self, window: Window) {
        self.snapshots.publish(Snapshot { window, status: status() });
    }
}

fn certificates(inputs: &[Input]) -> Vec<Vote> {
    inputs
        .iter()
        .filter_map(|input| if let Input::Certificate(certificate) = input { Some(certificate.vote) } else { None })
        .collect()
}

fn proposals(inputs: &[Input]) -> Vec<Position> {
    inputs
        .iter()
        .filter_map(
            |input| if let Input::Proposal { proposal, .. } = input { Some(proposal.header.position) } else { None },
        )
        .collect()
}

fn heard(inputs: &[Input]) -> Vec<(u16, Option<Vote>)> {
    inputs
        .iter()
        .filter_map(|input| if let Input::Heard { from, vote } = input { Some((from.0, *vote)) } else { None })
        .collect()
}

fn convictions(inputs: &[Input]) -> usize {
    inputs.iter().filter(|input| matches!(input, Input::Equivocation(_))).count()
}

#[test]
fn a_quorum_makes_a_certificate_once() {
    let mut bench = Bench::new();
    bench.own.push(bench.cluster.vote(0, notarize(0))).expect("room");
    bench.vote(1, notarize(0));
    let inputs = bench.run();
    assert!(certificates(&inputs).is_empty(), "two of three");
    assert_eq!(heard(&inputs), [(1, Some(notarize(0)))]);
    bench.vote(2, notarize(0));
    let inputs = bench.run();
    assert_eq!(certificates(&inputs), [notarize(0)]);
    bench.vote(3, notarize(0));
    let inputs = bench.run();
    assert!(certificates(&inputs).is_empty());
    assert_eq!(heard(&inputs), [(3, None)], "late, but alive");
    assert_eq!(bench.counters.dropped(DropReason::AlreadyCertified), 1);
    assert_eq!(bench.counters.certificates_recovered.get(), 1);
}

#[test]
fn a_liar_is_named_and_its_partials_are_checked_alone() {
    let mut bench = Bench::new();
    let lie = bench.cluster.lie(1, notarize(0));
    bench.push(1, Message::Vote(lie));
    bench.vote(2, notarize(0));
    bench.vote(3, notarize(0));
    assert!(certificates(&bench.run()).is_empty());
    assert_eq!(bench.counters.culprits.get(), 1);
    // Its second try at the same vote does not count; the fourth operator's partial completes the quorum.
    bench.vote(1, notarize(0));
    bench.own.push(bench.cluster.vote(0, notarize(0))).expect("room");
    assert_eq!(certificates(&bench.run()), [notarize(0)]);
    // From now on its partials are checked before they can spoil a batch.
    let batches = bench.counters.batches.get();
    let lie = bench.cluster.lie(1, notarize(1));
    bench.push(1, Message::Vote(lie));
    bench.vote(2, notarize(1));
    bench.vote(3, notarize(1));
    assert!(certificates(&bench.run()).is_empty());
    assert_eq!(bench.counters.batches.get(), batches, "no batch was made with a partial that is known to be bad");
    // And counted when they are good.
    for peer in 1..4 {
        bench.vote(peer, notarize(2));
    }
    assert_eq!(certificates(&bench.run()), [notarize(2)]);
    assert_eq!(bench.counters.culprits.get(), 2);
}

#[test]
fn culprits_are_looked_for_after_what_honest_operators_sent() {
    let mut bench = Bench::new();
    let lies: Vec<_> = (0..3).map(|slot| bench.cluster.lie(1, notarize(slot))).collect();
    for (lie, slot) in lies.into_iter().zip(0..) {
        bench.push(1, Message::Vote(lie));
        bench.vote(2, notarize(slot));
        bench.vote(3, notarize(slot));
    }
    for peer in 2..4 {
        bench.vote(peer, notarize(3));
    }
    bench.own.push(bench.cluster.vote(0, notarize(3))).expect("room");
    let mut bisections = Vec::new();
    let mut turns = Vec::new();
    while bench.stage.turn(bench.now).did_work {
        turns.push(certificates(&drain(&bench.verified)));
        bisections.push(bench.counters.bisections.get());
    }
    assert_eq!(turns[0], [notarize(3)], "the good quorum passes in the turn in which it came");
    assert_eq!(bisections[..3], [1, 2, 3], "one search in a turn");
    assert_eq!(bench.counters.culprits.get(), 3, "each lie is found");
}

#[test]
fn what_the_engine_has_no_use_for_costs_no_cryptography() {
    let mut bench = Bench::new();
    bench.look_at(Window { finalized: Some(Position::new(0, 1, 3)), notarized_slot: Some(3), ..window() });
    let position = |epoch, term, slot| Vote::notarize(Position::new(epoch, term, slot), notarize(0).block);
    for vote in [position(0, 1, 3), position(0, 1, 40), position(1, 1, 4), position(0, 3, 0), position(0, 2, 4)] {
        bench.vote(1, vote);
    }
    assert!(!bench.push(2, Message::Vote(bench.cluster.vote(1, notarize(4)))), "refused at the door");
    let certificate = *bench.cluster.certificate(position(0, 1, 2));
    bench.push(2, Message::Certificate(certificate));
    let inputs = bench.run();
    assert_eq!(heard(&inputs), [(1, None), (2, None)]);
    assert_eq!(inputs.len(), 2);
    assert_eq!(bench.counters.dropped(DropReason::OutsideWindow), 6);
    assert_eq!(bench.counters.dropped(DropReason::SignerNotSender), 1);
    assert_eq!((bench.counters.partials.get(), bench.counters.batches.get()), (0, 0));
}

#[test]
fn certificates_are_checked_once_and_repeated_from_time_to_time() {
    let mut bench = Bench::new();
    let certificate = *bench.cluster.certificate(notarize(0));
    bench.push(1, Message::Certificate(certificate));
    bench.push(2, Message::Certificate(certificate));
    assert_eq!(certificates(&bench.run()), [notarize(0)]);
    assert_eq!(bench.counters.batch_items.get(), 1);
    bench.push(3, Message::Certificate(certificate));
    assert!(certificates(&bench.run()).is_empty());
    bench.now = bench.now + REPEAT_INTERVAL;
    bench.push(3, Message::Certificate(certificate));
    assert_eq!(certificates(&bench.run()), [notarize(0)], "the engine may have had no room for it");
    assert_eq!(bench.counters.batch_items.get(), 1, "without another check");
}

#[test]
fn a_certificate_that_contradicts_a_known_one_is_checked_though_the_window_has_no_use_for_it() {
    let mut bench = Bench::new();
    let position = Position::new(0, 3, 2);
    let notarize = |byte| Vote::notarize(position, BlockRef::new(9, B256::repeat_byte(byte)));
    bench.push(1, Message::Certificate(*bench.cluster.certificate(notarize(1))));
    assert_eq!(certificates(&bench.run()), [notarize(1)]);
    let known = Window { term: 3, notarized_slot: Some(2), notarized_slots: 1, ..window() };
    bench.look_at(known.clone());
    bench.push(2, Message::Certificate(*bench.cluster.certificate(notarize(2))));
    assert_eq!(certificates(&bench.run()), [notarize(2)], "the engine must see both");
    // Final, and then said to be nullified.
    bench.look_at(Window { finalized: Some(position), ..known });
    let nullify = Vote::nullify(Position { slot: 1, ..position });
    bench.push(2, Message::Certificate(*bench.cluster.certificate(nullify)));
    assert_eq!(certificates(&bench.run()), [nullify]);
    let other_term = Vote::nullify(Position { term: 2, ..position });
    bench.push(2, Message::Certificate(*bench.cluster.certificate(other_term)));
    assert_eq!(certificates(&bench.run()), [], "an old term may end as it likes");
}

#[test]
fn a_wrong_certificate_is_its_senders_fault_alone() {
    let mut bench = Bench::new();
    let forged = Certificate { vote: notarize(7), ..*bench.cluster.certificate(notarize(0)) };
    bench.push(1, Message::Certificate(forged));
    for slot in 0..5 {
        bench.push(2, Message::Certificate(*bench.cluster.certificate(notarize(slot))));
    }
    assert_eq!(certificates(&bench.run()), (0..5).map(notarize).collect::<Vec<_>>());
    assert_eq!(bench.counters.culprits.get(), 1);
    bench.push(1, Message::Certificate(*bench.cluster.certificate(notarize(5))));
    assert_eq!(certificates(&bench.run()), [notarize(5)], "a culprit's good certificate counts");
}

#[test]
fn fetched_certificates_pass_whatever_the_window_says() {
    let mut bench = Bench::new();
    let old = Vote::nullify(Position::new(0, 0, 9));
    let list = vec![*bench.cluster.certificate(old), *bench.cluster.certificate(notarize(0))];
    assert!(bench.ingress.push_fetched(OperatorIndex(1), list.clone()));
    assert_eq!(certificates(&bench.run()), [old, notarize(0)]);
    assert!(bench.ingress.push_fetched(OperatorIndex(2), list));
    assert_eq!(certificates(&bench.run()), [old, notarize(0)], "asked for again, answered again");
    assert_eq!(bench.counters.batch_items.get(), 2, "without another check");
    assert!(!bench.ingress.push_fetched(OperatorIndex(9), Vec::new()));
}

#[test]
fn a_justification_comes_before_its_proposal() {
    let mut bench = Bench::new();
    let held = *bench.cluster.certificate(Vote::nullify(Position::new(0, 0, 3)));
    let forged = Certificate { vote: Vote::nullify(Position::new(0, 0, 4)), ..held };
    let first = block(1, B256::ZERO, 0);
    bench.push(1, bench.cluster.proposal(Position::new(0, 1, 0), &first, vec![held, forged]));
    let inputs = bench.run();
    assert_eq!(certificates(&inputs), [held.vote], "also of a term that was left; a wrong one is left out");
    assert_eq!(proposals(&inputs), [Position::new(0, 1, 0)], "what is missing is not invalid");
    let at = |wanted: fn(&Input) -> bool| inputs.iter().position(wanted).expect("is there");
    assert!(at(|input| matches!(input, Input::Certificate(_))) < at(|input| matches!(input, Input::Proposal { .. })));
    // Again: nothing new, and nothing is hashed twice.
    bench.push(1, bench.cluster.proposal(Position::new(0, 1, 0), &first, vec![held]));
    assert!(proposals(&bench.run()).is_empty());
    bench.now = bench.now + REPEAT_INTERVAL;
    bench.push(1, bench.cluster.proposal(Position::new(0, 1, 0), &first, vec![held]));
    assert_eq!(proposals(&bench.run()).len(), 1, "repeated from time to time");
}

#[test]
fn a_proposal_is_its_leaders_and_names_its_payload() {
    let mut bench = Bench::new();
    let (first, other) = (block(1, B256::ZERO, 0), block(1, B256::ZERO, 1));
    let position = Position::new(0, 1, 0);
    let Message::Proposal { proposal, .. } = bench.cluster.proposal(position, &first, Vec::new()) else {
        unreachable!("a proposal")
    };
    // From somebody else; signed for another term; with another payload, or none.
    assert!(!bench.push(2, Message::Proposal { proposal: proposal.clone(), payload: first.payload.clone() }));
    let mut stolen = proposal.clone();
    stolen.header.position = Position::new(0, 1, 1);
    bench.push(1, Message::Proposal { proposal: stolen, payload: first.payload.clone() });
    let mut usurped = proposal.clone();
    usurped.leader = OperatorIndex(3);
    bench.push(3, Message::Proposal { proposal: usurped, payload: first.payload.clone() });
    bench.push(1, Message::Proposal { proposal: proposal.clone(), payload: other.payload });
    assert!(proposals(&bench.run()).is_empty());
    assert_eq!(bench.counters.dropped(DropReason::SignerNotSender), 1);
    assert_eq!(bench.counters.dropped(DropReason::BadProposal), 2);
    assert_eq!(bench.counters.dropped(DropReason::BadPayload), 1);
    // A leader that sent a wrong payload gets no second hashing; others fetch the block by its hash.
    bench.push(1, Message::Proposal { proposal, payload: first.payload.clone() });
    assert!(proposals(&bench.run()).is_empty());
    bench.push(1, bench.cluster.proposal(Position::new(0, 1, 1), &first, Vec::new()));
    assert_eq!(proposals(&bench.run()), [Position::new(0, 1, 1)]);
}

#[test]
fn two_proposals_convict_once() {
    let mut bench = Bench::new();
    let position = Position::new(0, 1, 0);
    for salt in 0..4 {
        bench.push(1, bench.cluster.proposal(position, &block(1, B256::ZERO, salt), Vec::new()));
    }
    let inputs = bench.run();
    assert_eq!((proposals(&inputs).len(), convictions(&inputs)), (1, 1));
    assert_eq!(bench.counters.equivocations.get(), 1);
}

#[test]
fn evidence_from_others_is_checked() {
    let mut bench = Bench::new();
    let position = Position::new(0, 1, 0);
    let [first, second] =
        [0, 1].map(|salt| bench.cluster.signed_proposal(position, &block(1, B256::ZERO, salt), vec![]));
    let evidence = Equivocation {
        leader: OperatorIndex(1),
        first: first.header,
        first_signature: first.signature,
        second: second.header,
        second_signature: second.signature,
    };
    let framed = Equivocation { second_signature: first.signature, ..evidence.clone() };
    bench.push(2, Message::Equivocation(Box::new(framed)));
    assert_eq!(convictions(&bench.run()), 0);
    assert_eq!(bench.counters.culprits.get(), 1);
    for from in [3, 2, 3] {
        bench.push(from, Message::Equivocation(Box::new(evidence.clone())));
    }
    assert_eq!(convictions(&bench.run()), 1);
}

#[test]
fn a_full_ring_stops_the_stage_and_loses_nothing() {
    let mut bench = Bench::with_ring(2);
    for slot in 0..8 {
        for peer in 1..4 {
            bench.vote(peer, notarize(slot));
        }
    }
    assert!(bench.stage.turn(Time::ZERO).did_work);
    bench.vote(1, Vote::nullify(Position::new(0, 1, 0)));
    assert!(!bench.stage.turn(Time::ZERO).did_work, "blocked");
    assert_eq!(bench.ingress.depths()[0].length, 1, "nothing more is taken in");
    // One's own partials are, so that the sign stage never waits for this one.
    bench.own.push(bench.cluster.vote(0, Vote::nullify(Position::new(0, 1, 0)))).expect("room");
    assert!(bench.stage.turn(Time::ZERO).did_work);
    assert_eq!(bench.own.depth().length, 0);
    let mut inputs = Vec::new();
    for _ in 0..1_000 {
        inputs.extend(bench.verified.pop());
        bench.stage.turn(Time::ZERO);
    }
    assert_eq!(certificates(&inputs), (0..8).map(notarize).collect::<Vec<_>>());
    assert_eq!(heard(&inputs).len(), 25);
}

#[test]
fn a_flood_crowds_out_only_its_sender() {
    let mut bench = Bench::new();
    let mut dropped = 0;
    for number in 0..5_000u32 {
        dropped += u32::from(!bench.vote(3, notarize(number % 8)));
    }
    assert!(dropped >= 4_000);
    assert_eq!(bench.counters.dropped(DropReason::RingFull), u64::from(dropped));
    for peer in 1..3 {
        for slot in 0..8 {
            assert!(bench.vote(peer, notarize(slot)));
        }
    }
    bench.stage.turn(Time::ZERO);
    let left = bench.ingress.depths()[0].length;
    assert_eq!(left, crate::VOTES_RING_MAX - PEER_MESSAGES_PER_TURN_MAX, "no more of it than of anybody in a turn");
    let inputs = drain(&bench.verified);
    assert_eq!(heard(&inputs).iter().filter(|(from, _)| *from != 3).count(), 16, "all in the first turn");
    assert_eq!(certificates(&inputs).len(), 8);
}

#[test]
fn a_flood_of_wrong_certificates_is_rationed() {
    let mut bench = Bench::new();
    let good = *bench.cluster.certificate(notarize(0));
    let mut checked = Vec::new();
    for round in 0..40u32 {
        for number in 0..100 {
            let vote = Vote::finalize(Position::new(0, 5 + u64::from(round), number % 50), notarize(number).block);
            bench.push(3, Message::Certificate(Certificate { vote, ..good }));
        }
        bench.run();
        checked.push(bench.counters.batch_items.get());
    }
    let (first, last) = (checked[0], checked[checked.len() - 1]);
    assert!(last < 400, "{first} checks in the first round, {last} in all of 4,000 within one instant");
    assert!(bench.counters.dropped(DropReason::CulpritRefused) > 3_000);
    bench.push(1, Message::Certificate(good));
    assert_eq!(certificates(&bench.run()), [notarize(0)]);
}

#[test]
fn memory_follows_the_window() {
    let mut bench = Bench::new();
    for slot in 0..8 {
        bench.vote(1, notarize(slot));
        bench.push(1, bench.cluster.proposal(Position::new(0, 1, slot), &block(1, B256::ZERO, 0), Vec::new()));
    }
    bench.vote(1, Vote::nullify(Position::new(0, 1, 3)));
    bench.run();
    bench.look_at(Window { term: 9, finalized: Some(Position::new(0, 8, 49)), ..window() });
    bench.run();
    bench.vote(1, Vote::notarize(Position::new(0, 9, 0), notarize(0).block));
    assert_eq!(heard(&bench.run()).len(), 1);
    let shown = format!("{:?}", bench.stage.proposals);
    assert!(shown.contains("seen: {}"), "{shown}");
}

#[derive(Clone, Debug)]
enum Say {
    Vote { slot: u32, kind: u8, lies: bool },
    Certificate { slot: u32, lies: bool },
    Proposal { slot: u32, salt: u8 },
}

fn say() -> impl Strategy<Value = (u16, Say)> {
    let said = prop_oneof![
        4 => (0u32..10, 0u8..3, prop::bool::weighted(0.2)).prop_map(|(slot, kind, lies)| Say::Vote { slot, kind, lies }),
        1 => (0u32..10, any::<bool>()).prop_map(|(slot, lies)| Say::Certificate { slot, lies }),
        1 => (0u32..10, 0u8..2).prop_map(|(slot, salt)| Say::Proposal { slot, salt }),
    ];
    (1u16..4, said)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Whatever one liar (operator 3) mixes in, what comes out is true, and what the honest ones said in
    /// sufficient number does come out.
    #[test]
    fn only_truth_comes_out_and_all_of_it(said in prop::collection::vec(say(), 1..120), turns in 1usize..20) {
        let mut bench = Bench::with_ring(8);
        let mut voters = BTreeMap::<Vote, std::collections::BTreeSet<u16>>::new();
        let mut inputs = Vec::new();
        for (step, (from, said)) in said.into_iter().enumerate() {
            let honest = from != 3;
            let message = match said {
                Say::Vote { slot, kind, lies } => {
                    let vote = match kind {
                        0 => notarize(slot),
                        1 => Vote::finalize(notarize(slot).position, notarize(slot).block),
                        _ => Vote::nullify(Position::new(0, 1, 4)),
                    };
                    if lies && !honest {
                        Message::Vote(bench.cluster.lie(from, vote))
                    } else {
                        if honest && bench.snapshots.load().window.wants_vote(&vote) {
                            voters.entry(vote).or_default().insert(from);
                        }
                        Message::Vote(bench.cluster.vote(from, vote))
                    }
                }
                Say::Certificate { slot, lies } => {
                    let vote = Vote::finalize(notarize(slot).position, notarize(slot).block);
                    let certificate = *bench.cluster.certificate(vote);
                    let vote = if lies && !honest { notarize(slot) } else { vote };
                    Message::Certificate(Certificate { vote, ..certificate })
                }
                Say::Proposal { slot, salt } => {
                    bench.cluster.proposal(Position::new(0, 1, slot), &block(1, B256::ZERO, salt), Vec::new())
                }
            };
            bench.push(from, message);
            if step % turns == 0 {
                bench.stage.turn(bench.now);
                inputs.extend(drain(&bench.verified));
            }
        }
        // The third honest operator is this one.
        for vote in voters.keys() {
            bench.own.push(bench.cluster.vote(0, *vote)).expect("room");
        }
        inputs.extend(bench.run());
        let made: std::collections::BTreeSet<Vote> = certificates(&inputs).into_iter().collect();
        for (vote, signers) in voters {
            if signers.len() == 2 {
                prop_assert!(
                    made.contains(&vote) || made.contains(&Vote::finalize(vote.position, vote.block)),
                    "{} had a quorum", vote
                );
            }
        }
        for input in &inputs {
            if let Input::Certificate(certificate) = input {
                let again = bench.cluster.verifier.certificates(&mut rng(9), vec![**certificate]);
                prop_assert!(again[0].is_ok());
            }
        }
    }
}
