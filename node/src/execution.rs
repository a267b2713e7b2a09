//! The embedded execution engine: Ethereum blocks built, validated and committed in this process by revm,
//! through alloy-evm's Ethereum block executor.
//!
//! Invariants:
//! - One thread owns [`Embedded`] and calls it; other threads read through [`StateReader`], which never
//!   waits for it.
//! - The state of unfinalized blocks is a tree of diffs over the finalized state. A diff is never changed
//!   once it is made.
//! - The file holds the state of one finalized block, whole. After a crash it holds an older one, and the
//!   caller replays the stored blocks above it (`validate`, then `commit`).
//! - What a block's hash binds is checked by [`EmbeddedInspector`] before a [`phalanx_types::Block`] exists;
//!   nothing here checks it again.
//!
//! Rules that differ from Ethereum's, in `docs/decisions/0004-embedded-execution.md`: a block's timestamp
//! may equal its parent's, and is at most [`TIMESTAMP_DRIFT_S_MAX`] ahead of the clock; blob transactions,
//! ommers and withdrawals are refused; the parent beacon block root is zero.
//!
//! Left to others: which transactions are offered (the mempool), which block is final (consensus), blocks
//! and receipts of the past (the store).

mod block;
mod call;
mod engine;
mod error;
mod genesis;
mod header;
mod overlay;
mod payload;
mod run;
mod senders;
mod state;
mod store;
mod trie;

#[cfg(test)]
mod tests;

pub use block::{BuildAttributes, ExecutedBlock, Outcome, RecoveredTransaction, Skip, TransactionSource, Verdict};
pub use call::{CALL_GAS_MAX, CallOutcome};
pub use engine::{Embedded, EmbeddedOptions};
pub use error::ExecutionError;
pub use genesis::{ChainSpec, DEVNET_GAS_LIMIT, FOUNDRY_BALANCE_WEI, Genesis, devnet_genesis, foundry_accounts};
pub use payload::EmbeddedInspector;
pub use senders::SENDERS_CACHED_MAX;
pub use state::{AccountRecord, StateReader, StateView};
pub use store::{BLOCK_HASHES_MAX, STATE_FILE};

/// How far a block's timestamp may lie ahead of a validator's clock. Unit: seconds.
pub const TIMESTAMP_DRIFT_S_MAX: u64 = 2;
/// The most unfinalized blocks that are held; beyond it the oldest without children is forgotten, and is
/// validated again when it is needed.
pub const UNFINALIZED_BLOCKS_MAX: usize = 1_024;
/// What the diffs of unfinalized blocks may take before the oldest without children is forgotten. Unit: bytes.
pub const UNFINALIZED_BYTES_MAX: usize = 256 << 20;
/// The most finalized blocks that are lost in a crash, and are replayed from the store.
pub const REPLAY_BLOCKS_MAX: u64 = 2_048;
/// The most extra data that a header holds. Unit: bytes.
pub const EXTRA_DATA_BYTES_MAX: usize = 32;
