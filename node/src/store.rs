//! What an operator keeps on disk: the chain store (blocks, receipts, certificates), the file disk under
//! the vote journal, and the lock on the data directory.
//!
//! Votes and chain live in separate files, so that a big block never delays a vote. Invariants: what
//! [`Writer::apply`] has returned for survives a crash, all of one batch or none of it; every error names
//! the file and says what to do. What a record means is left to others: payloads and receipts are opaque.

mod chain;
mod error;
mod lock;
mod view;
mod writer;

pub use chain::{CHAIN_CACHE_BYTES_MAX, CHAIN_VERSION, ChainOptions, ChainStore};
pub use error::StoreError;
pub use lock::DirLock;
pub use view::{Reader, StoredBlock, TransactionPlace, View};
pub use writer::{Write, Writer};
