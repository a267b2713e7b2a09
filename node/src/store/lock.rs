//! The lock on an operator's data directory: two processes never use one share.

use crate::store::StoreError;
use std::fs::File;
use std::path::Path;

/// Held for as long as the process uses the directory.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
}

impl DirLock {
    /// Locks `directory`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError::Locked`] with the holder's process id, or an `Io…` error.
    pub fn acquire(directory: &Path) -> Result<Self, StoreError> {
        let _ = directory;
        unimplemented!("signatures first")
    }
}
