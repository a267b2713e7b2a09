//! What can go wrong, by blame: the machine (`Io…`) or whoever configured and called (`Misuse…`).

use crate::{DiskError, JOURNAL_VERSION, Segment};

/// Why the journal does not serve. None of these may be answered by voting without a journal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum JournalError {
    /// The disk failed.
    #[error("the vote journal could not {doing}: {source}")]
    IoDisk {
        /// What was being done.
        doing: &'static str,
        /// What the disk said.
        source: DiskError,
    },
    /// Bytes that were durable are not what was written.
    #[error(
        "the vote journal is damaged in {segment} at byte {offset}: {what}. Votes may be missing from it, so this \
         operator must not vote with it: restore the file from an undamaged copy made after the operator stopped, or \
         let the operator rejoin with a new share in a new epoch"
    )]
    IoCorrupt {
        /// Where.
        segment: Segment,
        /// Where in the segment. Unit: bytes.
        offset: u64,
        /// What is wrong there.
        what: String,
    },
    /// A segment would outgrow its bound, because nothing was finalized for very long.
    #[error("the vote journal has reached {max} bytes without anything in it becoming final; no vote is cast")]
    IoBound {
        /// The bound. Unit: bytes.
        max: u64,
    },
    /// Written by a release that this one cannot read.
    #[error(
        "the vote journal has format {found}, this release reads format {JOURNAL_VERSION}: run the release that wrote it"
    )]
    MisuseVersion {
        /// The format found.
        found: u16,
    },
    /// The journal of another cluster, operator or share.
    #[error(
        "the vote journal belongs to another operator: its {what} is {found}, this operator's is {expected}. Check \
         the data directory; do not delete the journal to get past this"
    )]
    MisuseForeign {
        /// What differs.
        what: &'static str,
        /// This operator's.
        expected: String,
        /// The journal's.
        found: String,
    },
    /// More in one group than a commit takes.
    #[error("a group of {actual} bytes, at most {max}: commit first")]
    MisuseGroup {
        /// How large the group would be. Unit: bytes.
        actual: usize,
        /// The bound. Unit: bytes.
        max: usize,
    },
    /// An earlier write failed: what is on disk is not known until the journal is opened again.
    #[error("the vote journal failed before and takes no more votes; restart the operator once the disk is well")]
    MisusePoisoned,
}

impl JournalError {
    pub(crate) fn disk(doing: &'static str) -> impl FnOnce(DiskError) -> Self {
        move |source| Self::IoDisk { doing, source }
    }
}
