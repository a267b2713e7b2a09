//! The lock on an operator's data directory: two processes never use one share.

use crate::store::StoreError;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

/// The file that is locked, in the data directory; holds the process id of its holder.
pub const LOCK_FILE: &str = "lock";

/// The most bytes of the lock file that are read. Unit: bytes.
const HOLDER_BYTES_MAX: u64 = 32;

/// Held for as long as the process uses the directory; the system releases it when the process ends, however
/// it ends.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Locks `directory`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError::OperatorLocked`] with the holder's process id, or an `Io…` error.
    pub fn acquire(directory: &Path) -> Result<Self, StoreError> {
        std::fs::create_dir_all(directory)
            .map_err(|error| StoreError::from_io(directory, "making the data directory", error))?;
        let path = directory.join(LOCK_FILE);
        let failed = |error| StoreError::from_io(&path, "locking the data directory", error);
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(&path).map_err(failed)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(StoreError::OperatorLocked { file: directory.to_path_buf(), holder: holder(&file) });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(failed)?;
        Ok(Self { _file: file })
    }
}

/// Who holds the lock, as far as the file says.
fn holder(file: &File) -> String {
    let mut text = String::new();
    match file.take(HOLDER_BYTES_MAX).read_to_string(&mut text).ok().and_then(|_| text.trim().parse::<u32>().ok()) {
        Some(pid) => format!("process {pid}"),
        None => "another process".to_owned(),
    }
}
