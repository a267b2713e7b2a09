//! The vote journal: a script of appends, commits, compactions, failures of its disk, crashes and damage. It is never
//! opened with less than what was durable, and damage that no crash explains is noticed or harmless.

use arbitrary::{Result, Unstructured};
use phalanx_journal::memory::{Fault, MemoryDisk, Unsynced};
use phalanx_journal::{Journal, JournalHeader, Segment};
use phalanx_types::{
    B256, BlockRef, Bytes, ClusterId, OperatorIndex, Position, Record, SignatureBytes, SignedVote, Vote,
};

/// Steps of one script.
const STEPS_MAX: usize = 64;

/// A script.
///
/// # Panics
/// When a journal forgets, or invents.
pub fn journal(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let _ended = play(&mut script);
}

fn owner() -> JournalHeader {
    JournalHeader {
        cluster: ClusterId(B256::repeat_byte(1)),
        operator: OperatorIndex(2),
        share_public_key: Bytes::from_static(&[3; 96]),
    }
}

fn record(number: u64) -> Record {
    let vote = Vote::notarize(Position::new(0, number, 0), BlockRef::new(number, B256::repeat_byte(5)));
    let partial = SignatureBytes::try_from(&[7; 48][..]).expect("48 bytes");
    Record::Vote(SignedVote { vote, signer: OperatorIndex(2), partial })
}

fn play(script: &mut Unstructured<'_>) -> Result<()> {
    let (mut journal, held) = Journal::open(MemoryDisk::new(), owner()).expect("an empty disk");
    assert!(held.is_empty());
    // What was durable for certain, and what may be: appended or committed in vain since.
    let (mut durable, mut open): (Vec<Record>, Vec<Record>) = (Vec::new(), Vec::new());
    for number in 0..STEPS_MAX as u64 {
        match script.int_in_range(0..=7)? {
            0..=2 => {
                if journal.append(&record(number)).is_ok() {
                    open.push(record(number));
                }
            }
            3 => {
                if journal.commit().is_ok() {
                    durable.append(&mut open);
                }
            }
            4 => {
                // A compaction keeps the last few of what is durable. One that fails may have been done.
                let from = script.int_in_range(0..=durable.len())?;
                if open.is_empty() {
                    let _done = journal.compact(&durable[from..]);
                    durable.drain(..from);
                }
            }
            5 => {
                let fault = if script.arbitrary()? { Fault::Io } else { Fault::Full };
                let (after, done) = (script.int_in_range(0..=5)?, script.int_in_range(0..=600)?);
                journal.disk_mut().fail_after(after, fault, done);
            }
            6 => {
                let unsynced = match script.int_in_range(0..=3)? {
                    0 => Unsynced::Lost,
                    1 => Unsynced::Kept,
                    2 => Unsynced::TornAt(script.int_in_range(0..=2_000)?),
                    _ => Unsynced::Sectors(script.arbitrary()?),
                };
                let mut disk = journal.into_disk();
                disk.crash(unsynced);
                let (again, held) = Journal::open(disk, owner()).expect("a crash explains all of it");
                assert!(within(&held, &durable, &open), "{} held, {} were durable", held.len(), durable.len());
                (journal, durable, open) = (again, held, Vec::new());
            }
            _ => return damaged(script, journal.into_disk(), number),
        }
    }
    Ok(())
}

/// Whether what is held ends with what was durable, and then with the beginning of what may be. A compaction that
/// failed may have been done, or not: more may be held before.
fn within(held: &[Record], durable: &[Record], open: &[Record]) -> bool {
    (0..=open.len()).any(|kept| {
        let expected: Vec<&Record> = durable.iter().chain(&open[..kept]).collect();
        held.len() >= expected.len() && held.iter().rev().zip(expected.iter().rev()).all(|(held, due)| held == *due)
    })
}

/// A bit is flipped in what is durable, after records below `end`.
fn damaged(script: &mut Unstructured<'_>, mut disk: MemoryDisk, end: u64) -> Result<()> {
    disk.crash(Unsynced::Lost);
    let segment = if script.arbitrary()? { Segment::First } else { Segment::Second };
    let length = disk.durable(segment).len();
    if length == 0 {
        return Ok(());
    }
    disk.damage(segment, script.choose_index(length)?, 1 << script.int_in_range(0..=7)?);
    match Journal::open(disk, owner()) {
        Ok((_, held)) => {
            let mut appended = (0..end).map(record);
            assert!(held.iter().all(|held| appended.any(|appended| appended == *held)), "it invents records");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
    Ok(())
}
