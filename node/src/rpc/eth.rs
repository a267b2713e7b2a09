//! The `eth_`, `net_` and `web3_` namespaces.

use super::api::{EthServer, NetServer, Web3Server};
use super::backend::RpcBlock;
use super::context::{Context, block_by_id, block_by_tag, state_by_id};
use super::error::RpcError;
use super::{convert, fees, logs, subscribe};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;
use alloy_primitives::{Address, B256, Bytes, U64, U256, keccak256};
use alloy_rpc_types_eth::state::{EvmOverrides, StateOverride};
use alloy_rpc_types_eth::{
    Block, BlockId, BlockNumberOrTag, BlockOverrides, FeeHistory, Filter, Header, Index, Log, SyncInfo, SyncStatus,
    Transaction, TransactionReceipt, TransactionRequest, pubsub,
};
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{SubscriptionResult, async_trait};
use std::sync::Arc;

/// The most gas that one `eth_call` may use.
pub const CALL_GAS_MAX: u64 = 50_000_000;

#[async_trait]
impl EthServer for Context {
    fn chain_id(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.backend.chain_id()))
    }

    fn block_number(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.backend.heads().finalized.number))
    }

    fn syncing(&self) -> Result<SyncStatus, RpcError> {
        let Some(highest) = self.backend.syncing() else { return Ok(SyncStatus::None) };
        let current = U256::from(self.backend.heads().finalized.number);
        let info = SyncInfo {
            starting_block: current,
            current_block: current,
            highest_block: U256::from(highest),
            ..SyncInfo::default()
        };
        Ok(SyncStatus::Info(Box::new(info)))
    }

    fn accounts(&self) -> Result<Vec<Address>, RpcError> {
        Ok(Vec::new())
    }

    fn gas_price(&self) -> Result<U256, RpcError> {
        Ok(U256::from(fees::gas_price(&*self.backend)))
    }

    fn max_priority_fee_per_gas(&self) -> Result<U256, RpcError> {
        Ok(U256::from(self.backend.suggested_tip()))
    }

    async fn fee_history(
        &self,
        count: U64,
        newest: BlockNumberOrTag,
        percentiles: Option<Vec<f64>>,
    ) -> Result<FeeHistory, RpcError> {
        let count = count.saturating_to();
        self.slow(move |backend| fees::history(backend, count, newest, percentiles.as_deref())).await
    }

    async fn block_by_number(&self, number: BlockNumberOrTag, full: Option<bool>) -> Result<Option<Block>, RpcError> {
        self.show_block(BlockId::Number(number), full.unwrap_or(false)).await
    }

    async fn block_by_hash(&self, hash: B256, full: Option<bool>) -> Result<Option<Block>, RpcError> {
        self.show_block(BlockId::from(hash), full.unwrap_or(false)).await
    }

    fn header_by_number(&self, number: BlockNumberOrTag) -> Result<Option<Header>, RpcError> {
        Ok(block_by_tag(&*self.backend, number)?.map(|block| convert::header(&block)))
    }

    fn header_by_hash(&self, hash: B256) -> Result<Option<Header>, RpcError> {
        Ok(self.backend.block_by_hash(hash)?.map(|block| convert::header(&block)))
    }

    fn transaction_count_by_number(&self, number: BlockNumberOrTag) -> Result<Option<U64>, RpcError> {
        Ok(block_by_tag(&*self.backend, number)?.map(|block| transaction_count(&block)))
    }

    fn transaction_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError> {
        Ok(self.backend.block_by_hash(hash)?.map(|block| transaction_count(&block)))
    }

    fn uncle_count_by_number(&self, number: BlockNumberOrTag) -> Result<Option<U64>, RpcError> {
        Ok(block_by_tag(&*self.backend, number)?.map(|_| U64::ZERO))
    }

    fn uncle_count_by_hash(&self, hash: B256) -> Result<Option<U64>, RpcError> {
        Ok(self.backend.block_by_hash(hash)?.map(|_| U64::ZERO))
    }

    async fn block_receipts(&self, block: BlockId) -> Result<Option<Vec<TransactionReceipt>>, RpcError> {
        self.slow(move |backend| Ok(block_by_id(backend, block)?.map(|block| convert::receipts(&block)))).await
    }

    async fn transaction_by_hash(&self, hash: B256) -> Result<Option<Transaction>, RpcError> {
        if let Some((block, index)) = self.locate(hash)? {
            return Ok(convert::transaction(&block, index));
        }
        Ok(self.backend.pool_transaction(hash).await.map(convert::pool_transaction))
    }

    async fn raw_transaction_by_hash(&self, hash: B256) -> Result<Option<Bytes>, RpcError> {
        if let Some((block, index)) = self.locate(hash)? {
            return Ok(block.block.body.transactions.get(index).map(|found| found.encoded_2718().into()));
        }
        let held = self.backend.pool_transaction(hash).await;
        Ok(held.map(|held| held.transaction.encoded_2718().into()))
    }

    fn transaction_by_block_hash(&self, hash: B256, index: Index) -> Result<Option<Transaction>, RpcError> {
        Ok(self.backend.block_by_hash(hash)?.and_then(|block| convert::transaction(&block, index.0)))
    }

    fn transaction_by_block_number(
        &self,
        number: BlockNumberOrTag,
        index: Index,
    ) -> Result<Option<Transaction>, RpcError> {
        Ok(block_by_tag(&*self.backend, number)?.and_then(|block| convert::transaction(&block, index.0)))
    }

    fn transaction_receipt(&self, hash: B256) -> Result<Option<TransactionReceipt>, RpcError> {
        Ok(self.locate(hash)?.and_then(|(block, index)| convert::receipt(&block, index)))
    }

    async fn logs(&self, filter: Filter) -> Result<Vec<Log>, RpcError> {
        self.slow(move |backend| logs::find(backend, &filter)).await
    }

    fn balance(&self, address: Address, block: Option<BlockId>) -> Result<U256, RpcError> {
        let (_, state) = state_by_id(&*self.backend, block)?;
        Ok(state.account(address)?.unwrap_or_default().balance)
    }

    async fn transaction_count(&self, address: Address, block: Option<BlockId>) -> Result<U64, RpcError> {
        let in_state = {
            let (_, state) = state_by_id(&*self.backend, block)?;
            state.account(address)?.unwrap_or_default().nonce
        };
        if block != Some(BlockId::pending()) {
            return Ok(U64::from(in_state));
        }
        let in_pool = self.backend.pool_nonce(address).await.unwrap_or(0);
        Ok(U64::from(in_state.max(in_pool)))
    }

    fn code(&self, address: Address, block: Option<BlockId>) -> Result<Bytes, RpcError> {
        let (_, state) = state_by_id(&*self.backend, block)?;
        Ok(state.code(address)?)
    }

    fn storage_at(&self, address: Address, slot: U256, block: Option<BlockId>) -> Result<B256, RpcError> {
        let (_, state) = state_by_id(&*self.backend, block)?;
        Ok(B256::from(state.storage(address, slot)?))
    }

    async fn call(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<Bytes, RpcError> {
        let overrides = EvmOverrides::new(state, overrides);
        self.slow(move |backend| {
            let (_, state) = state_by_id(backend, block)?;
            Ok(state.call(request, overrides, CALL_GAS_MAX)?)
        })
        .await
    }

    async fn estimate_gas(
        &self,
        request: TransactionRequest,
        block: Option<BlockId>,
        state: Option<StateOverride>,
        overrides: Option<Box<BlockOverrides>>,
    ) -> Result<U64, RpcError> {
        let overrides = EvmOverrides::new(state, overrides);
        self.slow(move |backend| {
            let (block, state) = state_by_id(backend, block)?;
            let header = backend.block_by_hash(block.hash)?.ok_or(RpcError::BlockUnknown)?;
            let gas_max = header.block.header.gas_limit.min(MAX_TX_GAS_LIMIT_OSAKA);
            Ok(U64::from(state.estimate_gas(request, overrides, gas_max)?))
        })
        .await
    }

    async fn send_raw_transaction(&self, bytes: Bytes) -> Result<B256, RpcError> {
        let mut outcomes = self.sends.send(vec![bytes]).await?;
        Ok(outcomes.pop().ok_or(RpcError::Internal)??)
    }

    async fn subscribe(
        &self,
        pending: PendingSubscriptionSink,
        kind: pubsub::SubscriptionKind,
        params: Option<pubsub::Params>,
    ) -> SubscriptionResult {
        subscribe::eth(self, pending, kind, params.unwrap_or_default()).await
    }
}

impl NetServer for Context {
    fn version(&self) -> Result<String, RpcError> {
        Ok(self.backend.chain_id().to_string())
    }

    fn listening(&self) -> Result<bool, RpcError> {
        Ok(true)
    }

    fn peer_count(&self) -> Result<U64, RpcError> {
        Ok(U64::from(self.backend.connected_peers()))
    }
}

impl Web3Server for Context {
    fn client_version(&self) -> Result<String, RpcError> {
        Ok(self.backend.client_version())
    }

    fn sha3(&self, data: Bytes) -> Result<B256, RpcError> {
        Ok(keccak256(data))
    }
}

impl Context {
    async fn show_block(&self, id: BlockId, full: bool) -> Result<Option<Block>, RpcError> {
        self.slow(move |backend| Ok(block_by_id(backend, id)?.map(|block| convert::block(&block, full)))).await
    }

    /// Where a transaction stands in the final chain. What is only notarized is not shown as included: it
    /// may still be proposed again elsewhere.
    fn locate(&self, hash: B256) -> Result<Option<(Arc<RpcBlock>, usize)>, RpcError> {
        let Some((number, index)) = self.backend.transaction_location(hash)? else { return Ok(None) };
        Ok(self.backend.block_by_number(number)?.map(|block| (block, index)))
    }
}

fn transaction_count(block: &RpcBlock) -> U64 {
    U64::from(block.block.body.transactions.len())
}
