//! The file under redb: every failure says which operation failed, and where.

use redb::{BackendError, StorageBackend};
use std::fmt;
use std::io;
use std::ops::Bound;

/// A failed operation on the file, with its place.
#[derive(Debug)]
pub(super) struct PlacedError {
    /// Such as `writing 4096 bytes at offset 8192`.
    pub(super) doing: String,
    /// The system's words.
    pub(super) source: io::Error,
}

impl fmt::Display for PlacedError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.doing, self.source)
    }
}

impl std::error::Error for PlacedError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.source)
    }
}

fn placed(doing: impl FnOnce() -> String) -> impl FnOnce(io::Error) -> io::Error {
    move |source| io::Error::new(source.kind(), PlacedError { doing: doing(), source })
}

/// Any backend, with failures placed.
#[derive(Debug)]
pub(super) struct PlacingBackend<B>(pub(super) B);

impl<B: StorageBackend> StorageBackend for PlacingBackend<B> {
    fn len(&self) -> Result<u64, io::Error> {
        self.0.len().map_err(placed(|| "asking for the length".to_owned()))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> Result<(), io::Error> {
        let length = out.len();
        self.0.read(offset, out).map_err(placed(|| format!("reading {length} bytes at offset {offset}")))
    }

    fn set_len(&self, len: u64) -> Result<(), io::Error> {
        self.0.set_len(len).map_err(placed(|| format!("setting the length to {len} bytes")))
    }

    fn sync_data(&self) -> Result<(), io::Error> {
        self.0.sync_data().map_err(placed(|| "making writes durable".to_owned()))
    }

    fn write(&self, offset: u64, data: &[u8]) -> Result<(), io::Error> {
        self.0.write(offset, data).map_err(placed(|| format!("writing {} bytes at offset {offset}", data.len())))
    }

    fn close(&self) -> Result<(), io::Error> {
        self.0.close()
    }

    fn try_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_range(start, end)
    }

    fn try_lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.try_lock_shared_range(start, end)
    }

    fn lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_range(start, end)
    }

    fn lock_shared_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.lock_shared_range(start, end)
    }

    fn unlock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<(), BackendError> {
        self.0.unlock_range(start, end)
    }

    fn query_lock_range(&self, start: Bound<u64>, end: Bound<u64>) -> Result<bool, BackendError> {
        self.0.query_lock_range(start, end)
    }
}
