//! What goes wrong on disk, by who is to blame. Every message names the file and says what to do.

use phalanx_types::ClusterId;
use std::io;
use std::path::{Path, PathBuf};

/// What to do about a corrupt chain store: unlike the journal, it can be lost.
pub(super) const CHAIN_ADVICE: &str =
    "move the file away and start the operator again: it fetches the chain from its peers (never move the journal)";

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left.
    #[error("{}: the disk is full ({doing}: {source}); make room and start the operator again", file.display())]
    IoFull {
        /// The file.
        file: PathBuf,
        /// What was being done, with offset and length where they are known.
        doing: String,
        /// The system's words.
        source: io::Error,
    },
    /// No permission.
    #[error("{}: no permission ({doing}: {source}); let the operator's user read and write it", file.display())]
    IoDenied {
        /// The file.
        file: PathBuf,
        /// What was being done.
        doing: String,
        /// The system's words.
        source: io::Error,
    },
    /// Any other failure of the disk.
    #[error("{}: the disk failed ({doing}: {source}); check it, then start the operator again", file.display())]
    IoFailed {
        /// The file.
        file: PathBuf,
        /// What was being done, with offset and length where they are known.
        doing: String,
        /// The system's words.
        source: io::Error,
    },
    /// An earlier failure; the file must be opened again.
    #[error("{}: an earlier write failed, so nothing more is written; start the operator again", file.display())]
    IoEarlier {
        /// The file.
        file: PathBuf,
    },
    /// The file is not what was written.
    #[error("{}: corrupt: {what}; {advice}", file.display())]
    IoCorrupt {
        /// The file.
        file: PathBuf,
        /// What is wrong, and where.
        what: String,
        /// What to do.
        advice: &'static str,
    },
    /// The file belongs to another cluster.
    #[error("{}: holds the chain of cluster {found}, not of {expected}; give this operator its own directory", file.display())]
    OperatorForeignCluster {
        /// The file.
        file: PathBuf,
        /// The configured cluster.
        expected: ClusterId,
        /// The file's.
        found: ClusterId,
    },
    /// The file was written by a newer release.
    #[error("{}: has layout {found}, this release knows up to {known}; run the newer release", file.display())]
    OperatorNewerLayout {
        /// The file.
        file: PathBuf,
        /// The file's.
        found: u64,
        /// This release's.
        known: u64,
    },
    /// Another process holds the directory or file.
    #[error("{}: in use by {holder}; stop it first: two processes must never use one share", file.display())]
    OperatorLocked {
        /// The directory or file.
        file: PathBuf,
        /// Who holds it, as far as is known.
        holder: String,
    },
    /// The caller broke the contract of a write.
    #[error("a write that cannot be: {0}")]
    Misuse(String),
}

impl StoreError {
    /// Sorts a system error by what the operator can do about it.
    pub(super) fn from_io(file: &Path, doing: impl Into<String>, source: io::Error) -> Self {
        let (file, doing) = (file.to_path_buf(), doing.into());
        match source.kind() {
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
                Self::IoFull { file, doing, source }
            }
            io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
                Self::IoDenied { file, doing, source }
            }
            _ => Self::IoFailed { file, doing, source },
        }
    }

    /// Whether the write itself was wrong, and the disk is as it was.
    #[must_use]
    pub fn is_misuse(&self) -> bool {
        matches!(self, Self::Misuse(_))
    }
}
