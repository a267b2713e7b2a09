//! What an operator is told before it starts: the public cluster file, the same for everyone, and its
//! own settings.
//!
//! Invariants: a value of [`ClusterFile`] or [`OperatorConfig`] is complete and within its bounds, nothing
//! re-checks it; what is not understood is refused, with the place and the nearest thing that is. Key
//! material is never in here, only the paths of its files (`keys` reads them).

mod attestation;
mod cluster;
mod definition;
mod operator;
mod setting;
mod template;
mod value;

pub use attestation::Attestation;
pub use cluster::{
    BLOCK_TIME_MS_MAX, CLUSTER_FILE_BYTES_MAX, CLUSTER_FILE_VERSION, CLUSTER_NAME_BYTES_MAX, ClusterDefinition,
    ClusterFile, LEADER_SCHEDULE, OperatorRecord, SCHEME_MIN_SIG, SLOTS_PER_TERM_MAX, cluster_id,
};
pub use definition::{Acceptance, DEFINITION_VERSION, Definition, Outline, PublicRecord, differences};
pub use operator::{OperatorConfig, SETTINGS, Timeouts};
pub use setting::{Environment, Flags, Loaded, Origin, Setting, environment_name, flag_name, nearest};
pub use template::{effective, template};
pub use value::{BlsBackend, LogFormat, OptionalPath};

use phalanx_types::ClusterId;
use std::path::PathBuf;

/// Why a configuration is not usable. Each says what, where, and what to do about it. All of it is for
/// whoever operates the machine to mend, so the variants are sorted by the file that is to blame.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file that cannot be read.
    #[error("cannot read the {what} {}: {source}", path.display())]
    IoUnreadable {
        /// Which kind of file.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file that cannot be written.
    #[error("cannot write the {what} {}: {source}", path.display())]
    IoUnwritable {
        /// Which kind of file.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file beyond its bound.
    #[error("the {what} {} has {bytes} bytes, more than {max}: that is not one", path.display())]
    FileTooLarge {
        /// Which kind of file.
        what: &'static str,
        /// Where.
        path: PathBuf,
        /// Its size.
        bytes: u64,
        /// The bound.
        max: u64,
    },
    /// Not TOML. The message shows the line.
    #[error("{}: {message}", path.display())]
    SettingsSyntax {
        /// The settings file.
        path: PathBuf,
        /// The parser's words, which quote the line.
        message: String,
    },
    /// A key that does not exist.
    #[error("{}, line {line}: there is no setting `{key}`{}", path.display(), suggestion(nearest.as_deref()))]
    SettingsUnknown {
        /// The settings file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// As written.
        key: String,
        /// The nearest one that exists.
        nearest: Option<String>,
    },
    /// A value that its key does not take.
    #[error("`{key}` ({origin}): {reason}")]
    SettingsValue {
        /// The key.
        key: &'static str,
        /// Who gave the value.
        origin: Origin,
        /// What is wrong and what is expected.
        reason: String,
    },
    /// Settings that contradict each other.
    #[error("{0}")]
    SettingsInconsistent(String),
    /// Not the JSON of a cluster file.
    #[error("the cluster file {} is malformed: {source}; ask whoever runs the cluster for the original", path.display())]
    ClusterSyntax {
        /// Where.
        path: PathBuf,
        /// The parser's words, with line and column.
        source: serde_json::Error,
    },
    /// A cluster file that contradicts itself or a bound.
    #[error("the cluster file {} is invalid: {reason}; ask whoever runs the cluster for the original", path.display())]
    ClusterInvalid {
        /// Where.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A cluster file whose id is not that of its contents.
    #[error(
        "the cluster file {} says clusterId {stated}, but its chain id, public key, genesis, slotsPerTerm and \
         leader schedule make {computed}: one of them was changed by hand, or the file belongs to another release",
        path.display()
    )]
    ClusterIdMismatch {
        /// Where.
        path: PathBuf,
        /// As written.
        stated: ClusterId,
        /// As computed.
        computed: ClusterId,
    },
}

fn suggestion(nearest: Option<&str>) -> String {
    match nearest {
        Some(key) => format!("; did you mean `{key}`? (`phalanx config` lists them all)"),
        None => "; `phalanx config` lists them all".to_owned(),
    }
}

/// Reads a text file of at most `bytes_max` bytes.
///
/// # Errors
/// [`ConfigError::IoUnreadable`] and [`ConfigError::FileTooLarge`].
pub(crate) fn read_bounded(what: &'static str, path: &std::path::Path, bytes_max: u64) -> Result<String, ConfigError> {
    let unreadable = |source| ConfigError::IoUnreadable { what, path: path.to_owned(), source };
    let bytes = std::fs::metadata(path).map_err(unreadable)?.len();
    if bytes > bytes_max {
        return Err(ConfigError::FileTooLarge { what, path: path.to_owned(), bytes, max: bytes_max });
    }
    std::fs::read_to_string(path).map_err(unreadable)
}
