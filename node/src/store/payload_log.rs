//! The log of payloads that are not final yet: a payload is durable after one write and one `fdatasync`,
//! since it has to be before its `Notarize` may leave. The chain store's own commits cost several.
//!
//! Invariants: what [`PayloadLog::append`] has returned for is found again after a crash, until it is final
//! (then the chain store has it) or its height is (then it never will be); a log is never appended to after
//! a crash, so a torn record is always the last of its segment; a record that is read is checked.
//!
//! A segment is a file of a 16-byte mark and records: body length and CRC-32 (four bytes each, big-endian),
//! then the body in RLP. Zeros follow, since segments are written ahead. Segments whose every block is at or
//! below the latest final height are deleted.

use crate::store::ahead::AheadFile;
use crate::store::{ChainStore, StoreError, StoredBlock};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use arc_swap::ArcSwap;
use phalanx_types::{B256, Block, BlockRef, Bytes, PAYLOAD_BYTES_MAX, Position};
use std::collections::{BTreeMap, VecDeque};
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

/// A segment that has reached this size is not appended to. Unit: bytes.
pub const PAYLOAD_SEGMENT_BYTES: u64 = 16 << 20;
/// The most segments; beyond them nothing is logged until a block becomes final.
pub const PAYLOAD_LOG_SEGMENTS_MAX: usize = 64;

/// Begins a segment; ends in the version.
const MARK: &[u8; 16] = b"phalanx-payload\x01";
/// Bytes of a record before its body.
const HEAD_BYTES: usize = 8;
/// The largest body. Unit: bytes.
const BODY_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (4 << 10);

/// What to do about a log that cannot be read.
const ADVICE: &str = "move the file away and start the operator again: it fetches what it lacks from its peers";

/// The body of a record.
#[derive(Debug, RlpEncodable, RlpDecodable)]
struct Record {
    block: BlockRef,
    parent_hash: B256,
    timestamp_s: u64,
    positions: Vec<Position>,
    payload: Bytes,
}

/// Where a logged payload is; its file stays readable even after it was deleted.
#[derive(Clone, Debug)]
pub(super) struct Place {
    file: Arc<File>,
    path: Arc<PathBuf>,
    offset: u64,
    body_bytes: usize,
}

/// Payloads by height and hash.
pub(super) type LoggedBlocks = BTreeMap<(u64, B256), Place>;

/// What the log, the chain store's writer and its readers share.
#[derive(Debug, Default)]
pub(super) struct Logged {
    blocks: ArcSwap<LoggedBlocks>,
    /// One above the latest final height; 0 when there is none.
    final_below: AtomicU64,
}

impl Logged {
    pub(super) fn blocks(&self) -> Arc<LoggedBlocks> {
        self.blocks.load_full()
    }

    /// Says that everything up to this height is final, and durable in the chain store.
    pub(super) fn finalize_through(&self, latest: Option<u64>) {
        self.final_below.store(latest.map_or(0, |latest| latest.saturating_add(1)), Ordering::Release);
    }
}

impl Place {
    pub(super) fn read(&self) -> Result<StoredBlock, StoreError> {
        let mut bytes = vec![0; HEAD_BYTES + self.body_bytes];
        self.file
            .read_exact_at(&mut bytes, self.offset)
            .map_err(|error| StoreError::from_io(&self.path, format!("reading at offset {}", self.offset), error))?;
        let corrupt = |what: &str| StoreError::IoCorrupt {
            file: self.path.to_path_buf(),
            what: format!("the record at offset {} {what}", self.offset),
            advice: ADVICE,
        };
        let mut body = parse_head(&bytes).ok_or_else(|| corrupt("does not match its checksum"))?;
        let record = Record::decode(&mut body).map_err(|error| corrupt(&format!("is not a payload: {error}")))?;
        Ok(record.into_stored())
    }
}

impl Record {
    fn into_stored(self) -> StoredBlock {
        let Self { block: reference, parent_hash, timestamp_s, positions, payload } = self;
        StoredBlock { block: Block { reference, parent_hash, timestamp_s, payload }, positions, finalized: false }
    }
}

/// The body of the record that `bytes` begin with, if it is whole.
fn parse_head(bytes: &[u8]) -> Option<&[u8]> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (seal, rest) = rest.split_first_chunk::<4>()?;
    let length = usize::try_from(u32::from_be_bytes(*length)).ok().filter(|length| *length > 0)?;
    let body = rest.get(..length)?;
    (crc32fast::hash(body).to_be_bytes() == *seal).then_some(body)
}

/// One file of the log.
#[derive(Debug)]
struct Segment {
    file: AheadFile,
    path: Arc<PathBuf>,
    end: u64,
    /// The greatest height in it.
    highest: u64,
}

/// The log. Owned by one thread, which need not be the chain store's writer.
#[derive(Debug)]
pub struct PayloadLog {
    directory: PathBuf,
    handle: File,
    segments: VecDeque<Segment>,
    /// Whether the last segment may be appended to.
    live: bool,
    next_sequence: u64,
    logged: Arc<Logged>,
    failed: bool,
    /// [`PAYLOAD_SEGMENT_BYTES`] and [`PAYLOAD_LOG_SEGMENTS_MAX`], except in tests.
    pub(super) segment_bytes: u64,
    pub(super) segments_max: usize,
}

impl PayloadLog {
    /// Opens the log in `directory`, making it where there is none. What it holds above the latest final
    /// block of `store` is from then on part of what the store's readers see.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or a segment cannot be read.
    pub fn open(directory: &Path, store: &ChainStore) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from_io(directory, "opening the log of payloads", error);
        std::fs::create_dir_all(directory).map_err(failed)?;
        let handle = File::open(directory).map_err(failed)?;
        let mut found = Vec::new();
        for entry in std::fs::read_dir(directory).map_err(failed)? {
            let path = entry.map_err(failed)?.path();
            found.extend(sequence_of(&path).map(|sequence| (sequence, path)));
        }
        found.sort();
        let mut log = Self {
            directory: directory.to_path_buf(),
            handle,
            segments: VecDeque::new(),
            live: false,
            next_sequence: found.last().map_or(0, |(sequence, _)| sequence + 1),
            logged: Arc::clone(store.logged()),
            failed: false,
            segment_bytes: PAYLOAD_SEGMENT_BYTES,
            segments_max: PAYLOAD_LOG_SEGMENTS_MAX,
        };
        let mut blocks = LoggedBlocks::new();
        for (_, path) in found {
            let segment = recover(path, &mut blocks)?;
            log.segments.push_back(segment);
        }
        log.publish(blocks)?;
        Ok(log)
    }

    /// Logs `blocks`, and returns once they are durable: one write and one sync, however many there are. A
    /// block that is logged already, or whose height is final, is passed over.
    ///
    /// # Errors
    /// [`StoreError`]. After any error but [`StoreError::Misuse`] the log refuses everything: the operator
    /// must stop.
    pub fn append(&mut self, blocks: &[(Block, Option<Position>)]) -> Result<(), StoreError> {
        if self.failed {
            return Err(StoreError::IoEarlier { file: self.directory.clone() });
        }
        let mut held = LoggedBlocks::clone(&self.logged.blocks());
        let final_below = self.logged.final_below.load(Ordering::Acquire);
        let mut bytes = Vec::new();
        let mut fresh: Vec<(BlockRef, usize, usize)> = Vec::new();
        for (block, position) in blocks {
            let reference = block.reference;
            let known = held.contains_key(&(reference.number, reference.hash))
                || fresh.iter().any(|(other, ..)| *other == reference);
            if known || reference.number < final_below {
                continue;
            }
            let start = bytes.len();
            encode(block, *position, &mut bytes)?;
            fresh.push((reference, start, bytes.len() - start - HEAD_BYTES));
        }
        if fresh.is_empty() {
            return Ok(());
        }
        self.forget_final()?;
        if self.segments.len() >= self.segments_max && !self.has_room() {
            let message = format!("{} segments of payloads wait for a final block", self.segments.len());
            return Err(StoreError::Misuse(message));
        }
        let outcome = self.write(&bytes);
        self.failed = outcome.is_err();
        let (file, path, base) = outcome?;
        for (block, start, body_bytes) in fresh {
            let offset = base + start as u64;
            let place = Place { file: Arc::clone(&file), path: Arc::clone(&path), offset, body_bytes };
            held.insert((block.number, block.hash), place);
            let segment = self.segments.back_mut().expect("it was just written to");
            segment.highest = segment.highest.max(block.number);
        }
        self.publish(held)
    }

    fn has_room(&self) -> bool {
        self.live && self.segments.back().is_some_and(|segment| segment.end < self.segment_bytes)
    }

    /// Writes and syncs; where the bytes are.
    fn write(&mut self, bytes: &[u8]) -> Result<(Arc<File>, Arc<PathBuf>, u64), StoreError> {
        if !self.has_room() {
            self.begin_segment()?;
        }
        let segment = self.segments.back_mut().expect("one was begun where there was none");
        let offset = segment.end;
        let failed =
            |doing: &str, error| StoreError::from_io(&segment.path, format!("{doing} at offset {offset}"), error);
        segment.file.write(offset, bytes).map_err(|error| failed(&format!("writing {} bytes", bytes.len()), error))?;
        let started = Instant::now();
        segment.file.sync().map_err(|error| failed("making payloads durable", error))?;
        metrics::histogram!("phalanx_payload_fsync_seconds").record(started.elapsed().as_secs_f64());
        segment.end += bytes.len() as u64;
        Ok((Arc::clone(&segment.file.file), Arc::clone(&segment.path), offset))
    }

    fn begin_segment(&mut self) -> Result<(), StoreError> {
        let path = self.directory.join(format!("payloads-{:020}", self.next_sequence));
        let failed = |error| StoreError::from_io(&path, "beginning a segment", error);
        let file = OpenOptions::new().read(true).write(true).create_new(true).open(&path).map_err(failed)?;
        let mut file = AheadFile::new(file).map_err(failed)?;
        file.write(0, MARK).map_err(failed)?;
        self.handle.sync_all().map_err(failed)?;
        self.next_sequence += 1;
        self.segments.push_back(Segment { file, path: Arc::new(path), end: MARK.len() as u64, highest: 0 });
        self.live = true;
        Ok(())
    }

    /// Makes `blocks` what readers see, without those whose height is final.
    fn publish(&mut self, mut blocks: LoggedBlocks) -> Result<(), StoreError> {
        let final_below = self.logged.final_below.load(Ordering::Acquire);
        blocks = blocks.split_off(&(final_below, B256::ZERO));
        self.logged.blocks.store(Arc::new(blocks));
        self.forget_final()
    }

    /// Deletes segments that hold nothing above the latest final height.
    fn forget_final(&mut self) -> Result<(), StoreError> {
        let final_below = self.logged.final_below.load(Ordering::Acquire);
        while self.segments.len() > usize::from(self.live)
            && self.segments.front().is_some_and(|segment| segment.highest < final_below)
        {
            let Some(segment) = self.segments.pop_front() else { break };
            if let Err(error) = std::fs::remove_file(segment.path.as_path()) {
                self.failed = true;
                return Err(StoreError::from_io(&segment.path, "deleting a segment", error));
            }
        }
        Ok(())
    }
}

fn sequence_of(path: &Path) -> Option<u64> {
    path.file_name()?.to_str()?.strip_prefix("payloads-")?.parse().ok()
}

fn encode(block: &Block, position: Option<Position>, out: &mut Vec<u8>) -> Result<(), StoreError> {
    let record = Record {
        block: block.reference,
        parent_hash: block.parent_hash,
        timestamp_s: block.timestamp_s,
        positions: position.into_iter().collect(),
        payload: block.payload.clone(),
    };
    let length = record.length();
    let small = u32::try_from(length).ok().filter(|_| length <= BODY_BYTES_MAX);
    let Some(prefix) = small else {
        let message =
            format!("block {} has {} bytes, at most {PAYLOAD_BYTES_MAX}", block.reference, block.payload.len());
        return Err(StoreError::Misuse(message));
    };
    let start = out.len();
    out.extend_from_slice(&prefix.to_be_bytes());
    out.extend_from_slice(&[0; 4]);
    record.encode(out);
    let seal = crc32fast::hash(&out[start + HEAD_BYTES..]);
    out[start + 4..start + HEAD_BYTES].copy_from_slice(&seal.to_be_bytes());
    Ok(())
}

/// Reads a segment of an earlier run up to the first record that is not whole: the end, or a write that a
/// crash tore before it was acknowledged.
fn recover(path: PathBuf, blocks: &mut LoggedBlocks) -> Result<Segment, StoreError> {
    let failed = |error: io::Error| StoreError::from_io(&path, "reading it", error);
    let file = OpenOptions::new().read(true).write(true).open(&path).map_err(failed)?;
    let bytes = std::fs::read(&path).map_err(failed)?;
    let file = AheadFile::new(file).map_err(failed)?;
    let path = Arc::new(path);
    let mut segment = Segment { file, path: Arc::clone(&path), end: MARK.len() as u64, highest: 0 };
    if !bytes.starts_with(MARK) {
        let torn = bytes.iter().all(|byte| *byte == 0) || MARK.starts_with(&bytes);
        if torn {
            return Ok(segment);
        }
        let what = "not a log of payloads of this release".to_owned();
        return Err(StoreError::IoCorrupt { file: path.to_path_buf(), what, advice: ADVICE });
    }
    let mut offset = MARK.len();
    while let Some(body) = parse_head(&bytes[offset..]) {
        let record = Record::decode(&mut &*body).map_err(|error| StoreError::IoCorrupt {
            file: path.to_path_buf(),
            what: format!("the record at offset {offset} is not a payload: {error}"),
            advice: ADVICE,
        })?;
        let file = Arc::clone(&segment.file.file);
        let place = Place { file, path: Arc::clone(&path), offset: offset as u64, body_bytes: body.len() };
        blocks.insert((record.block.number, record.block.hash), place);
        segment.highest = segment.highest.max(record.block.number);
        offset += HEAD_BYTES + body.len();
    }
    if bytes[offset..].iter().any(|byte| *byte != 0) {
        tracing::warn!(file = %path.display(), offset, "a payload that a crash tore is passed over");
    }
    segment.end = offset as u64;
    Ok(segment)
}
