//! What goes wrong on disk, by who is to blame. Every message names the file and what to do.

use phalanx_types::ClusterId;
use std::path::PathBuf;

/// Why something was not stored or read.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// No space left.
    #[error(
        "{}: the disk is full while {doing}; nothing unsaved was acknowledged: make room and start the operator again ({source})",
        file.display()
    )]
    IoFull {
        /// The file.
        file: PathBuf,
        /// What was being done.
        doing: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// No permission.
    #[error("{}: no permission while {doing}; let the user who runs the operator read and write it ({source})", file.display())]
    IoDenied {
        /// The file.
        file: PathBuf,
        /// What was being done.
        doing: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// Any other failure of the disk.
    #[error("{}: the disk failed while {doing}; check the device, then start the operator again ({source})", file.display())]
    IoFailed {
        /// The file.
        file: PathBuf,
        /// What was being done.
        doing: String,
        /// The system's words.
        source: std::io::Error,
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
    #[error("{}: holds the chain of cluster {found}, not of {expected}; point the operator at its own directory", file.display())]
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
