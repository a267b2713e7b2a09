//! Feeds each checker a history that breaks its invariant, and sees it caught; and one long history that
//! breaks nothing, and sees it pass.

use phalanx_checkers::{
    Broken, Checkers, CommittedBlock, Event, Invariant, Observation, OperatorStore, Setting, StoredBlock, Violation,
    audit,
};
use phalanx_types::{
    B256, BlockRef, Certificate, ClusterSize, IdentitySignature, OperatorIndex, Position, Proposal, Record, SignedVote,
    Time, UnsignedProposal, Vote,
};
use std::collections::BTreeSet;
use std::time::Duration;

const SLOTS: u32 = 4;
const BOUND: Duration = Duration::from_secs(5);

fn setting(byzantine: &[u16]) -> Setting {
    Setting {
        size: ClusterSize::new(4).expect("four operators"),
        slots_per_term: SLOTS,
        genesis: BlockRef::new(0, B256::ZERO),
        byzantine: byzantine.iter().map(|index| OperatorIndex(*index)).collect::<BTreeSet<_>>(),
        liveness_bound: BOUND,
    }
}

fn at(term: u64, slot: u32) -> Position {
    Position::new(0, term, slot)
}

fn block(number: u64, fork: u8) -> BlockRef {
    let mut hash = B256::repeat_byte(fork);
    hash[..8].copy_from_slice(&number.to_be_bytes());
    BlockRef::new(number, hash)
}

fn certificate(vote: Vote) -> Certificate {
    Certificate { vote, signature: [0; 48].into() }
}

fn vote(signer: u16, vote: Vote) -> Event {
    Event::Durable(Record::Vote(SignedVote { vote, signer: OperatorIndex(signer), partial: [0; 48].into() }))
}

fn journalled(vote: Vote) -> Event {
    Event::Durable(Record::Certificate(certificate(vote)))
}

fn committed(number: u64, fork: u8, parent: BlockRef) -> Event {
    let transactions = Vec::new();
    Event::Committed(CommittedBlock { reference: block(number, fork), parent_hash: parent.hash, transactions })
}

fn header(position: Position, block: BlockRef) -> UnsignedProposal {
    UnsignedProposal {
        position,
        parent_position: Position::default(),
        parent_is_genesis: true,
        block,
        parent_hash: B256::ZERO,
    }
}

fn proposed(leader: u16, header: UnsignedProposal) -> Event {
    let signature = IdentitySignature(Default::default());
    let leader = OperatorIndex(leader);
    Event::Durable(Record::Proposal(Proposal { header, leader, signature, justification: Vec::new() }))
}

/// Feeds a history, a second apart, and returns the first violation.
fn run(setting: &Setting, history: impl IntoIterator<Item = (u16, Event)>) -> Option<Violation> {
    let mut checkers = Checkers::new(setting);
    feed(&mut checkers, history)
}

fn feed(checkers: &mut Checkers, history: impl IntoIterator<Item = (u16, Event)>) -> Option<Violation> {
    for (second, (operator, event)) in (0_u64..).zip(history) {
        let at = Time::from_micros(second * 1_000_000);
        let observation = Observation { at, operator: OperatorIndex(operator), event };
        if let Err(violation) = checkers.observe(&observation) {
            return Some(violation);
        }
    }
    None
}

fn broken(history: impl IntoIterator<Item = (u16, Event)>) -> Option<Broken> {
    run(&setting(&[]), history).map(|violation| *violation.broken)
}

#[test]
fn an_honest_history_breaks_nothing() {
    let (a, b) = (block(1, 7), block(2, 7));
    let mut history = vec![(0, proposed(0, header(at(0, 0), a)))];
    for operator in 0..4 {
        history.extend([
            (operator, vote(operator, Vote::notarize(at(0, 0), a))),
            (operator, Event::Sent(Vote::notarize(at(0, 0), a))),
            (operator, journalled(Vote::notarize(at(0, 0), a))),
            (operator, vote(operator, Vote::finalize(at(0, 0), a))),
            (operator, vote(operator, Vote::nullify(at(0, 1)))),
            (operator, journalled(Vote::nullify(at(0, 1)))),
            (operator, Event::EnteredTerm(at(1, 0))),
            (operator, vote(operator, Vote::notarize(at(1, 0), b))),
            (operator, Event::Certificate(certificate(Vote::finalize(at(1, 0), b)))),
            (operator, committed(1, 7, BlockRef::NONE)),
            (operator, Event::Restarted { committed: BlockRef::NONE }),
            (operator, committed(1, 7, BlockRef::NONE)),
            (operator, committed(2, 7, a)),
        ]);
    }
    assert_eq!(run(&setting(&[]), history), None);
}

#[test]
fn two_blocks_final_at_one_height_are_caught() {
    let history = [(0, committed(1, 1, BlockRef::NONE)), (1, committed(1, 2, BlockRef::NONE))];
    let violation = run(&setting(&[]), history).expect("a fork");
    assert_eq!(violation.operator, OperatorIndex(1));
    assert_eq!(violation.at, Time::from_micros(1_000_000));
    assert_eq!(violation.broken.invariant(), Invariant::Agreement);
    assert!(violation.to_string().contains("operator 0 had block 1"), "{violation}");
}

#[test]
fn a_finalization_of_another_block_than_was_committed_is_caught() {
    let other = Event::Certificate(certificate(Vote::finalize(at(3, 0), block(1, 2))));
    let found = broken([(0, committed(1, 1, BlockRef::NONE)), (1, other)]);
    assert!(matches!(found, Some(Broken::ConflictingBlocks { .. })), "{found:?}");
}

#[test]
fn a_nullification_at_or_below_a_finalization_is_caught_in_either_order() {
    let final_ = Event::Certificate(certificate(Vote::finalize(at(0, 2), block(3, 1))));
    let null = |slot| Event::Certificate(certificate(Vote::nullify(at(0, slot))));
    for slot in 0..=2 {
        for history in [[(0, final_.clone()), (1, null(slot))], [(0, null(slot)), (1, final_.clone())]] {
            let found = broken(history);
            assert!(matches!(found, Some(Broken::NullifiedAndFinalized { .. })), "slot {slot}: {found:?}");
        }
    }
    assert_eq!(broken([(0, final_), (1, null(3))]), None);
}

#[test]
fn certificates_that_the_adversary_could_make_count() {
    // One Byzantine operator: two honest votes of three make a certificate with its share.
    let null = Vote::nullify(at(0, 0));
    let final_ = Vote::finalize(at(0, 0), block(1, 1));
    let notarized = journalled(Vote::notarize(at(0, 0), block(1, 1)));
    let history =
        [(0, vote(0, null)), (1, vote(1, null)), (2, notarized.clone()), (2, vote(2, final_)), (2, vote(2, final_))];
    assert_eq!(run(&setting(&[3]), history.clone()), None);
    let one_more = [(2, vote(2, null))];
    let found = run(&setting(&[3]), history.into_iter().chain(one_more));
    assert!(matches!(found.map(|v| *v.broken), Some(Broken::NullifiedBelow { .. })));

    let found = run(
        &setting(&[3]),
        [
            (0, notarized.clone()),
            (0, vote(0, final_)),
            (1, notarized),
            (1, vote(1, final_)),
            (2, Event::Certificate(certificate(null))),
        ],
    );
    assert!(matches!(found.map(|v| *v.broken), Some(Broken::NullifiedAndFinalized { .. })));
}

#[test]
fn two_notarizations_at_a_position_are_caught() {
    let notarized = |fork| Event::Certificate(certificate(Vote::notarize(at(1, 0), block(4, fork))));
    let found = broken([(0, notarized(1)), (1, notarized(2))]);
    assert!(matches!(found, Some(Broken::TwoNotarizations { position, .. }) if position == at(1, 0)), "{found:?}");
    let finalized = Event::Certificate(certificate(Vote::finalize(at(1, 0), block(4, 2))));
    assert!(matches!(broken([(0, notarized(1)), (1, finalized)]), Some(Broken::TwoNotarizations { .. })));
}

#[test]
fn voting_for_two_blocks_at_a_position_is_caught_even_across_a_crash() {
    let first = vote(2, Vote::notarize(at(0, 0), block(1, 1)));
    let second = vote(2, Vote::notarize(at(0, 0), block(1, 2)));
    let restart = Event::Restarted { committed: BlockRef::NONE };
    let found = broken([(2, first.clone()), (2, restart), (2, first), (2, second)]);
    assert!(matches!(found, Some(Broken::VotedTwice { .. })), "{found:?}");
}

#[test]
fn a_byzantine_operator_may_vote_as_it_likes() {
    let history =
        [(3, vote(3, Vote::notarize(at(0, 0), block(1, 1)))), (3, vote(3, Vote::notarize(at(0, 0), block(1, 2))))];
    assert_eq!(run(&setting(&[3]), history), None);
}

#[test]
fn voting_after_leaving_is_caught_until_a_finalization_heals() {
    let notarized = |slot: u32| journalled(Vote::notarize(at(0, slot), block(u64::from(slot) + 1, 1)));
    let left = [(0, notarized(0)), (0, vote(0, Vote::nullify(at(0, 1)))), (0, notarized(1))];
    let finalize = (0, vote(0, Vote::finalize(at(0, 1), block(2, 1))));
    let found = broken(left.clone().into_iter().chain([finalize.clone()]));
    assert!(matches!(found, Some(Broken::VotedAfterLeaving { left, .. }) if left == at(0, 1)), "{found:?}");

    let notarize = (0, vote(0, Vote::notarize(at(0, 2), block(3, 1))));
    let found = broken(left.clone().into_iter().chain([notarize.clone()]));
    assert!(matches!(found, Some(Broken::VotedAfterLeaving { .. })), "{found:?}");

    let below = (0, Event::Certificate(certificate(Vote::finalize(at(0, 0), block(1, 1)))));
    let found = broken(left.clone().into_iter().chain([below, notarize.clone()]));
    assert!(matches!(found, Some(Broken::VotedAfterLeaving { .. })), "a finalization below heals nothing: {found:?}");

    let heals = (0, Event::Certificate(certificate(Vote::finalize(at(0, 1), block(2, 1)))));
    assert_eq!(broken(left.into_iter().chain([heals, notarize])), None);
}

#[test]
fn leaving_at_or_below_what_one_finalized_or_knows_notarized_is_caught() {
    let notarized = (0, journalled(Vote::notarize(at(0, 0), block(1, 1))));
    let finalize = (0, vote(0, Vote::finalize(at(0, 0), block(1, 1))));
    let nullify = (0, vote(0, Vote::nullify(at(0, 0))));
    for history in [vec![notarized.clone(), nullify.clone()], vec![notarized, finalize, nullify]] {
        let found = broken(history);
        assert!(matches!(found, Some(Broken::NullifiedBelow { .. })), "{found:?}");
    }
}

#[test]
fn votes_without_what_they_rely_on_are_caught() {
    let cases = [
        vote(0, Vote::notarize(at(1, 0), block(1, 1))),
        vote(0, Vote::nullify(at(1, 0))),
        vote(0, Vote::nullify(at(0, 1))),
        vote(0, Vote::notarize(at(0, 1), block(2, 1))),
        vote(0, Vote::finalize(at(0, 0), block(1, 1))),
    ];
    for case in cases {
        let found = broken([(0, case.clone())]);
        assert!(matches!(found, Some(Broken::Unsupported { .. })), "{case:?}: {found:?}");
    }
}

#[test]
fn a_certificate_lets_its_holder_into_the_next_term_only_where_it_ends_one() {
    let next = (0, vote(0, Vote::nullify(at(1, 0))));
    let last = (0, journalled(Vote::notarize(at(0, SLOTS - 1), block(4, 1))));
    let middle = (0, journalled(Vote::notarize(at(0, SLOTS - 2), block(3, 1))));
    assert_eq!(broken([last, next.clone()]), None);
    assert!(matches!(broken([middle, next]), Some(Broken::Unsupported { .. })));
}

#[test]
fn sending_before_it_is_durable_is_caught() {
    let found = broken([(0, Event::Sent(Vote::nullify(at(0, 0))))]);
    assert!(matches!(found, Some(Broken::SentVoteNotDurable(_))), "{found:?}");
    let found = broken([(0, Event::SentProposal(header(at(0, 0), block(1, 1))))]);
    assert!(matches!(found, Some(Broken::SentProposalNotDurable(_))), "{found:?}");
}

#[test]
fn proposing_twice_or_out_of_turn_is_caught() {
    let proposal = |fork| (0, proposed(0, header(at(0, 0), block(1, fork))));
    assert!(matches!(broken([proposal(1), proposal(2)]), Some(Broken::ProposedTwice { .. })));
    assert_eq!(broken([proposal(1), proposal(1)]), None);
    let others = (1, proposed(1, header(at(0, 0), block(1, 1))));
    assert!(matches!(broken([others]), Some(Broken::ProposedOutOfTurn { .. })));
    let unentered = (1, proposed(1, header(at(1, 0), block(1, 1))));
    assert!(matches!(broken([unentered]), Some(Broken::ProposedOutOfTurn { .. })));
    let left = (0, vote(0, Vote::nullify(at(0, 0))));
    assert!(matches!(broken([left, proposal(1)]), Some(Broken::ProposedOutOfTurn { .. })));
}

#[test]
fn gaps_and_wrong_parents_are_caught() {
    let first = (0, committed(1, 1, BlockRef::NONE));
    let found = broken([first.clone(), (0, committed(3, 1, block(2, 1)))]);
    assert!(matches!(found, Some(Broken::Gap { expected: 2, .. })), "{found:?}");
    let found = broken([first.clone(), (0, committed(1, 1, BlockRef::NONE))]);
    assert!(matches!(found, Some(Broken::Gap { .. })), "{found:?}");
    let found = broken([first, (0, committed(2, 1, block(1, 9)))]);
    assert!(matches!(found, Some(Broken::Unlinked { .. })), "{found:?}");
}

#[test]
fn a_store_that_holds_what_was_never_committed_is_caught() {
    for restored in [block(2, 1), block(1, 9)] {
        let restart = (0, Event::Restarted { committed: restored });
        let found = broken([(0, committed(1, 1, BlockRef::NONE)), restart]);
        assert!(matches!(found, Some(Broken::RestoredUnknown { .. })), "{found:?}");
    }
}

#[test]
fn a_stall_is_caught_and_a_commit_prevents_it() {
    let mut checkers = Checkers::new(&setting(&[3]));
    let second = |seconds: u64| Time::from_micros(seconds * 1_000_000);
    checkers.watch(second(10), OperatorIndex(0));
    checkers.watch(second(10), OperatorIndex(3));
    assert_eq!(checkers.check_liveness(second(15)), Ok(()));
    let observation =
        Observation { at: second(15), operator: OperatorIndex(0), event: committed(1, 1, BlockRef::NONE) };
    checkers.observe(&observation).expect("a legal commit");
    assert_eq!(checkers.check_liveness(second(20)), Ok(()));
    let stalled = checkers.check_liveness(second(21)).expect_err("six seconds without a commit");
    assert_eq!(*stalled.broken, Broken::Stalled { height: 1, since: second(15) });
    checkers.unwatch(OperatorIndex(0));
    assert_eq!(checkers.check_liveness(second(99)), Ok(()), "the Byzantine one is not watched");
    assert_eq!(checkers.liveness().longest(), Duration::from_secs(5));
}

#[test]
fn growth_without_a_quorum_and_a_term_that_ends_too_early_are_caught() {
    let mut checkers = Checkers::new(&setting(&[]));
    assert_eq!(feed(&mut checkers, [(0, committed(1, 1, BlockRef::NONE))]), None);
    checkers.expect_standstill(true);
    assert_eq!(feed(&mut checkers, [(1, committed(1, 1, BlockRef::NONE))]), None, "that height was final before");
    let found = feed(&mut checkers, [(1, committed(2, 1, block(1, 1)))]).map(|found| *found.broken);
    assert!(matches!(found, Some(Broken::GrewWithoutQuorum(_))), "{found:?}");

    checkers.expect_term_kept(Some(4));
    assert_eq!(feed(&mut checkers, [(0, Event::EnteredTerm(at(4, 0)))]), None);
    let found = feed(&mut checkers, [(0, Event::EnteredTerm(at(5, 0)))]).map(|found| *found.broken);
    assert!(matches!(found, Some(Broken::TermEnded { expected: 4, .. })), "{found:?}");
}

#[test]
fn transactions_committed_twice_or_lost_are_caught() {
    let (a, b) = (B256::repeat_byte(1), B256::repeat_byte(2));
    let mut checkers = Checkers::new(&setting(&[]));
    assert_eq!(feed(&mut checkers, [(0, Event::Accepted(a)), (1, Event::Accepted(b))]), None);
    let with = |number, parent: BlockRef, transactions| {
        let reference = block(number, 1);
        Event::Committed(CommittedBlock { reference, parent_hash: parent.hash, transactions })
    };
    assert_eq!(feed(&mut checkers, [(0, with(1, BlockRef::NONE, vec![a]))]), None);
    assert_eq!(feed(&mut checkers, [(1, with(1, BlockRef::NONE, vec![a]))]), None, "another's commit of the same");
    let late = Time::from_micros(9_000_000);
    let lost = checkers.transactions().expect_committed(late, late).expect_err("b is nowhere");
    assert!(matches!(*lost.broken, Broken::Lost { transaction, lost: 1, .. } if transaction == b));
    assert_eq!(checkers.transactions().expect_committed(late, Time::ZERO), Ok(()), "it was accepted later");
    let twice = feed(&mut checkers, [(0, with(2, block(1, 1), vec![b, a]))]).map(|found| *found.broken);
    assert_eq!(twice, Some(Broken::CommittedTwice { transaction: a, first: 1, second: 2 }));
}

#[test]
fn evidence_against_an_honest_leader_is_caught() {
    let mut checkers = Checkers::new(&setting(&[3]));
    let convicts = |leader| Event::Convicted { leader: OperatorIndex(leader), position: Position::default() };
    assert_eq!(feed(&mut checkers, [(0, convicts(3)), (3, convicts(1))]), None, "what a liar says proves nothing");
    let found = feed(&mut checkers, [(0, convicts(1))]).map(|found| *found.broken);
    assert_eq!(found, Some(Broken::HonestConvicted { leader: OperatorIndex(1) }));
}

#[test]
fn going_on_in_a_term_of_a_convicted_leader_is_caught() {
    let convicts = || (0, Event::Convicted { leader: OperatorIndex(3), position: at(0, 0) });
    let votes = |slot| (0, vote(0, Vote::notarize(at(0, slot), block(1, 7))));
    let setting = setting(&[3]);
    let found = run(&setting, [convicts(), votes(0), votes(1)]).map(|found| *found.broken);
    let vote = Vote::notarize(at(0, 1), block(1, 7));
    assert_eq!(found, Some(Broken::VotedAfterConviction { vote, since: Time::ZERO }), "the first was under way");
    let restarted = (0, Event::Restarted { committed: BlockRef::NONE });
    assert_eq!(run(&setting, [convicts(), votes(0), restarted, votes(1)]), None, "a restart forgets it");
    let elsewhere = (1, self::vote(1, Vote::notarize(at(0, 0), block(1, 7))));
    assert_eq!(run(&setting, [convicts(), convicts(), elsewhere]), None, "another may not know");
}

#[test]
fn a_structure_beyond_its_bound_is_caught() {
    let length = |length| Event::Length { what: "held votes", length, max: 8 };
    assert_eq!(broken([(0, length(8))]), None);
    let found = broken([(0, length(9))]).expect("nine of eight");
    assert_eq!(found.invariant(), Invariant::Bounds);
}

#[test]
fn stores_are_audited_like_live_operators() {
    let stored = |number, fork, parent: BlockRef| StoredBlock {
        reference: block(number, fork),
        parent_hash: parent.hash,
        transactions: Vec::new(),
        certificates: vec![certificate(Vote::finalize(
            at(0, u32::try_from(number).expect("small") - 1),
            block(number, fork),
        ))],
    };
    let chain = vec![stored(1, 1, BlockRef::NONE), stored(2, 1, block(1, 1))];
    let sound = OperatorStore { chain: chain.clone(), journal: Vec::new() };
    let forked = OperatorStore { chain: vec![chain[0].clone(), stored(2, 2, block(1, 1))], journal: Vec::new() };
    let journal = [1, 2].map(|fork| {
        let vote = Vote::notarize(at(0, 0), block(1, fork));
        Record::Vote(SignedVote { vote, signer: OperatorIndex(2), partial: [0; 48].into() })
    });
    let twice = OperatorStore { chain, journal: journal.to_vec() };
    assert_eq!(audit(&setting(&[]), &[(OperatorIndex(0), sound.clone()), (OperatorIndex(1), sound.clone())]), []);
    let found = audit(&setting(&[]), &[(OperatorIndex(0), sound.clone()), (OperatorIndex(1), forked)]);
    assert!(found.iter().any(|found| found.broken.invariant() == Invariant::Agreement), "{found:?}");
    let found = audit(&setting(&[]), &[(OperatorIndex(0), sound), (OperatorIndex(2), twice)]);
    assert!(matches!(found.as_slice(), [one] if matches!(*one.broken, Broken::VotedTwice { .. })), "{found:?}");
}
