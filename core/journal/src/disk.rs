//! The disk port: two segments of bytes, and what the journal needs a disk to promise about them.
//!
//! Invariants that an implementation keeps, and that the journal's safety rests on:
//! - what [`Disk::write`] wrote may be lost or torn by a crash until [`Disk::sync`] of its segment has
//!   returned `Ok`; after that it is there;
//! - an unsynced write may damage nothing but the bytes that it covers;
//! - after a failed `sync` nothing is promised about the bytes written since the last good one (the
//!   journal then never writes again), and a later `sync` must not claim otherwise;
//! - [`Disk::replace`] and [`Disk::truncate`] are durable when they return `Ok`.
//!
//! Left to others: files, directories and fsync (the node), frames and checksums (the journal).

use core::fmt;

/// One of the two segments. One is live; the other is empty, except in the middle of a compaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Segment {
    /// Number 0.
    First,
    /// Number 1.
    Second,
}

impl Segment {
    /// Both, in order.
    pub const ALL: [Self; 2] = [Self::First, Self::Second];

    /// 0 or 1: for file names and arrays.
    #[must_use]
    pub const fn index(self) -> usize {
        match self {
            Self::First => 0,
            Self::Second => 1,
        }
    }

    /// The one that is not this one.
    #[must_use]
    pub const fn other(self) -> Self {
        match self {
            Self::First => Self::Second,
            Self::Second => Self::First,
        }
    }
}

impl fmt::Display for Segment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "segment {}", self.index())
    }
}

/// Why the disk did not do as asked. Blames the machine.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DiskError {
    /// No room is left.
    #[error("the disk is full: {0}")]
    IoFull(String),
    /// Anything else, with a sentence for people (path and the system's message).
    #[error("{0}")]
    Io(String),
}

/// Where the journal lives. All calls come from one thread, and may block it.
pub trait Disk: Send {
    /// All bytes of `segment`; empty where there is none. Zeros may follow what was written (a file that
    /// was allocated ahead); the journal tells them apart.
    ///
    /// # Errors
    /// [`DiskError::Io`].
    fn read(&mut self, segment: Segment) -> Result<Vec<u8>, DiskError>;

    /// Writes `bytes` at `offset`, which is the end of what was written before (the journal only ever
    /// appends). Not durable until [`Disk::sync`].
    ///
    /// # Errors
    /// [`DiskError`]; then any part of `bytes` may have been written.
    fn write(&mut self, segment: Segment, offset: u64, bytes: &[u8]) -> Result<(), DiskError>;

    /// Makes all earlier writes to `segment` durable (`fdatasync`).
    ///
    /// # Errors
    /// [`DiskError`]; then nothing is known of the writes since the last good sync.
    fn sync(&mut self, segment: Segment) -> Result<(), DiskError>;

    /// Makes `segment` hold exactly `bytes`, durably. A crash or an error in the middle may leave the old
    /// bytes, the new ones, or a prefix of the new ones; the journal tells them apart (so a temporary file
    /// and a rename serve, and so does truncating and writing in place). No bytes: the segment is dropped.
    ///
    /// # Errors
    /// [`DiskError`].
    fn replace(&mut self, segment: Segment, bytes: &[u8]) -> Result<(), DiskError>;

    /// Cuts `segment` to `length` bytes, durably; what follows reads as absent or as zeros. Used at start,
    /// on a torn tail.
    ///
    /// # Errors
    /// [`DiskError`].
    fn truncate(&mut self, segment: Segment, length: u64) -> Result<(), DiskError>;
}
