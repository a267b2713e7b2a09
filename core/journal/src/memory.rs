//! A disk in memory that fails on demand: for the simulator and for tests. It knows what is durable and
//! what is not, and a crash takes any part of the latter away.

use crate::{Disk, DiskError, Segment};

/// What a crash does to the writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsynced {
    /// All are lost.
    Lost,
    /// All made it to the disk all the same.
    Kept,
    /// The first so many bytes of them made it. Unit: bytes.
    TornAt(usize),
    /// Some sectors of 512 bytes made it, chosen by this seed; the others read as zeros.
    Sectors(u64),
}

/// How an operation fails.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An input/output error.
    Io,
    /// No room is left.
    Full,
}

#[derive(Clone, Debug, Default)]
struct Contents {
    durable: Vec<u8>,
    /// What reads return: `durable` with the unsynced writes.
    cached: Vec<u8>,
    /// The unsynced writes: offset and length.
    unsynced: Vec<(usize, usize)>,
}

#[derive(Clone, Copy, Debug)]
struct Plan {
    after: u64,
    fault: Fault,
    done_bytes: usize,
}

/// A disk in memory.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    contents: [Contents; 2],
    /// Zeros are read up to here, as in a file that was allocated ahead. Unit: bytes.
    allocated: usize,
    plan: Option<Plan>,
    operations: u64,
    syncs: u64,
    capacity: Option<usize>,
}

impl MemoryDisk {
    /// An empty disk.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// An empty disk whose segments read as at least `bytes` bytes, zeros where nothing was written.
    #[must_use]
    pub fn allocated_ahead(bytes: usize) -> Self {
        Self { allocated: bytes, ..Self::default() }
    }

    /// Lets the next `operations` changing operations (write, sync, replace, truncate) succeed and all
    /// later ones fail, until [`MemoryDisk::repair`] or [`MemoryDisk::crash`]. The first that fails has
    /// its first `done_bytes` bytes done.
    pub fn fail_after(&mut self, operations: u64, fault: Fault, done_bytes: usize) {
        self.plan = Some(Plan { after: self.operations + operations, fault, done_bytes });
    }

    /// Fails writes beyond so many bytes in both segments together.
    pub fn set_capacity(&mut self, bytes: Option<usize>) {
        self.capacity = bytes;
    }

    /// No more failures, except for want of capacity.
    pub fn repair(&mut self) {
        self.plan = None;
    }

    /// What a power failure does. No more failures are planned afterwards.
    pub fn crash(&mut self, unsynced: Unsynced) {
        self.plan = None;
        for contents in &mut self.contents {
            contents.crash(unsynced);
        }
    }

    /// Flips the bits of `mask` in one durable byte: damage that no crash explains.
    ///
    /// # Panics
    /// When there is no such byte.
    pub fn damage(&mut self, segment: Segment, offset: usize, mask: u8) {
        let contents = &mut self.contents[segment.index()];
        contents.durable[offset] ^= mask;
        contents.cached[offset] ^= mask;
    }

    /// What is durable in a segment.
    #[must_use]
    pub fn durable(&self, segment: Segment) -> &[u8] {
        &self.contents[segment.index()].durable
    }

    /// How many changing operations were asked for.
    #[must_use]
    pub fn operations(&self) -> u64 {
        self.operations
    }

    /// How many of them were syncs.
    #[must_use]
    pub fn syncs(&self) -> u64 {
        self.syncs
    }

    /// Counts an operation; says how much of it is done before it fails, if it does.
    fn next(&mut self) -> Option<(usize, DiskError)> {
        let now = self.operations;
        self.operations += 1;
        let plan = self.plan.filter(|plan| now >= plan.after)?;
        let done = if now == plan.after { plan.done_bytes } else { 0 };
        let error = match plan.fault {
            Fault::Io => DiskError::Io("an injected input/output error".to_owned()),
            Fault::Full => DiskError::IoFull("an injected full disk".to_owned()),
        };
        Some((done, error))
    }

    fn room_for(&self, segment: Segment, end: usize) -> Result<(), DiskError> {
        let Some(capacity) = self.capacity else { return Ok(()) };
        let other = self.contents[segment.other().index()].cached.len();
        if end + other <= capacity { Ok(()) } else { Err(DiskError::IoFull(format!("{capacity} bytes of memory"))) }
    }
}

impl Contents {
    fn write(&mut self, offset: usize, bytes: &[u8]) {
        let end = offset + bytes.len();
        if self.cached.len() < end {
            self.cached.resize(end, 0);
        }
        self.cached[offset..end].copy_from_slice(bytes);
        self.unsynced.push((offset, bytes.len()));
    }

    fn replace(&mut self, bytes: &[u8]) {
        self.cached = bytes.to_vec();
        self.durable = bytes.to_vec();
        self.unsynced.clear();
    }

    /// Copies what was written only: a journal is long, and synced often.
    fn sync(&mut self) {
        self.durable.resize(self.cached.len(), 0);
        for (offset, length) in self.unsynced.drain(..) {
            // A write may have been cut off since.
            let end = (offset + length).min(self.cached.len());
            let start = offset.min(end);
            self.durable[start..end].copy_from_slice(&self.cached[start..end]);
        }
        debug_assert_eq!(self.durable.len(), self.cached.len(), "everything is durable");
    }

    fn crash(&mut self, unsynced: Unsynced) {
        match unsynced {
            Unsynced::Lost => {}
            Unsynced::Kept => self.durable.clone_from(&self.cached),
            Unsynced::TornAt(bytes) => self.keep_bytes(bytes),
            Unsynced::Sectors(seed) => self.keep_sectors(seed),
        }
        self.cached.clone_from(&self.durable);
        self.unsynced.clear();
    }

    fn keep_bytes(&mut self, mut bytes: usize) {
        for &(offset, length) in &self.unsynced {
            let kept = length.min(bytes);
            bytes -= kept;
            if kept > 0 {
                self.durable.resize(self.durable.len().max(offset + kept), 0);
                self.durable[offset..offset + kept].copy_from_slice(&self.cached[offset..offset + kept]);
            }
        }
    }

    fn keep_sectors(&mut self, mut seed: u64) {
        const SECTOR_BYTES: usize = 512;
        for &(offset, length) in &self.unsynced {
            let end = offset + length;
            self.durable.resize(self.durable.len().max(end), 0);
            let mut start = offset;
            while start < end {
                let stop = ((start / SECTOR_BYTES + 1) * SECTOR_BYTES).min(end);
                // SplitMix64 (Steele, Lea, Flood 2014): enough to choose sectors by.
                seed = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
                let mixed = (seed ^ (seed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
                if (mixed >> 40) & 1 == 1 {
                    self.durable[start..stop].copy_from_slice(&self.cached[start..stop]);
                }
                start = stop;
            }
        }
    }
}

fn as_usize(offset: u64) -> Result<usize, DiskError> {
    usize::try_from(offset).map_err(|_| DiskError::Io("an offset beyond this machine's memory".to_owned()))
}

impl Disk for MemoryDisk {
    fn read(&mut self, segment: Segment) -> Result<Vec<u8>, DiskError> {
        let mut bytes = self.contents[segment.index()].cached.clone();
        bytes.resize(bytes.len().max(self.allocated), 0);
        Ok(bytes)
    }

    fn write(&mut self, segment: Segment, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let offset = as_usize(offset)?;
        let fault = self.next();
        self.room_for(segment, offset + bytes.len())?;
        let contents = &mut self.contents[segment.index()];
        if let Some((done, error)) = fault {
            contents.write(offset, &bytes[..done.min(bytes.len())]);
            return Err(error);
        }
        contents.write(offset, bytes);
        Ok(())
    }

    fn sync(&mut self, segment: Segment) -> Result<(), DiskError> {
        self.syncs += 1;
        if let Some((_, error)) = self.next() {
            return Err(error);
        }
        self.contents[segment.index()].sync();
        Ok(())
    }

    fn replace(&mut self, segment: Segment, bytes: &[u8]) -> Result<(), DiskError> {
        let fault = self.next();
        self.room_for(segment, bytes.len())?;
        let contents = &mut self.contents[segment.index()];
        if let Some((done, error)) = fault {
            // Nothing done: the old bytes stand. Otherwise a prefix of the new ones.
            if done > 0 {
                contents.replace(&bytes[..done.min(bytes.len())]);
            }
            return Err(error);
        }
        contents.replace(bytes);
        Ok(())
    }

    fn truncate(&mut self, segment: Segment, length: u64) -> Result<(), DiskError> {
        let length = as_usize(length)?;
        if let Some((_, error)) = self.next() {
            return Err(error);
        }
        let contents = &mut self.contents[segment.index()];
        contents.cached.truncate(length);
        contents.sync();
        Ok(())
    }
}
