//! What the RPC server needs from the rest of the operator: one trait, implemented by the driver.
//!
//! Invariants that an implementation keeps: `finalized` never goes back and never exceeds `notarized`;
//! what [`Backend::block_by_number`] returns at or below `finalized` never changes. Reads are synchronous
//! and may touch the disk; the server runs the slow ones away from the async runtime. What needs the
//! mempool's owner thread is async.
//!
//! Left to others: shapes, tags, codes, bounds and subscriptions are the server's business.

use super::events::EventFeed;
use super::types::ClusterStatus;
use alloy_consensus::transaction::Recovered;
use alloy_consensus::{Block, Header, ReceiptEnvelope, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_eth::state::EvmOverrides;
pub use jsonrpsee::core::async_trait;
use phalanx_types::{BlockRef, Certificate, Position};
use std::sync::Arc;

/// An executed block, as the RPC shows it. Immutable; shared between readers.
#[derive(Clone, Debug)]
pub struct RpcBlock {
    /// The execution block.
    pub block: Block<TxEnvelope>,
    /// Its hash.
    pub hash: B256,
    /// The transactions' senders, in order; as many as transactions.
    pub senders: Vec<Address>,
    /// The transactions' receipts, in order; as many as transactions.
    pub receipts: Vec<ReceiptEnvelope>,
    /// Where it was notarized, where that is known; `None` for genesis.
    pub position: Option<Position>,
}

impl RpcBlock {
    /// Number and hash.
    #[must_use]
    pub fn reference(&self) -> BlockRef {
        BlockRef::new(self.block.header.number, self.hash)
    }
}

/// The heads that tags resolve to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Heads {
    /// The newest notarized block (`pending`); equals `finalized` while there is none above it.
    pub notarized: BlockRef,
    /// The newest final block (`latest`).
    pub finalized: BlockRef,
    /// `safe` and `finalized` as L1 sees them; equals `finalized` where there is no L1.
    pub settled: BlockRef,
}

/// The certificates that speak for one block.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Certificates {
    /// The block's own notarization, where it is held.
    pub notarization: Option<Certificate>,
    /// The finalization of the block, or else of its nearest finalized descendant that is held.
    pub finalization: Option<Certificate>,
}

/// An account.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Account {
    /// Transactions sent (and contracts created).
    pub nonce: u64,
    /// Unit: wei.
    pub balance: U256,
}

/// Why a read failed through no fault of the caller's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ReadError {
    /// The state of that block is no longer (or not yet) kept.
    #[error("the state of block {0} is not kept; this operator keeps the state of recent blocks only")]
    StateNotKept(BlockRef),
    /// Store or execution failed.
    #[error("{0}")]
    Internal(String),
}

/// Why a call or an estimate gave no result.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The EVM reverted, with this output. Shown with code 3 and the data.
    #[error("execution reverted")]
    Reverted(Bytes),
    /// The EVM halted (out of gas, invalid opcode, …); the reason.
    #[error("{0}")]
    Halted(String),
    /// The request makes no executable transaction (insufficient funds, gas above the block's limit, …).
    #[error("{0}")]
    Rejected(String),
    /// Store or execution failed.
    #[error(transparent)]
    Read(#[from] ReadError),
}

/// Why a transaction was refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct SendError {
    /// The JSON-RPC code: [`SendError::REJECTED`] or [`SendError::MALFORMED`].
    pub code: i32,
    /// The text that users of Ethereum clients know.
    pub message: String,
}

impl SendError {
    /// The code of a well-formed transaction that is refused.
    pub const REJECTED: i32 = -32_000;
    /// The code of bytes that are no transaction.
    pub const MALFORMED: i32 = -32_602;

    /// A refusal of a well-formed transaction.
    #[must_use]
    pub fn rejected(message: impl Into<String>) -> Self {
        Self { code: Self::REJECTED, message: message.into() }
    }

    /// A refusal of bytes that are no transaction.
    #[must_use]
    pub fn malformed(message: impl Into<String>) -> Self {
        Self { code: Self::MALFORMED, message: message.into() }
    }
}

/// One block's state. Owned by one request and dropped soon: an implementation may pin resources.
pub trait StateView: Send {
    /// The account, `None` where it does not exist.
    ///
    /// # Errors
    /// [`ReadError`] when the state is not kept or the store fails; so do all others.
    fn account(&self, address: Address) -> Result<Option<Account>, ReadError>;

    /// The account's code; empty where there is none.
    ///
    /// # Errors
    /// See [`StateView::account`].
    fn code(&self, address: Address) -> Result<Bytes, ReadError>;

    /// A slot of the account's storage; zero where nothing is stored.
    ///
    /// # Errors
    /// See [`StateView::account`].
    fn storage(&self, address: Address, slot: U256) -> Result<U256, ReadError>;

    /// Executes `request` on top of the block's state and returns the output. Gas is capped by
    /// `gas_max`; no balance is needed for gas when no price is named. Runs on a blocking thread.
    ///
    /// # Errors
    /// [`CallError`].
    fn call(&self, request: TransactionRequest, overrides: EvmOverrides, gas_max: u64) -> Result<Bytes, CallError>;

    /// The least gas limit with which `request` succeeds, at most `gas_max`. Runs on a blocking thread.
    ///
    /// # Errors
    /// [`CallError`].
    fn estimate_gas(
        &self,
        request: TransactionRequest,
        overrides: EvmOverrides,
        gas_max: u64,
    ) -> Result<u64, CallError>;
}

/// How many transactions the mempool holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PoolStatus {
    /// Executable ones (`pending` in `txpool_status`).
    pub executable: usize,
    /// Those that wait for a nonce or a lower base fee (`queued`).
    pub waiting: usize,
}

/// A transaction of the mempool.
#[derive(Clone, Debug)]
pub struct PoolTransaction {
    /// With its sender.
    pub transaction: Recovered<TxEnvelope>,
    /// Whether it could be executed now (else it waits for a nonce or a lower base fee).
    pub executable: bool,
}

/// What the driver gives the RPC server. Object safe; held as `Arc<dyn Backend>`.
#[async_trait]
pub trait Backend: Send + Sync + 'static {
    /// The chain's EIP-155 id.
    fn chain_id(&self) -> u64;

    /// `web3_clientVersion`, as in `phalanx/v0.1.0/linux-x86_64`.
    fn client_version(&self) -> String;

    /// The heads, from one snapshot.
    fn heads(&self) -> Heads;

    /// The highest block known to exist where this operator is catching up; `None` when it is not.
    fn syncing(&self) -> Option<u64>;

    /// Operators connected, not counting this one.
    fn connected_peers(&self) -> usize;

    /// The base fee that the block above the newest notarized one will have. Unit: wei per gas.
    fn next_base_fee(&self) -> u64;

    /// The least tip that the mempool takes; what `eth_maxPriorityFeePerGas` suggests, since order is
    /// first come first served and more buys nothing. Unit: wei per gas.
    fn suggested_tip(&self) -> u128;

    /// The block at a height: final ones, and the notarized ones between `finalized` and `notarized`.
    ///
    /// # Errors
    /// [`ReadError`] when the store fails; so do all other reads.
    fn block_by_number(&self, number: u64) -> Result<Option<Arc<RpcBlock>>, ReadError>;

    /// The block with a hash, notarized or final.
    ///
    /// # Errors
    /// See [`Backend::block_by_number`].
    fn block_by_hash(&self, hash: B256) -> Result<Option<Arc<RpcBlock>>, ReadError>;

    /// The header at a height. Worth overriding where it costs less than the block: `eth_getLogs` reads
    /// blooms with it.
    ///
    /// # Errors
    /// See [`Backend::block_by_number`].
    fn header_by_number(&self, number: u64) -> Result<Option<Header>, ReadError> {
        Ok(self.block_by_number(number)?.map(|block| block.block.header.clone()))
    }

    /// Where a transaction stands in the final chain: height and index.
    ///
    /// # Errors
    /// See [`Backend::block_by_number`].
    fn transaction_location(&self, hash: B256) -> Result<Option<(u64, usize)>, ReadError>;

    /// What certifies the block; both `None` for genesis.
    ///
    /// # Errors
    /// See [`Backend::block_by_number`].
    fn certificates(&self, block: BlockRef) -> Result<Certificates, ReadError>;

    /// The state after a block, notarized or final.
    ///
    /// # Errors
    /// [`ReadError::StateNotKept`] for a block whose state is gone.
    fn state_at(&self, block: BlockRef) -> Result<Box<dyn StateView>, ReadError>;

    /// The cluster at a glance.
    fn cluster_status(&self) -> ClusterStatus;

    /// What subscriptions listen to.
    fn events(&self) -> &EventFeed;

    /// Admits transactions (EIP-2718 bytes) to the mempool as local ones. As many results as
    /// transactions, in their order; `Ok` means that the transaction will be proposed until it is final.
    async fn send_raw_transactions(&self, transactions: Vec<Bytes>) -> Vec<Result<B256, SendError>>;

    /// Counts.
    async fn pool_status(&self) -> PoolStatus;

    /// The mempool's transaction with a hash.
    async fn pool_transaction(&self, hash: B256) -> Option<PoolTransaction>;

    /// The mempool's transactions in order of sender and nonce: all senders' or one's; at most `max`.
    async fn pool_transactions(&self, sender: Option<Address>, max: usize) -> Vec<PoolTransaction>;

    /// The nonce that follows the sender's executable transactions in the mempool; `None` where there
    /// are none.
    async fn pool_nonce(&self, sender: Address) -> Option<u64>;
}
