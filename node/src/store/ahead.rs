//! A file that is appended to and synced often: written ahead of its end.
//!
//! Zeros are written (not only reserved) beyond the end, so that a sync of a small record seldom has to make
//! a new length and new extents durable too: most syncs are one write to blocks that the file already has.

use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

/// How far beyond the end zeros are written. Unit: bytes.
pub const AHEAD_BYTES: u64 = 256 << 10;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// A file written ahead. Reading it needs no exclusive access.
#[derive(Debug)]
pub(super) struct AheadFile {
    pub(super) file: Arc<File>,
    /// The file's length, zeros included.
    written: u64,
}

impl AheadFile {
    pub(super) fn new(file: File) -> io::Result<Self> {
        let written = file.metadata()?.len();
        Ok(Self { file: Arc::new(file), written })
    }

    /// Writes `bytes` at `offset`, and zeros after them where the file ended. Not durable until a sync.
    pub(super) fn write(&mut self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.file.write_all_at(bytes, offset)?;
        let end = offset.saturating_add(bytes.len() as u64);
        if end <= self.written {
            return Ok(());
        }
        self.written = end;
        let target = end.saturating_add(AHEAD_BYTES);
        while self.written < target {
            let left = usize::try_from(target - self.written).unwrap_or(usize::MAX).min(ZEROS.len());
            self.file.write_all_at(&ZEROS[..left], self.written)?;
            self.written += left as u64;
        }
        Ok(())
    }

    /// Makes all earlier writes durable.
    pub(super) fn sync(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    /// Cuts the file, durably.
    pub(super) fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.file.set_len(length)?;
        self.file.sync_all()?;
        self.written = length;
        Ok(())
    }
}
