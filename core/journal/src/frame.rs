//! Frames: one for each group commit, so that a group is there as a whole or not at all, and so that any
//! valid frame proves that all frames before it were synced.
//!
//! Layout, integers big-endian: magic (4), length of the body (4), sequence (8), checksum of these (4),
//! checksum of the body (4), body, end mark (1). The body is the records, each after its length (4). Both
//! checksums begin with the checksum of the segment's header, so that a frame of another generation or
//! another journal never counts. Magic and end mark hold no zero byte: a frame whose first or last piece
//! reads as zeros was not written there.

use phalanx_types::{Record, Wire};

/// The most bytes of records in one group. Unit: bytes.
pub const GROUP_BYTES_MAX: usize = 8 << 20;

pub(crate) const FRAME_HEAD_BYTES: usize = 24;
const MAGIC: [u8; 4] = [0xF5, 0x9A, 0x58, 0x01];
const END_MARK: u8 = 0xE5;
const LENGTH_BYTES: usize = 4;
/// What a crash keeps or loses as a whole, at the least. Unit: bytes.
const SECTOR_BYTES: usize = 512;

/// The records of one group, encoded.
#[derive(Debug, Default)]
pub(crate) struct Group {
    body: Vec<u8>,
}

impl Group {
    /// Adds a record, or says how large the group would have become.
    pub(crate) fn push(&mut self, record: &Record) -> Result<(), usize> {
        let wire = record.to_wire();
        let length = u32::try_from(wire.len()).map_err(|_| wire.len())?;
        let total = self.body.len() + LENGTH_BYTES + wire.len();
        if total > GROUP_BYTES_MAX {
            return Err(total);
        }
        self.body.extend(length.to_be_bytes());
        self.body.extend(wire);
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.body.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.body.clear();
    }

    /// Appends the frame of this group to `out`.
    pub(crate) fn encode(&self, salt: u32, sequence: u64, out: &mut Vec<u8>) {
        let length = u32::try_from(self.body.len()).expect("a group is bounded by GROUP_BYTES_MAX");
        let start = out.len();
        out.reserve(FRAME_HEAD_BYTES + self.body.len() + 1);
        out.extend(MAGIC);
        out.extend(length.to_be_bytes());
        out.extend(sequence.to_be_bytes());
        let head_checksum = checksum(salt, &out[start..]);
        out.extend(head_checksum.to_be_bytes());
        out.extend(checksum(salt, &self.body).to_be_bytes());
        out.extend_from_slice(&self.body);
        out.push(END_MARK);
    }
}

fn checksum(salt: u32, bytes: &[u8]) -> u32 {
    let mut hasher = crc32fast::Hasher::new_with_initial(salt);
    hasher.update(bytes);
    hasher.finalize()
}

/// The head of a frame.
#[derive(Clone, Copy, Debug)]
struct Head {
    sequence: u64,
    body_checksum: u32,
    body_bytes: usize,
}

impl Head {
    fn decode(bytes: &[u8], salt: u32) -> Option<Self> {
        let head: &[u8; FRAME_HEAD_BYTES] = bytes.first_chunk()?;
        let word = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
        if head[..4] != MAGIC || word(16) != checksum(salt, &head[..16]) {
            return None;
        }
        let sequence = (u64::from(word(8)) << 32) | u64::from(word(12));
        let body_bytes = usize::try_from(word(4)).ok().filter(|&length| length <= GROUP_BYTES_MAX)?;
        Some(Self { sequence, body_checksum: word(20), body_bytes })
    }

    /// Where the frame ends, counted from its start.
    fn frame_bytes(self) -> usize {
        FRAME_HEAD_BYTES + self.body_bytes + 1
    }
}

/// A whole frame.
#[derive(Debug)]
pub(crate) struct Frame<'a> {
    pub(crate) sequence: u64,
    /// The records.
    body: &'a [u8],
    /// How many bytes of the segment it takes.
    pub(crate) bytes: usize,
}

impl<'a> Frame<'a> {
    /// The frame at the start of `bytes`, if a whole one is there.
    pub(crate) fn decode(bytes: &'a [u8], salt: u32) -> Option<Self> {
        let head = Head::decode(bytes, salt)?;
        let frame = bytes.get(..head.frame_bytes())?;
        let body = &frame[FRAME_HEAD_BYTES..frame.len() - 1];
        let whole = frame.last() == Some(&END_MARK) && checksum(salt, body) == head.body_checksum;
        whole.then_some(Self { sequence: head.sequence, body, bytes: frame.len() })
    }

    /// The records in it, in order; an error is a sentence for people.
    pub(crate) fn records(&self, out: &mut Vec<Record>) -> Result<(), String> {
        let mut rest = self.body;
        while !rest.is_empty() {
            let (length, tail) = rest.split_first_chunk::<LENGTH_BYTES>().ok_or("a record is cut short")?;
            let length = usize::try_from(u32::from_be_bytes(*length)).map_err(|error| error.to_string())?;
            let (wire, tail) = tail.split_at_checked(length).ok_or("a record is cut short")?;
            out.push(Record::from_wire(wire).map_err(|error| format!("a record does not decode: {error}"))?);
            rest = tail;
        }
        Ok(())
    }
}

/// Where, from `bytes[0]` on, a whole frame of sequence `at_least` or later begins.
pub(crate) fn find_later_frame(bytes: &[u8], salt: u32, at_least: u64) -> Option<usize> {
    let starts = bytes.windows(MAGIC.len()).enumerate().filter(|(_, window)| *window == MAGIC);
    starts
        .map(|(start, _)| start)
        .find(|&start| Frame::decode(&bytes[start..], salt).is_some_and(|frame| frame.sequence >= at_least))
}

/// Whether a crash before its sync explains why there is no whole frame at `offset` of `segment`: the
/// segment ends too early, or a whole sector of the frame was never written. Anything else (all of it is
/// there, and wrong) is damage to bytes that may have been durable.
pub(crate) fn torn_by_crash(segment: &[u8], offset: usize, salt: u32) -> bool {
    let written = segment.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
    let Some(tail) = segment.get(offset..written) else { return true };
    let expected = match Head::decode(tail, salt) {
        Some(head) => head.frame_bytes(),
        None => FRAME_HEAD_BYTES,
    };
    if tail.len() < expected {
        return true;
    }
    let mut start = offset;
    while start < offset + expected {
        let sector_end = (start / SECTOR_BYTES + 1) * SECTOR_BYTES;
        if segment[start..sector_end.min(written)].iter().all(|&byte| byte == 0) {
            return true;
        }
        start = sector_end;
    }
    false
}
