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
mod error;

pub use block::{BuildAttributes, ExecutedBlock, Outcome, RecoveredTransaction, Skip, TransactionSource, Verdict};
pub use error::ExecutionError;

/// How far a block's timestamp may lie ahead of a validator's clock. Unit: seconds.
pub const TIMESTAMP_DRIFT_S_MAX: u64 = 2;
/// The most unfinalized blocks that are held; beyond it the oldest without children is forgotten, and is
/// validated again when it is needed.
pub const UNFINALIZED_BLOCKS_MAX: usize = 1_024;
/// The most extra data that a header holds. Unit: bytes.
pub const EXTRA_DATA_BYTES_MAX: usize = 32;

// The signatures that follow are being written; callers may rely on them.
//
// impl Genesis {
//     pub fn new(file: alloy_genesis::Genesis) -> Result<Self, ExecutionError>;
//     pub fn from_json(text: &str) -> Result<Self, ExecutionError>;
//     pub fn header(&self) -> &alloy_consensus::Header;
//     pub fn reference(&self) -> BlockRef;             // number 0 and hash
//     pub fn chain_id(&self) -> u64;
//     pub fn block(&self) -> Block;                     // with its payload
// }
// pub fn devnet_genesis(chain_id: u64, prefunded: &[(Address, U256)]) -> alloy_genesis::Genesis;
// pub fn foundry_accounts() -> Vec<(Address, U256)>;   // 10 accounts, 10,000 ether each
//
// pub struct EmbeddedInspector;                        // Default; impl BlockInspector
//
// impl Embedded {                                      // Send, not Sync
//     pub fn open(path: &Path, genesis: &Genesis, options: EmbeddedOptions) -> Result<Self, ExecutionError>;
//     pub fn finalized(&self) -> BlockRef;
//     pub fn remember_senders(&mut self, senders: impl IntoIterator<Item = (B256, Address)>);
//     pub fn build(&mut self, parent_hash: B256, attributes: &BuildAttributes, source: &mut dyn TransactionSource)
//         -> Result<Arc<ExecutedBlock>, ExecutionError>;   // already known as valid
//     pub fn validate(&mut self, block: &Block, now_s: u64) -> Result<Verdict, ExecutionError>;
//         // now_s = u64::MAX for a certified block
//     pub fn commit(&mut self, hash: B256) -> Result<Vec<Arc<ExecutedBlock>>, ExecutionError>; // ascending; empty if final already
//     pub fn executed(&self, hash: B256) -> Option<Arc<ExecutedBlock>>;
//     pub fn reader(&self) -> StateReader;
//     pub fn flush(&mut self) -> Result<(), ExecutionError>;   // durable; also on drop
// }
// impl StateReader {                                   // Clone, Send, Sync
//     pub fn finalized(&self) -> StateView;
//     pub fn at(&self, hash: B256) -> Option<StateView>;       // finalized or unfinalized
//     pub fn executed(&self, hash: B256) -> Option<Arc<ExecutedBlock>>; // unfinalized ones
// }
// impl StateView {                                     // Clone, Send, Sync
//     pub fn reference(&self) -> BlockRef;
//     pub fn header(&self) -> &Header;
//     pub fn chain_id(&self) -> u64;
//     pub fn account(&self, address: Address) -> Result<Option<AccountRecord>, ExecutionError>; // nonce, balance, code_hash, storage_root
//     pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ExecutionError>;
//     pub fn code(&self, address: Address) -> Result<Bytes, ExecutionError>;
//     pub fn block_hash(&self, number: u64) -> Result<Option<B256>, ExecutionError>;  // last 256
//     pub fn call(&self, request: &TransactionRequest) -> Result<CallOutcome, ExecutionError>;
//     pub fn estimate_gas(&self, request: &TransactionRequest) -> Result<CallOutcome, ExecutionError>; // Success.gas_used is the estimate
// }
// pub enum CallOutcome { Success { output: Bytes, gas_used: u64 }, Revert { output: Bytes, gas_used: u64 }, Halt { reason: String, gas_used: u64 } }
