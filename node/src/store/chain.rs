//! Opening the chain store: one redb file that belongs to one cluster.

use crate::store::{Reader, StoreError, Writer};
use phalanx_types::ClusterId;
use std::path::Path;

/// The layout that this release writes; a file with a higher one is refused.
pub const CHAIN_VERSION: u64 = 1;
/// The most memory that the store's page cache takes. Unit: bytes.
pub const CHAIN_CACHE_BYTES_MAX: usize = 16 << 20;

/// What the store is told when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct ChainOptions {
    /// The cluster whose chain it holds.
    pub cluster: ClusterId,
    /// Fixes which notarizations end a term.
    pub slots_per_term: u32,
}

/// An open chain store.
#[derive(Debug)]
pub struct ChainStore {}

impl ChainStore {
    /// Opens the file at `path`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the file belongs to another cluster or a newer release, is corrupt, is open
    /// elsewhere, or the disk fails.
    pub fn open(path: &Path, options: ChainOptions) -> Result<Self, StoreError> {
        let _ = (path, options);
        unimplemented!("signatures first")
    }

    /// A handle for reading; clone it freely.
    #[must_use]
    pub fn reader(&self) -> Reader {
        unimplemented!("signatures first")
    }

    /// The one writer, and a reader.
    #[must_use]
    pub fn split(self) -> (Writer, Reader) {
        unimplemented!("signatures first")
    }
}
