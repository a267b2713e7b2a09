//! Reading a journal back: which segment is live, and what is in it.
//!
//! The order of a compaction (new segment sealed and durable, then the old one dropped and that durable,
//! only then new groups) is what makes the choice safe: where both segments hold something, the newer one
//! holds nothing that the older one lacks.

use crate::frame::{Frame, find_later_frame, torn_by_crash};
use crate::header::{HeaderError, SegmentHeader};
use crate::{Disk, JournalError, JournalHeader, Segment};
use phalanx_types::Record;

/// A live segment, read.
#[derive(Debug)]
pub(crate) struct Replayed {
    pub(crate) segment: Segment,
    pub(crate) header: SegmentHeader,
    /// Where the next frame goes. Unit: bytes.
    pub(crate) end: u64,
    /// The sequence of the next frame.
    pub(crate) sequence: u64,
    /// Where the sealed bytes end. Unit: bytes.
    pub(crate) sealed_end: u64,
    pub(crate) records: Vec<Record>,
    /// Whether the segment holds something after `end` that must go.
    pub(crate) torn: bool,
}

/// What a segment holds.
enum Content {
    Nothing,
    Complete(SegmentHeader, usize),
    /// Not a segment, and why; `interrupted` when a crash while making the first segment explains it.
    Incomplete {
        what: &'static str,
        interrupted: bool,
    },
}

/// Finds and reads the live segment; `None` where there is none yet.
pub(crate) fn replay<D: Disk>(disk: &mut D, owner: &JournalHeader) -> Result<Option<Replayed>, JournalError> {
    let mut found = Vec::with_capacity(Segment::ALL.len());
    for segment in Segment::ALL {
        let bytes = disk.read(segment).map_err(JournalError::disk("read a segment"))?;
        let content = classify(&bytes, owner)?;
        found.push((segment, bytes, content));
    }
    let Some((segment, bytes, header, length)) = choose(found)? else { return Ok(None) };
    scan(segment, &bytes, header, length).map(Some)
}

fn classify(bytes: &[u8], owner: &JournalHeader) -> Result<Content, JournalError> {
    if bytes.iter().all(|&byte| byte == 0) {
        return Ok(Content::Nothing);
    }
    let (header, length) = match SegmentHeader::decode(bytes) {
        Ok(decoded) => decoded,
        Err(HeaderError::Version(found)) => return Err(JournalError::MisuseVersion { found }),
        Err(HeaderError::Damaged(what)) => {
            let written = bytes.iter().rposition(|&byte| byte != 0).map_or(0, |last| last + 1);
            let first = SegmentHeader::first(owner.clone()).encode();
            return Ok(Content::Incomplete { what, interrupted: first.starts_with(&bytes[..written]) });
        }
    };
    owner.check_owner(&header.owner)?;
    let sealed = usize::try_from(header.sealed).ok().and_then(|sealed| bytes[length..].get(..sealed));
    match sealed {
        Some(sealed) if crc32fast::hash(sealed) == header.sealed_checksum => Ok(Content::Complete(header, length)),
        _ => Ok(Content::Incomplete { what: "what its header seals is not there", interrupted: false }),
    }
}

type Chosen = (Segment, Vec<u8>, SegmentHeader, usize);

fn choose(found: Vec<(Segment, Vec<u8>, Content)>) -> Result<Option<Chosen>, JournalError> {
    let mut newest: Option<Chosen> = None;
    let mut damage = None;
    for (segment, bytes, content) in found {
        match content {
            Content::Nothing => {}
            Content::Incomplete { interrupted: true, .. } => {}
            Content::Incomplete { what, .. } => {
                damage = Some(JournalError::IoCorrupt { segment, offset: 0, what: what.to_owned() });
            }
            Content::Complete(header, length) => {
                if newest.as_ref().is_none_or(|(_, _, other, _)| other.generation < header.generation) {
                    newest = Some((segment, bytes, header, length));
                }
            }
        }
    }
    match (newest, damage) {
        // Beside a complete segment, an incomplete one is an interrupted compaction.
        (Some(chosen), _) => Ok(Some(chosen)),
        (None, Some(damage)) => Err(damage),
        (None, None) => Ok(None),
    }
}

fn scan(segment: Segment, bytes: &[u8], header: SegmentHeader, length: usize) -> Result<Replayed, JournalError> {
    let salt = header.salt();
    let corrupt = |offset: usize, what: String| JournalError::IoCorrupt { segment, offset: as_u64(offset), what };
    let mut records = Vec::new();
    let (mut offset, mut sequence) = (length, 0);
    while let Some(frame) = Frame::decode(&bytes[offset..], salt).filter(|frame| frame.sequence == sequence) {
        frame.records(&mut records).map_err(|what| corrupt(offset, what))?;
        offset += frame.bytes;
        sequence += 1;
    }
    let sealed_end = as_u64(length) + header.sealed;
    let torn = bytes[offset..].iter().any(|&byte| byte != 0);
    if torn {
        if let Some(later) = find_later_frame(&bytes[offset..], salt, sequence) {
            let what = format!("group {sequence} is unreadable, but a later one is whole at byte {}", offset + later);
            return Err(corrupt(offset, what));
        }
        if as_u64(offset) < sealed_end || !torn_by_crash(bytes, offset, salt) {
            return Err(corrupt(offset, format!("group {sequence} is all there, but its checksum is wrong")));
        }
    }
    Ok(Replayed { segment, header, end: as_u64(offset), sequence, sealed_end, records, torn })
}

fn as_u64(length: usize) -> u64 {
    u64::try_from(length).expect("a length in memory fits in 64 bits")
}
