//! What an operator keeps on disk: the chain store (blocks, receipts, certificates), the log of payloads that
//! are not final yet, the file disk under the vote journal, and the lock on the data directory.
//!
//! Votes and chain live in separate files, so that a big block never delays a vote. Invariants: what
//! [`Writer::apply`] has returned for survives a crash, all of one batch or none of it; every error names
//! the file and says what to do. What a record means is left to others: payloads and receipts are opaque.

mod ahead;
mod backend;
mod chain;
mod error;
mod fault;
mod file_disk;
mod lock;
mod payload_log;
mod tables;
mod view;
mod writer;

#[cfg(test)]
mod tests;

pub use ahead::AHEAD_BYTES;
pub use chain::{CHAIN_CACHE_BYTES_MAX, CHAIN_VERSION, ChainOptions, ChainStore};
pub use error::StoreError;
pub use file_disk::{FileDisk, JOURNAL_SEGMENT_BYTES_MAX};
pub use lock::{DirLock, LOCK_FILE};
pub use payload_log::{PAYLOAD_LOG_SEGMENTS_MAX, PAYLOAD_SEGMENT_BYTES, PayloadLog};
pub use view::{Reader, StoredBlock, TransactionPlace, View};
pub use writer::{POSITIONS_PER_BLOCK_MAX, PRUNED_HEIGHTS_PER_WRITE_MAX, WRITES_PER_BATCH_MAX, Write, Writer};
