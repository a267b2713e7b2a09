//! The vote journal: what an operator signed, and the certificates that it relied on, before any of it
//! left.
//!
//! Invariants:
//! - a record that [`Journal::commit`] returned `Ok` for is there after any crash, in its order, until a
//!   compaction that was told to leave it out;
//! - a group that was not committed is there as a whole or not at all;
//! - damage is an error that names its place, never a shorter history: only what a crash can do to the
//!   last, unsynced group is cut off;
//! - after any failed write nothing is written again ([`JournalError::MisusePoisoned`]);
//! - a journal serves one operator of one cluster, and refuses to serve another.
//!
//! Left to others: files ([`Disk`], implemented by the node), what must be retained by a compaction and
//! whether a vote contradicts an older one (`phalanx-pipeline`).
#![forbid(unsafe_code)]

mod disk;
mod error;
mod frame;
mod header;
mod journal;
pub mod memory;
mod replay;

pub use disk::{Disk, DiskError, Segment};
pub use error::JournalError;
pub use frame::GROUP_BYTES_MAX;
pub use header::{JOURNAL_VERSION, JournalHeader, SHARE_KEY_BYTES_MAX};
pub use journal::{COMPACTION_BYTES, JOURNAL_BYTES_MAX, Journal};
