//! The mark beside a share that has never voted: `share.json.unused`.
//!
//! What stops a second vote is the journal, and a share whose journal is lost looks like a new one. So a new share
//! comes with this mark, which goes when its journal is made. A share with neither does not vote.
//!
//! Invariant: the mark is set before the share is written, and gone for good before the first vote.

use super::KeyError;
use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};

const WHAT: &str = "mark of an unused share";
const TEXT: &str = "This share has never voted. Do not copy or restore this file: it goes with the first start.\n";

/// The mark of one share file.
#[derive(Clone, Debug)]
pub struct UnusedMark {
    path: PathBuf,
}

impl UnusedMark {
    /// That of the share file at `share`.
    #[must_use]
    pub fn of(share: &Path) -> Self {
        let mut name = share.as_os_str().to_owned();
        name.push(".unused");
        Self { path: name.into() }
    }

    /// Whether it is there.
    ///
    /// # Errors
    /// [`KeyError::IoUnreadable`] when that cannot be known.
    pub fn is_set(&self) -> Result<bool, KeyError> {
        self.path.try_exists().map_err(|source| KeyError::IoUnreadable { what: WHAT, path: self.path.clone(), source })
    }

    pub(super) fn set(&self) -> Result<(), KeyError> {
        let written = OpenOptions::new().write(true).create(true).truncate(true).open(&self.path);
        let written = written.and_then(|mut file| {
            file.write_all(TEXT.as_bytes())?;
            file.sync_all()
        });
        written.map_err(|source| self.unwritable(source))
    }

    /// Takes it away, durably.
    ///
    /// # Errors
    /// [`KeyError::IoUnwritable`]
    pub fn clear(&self) -> Result<(), KeyError> {
        match std::fs::remove_file(&self.path) {
            Ok(()) => {
                let directory = match self.path.parent() {
                    Some(directory) if !directory.as_os_str().is_empty() => directory,
                    _ => Path::new("."),
                };
                File::open(directory).and_then(|file| file.sync_all()).map_err(|source| self.unwritable(source))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
            Err(source) => Err(self.unwritable(source)),
        }
    }

    fn unwritable(&self, source: std::io::Error) -> KeyError {
        KeyError::IoUnwritable { what: WHAT, path: self.path.clone(), source }
    }
}
