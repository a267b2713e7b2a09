//! The vote journal's disk: two files in one directory, written ahead, synced with `fdatasync`.
//!
//! Invariant: whatever failed once, nothing is written or synced after it, since the system may have dropped
//! the very pages whose sync failed. Frames and checksums are the journal's.

use crate::store::StoreError;
use crate::store::ahead::AheadFile;
use phalanx_journal::{Disk, DiskError, Segment};
use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

/// The largest segment that is read; a larger file is not one of ours. Unit: bytes.
pub const JOURNAL_SEGMENT_BYTES_MAX: u64 = 1 << 30;

/// The journal's segments as files `journal-0` and `journal-1` of one directory.
#[derive(Debug)]
pub struct FileDisk {
    directory: PathBuf,
    handle: File,
    segments: [Option<AheadFile>; 2],
    failed: Option<DiskError>,
}

impl FileDisk {
    /// Opens the journal in `directory`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the directory or a segment cannot be opened.
    pub fn open(directory: &Path) -> Result<Self, StoreError> {
        let failed = |error| StoreError::from_io(directory, "opening the journal's directory", error);
        std::fs::create_dir_all(directory).map_err(failed)?;
        let handle = File::open(directory).map_err(failed)?;
        let mut disk = Self { directory: directory.to_path_buf(), handle, segments: [None, None], failed: None };
        for segment in Segment::ALL {
            let path = disk.path(segment);
            disk.segments[segment.index()] = match OpenOptions::new().read(true).write(true).open(&path) {
                Ok(file) => {
                    Some(AheadFile::new(file).map_err(|error| StoreError::from_io(&path, "opening it", error))?)
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => None,
                Err(error) => return Err(StoreError::from_io(&path, "opening it", error)),
            };
        }
        Ok(disk)
    }

    fn path(&self, segment: Segment) -> PathBuf {
        self.directory.join(format!("journal-{}", segment.index()))
    }

    /// Runs one operation, and refuses every other once one has failed.
    fn attempt<T>(
        &mut self,
        segment: Segment,
        doing: impl FnOnce() -> String,
        work: impl FnOnce(&mut Self) -> io::Result<T>,
    ) -> Result<T, DiskError> {
        if let Some(failed) = &self.failed {
            return Err(DiskError::Io(format!("the journal failed earlier, and writes nothing more: {failed}")));
        }
        work(self).map_err(|error| {
            let error = StoreError::from_io(&self.path(segment), doing(), error);
            let text = error.to_string();
            let failure =
                if matches!(error, StoreError::IoFull { .. }) { DiskError::IoFull(text) } else { DiskError::Io(text) };
            self.failed = Some(failure.clone());
            failure
        })
    }

    fn segment(&mut self, segment: Segment) -> io::Result<&mut AheadFile> {
        let slot = segment.index();
        if self.segments[slot].is_none() {
            let options = OpenOptions::new().read(true).write(true).create(true).truncate(false).to_owned();
            let file = options.open(self.path(segment))?;
            self.handle.sync_all()?;
            self.segments[slot] = Some(AheadFile::new(file)?);
        }
        Ok(self.segments[slot].as_mut().expect("it was opened just above"))
    }

    fn replace_file(&mut self, segment: Segment, bytes: &[u8]) -> io::Result<()> {
        let path = self.path(segment);
        self.segments[segment.index()] = None;
        if bytes.is_empty() {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                _ => return self.handle.sync_all(),
            }
        }
        let fresh = path.with_extension("new");
        let mut file = OpenOptions::new().read(true).write(true).create(true).truncate(true).open(&fresh)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        std::fs::rename(&fresh, &path)?;
        self.handle.sync_all()?;
        self.segments[segment.index()] = Some(AheadFile::new(file)?);
        Ok(())
    }
}

impl Disk for FileDisk {
    fn read(&mut self, segment: Segment) -> Result<Vec<u8>, DiskError> {
        self.attempt(
            segment,
            || "reading it".to_owned(),
            |disk| {
                let Some(held) = &disk.segments[segment.index()] else { return Ok(Vec::new()) };
                let length = held.file.metadata()?.len();
                if length > JOURNAL_SEGMENT_BYTES_MAX {
                    let what = format!("{length} bytes long, a journal has at most {JOURNAL_SEGMENT_BYTES_MAX}");
                    return Err(io::Error::new(io::ErrorKind::InvalidData, what));
                }
                let length = usize::try_from(length).map_err(|_| io::ErrorKind::OutOfMemory)?;
                let mut bytes = vec![0; length];
                held.file.read_exact_at(&mut bytes, 0)?;
                Ok(bytes)
            },
        )
    }

    fn write(&mut self, segment: Segment, offset: u64, bytes: &[u8]) -> Result<(), DiskError> {
        let length = bytes.len();
        self.attempt(
            segment,
            || format!("writing {length} bytes at offset {offset}"),
            |disk| disk.segment(segment)?.write(offset, bytes),
        )
    }

    fn sync(&mut self, segment: Segment) -> Result<(), DiskError> {
        self.attempt(
            segment,
            || "making votes durable".to_owned(),
            |disk| {
                let started = Instant::now();
                if let Some(held) = &disk.segments[segment.index()] {
                    held.sync()?;
                }
                metrics::histogram!("phalanx_journal_fsync_seconds").record(started.elapsed().as_secs_f64());
                Ok(())
            },
        )
    }

    fn replace(&mut self, segment: Segment, bytes: &[u8]) -> Result<(), DiskError> {
        let length = bytes.len();
        self.attempt(segment, || format!("replacing it by {length} bytes"), |disk| disk.replace_file(segment, bytes))
    }

    fn truncate(&mut self, segment: Segment, length: u64) -> Result<(), DiskError> {
        self.attempt(
            segment,
            || format!("cutting it to {length} bytes"),
            |disk| disk.segments[segment.index()].as_mut().map_or(Ok(()), |held| held.truncate(length)),
        )
    }
}
