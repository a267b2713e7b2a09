//! The journal: append, commit, compact.

use crate::frame::Group;
use crate::header::SegmentHeader;
use crate::replay::{Replayed, replay};
use crate::{Disk, GROUP_BYTES_MAX, JournalError, JournalHeader, Segment};
use phalanx_types::Record;

/// The most that a segment holds; beyond it the journal fails rather than fill the disk. Unit: bytes.
pub const JOURNAL_BYTES_MAX: u64 = 256 << 20;
/// Where a compaction is asked for, unless twice what the last one retained is more. A restarted operator
/// checks each certificate in its journal, some 50 µs each, before it votes: this bounds that to about a
/// second. Unit: bytes.
pub const COMPACTION_BYTES: u64 = 4 << 20;

/// An open journal, the only one on its disk.
#[derive(Debug)]
pub struct Journal<D> {
    disk: D,
    segment: Segment,
    header: SegmentHeader,
    salt: u32,
    end: u64,
    sealed_end: u64,
    sequence: u64,
    group: Group,
    frame: Vec<u8>,
    compaction_bytes: u64,
    poisoned: bool,
    is_new: bool,
}

impl<D: Disk> Journal<D> {
    /// Whether `disk` holds a journal of `owner`. Changes nothing.
    ///
    /// # Errors
    /// As [`Journal::open`].
    pub fn is_there(disk: &mut D, owner: &JournalHeader) -> Result<bool, JournalError> {
        Ok(replay(disk, owner)?.is_some())
    }

    /// Opens the journal of `owner`, making it where the disk holds none ([`Journal::is_new`] then says
    /// so, and an operator that has voted before must not go on). Returns every record that was
    /// committed, in order; a last group that a crash tore is cut off.
    ///
    /// # Errors
    /// [`JournalError`]: damage, a foreign journal, another format, or a failing disk.
    pub fn open(mut disk: D, owner: JournalHeader) -> Result<(Self, Vec<Record>), JournalError> {
        let (replayed, is_new) = match replay(&mut disk, &owner)? {
            Some(replayed) => (settle(&mut disk, replayed)?, false),
            None => (create(&mut disk, owner)?, true),
        };
        let Replayed { segment, header, end, sequence, sealed_end, records, .. } = replayed;
        let salt = header.salt();
        let journal = Self {
            disk,
            segment,
            header,
            salt,
            end,
            sealed_end,
            sequence,
            group: Group::default(),
            frame: Vec::new(),
            compaction_bytes: COMPACTION_BYTES,
            poisoned: false,
            is_new,
        };
        Ok((journal, records))
    }

    /// Asks for compactions at another size. Unit: bytes.
    #[must_use]
    pub fn with_compaction_bytes(mut self, bytes: u64) -> Self {
        self.compaction_bytes = bytes;
        self
    }

    /// Adds a record to the group that the next [`Journal::commit`] makes durable.
    ///
    /// # Errors
    /// [`JournalError::MisuseGroup`]: the record was not added; commit first.
    /// [`JournalError::MisusePoisoned`].
    pub fn append(&mut self, record: &Record) -> Result<(), JournalError> {
        self.check_alive()?;
        self.group.push(record).map_err(|actual| JournalError::MisuseGroup { actual, max: GROUP_BYTES_MAX })
    }

    /// Makes all appended records durable, with one sync; nothing to do when there are none. Returns how
    /// many bytes were written.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is then poisoned, and none of these records may be acted upon.
    pub fn commit(&mut self) -> Result<usize, JournalError> {
        self.check_alive()?;
        if self.group.is_empty() {
            return Ok(0);
        }
        // Poisoned until proven otherwise, so that no early return forgets it.
        self.poisoned = true;
        self.frame.clear();
        self.group.encode(self.salt, self.sequence, &mut self.frame);
        let end = self.end + length_of(&self.frame);
        if end > JOURNAL_BYTES_MAX {
            return Err(JournalError::IoBound { max: JOURNAL_BYTES_MAX });
        }
        self.disk.write(self.segment, self.end, &self.frame).map_err(JournalError::disk("write votes"))?;
        self.disk.sync(self.segment).map_err(JournalError::disk("make votes durable"))?;
        self.end = end;
        self.sequence += 1;
        self.group.clear();
        self.poisoned = false;
        Ok(self.frame.len())
    }

    /// Whether it is time for [`Journal::compact`].
    #[must_use]
    pub fn wants_compaction(&self) -> bool {
        self.end > self.compaction_bytes.max(self.sealed_end.saturating_mul(2))
    }

    /// Starts a new segment that holds exactly `retained`, in this order, and drops the old one. Every
    /// crash in between leaves one of the two.
    ///
    /// # Errors
    /// [`JournalError`]; the journal is then poisoned: which segment is live is found out when it is
    /// opened again.
    ///
    /// # Panics
    /// When records are appended but not committed: they would be lost.
    pub fn compact<'a>(&mut self, retained: impl IntoIterator<Item = &'a Record>) -> Result<(), JournalError> {
        self.check_alive()?;
        assert!(self.group.is_empty(), "a compaction comes after a commit, not amid a group");
        self.poisoned = true;
        let generation = self.header.generation + 1;
        let mut header = SegmentHeader { generation, ..SegmentHeader::first(self.header.owner.clone()) };
        let salt = header.salt();
        let (sealed, frames) = seal(salt, retained)?;
        header.sealed = length_of(&sealed);
        header.sealed_checksum = crc32fast::hash(&sealed);
        let mut bytes = header.encode();
        bytes.extend_from_slice(&sealed);
        let end = length_of(&bytes);
        if end > JOURNAL_BYTES_MAX {
            return Err(JournalError::IoBound { max: JOURNAL_BYTES_MAX });
        }
        let (old, new) = (self.segment, self.segment.other());
        self.disk.replace(new, &bytes).map_err(JournalError::disk("write a compacted segment"))?;
        self.disk.replace(old, &[]).map_err(JournalError::disk("drop an old segment"))?;
        (self.segment, self.header, self.salt) = (new, header, salt);
        (self.end, self.sealed_end, self.sequence) = (end, end, frames);
        self.poisoned = false;
        Ok(())
    }

    /// Whether [`Journal::open`] found nothing and made this journal.
    #[must_use]
    pub fn is_new(&self) -> bool {
        self.is_new
    }

    /// Whether a write failed, so that nothing is taken any more.
    #[must_use]
    pub fn is_poisoned(&self) -> bool {
        self.poisoned
    }

    /// How much the live segment holds. Unit: bytes.
    #[must_use]
    pub fn bytes(&self) -> u64 {
        self.end
    }

    /// The disk, for fault injection and gauges.
    pub fn disk_mut(&mut self) -> &mut D {
        &mut self.disk
    }

    /// Closes the journal. What was appended but not committed is gone.
    #[must_use]
    pub fn into_disk(self) -> D {
        self.disk
    }

    fn check_alive(&self) -> Result<(), JournalError> {
        if self.poisoned { Err(JournalError::MisusePoisoned) } else { Ok(()) }
    }
}

/// Makes the first segment.
fn create<D: Disk>(disk: &mut D, owner: JournalHeader) -> Result<Replayed, JournalError> {
    let header = SegmentHeader::first(owner);
    let bytes = header.encode();
    disk.replace(Segment::First, &bytes).map_err(JournalError::disk("make the first segment"))?;
    disk.replace(Segment::Second, &[]).map_err(JournalError::disk("make the first segment"))?;
    let end = length_of(&bytes);
    let segment = Segment::First;
    Ok(Replayed { segment, header, end, sequence: 0, sealed_end: end, records: Vec::new(), torn: false })
}

/// Removes what a crash left behind: a torn tail, the other segment.
fn settle<D: Disk>(disk: &mut D, replayed: Replayed) -> Result<Replayed, JournalError> {
    if replayed.torn {
        disk.truncate(replayed.segment, replayed.end).map_err(JournalError::disk("cut a torn group off"))?;
    }
    let other = replayed.segment.other();
    let left = disk.read(other).map_err(JournalError::disk("read a segment"))?;
    if left.iter().any(|&byte| byte != 0) {
        disk.replace(other, &[]).map_err(JournalError::disk("drop an old segment"))?;
    }
    Ok(replayed)
}

/// The retained records in as many frames as they need, and how many those are.
fn seal<'a>(salt: u32, retained: impl IntoIterator<Item = &'a Record>) -> Result<(Vec<u8>, u64), JournalError> {
    let mut sealed = Vec::new();
    let mut frames = 0;
    let mut group = Group::default();
    for record in retained {
        if group.push(record).is_ok() {
            continue;
        }
        group.encode(salt, frames, &mut sealed);
        frames += 1;
        group.clear();
        group.push(record).map_err(|actual| JournalError::MisuseGroup { actual, max: GROUP_BYTES_MAX })?;
    }
    if !group.is_empty() {
        group.encode(salt, frames, &mut sealed);
        frames += 1;
    }
    Ok((sealed, frames))
}

fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).expect("a length in memory fits in 64 bits")
}
