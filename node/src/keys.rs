//! An operator's secrets on disk: its identity and its share of the cluster's key.
//!
//! Invariants: a file that anybody but its owner may read is refused, with the command that mends it;
//! secrets are wiped when dropped and never appear in errors, logs or `Debug`; what is loaded was checked
//! against the cluster file, so an operator never starts with the keys of another seat or cluster; and one share
//! file serves one process at a time.

mod attested;
mod file;
mod keystore;
mod loaded;
mod passphrase;
mod unused;

pub use attested::{check_acceptances, check_attestation, sign_acceptance};
pub use file::{
    IDENTITY_FILE_VERSION, IdentitySecrets, KEY_FILE_BYTES_MAX, KEY_FILE_VERSION, read_identity, store_share,
    write_encrypted_identity, write_encrypted_share, write_identity, write_share,
};
pub use keystore::{Crypto, KEYSTORE_VERSION, Kdf, Keystore, KeystoreError, SECRET_BYTES_MAX};
pub use loaded::{OperatorKeys, identity_keys, public_key, share_keys};
pub use passphrase::{PASSPHRASE_BYTES_MIN, PASSPHRASE_VARIABLE, Passphrase, PassphraseSource};
pub use unused::UnusedMark;

use phalanx_types::OperatorIndex;
use std::path::PathBuf;

/// Why keys are not usable. Each says what, where, and what to do; none holds a secret.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file that cannot be read.
    #[error("cannot read the {what} {}: {source}", path.display())]
    IoUnreadable {
        /// Which key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write the {what} {}: {source}", path.display())]
    IoUnwritable {
        /// Which key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that others may read.
    #[error(
        "the {what} {} can be read by others (mode {mode:03o}); take it away from them: chmod 600 '{}'",
        path.display(), path.display()
    )]
    FileExposed {
        /// Which key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// A file that holds no such key.
    #[error("the {what} {} is malformed: {reason}; restore it from your backup", path.display())]
    FileMalformed {
        /// Which key.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// An encrypted file, and nobody to ask.
    #[error(
        "{} is encrypted, and no passphrase was given: name a file that holds it (--passphrase-file, or `passphrase_file` \
         in the settings), set PHALANX_PASSPHRASE, or run this at a terminal",
        path.display()
    )]
    PassphraseMissing {
        /// The key file.
        path: PathBuf,
    },
    /// A passphrase that is too weak for a new key, or was mistyped.
    #[error("no passphrase for {}: {reason}", path.display())]
    PassphraseRefused {
        /// The key file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another passphrase.
    #[error("the {what} {} does not open: the passphrase is not the one that it was encrypted with", path.display())]
    PassphraseWrong {
        /// Which key.
        what: &'static str,
        /// Where.
        path: PathBuf,
    },
    /// Another process uses the share.
    #[error(
        "the share key {} is in use by another process: two must never vote with one share; stop the other first",
        path.display()
    )]
    ShareInUse {
        /// The key file.
        path: PathBuf,
    },
    /// A key file of another cluster, or of no operator of this one.
    #[error(
        "the identity key {} is {identity}, which is no operator of this cluster: use the key that belongs to the \
         cluster file {}",
        path.display(), cluster.display()
    )]
    IdentityUnknown {
        /// The key file.
        path: PathBuf,
        /// The public identity in it.
        identity: String,
        /// The cluster file.
        cluster: PathBuf,
    },
    /// A file where a new share is to go.
    #[error("{} holds another share, and is never overwritten: move it away, and run this again", path.display())]
    ShareOther {
        /// The key file.
        path: PathBuf,
    },
    /// A share of another operator or cluster.
    #[error(
        "the share key {} belongs to {actual}, the cluster file {} names {expected} for operator {index}: use the share \
         that belongs to this operator and cluster",
        path.display(), cluster.display()
    )]
    ShareMismatch {
        /// The key file.
        path: PathBuf,
        /// The cluster file.
        cluster: PathBuf,
        /// This operator.
        index: OperatorIndex,
        /// The public key of the share in the file.
        actual: String,
        /// The one in the cluster file.
        expected: String,
    },
    /// A signature of the cluster file or of its definition that is not its signer's.
    #[error(
        "the {what}: the signature of {whose} does not verify; somebody has changed the file: ask for the original"
    )]
    AttestationWrong {
        /// Which file.
        what: &'static str,
        /// Whose.
        whose: String,
    },
    /// A public key of the cluster file that is none.
    #[error("the cluster file is invalid: {which}: {reason}; ask whoever runs the cluster for the original")]
    ClusterKey {
        /// Which key.
        which: String,
        /// What is wrong.
        reason: String,
    },
}
