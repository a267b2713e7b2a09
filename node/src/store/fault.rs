//! From redb's errors (and its panics on damaged pages) to [`StoreError`].

use crate::store::StoreError;
use crate::store::backend::PlacedError;
use crate::store::error::CHAIN_ADVICE;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stops work on the store from within.
#[derive(Debug)]
pub(super) enum Fault {
    /// redb says so.
    Redb(redb::Error),
    /// A record is not what was written.
    Damaged(String),
    /// Already sorted.
    Sorted(StoreError),
}

macro_rules! from_redb {
    ($($error:ty),*) => {$(
        impl From<$error> for Fault {
            fn from(error: $error) -> Self {
                Self::Redb(error.into())
            }
        }
    )*};
}
from_redb!(
    redb::DatabaseError,
    redb::TransactionError,
    redb::TableError,
    redb::StorageError,
    redb::CommitError,
    redb::SetDurabilityError
);

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Sorted(error)
    }
}

/// The chain store's file, for errors to name.
#[derive(Clone, Debug)]
pub(super) struct ChainFile(Arc<PathBuf>);

impl ChainFile {
    pub(super) fn new(path: &Path) -> Self {
        Self(Arc::new(path.to_path_buf()))
    }

    pub(super) fn path(&self) -> &Path {
        &self.0
    }

    /// Runs `work` and sorts what goes wrong. redb trusts its pages once the file is open, and may panic on
    /// damaged ones: that is a corrupt file, and ends in an error like any other.
    pub(super) fn guard<T>(&self, doing: &str, work: impl FnOnce() -> Result<T, Fault>) -> Result<T, StoreError> {
        // What `work` leaves half done on a panic is redb's own state, whose locks are then poisoned: every
        // later use ends in an error too.
        match catch_unwind(AssertUnwindSafe(work)) {
            Ok(outcome) => outcome.map_err(|fault| self.sort(doing, fault)),
            Err(_) => Err(self.corrupt(format!("the database panicked while {doing}"))),
        }
    }

    fn corrupt(&self, what: String) -> StoreError {
        StoreError::IoCorrupt { file: self.path().to_path_buf(), what, advice: CHAIN_ADVICE }
    }

    fn sort(&self, doing: &str, fault: Fault) -> StoreError {
        match fault {
            Fault::Sorted(error) => error,
            Fault::Damaged(what) => self.corrupt(format!("{what}, while {doing}")),
            Fault::Redb(redb::Error::Io(error)) => self.sort_io(doing, error),
            Fault::Redb(redb::Error::PreviousIo) => StoreError::IoEarlier { file: self.path().to_path_buf() },
            Fault::Redb(redb::Error::DatabaseAlreadyOpen) => StoreError::OperatorLocked {
                file: self.path().to_path_buf(),
                holder: "another process (or another handle of this one)".to_owned(),
            },
            Fault::Redb(error) => self.corrupt(format!("{error}, while {doing}")),
        }
    }

    fn sort_io(&self, doing: &str, error: io::Error) -> StoreError {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => self.corrupt(format!("shorter than it says ({error}), while {doing}")),
            io::ErrorKind::InvalidData => self.corrupt(format!("not a chain store ({error})")),
            _ => match error.downcast::<PlacedError>() {
                Ok(PlacedError { doing: place, source }) => {
                    StoreError::from_io(self.path(), format!("{doing}, {place}"), source)
                }
                Err(error) => StoreError::from_io(self.path(), doing, error),
            },
        }
    }
}
