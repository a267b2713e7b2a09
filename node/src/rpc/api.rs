//! Every method by name, parameters and result. What each does is in the modules beside this one.

use super::error::RpcError;
use super::types::{CertifiedBlock, ClusterStatus};
use alloy_primitives::{Address, B256, Bytes, U64, U256};
use alloy_rpc_types_eth::state::StateOverride;
use alloy_rpc_types_eth::{
    Block, BlockId, BlockNumberOrTag, BlockOverrides, FeeHistory, Filter, Index, Log, SyncStatus, Transaction,
    TransactionReceipt, TransactionRequest, pubsub,
};
use jsonrpsee::core::SubscriptionResult;
use jsonrpsee::proc_macros::rpc;
use std::collections::BTreeMap;

#[rpc(server, namespace = "eth")]
pub(super) trait Eth {
    #[method(name = "chainId")]
    fn chain_id(&self) -> Result<U64, RpcError>;

    #[method(name = "blockNumber")]
    fn block_number(&self) -> Result<U64, RpcError>;

    #[method(name = "syncing")]
    fn syncing(&self) -> Result<SyncStatus, RpcError>;

    #[method(name = "accounts")]
    fn accounts(&self) -> Result<Vec<Address>, RpcError>;

    #[method(name = "gasPrice")]
    fn gas_price(&self) -> Result<U256, RpcError>;

    #[method(name = "maxPriorityFeePerGas")]
    fn max_priority_fee_per_gas(&self) -> Result<U256, RpcError>;

    #[method(name = "feeHistory")]
    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError>;

    #[method(name = "getBlockByNumber")]
    async fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> Result<Option<Block>, RpcError>;

    #[method(name = "getBlockByHash")]
    async fn block_by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<Block>, RpcError>;

    #[method(name = "getHeaderByNumber")]
    fn header_by_number(&self, number: BlockNumberOrTag) -> Result<Option<alloy_rpc_types_eth::Header>, RpcError>;

    #[method(name = "getHeaderByHash")]
    fn header_by_hash(&self, hash: B256) -> Result<Option<alloy_rpc_types_eth::Header>, RpcError>;

    #[method(name = "getBlockTransactionCountByNumber")]
    fn transaction_count_by_number(&self, number: BlockNumberOrTag) -> Result<Option<U64>, RpcError>;

    #[method(name = "getBlockTransactionCountByHash")]
    fn transaction_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError>;

    #[method(name = "getUncleCountByBlockNumber")]
    fn uncle_count_by_number(&self, number: BlockNumberOrTag) -> Result<Option<U64>, RpcError>;

    #[method(name = "getUncleCountByBlockHash")]
    fn uncle_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError>;

    #[method(name = "getBlockReceipts")]
    async fn block_receipts(&self, block: BlockId) -> Result<Option<Vec<TransactionReceipt>>, RpcError>;

    #[method(name = "getTransactionByHash")]
    async fn transaction_by_hash(&self, hash: B256) -> Result<Option<Transaction>, RpcError>;

    #[method(name = "getRawTransactionByHash")]
    async fn raw_transaction_by_hash(&self, hash: B256) -> Result<Option<Bytes>, RpcError>;

    #[method(name = "getTransactionByBlockHashAndIndex")]
    fn transaction_by_block_hash(&self, hash: B256, index: Index) -> Result<Option<Transaction>, RpcError>;

    #[method(name = "getTransactionByBlockNumberAndIndex")]
    fn transaction_by_block_number(
        &self,
        number: BlockNumberOrTag,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError>;

    #[method(name = "getTransactionReceipt")]
    fn transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, RpcError>;

    #[method(name = "getLogs")]
    async fn logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError>;

    #[method(name = "getBalance")]
    fn balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError>;

    #[method(name = "getTransactionCount")]
    async fn transaction_count(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError>;

    #[method(name = "getCode")]
    fn code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError>;

    #[method(name = "getStorageAt")]
    fn storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> Result<B256, RpcError>;

    #[method(name = "call")]
    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<Bytes, RpcError>;

    #[method(name = "estimateGas")]
    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<U64, RpcError>;

    #[method(name = "sendRawTransaction")]
    async fn send_raw_transaction(&self, bytes: Bytes) -> Result<B256, RpcError>;

    #[subscription(name = "subscribe" => "subscription", unsubscribe = "unsubscribe", item = serde_json::Value)]
    async fn subscribe(&self, kind: pubsub::SubscriptionKind, params: Option<pubsub::Params>) -> SubscriptionResult;
}

#[rpc(server, namespace = "net")]
pub(super) trait Net {
    #[method(name = "version")]
    fn version(&self) -> Result<String, RpcError>;

    #[method(name = "listening")]
    fn listening(&self) -> Result<bool, RpcError>;

    #[method(name = "peerCount")]
    fn peer_count(&self) -> Result<U64, RpcError>;
}

#[rpc(server, namespace = "web3")]
pub(super) trait Web3 {
    #[method(name = "clientVersion")]
    fn client_version(&self) -> Result<String, RpcError>;

    #[method(name = "sha3")]
    fn sha3(&self, data: Bytes) -> Result<B256, RpcError>;
}

/// Transactions by sender (in EIP-55 form) and nonce (in decimal).
pub(super) type BySender<T> = BTreeMap<String, BTreeMap<String, T>>;

/// `txpool_status`.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub(super) struct PoolCounts {
    pub(super) pending: U64,
    pub(super) queued: U64,
}

/// `txpool_content`, `txpool_inspect`, `txpool_contentFrom`.
#[derive(Clone, Debug, Default, serde::Serialize, serde::Deserialize)]
pub(super) struct PoolContent<T> {
    pub(super) pending: T,
    pub(super) queued: T,
}

#[rpc(server, namespace = "txpool")]
pub(super) trait Txpool {
    #[method(name = "status")]
    async fn pool_status(&self) -> Result<PoolCounts, RpcError>;

    #[method(name = "content")]
    async fn pool_content(&self) -> Result<PoolContent<BySender<Transaction>>, RpcError>;

    #[method(name = "contentFrom")]
    async fn pool_content_from(&self, sender: Address) -> Result<PoolContent<BTreeMap<String, Transaction>>, RpcError>;

    #[method(name = "inspect")]
    async fn pool_inspect(&self) -> Result<PoolContent<BySender<String>>, RpcError>;
}

#[rpc(server, namespace = "seq")]
pub(super) trait Seq {
    #[method(name = "clusterStatus")]
    fn cluster_status(&self) -> Result<ClusterStatus, RpcError>;

    #[method(name = "getCertificate")]
    async fn certificate(&self, block: BlockId) -> Result<Option<CertifiedBlock>, RpcError>;

    #[subscription(name = "subscribe" => "subscription", unsubscribe = "unsubscribe", item = super::types::CertificateEvent)]
    async fn subscribe_certificates(&self, kind: String) -> SubscriptionResult;
}
