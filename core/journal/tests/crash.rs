//! Whatever a disk does in a crash: every committed record is there, in order; nothing that was not
//! committed is there in part; damage is told, not read over.

use phalanx_journal::memory::{Fault, MemoryDisk, Unsynced};
use phalanx_journal::{Disk, Journal, JournalError, JournalHeader, Segment};
use phalanx_types::{B256, BlockRef, Bytes, Certificate, ClusterId, OperatorIndex, Position, Record, SignedVote, Vote};
use proptest::prelude::*;

fn owner() -> JournalHeader {
    JournalHeader {
        cluster: ClusterId(B256::repeat_byte(3)),
        operator: OperatorIndex(2),
        share_public_key: Bytes::from(vec![7; 96]),
    }
}

fn record(number: u32) -> Record {
    let vote = Vote::notarize(Position::new(0, 1, number), BlockRef::new(u64::from(number), B256::repeat_byte(9)));
    let signature = [u8::try_from(number % 251).expect("below 251"); 48].into();
    match number % 2 {
        0 => Record::Vote(SignedVote { vote, signer: OperatorIndex(2), partial: signature }),
        _ => Record::Certificate(Certificate { vote, signature }),
    }
}

fn open(disk: MemoryDisk) -> Result<(Journal<MemoryDisk>, Vec<Record>), JournalError> {
    Journal::open(disk, owner())
}

fn commit(journal: &mut Journal<MemoryDisk>, records: &[Record]) -> Result<(), JournalError> {
    for record in records {
        journal.append(record)?;
    }
    journal.commit().map(|_| ())
}

fn unsynced() -> impl Strategy<Value = Unsynced> {
    prop_oneof![
        Just(Unsynced::Lost),
        Just(Unsynced::Kept),
        (0usize..3_000).prop_map(Unsynced::TornAt),
        any::<u64>().prop_map(Unsynced::Sectors),
    ]
}

fn disk() -> impl Strategy<Value = MemoryDisk> {
    prop_oneof![Just(MemoryDisk::new()), Just(MemoryDisk::allocated_ahead(1 << 16))]
}

/// One life of a journal: groups of these sizes, a compaction after some, until the disk stops.
#[derive(Clone, Debug)]
struct Life {
    groups: Vec<(u32, bool)>,
    stop_after: u64,
    done_bytes: usize,
    unsynced: Unsynced,
}

fn life() -> impl Strategy<Value = Life> {
    let groups = prop::collection::vec((0u32..12, prop::bool::weighted(0.2)), 1..12);
    (groups, 0u64..30, 0usize..3_000, unsynced()).prop_map(|(groups, stop_after, done_bytes, unsynced)| Life {
        groups,
        stop_after,
        done_bytes,
        unsynced,
    })
}

/// What was under way when the disk stopped, if anything: what the journal may hold then, instead of what
/// was committed.
type InFlight = Option<Vec<Record>>;

fn live(journal: &mut Journal<MemoryDisk>, life: &Life, committed: &mut Vec<Record>, next: &mut u32) -> InFlight {
    journal.disk_mut().fail_after(life.stop_after, Fault::Io, life.done_bytes);
    for &(size, compacts) in &life.groups {
        let group: Vec<Record> = (*next..*next + size).map(record).collect();
        *next += size;
        if commit(journal, &group).is_err() {
            assert!(journal.is_poisoned());
            assert_eq!(journal.append(&record(0)), Err(JournalError::MisusePoisoned));
            assert_eq!(journal.commit(), Err(JournalError::MisusePoisoned));
            return Some(committed.iter().cloned().chain(group).collect());
        }
        committed.extend(group);
        if compacts {
            let retained: Vec<Record> = committed.iter().skip(committed.len() / 2).cloned().collect();
            if journal.compact(&retained).is_err() {
                assert_eq!(journal.append(&record(0)), Err(JournalError::MisusePoisoned));
                return Some(retained);
            }
            *committed = retained;
        }
    }
    None
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Several crashes in a row, at any operation, with any part of the unsynced bytes surviving.
    #[test]
    fn every_committed_record_survives(disk in disk(), lives in prop::collection::vec(life(), 1..5)) {
        let (mut journal, records) = open(disk).expect("an empty disk");
        prop_assert!(journal.is_new() && records.is_empty());
        let (mut committed, mut next) = (Vec::new(), 0);
        for life in lives {
            let in_flight = live(&mut journal, &life, &mut committed, &mut next);
            let mut disk = journal.into_disk();
            disk.crash(life.unsynced);
            let (reopened, replayed) = open(disk).expect("a crash is not damage");
            prop_assert!(!reopened.is_new());
            // A group that was being committed is there as a whole, or not at all. A compaction that was
            // interrupted leaves what it retained, or all.
            let whole = replayed == committed || in_flight.is_some_and(|in_flight| replayed == in_flight);
            prop_assert!(whole, "{} replayed, {} committed", replayed.len(), committed.len());
            committed = replayed;
            journal = reopened;
        }
    }

    /// A flipped bit is an error, except where it is indistinguishable from a torn last group.
    #[test]
    fn damage_is_told(groups in prop::collection::vec(1u32..6, 2..8), at in any::<prop::sample::Index>(), bit in 0u8..8) {
        let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
        let mut next = 0;
        for size in groups {
            commit(&mut journal, &(next..next + size).map(record).collect::<Vec<_>>()).expect("a good disk");
            next += size;
        }
        let mut disk = journal.into_disk();
        let offset = at.index(disk.durable(Segment::First).len());
        disk.damage(Segment::First, offset, 1 << bit);
        let damaged = matches!(
            open(disk),
            Err(JournalError::IoCorrupt { segment: Segment::First, .. } | JournalError::MisuseVersion { .. })
        );
        prop_assert!(damaged, "a flipped bit at byte {} went unnoticed", offset);
    }

    /// Random bytes in both segments never panic and are never a history.
    #[test]
    fn garbage_is_refused(first in prop::collection::vec(any::<u8>(), 1..400), second in prop::collection::vec(any::<u8>(), 0..400)) {
        prop_assume!(first.iter().any(|&byte| byte != 0));
        let mut disk = MemoryDisk::new();
        disk.replace(Segment::First, &first).expect("a good disk");
        disk.replace(Segment::Second, &second).expect("a good disk");
        prop_assert!(open(disk).is_err());
    }
}

#[test]
fn one_sync_for_each_group() {
    let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    commit(&mut journal, &(0..100).map(record).collect::<Vec<_>>()).expect("a good disk");
    assert_eq!(journal.disk_mut().syncs(), 1);
    assert_eq!(journal.commit(), Ok(0), "an empty group needs no sync");
    assert_eq!(journal.disk_mut().syncs(), 1);
}

#[test]
fn damage_names_its_place_and_what_to_do() {
    let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    commit(&mut journal, &[record(0)]).expect("a good disk");
    let end = journal.bytes();
    commit(&mut journal, &[record(1)]).expect("a good disk");
    commit(&mut journal, &[record(2)]).expect("a good disk");
    let mut disk = journal.into_disk();
    disk.damage(Segment::First, usize::try_from(end).expect("small") + 40, 1);
    let error = open(disk).expect_err("damage before a valid later group");
    assert!(matches!(error, JournalError::IoCorrupt { segment: Segment::First, offset, .. } if offset == end));
    let text = error.to_string();
    assert!(text.contains(&format!("segment 0 at byte {end}")) && text.contains("must not vote"), "{text}");
}

/// A hole alone could be a torn write; before a group that was synced later it is not.
#[test]
fn a_hole_before_a_later_group_is_damage() {
    let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    commit(&mut journal, &[record(0)]).expect("a good disk");
    let start = usize::try_from(journal.bytes()).expect("small");
    commit(&mut journal, &(1..20).map(record).collect::<Vec<_>>()).expect("a good disk");
    let end = usize::try_from(journal.bytes()).expect("small");
    let alone = journal.disk_mut().clone();
    commit(&mut journal, &[record(20)]).expect("a good disk");
    let followed = journal.into_disk();
    let open_with_hole = |mut disk: MemoryDisk| {
        for offset in start..end {
            let byte = disk.durable(Segment::First)[offset];
            disk.damage(Segment::First, offset, byte);
        }
        open(disk).map(|(_, records)| records)
    };
    assert_eq!(open_with_hole(alone), Ok(vec![record(0)]));
    let error = open_with_hole(followed).expect_err("the later group proves that the hole was synced");
    assert!(matches!(error, JournalError::IoCorrupt { .. }), "{error}");
}

#[test]
fn a_damaged_segment_is_not_replaced_by_the_one_before_it() {
    let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    commit(&mut journal, &[record(0)]).expect("a good disk");
    journal.compact(&[record(0)]).expect("a good disk");
    commit(&mut journal, &[record(1)]).expect("a good disk");
    let disk = journal.into_disk();
    for offset in [0, 20, 100, 200] {
        let mut damaged = disk.clone();
        damaged.damage(Segment::Second, offset, 4);
        let error = open(damaged).expect_err("the vote after the compaction must not be forgotten");
        assert!(matches!(error, JournalError::IoCorrupt { segment: Segment::Second, .. }), "{error}");
    }
}

#[test]
fn a_foreign_journal_is_refused() {
    let (mut journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    commit(&mut journal, &[record(0)]).expect("a good disk");
    let disk = journal.into_disk();
    let others = [
        JournalHeader { operator: OperatorIndex(1), ..owner() },
        JournalHeader { cluster: ClusterId(B256::repeat_byte(4)), ..owner() },
        JournalHeader { share_public_key: Bytes::from(vec![8; 96]), ..owner() },
    ];
    for (other, what) in others.into_iter().zip(["operator index", "cluster id", "share public key"]) {
        let error = Journal::open(disk.clone(), other).expect_err("another operator's journal");
        assert!(matches!(error, JournalError::MisuseForeign { what: found, .. } if found == what), "{error}");
    }
}

#[test]
fn a_full_disk_is_an_error_and_poisons() {
    let mut disk = MemoryDisk::new();
    disk.set_capacity(Some(1_000));
    let (mut journal, _) = open(disk).expect("an empty disk");
    let mut committed = Vec::new();
    let error = loop {
        let group = [record(u32::try_from(committed.len()).expect("small"))];
        match commit(&mut journal, &group) {
            Ok(()) => committed.extend(group),
            Err(error) => break error,
        }
        assert!(committed.len() < 100, "a thousand bytes do not hold a hundred votes");
    };
    assert!(error.to_string().contains("full"), "{error}");
    assert!(journal.is_poisoned());
    let mut disk = journal.into_disk();
    disk.set_capacity(None);
    let (_, replayed) = open(disk).expect("what was committed");
    assert_eq!(replayed, committed);
}

#[test]
fn compaction_bounds_the_journal() {
    let (journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    let mut journal = journal.with_compaction_bytes(10_000);
    let mut kept: Vec<Record> = Vec::new();
    for number in 0..2_000 {
        kept.push(record(number));
        commit(&mut journal, &kept[kept.len() - 1..]).expect("a good disk");
        if journal.wants_compaction() {
            kept.drain(..kept.len() - 10);
            journal.compact(&kept).expect("a good disk");
        }
        assert!(journal.bytes() < 11_000, "bounded");
    }
    let (_, replayed) = open(journal.into_disk()).expect("undamaged");
    assert_eq!(replayed, kept);
}

#[test]
fn another_format_is_named() {
    let (journal, _) = open(MemoryDisk::new()).expect("an empty disk");
    let mut disk = journal.into_disk();
    let mut bytes = disk.read(Segment::First).expect("a good disk");
    bytes[9] = 2;
    let end = bytes.len() - 4;
    let checksum = crc32fast::hash(&bytes[..end]);
    bytes[end..].copy_from_slice(&checksum.to_be_bytes());
    disk.replace(Segment::First, &bytes).expect("a good disk");
    assert_eq!(open(disk).expect_err("format 2"), JournalError::MisuseVersion { found: 2 });
}
