//! Nothing leaves that is not durable; nothing contradicts the journal; full rings lose nothing.

use super::*;
use crate::ring::Ring;
use crate::testing::{Cluster, block, counters, drain, header, notarize, ring};
use phalanx_journal::JournalHeader;
use phalanx_journal::memory::{Fault, MemoryDisk, Unsynced};
use phalanx_types::{B256, Bytes, ClusterId, OperatorIndex};
use proptest::prelude::*;

struct Bench {
    cluster: Cluster,
    stage: SignStage<MemoryDisk>,
    intents: Arc<Ring<Intent>>,
    outbound: Arc<Ring<Outbound>>,
    own: Arc<Ring<SignedVote>>,
    counters: Arc<Counters>,
}

const ME: u16 = 1;

fn owner() -> JournalHeader {
    JournalHeader {
        cluster: ClusterId(B256::repeat_byte(1)),
        operator: OperatorIndex(ME),
        share_public_key: Bytes::from_static(b"share"),
    }
}

#[derive(Debug, Default)]
struct Balanced(bool);

impl CommitObserver for Balanced {
    fn begins(&mut self) {
        assert!(!self.0, "one commit at a time");
        self.0 = true;
    }

    fn ended(&mut self, records: usize, bytes: usize) {
        assert!(self.0 && records > 0 && bytes > 0);
        self.0 = false;
    }
}

impl Bench {
    fn on(disk: MemoryDisk, outbound: usize, compaction_bytes: u64) -> Self {
        Self::knowing(disk, outbound, compaction_bytes, &[])
    }

    /// With certificates that a chain store holds beside the journal.
    fn knowing(disk: MemoryDisk, outbound: usize, compaction_bytes: u64, stored: &[Verified<Certificate>]) -> Self {
        let cluster = Cluster::new();
        let (intents, outbound, own, counters) = (ring(INTENTS_RING_MAX), ring(outbound), ring(outbound), counters());
        let (journal, records) = Journal::open(disk, owner()).expect("a good disk");
        let wiring = SignWiring {
            intents: Arc::clone(&intents),
            outbound: Arc::clone(&outbound),
            own: Arc::clone(&own),
            verifier: Arc::clone(&cluster.verifier),
            signer: Arc::new(cluster.signers[usize::from(ME)].clone()),
            identity: Arc::clone(&cluster.identities[usize::from(ME)]),
            journal: journal.with_compaction_bytes(compaction_bytes),
            observer: Box::new(Balanced::default()),
            counters: Arc::clone(&counters),
        };
        let stage = SignStage::new(wiring, records, stored, 50).expect("consistent");
        Self { cluster, stage, intents, outbound, own, counters }
    }

    fn new() -> Self {
        Self::on(MemoryDisk::new(), 1_024, 1 << 20)
    }

    fn intend(&self, intent: Intent) {
        self.intents.push(intent).expect("room");
    }

    fn vote(&self, vote: Vote) {
        self.intend(Intent::Vote { vote, recipients: Recipients::Everyone });
    }

    fn turn(&mut self) -> Vec<Outbound> {
        self.stage.turn(Time::ZERO);
        drain(&self.outbound)
    }

    fn crash(self, unsynced: Unsynced) -> MemoryDisk {
        let mut disk = self.stage.into_journal().into_disk();
        disk.crash(unsynced);
        disk
    }
}

fn voted(outbound: &[Outbound]) -> Vec<Vote> {
    let vote = |out: &Outbound| match out {
        Outbound::Send { message: Message::Vote(signed), .. } => Some(signed.vote),
        _ => None,
    };
    outbound.iter().filter_map(vote).collect()
}

fn is_fatal(outbound: &[Outbound]) -> bool {
    matches!(outbound, [Outbound::Fatal(_)])
}

#[test]
fn a_group_is_one_commit_in_order() {
    let mut bench = Bench::new();
    let certificate = *bench.cluster.certificate(Vote::nullify(Position::new(0, 0, 3)));
    let first = block(1, B256::ZERO, 0);
    let position = Position::new(0, 1, 0);
    bench.intend(Intent::Keep(certificate));
    bench.intend(Intent::Propose { header: header(position, &first), justification: vec![], block: first.into() });
    bench.vote(notarize(0));
    bench.vote(notarize(1));
    // Kept already.
    bench.intend(Intent::Keep(certificate));
    let out = bench.turn();
    assert!(matches!(&out[0], Outbound::Send { message: Message::Proposal { .. }, .. }));
    assert_eq!(voted(&out), [notarize(0), notarize(1)]);
    assert_eq!(drain(&bench.own).len(), 2, "own partials count once they are durable");
    assert_eq!(bench.stage.journal_mut().disk_mut().syncs(), 1);
    assert_eq!((bench.counters.commits.get(), bench.counters.records.get()), (1, 4));
    let disk = bench.crash(Unsynced::Lost);
    let (_, records) = Journal::open(disk, owner()).expect("undamaged");
    let kinds: Vec<&str> = records
        .iter()
        .map(|record| match record {
            Record::Certificate(_) => "certificate",
            Record::Proposal(_) => "proposal",
            Record::Vote(_) => "vote",
        })
        .collect();
    assert_eq!(kinds, ["certificate", "proposal", "vote", "vote"], "what a vote relies on comes before it");
}

#[test]
fn a_failed_journal_lets_nothing_leave() {
    for (operation, fault) in [(0, Fault::Full), (1, Fault::Io)] {
        let mut bench = Bench::new();
        bench.stage.journal_mut().disk_mut().fail_after(operation, fault, 10);
        bench.vote(notarize(0));
        assert!(is_fatal(&bench.turn()));
        bench.stage.journal_mut().disk_mut().repair();
        bench.vote(notarize(1));
        assert!(bench.turn().is_empty(), "also later, when the disk seems well again");
        assert!(drain(&bench.own).is_empty());
        // It was never sent, so another vote at that position is no second one.
        let mut again = Bench::on(bench.crash(Unsynced::Lost), 64, 1 << 20);
        again.vote(Vote::notarize(notarize(0).position, block(9, B256::ZERO, 9).reference));
        assert_eq!(voted(&again.turn()).len(), 1);
    }
}

#[test]
fn a_second_vote_is_refused_loudly_also_after_a_restart() {
    let double = Vote::notarize(notarize(0).position, block(9, B256::ZERO, 9).reference);
    let mut bench = Bench::new();
    bench.vote(notarize(0));
    assert_eq!(bench.turn().len(), 1);
    let mut bench = Bench::on(bench.crash(Unsynced::Lost), 64, 1 << 20);
    drain(&bench.own);
    bench.vote(notarize(1));
    bench.vote(double);
    let out = bench.turn();
    assert!(matches!(&out[..], [Outbound::Fatal(FatalError::Contradiction(_))]), "{out:?}");
    assert!(drain(&bench.own).is_empty());
    bench.vote(notarize(2));
    assert!(bench.turn().is_empty(), "for good");
}

#[test]
fn kept_certificates_share_the_sync_of_the_next_vote_or_wait_a_little() {
    let mut bench = Bench::new();
    let certificates: Vec<Certificate> =
        (0..3).map(|slot| *bench.cluster.certificate(Vote::nullify(Position::new(0, 0, slot)))).collect();
    bench.intend(Intent::Keep(certificates[0]));
    let progress = bench.stage.turn(Time::ZERO);
    assert_eq!(progress.wake_at, Some(Time::ZERO + KEPT_DELAY));
    assert_eq!(bench.counters.commits.get(), 0);
    bench.intend(Intent::Keep(certificates[1]));
    bench.vote(notarize(0));
    assert_eq!(bench.turn().len(), 1);
    assert_eq!((bench.counters.commits.get(), bench.counters.records.get()), (1, 3));
    bench.intend(Intent::Keep(certificates[2]));
    assert!(bench.stage.turn(Time::ZERO).wake_at.is_some());
    assert_eq!(bench.stage.turn(Time::ZERO + KEPT_DELAY).wake_at, None);
    assert_eq!((bench.counters.commits.get(), bench.counters.records.get()), (2, 4));
    let (_, records) = Journal::open(bench.crash(Unsynced::Lost), owner()).expect("undamaged");
    assert!(matches!(
        records[..],
        [Record::Certificate(_), Record::Certificate(_), Record::Vote(_), Record::Certificate(_)]
    ));
}

/// The chain store may hold a finalization whose journal record was still waiting when the power failed.
#[test]
fn what_a_chain_store_knows_counts_and_is_journalled() {
    let mut bench = Bench::new();
    bench.vote(Vote::nullify(Position::new(0, 1, 2)));
    assert_eq!(bench.turn().len(), 1);
    let stored = [bench.cluster.certificate(Vote::finalize(notarize(3).position, notarize(3).block))];
    let mut bench = Bench::knowing(bench.crash(Unsynced::Lost), 64, 1 << 20, &stored);
    bench.vote(notarize(4));
    assert_eq!(voted(&bench.turn()), [notarize(4)], "the finalization healed the term");
    let bench = Bench::on(bench.crash(Unsynced::Lost), 64, 1 << 20);
    assert!(bench.stage.own_records.keeps(&stored[0].vote));
}

#[test]
fn two_votes_in_one_group_contradict_too() {
    let mut bench = Bench::new();
    bench.vote(Vote::finalize(Position::new(0, 1, 3), notarize(3).block));
    bench.vote(Vote::nullify(Position::new(0, 1, 3)));
    assert!(is_fatal(&bench.turn()));
    assert!(drain(&bench.own).is_empty());
}

#[test]
fn a_proposal_of_another_operators_term_is_refused() {
    let mut bench = Bench::new();
    let first = block(1, B256::ZERO, 0);
    let position = Position::new(0, 2, 0);
    bench.intend(Intent::Propose { header: header(position, &first), justification: vec![], block: first.into() });
    assert!(is_fatal(&bench.turn()));
}

#[test]
fn resends_come_from_the_journal_unchanged() {
    let mut bench = Bench::new();
    let first = Arc::new(block(1, B256::ZERO, 0));
    let position = Position::new(0, 1, 0);
    bench.intend(Intent::Propose {
        header: header(position, &first),
        justification: vec![],
        block: Arc::clone(&first),
    });
    bench.vote(notarize(0));
    let sent = bench.turn();
    let mut bench = Bench::on(bench.crash(Unsynced::Lost), 64, 1 << 20);
    bench.intend(Intent::ResendProposal { position, block: first });
    bench.intend(Intent::ResendVote(notarize(0)));
    bench.intend(Intent::ResendVote(notarize(1)));
    assert_eq!(bench.turn(), sent, "to the bit");
    assert_eq!(drain(&bench.own).len(), 1, "after a restart the own partial counts again");
    assert_eq!(bench.stage.journal_mut().disk_mut().syncs(), 1, "a re-send commits nothing");
    assert_eq!(bench.counters.intents_stale.get(), 1, "what was never signed is not sent");
}

#[test]
fn full_rings_lose_nothing() {
    let mut bench = Bench::on(MemoryDisk::new(), 3, 1 << 20);
    let votes: Vec<Vote> = (0..20).map(notarize).collect();
    votes.iter().for_each(|vote| bench.vote(*vote));
    bench.stage.turn(Time::ZERO);
    bench.vote(notarize(20));
    assert!(!bench.stage.turn(Time::ZERO).did_work, "blocked");
    assert_eq!(bench.intents.depth().length, 1, "nothing more is taken in");
    let (mut out, mut own) = (Vec::new(), Vec::new());
    for _ in 0..200 {
        out.extend(bench.outbound.pop());
        own.extend(bench.own.pop());
        bench.stage.turn(Time::ZERO);
    }
    assert_eq!(voted(&out), (0..21).map(notarize).collect::<Vec<_>>());
    assert_eq!(own.len(), 21);
}

#[test]
fn the_journal_stays_small() {
    let mut bench = Bench::on(MemoryDisk::new(), 1_024, 20_000);
    let mut largest = 0;
    for slot in 0..3_000 {
        let vote = notarize(slot);
        let final_vote = Vote::finalize(vote.position, vote.block);
        bench.vote(vote);
        bench.vote(final_vote);
        bench.intend(Intent::Keep(*bench.cluster.certificate(final_vote)));
        assert_eq!(voted(&bench.turn()).len(), 2);
        drain(&bench.own);
        largest = largest.max(bench.stage.journal_mut().bytes());
    }
    assert!(largest < 25_000, "{largest} bytes");
    assert!(bench.counters.compactions.get() > 10);
    let bench = Bench::on(bench.crash(Unsynced::Lost), 64, 20_000);
    assert!(bench.stage.own_records.keeps(&Vote::finalize(notarize(2_999).position, notarize(2_999).block)));
}

#[derive(Clone, Debug)]
enum Intended {
    Notarize(u32),
    Finalize(u32),
    Keep(u32),
    Turn,
}

fn intended() -> impl Strategy<Value = Intended> {
    prop_oneof![
        (0u32..30).prop_map(Intended::Notarize),
        (0u32..30).prop_map(Intended::Finalize),
        (0u32..30).prop_map(Intended::Keep),
        Just(Intended::Turn),
    ]
}

fn unsynced() -> impl Strategy<Value = Unsynced> {
    prop_oneof![
        Just(Unsynced::Lost),
        Just(Unsynced::Kept),
        (0usize..3_000).prop_map(Unsynced::TornAt),
        any::<u64>().prop_map(Unsynced::Sectors),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// A crash at any operation of the disk: whatever left before it and is not final is in the journal.
    #[test]
    fn what_left_is_durable(
        steps in prop::collection::vec(intended(), 1..60),
        stop_after in 0u64..40,
        done_bytes in 0usize..3_000,
        unsynced in unsynced(),
    ) {
        let mut bench = Bench::on(MemoryDisk::new(), 64, 3_000);
        bench.stage.journal_mut().disk_mut().fail_after(stop_after, Fault::Io, done_bytes);
        let mut left = Vec::new();
        for step in steps {
            match step {
                Intended::Notarize(slot) => bench.vote(notarize(slot)),
                Intended::Finalize(slot) => bench.vote(Vote::finalize(notarize(slot).position, notarize(slot).block)),
                Intended::Keep(slot) => {
                    let vote = Vote::finalize(notarize(slot).position, notarize(slot).block);
                    bench.intend(Intent::Keep(*bench.cluster.certificate(vote)));
                }
                Intended::Turn => left.extend(bench.turn()),
            }
            drain(&bench.own);
        }
        let (_, records) = Journal::open(bench.crash(unsynced), owner()).expect("a crash is not damage");
        let own = OwnRecords::restore(records, OperatorIndex(ME), 50).expect("consistent");
        for vote in voted(&left) {
            let standing = own.standing_of_vote(&vote);
            prop_assert!(matches!(standing, Standing::Signed(_) | Standing::Stale), "{}: {:?}", vote, standing);
        }
    }
}
