//! The RPC server's window into the operator.
//!
//! Blocks: the newest ones from the chain view in memory, older ones from the chain store. State: of the
//! finalized block and the unfinalized ones above it, from execution's snapshots.

use crate::driver::chain_view::SharedChainView;
use crate::driver::executed::{header_of, rpc_block_from_store};
use crate::driver::latency::LatencyMeter;
use crate::driver::status::StatusSource;
use crate::driver::transactions::{Transactions, next_base_fee};
use crate::execution::{CallOutcome, ExecutionError, StateReader, StateView as ExecutionStateView};
use crate::rpc::backend::{
    Account, Backend, CallError, Certificates, Heads, PoolStatus, PoolTransaction, ReadError, RpcBlock, SendError,
    StateView, async_trait,
};
use crate::rpc::events::EventFeed;
use crate::rpc::types::ClusterStatus;
use crate::store::{Reader, StoreError};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_eth::state::EvmOverrides;
use phalanx_types::BlockRef;
use std::sync::Arc;

/// See the module's page.
pub(crate) struct OperatorBackend {
    pub(crate) chain_id: u64,
    pub(crate) tip_min: u128,
    pub(crate) view: Arc<SharedChainView>,
    pub(crate) state: StateReader,
    pub(crate) reader: Reader,
    pub(crate) transactions: Transactions,
    pub(crate) feed: EventFeed,
    pub(crate) status: Arc<StatusSource>,
    pub(crate) fsync: Arc<LatencyMeter>,
    pub(crate) proposal_to_final: Arc<LatencyMeter>,
}

fn store_error(error: StoreError) -> ReadError {
    ReadError::Internal(error.to_string())
}

fn execution_error(error: ExecutionError) -> ReadError {
    ReadError::Internal(error.to_string())
}

impl OperatorBackend {
    fn stored(&self, number: u64) -> Result<Option<Arc<RpcBlock>>, ReadError> {
        let view = self.reader.view().map_err(store_error)?;
        let Some(stored) = view.block_by_number(number).map_err(store_error)? else { return Ok(None) };
        let Some(receipts) = view.receipts(number).map_err(store_error)? else { return Ok(None) };
        let certificate = view.certificate_of(stored.block.reference).map_err(store_error)?;
        let position = certificate.map(|certificate| certificate.position()).or(stored.positions.last().copied());
        rpc_block_from_store(&stored.block, &receipts, position)
            .map(|block| Some(Arc::new(block)))
            .map_err(ReadError::Internal)
    }
}

#[async_trait]
impl Backend for OperatorBackend {
    fn chain_id(&self) -> u64 {
        self.chain_id
    }

    fn client_version(&self) -> String {
        let (os, cpu) = (std::env::consts::OS, std::env::consts::ARCH);
        format!("phalanx/v{}/{os}-{cpu}", env!("CARGO_PKG_VERSION"))
    }

    fn heads(&self) -> Heads {
        self.view.load().heads()
    }

    fn syncing(&self) -> Option<u64> {
        self.status.syncing()
    }

    fn connected_peers(&self) -> usize {
        self.status.connected_peers()
    }

    fn next_base_fee(&self) -> u64 {
        next_base_fee(&self.view.load().newest().block.header)
    }

    fn suggested_tip(&self) -> u128 {
        self.tip_min
    }

    fn block_by_number(&self, number: u64) -> Result<Option<Arc<RpcBlock>>, ReadError> {
        let view = self.view.load();
        match view.by_number(number) {
            Some(block) => Ok(Some(Arc::clone(block))),
            None if number > view.heads().finalized.number => Ok(None),
            None => self.stored(number),
        }
    }

    fn block_by_hash(&self, hash: B256) -> Result<Option<Arc<RpcBlock>>, ReadError> {
        if let Some(block) = self.view.load().by_hash(hash) {
            return Ok(Some(Arc::clone(block)));
        }
        let view = self.reader.view().map_err(store_error)?;
        match view.block_by_hash(hash).map_err(store_error)? {
            Some(stored) if stored.finalized => self.block_by_number(stored.block.reference.number),
            _ => Ok(None),
        }
    }

    fn header_by_number(&self, number: u64) -> Result<Option<Header>, ReadError> {
        let chain = self.view.load();
        if let Some(block) = chain.by_number(number) {
            return Ok(Some(block.block.header.clone()));
        }
        let view = self.reader.view().map_err(store_error)?;
        let Some(stored) = view.block_by_number(number).map_err(store_error)? else { return Ok(None) };
        header_of(&stored.block).map(Some).map_err(ReadError::Internal)
    }

    fn transaction_location(&self, hash: B256) -> Result<Option<(u64, usize)>, ReadError> {
        let view = self.reader.view().map_err(store_error)?;
        let place = view.transaction(hash).map_err(store_error)?;
        Ok(place.map(|place| (place.number, usize::try_from(place.index).unwrap_or(usize::MAX))))
    }

    fn certificates(&self, block: BlockRef) -> Result<Certificates, ReadError> {
        let view = self.reader.view().map_err(store_error)?;
        let notarizations = view.notarizations(block.number).map_err(store_error)?;
        let notarization = notarizations.into_iter().find(|certificate| certificate.block() == block);
        let final_hash = view.finalized_hash(block.number).map_err(store_error)?;
        let finalization = match final_hash == Some(block.hash) {
            true => view.finalization_at_or_above(block.number).map_err(store_error)?,
            false => None,
        };
        Ok(Certificates { notarization, finalization })
    }

    fn state_at(&self, block: BlockRef) -> Result<Box<dyn StateView>, ReadError> {
        match self.state.at(block.hash) {
            Some(state) => Ok(Box::new(BlockState(state))),
            None => Err(ReadError::StateNotKept(block)),
        }
    }

    fn cluster_status(&self) -> ClusterStatus {
        self.status.cluster_status(&self.view.load().heads(), self.fsync.latency(), self.proposal_to_final.latency())
    }

    fn events(&self) -> &EventFeed {
        &self.feed
    }

    async fn send_raw_transactions(&self, transactions: Vec<Bytes>) -> Vec<Result<B256, SendError>> {
        self.transactions.submit(transactions).await
    }

    async fn pool_status(&self) -> PoolStatus {
        self.transactions.status().await
    }

    async fn pool_transaction(&self, hash: B256) -> Option<PoolTransaction> {
        self.transactions.get(hash).await
    }

    async fn pool_transactions(&self, sender: Option<Address>, max: usize) -> Vec<PoolTransaction> {
        self.transactions.content(sender, max).await
    }

    async fn pool_nonce(&self, sender: Address) -> Option<u64> {
        self.transactions.nonce(sender).await
    }
}

/// Execution's snapshot, as the RPC reads it.
struct BlockState(ExecutionStateView);

impl StateView for BlockState {
    fn account(&self, address: Address) -> Result<Option<Account>, ReadError> {
        let account = self.0.account(address).map_err(execution_error)?;
        Ok(account.map(|account| Account { nonce: account.nonce, balance: account.balance }))
    }

    fn code(&self, address: Address) -> Result<Bytes, ReadError> {
        self.0.code(address).map_err(execution_error)
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        self.0.storage(address, slot).map_err(execution_error)
    }

    fn call(&self, request: TransactionRequest, overrides: EvmOverrides, gas_max: u64) -> Result<Bytes, CallError> {
        refuse_overrides(&overrides)?;
        let outcome = self.0.call(&capped(request, gas_max)).map_err(call_error)?;
        output(outcome).map(|(output, _)| output)
    }

    fn estimate_gas(
        &self,
        request: TransactionRequest,
        overrides: EvmOverrides,
        gas_max: u64,
    ) -> Result<u64, CallError> {
        refuse_overrides(&overrides)?;
        let outcome = self.0.estimate_gas(&capped(request, gas_max)).map_err(call_error)?;
        output(outcome).map(|(_, gas)| gas)
    }
}

fn refuse_overrides(overrides: &EvmOverrides) -> Result<(), CallError> {
    if overrides.state.is_some() || overrides.block.is_some() {
        return Err(CallError::Rejected("state and block overrides are not supported".to_owned()));
    }
    Ok(())
}

fn capped(mut request: TransactionRequest, gas_max: u64) -> TransactionRequest {
    request.gas = Some(request.gas.map_or(gas_max, |gas| gas.min(gas_max)));
    request
}

fn call_error(error: ExecutionError) -> CallError {
    match error {
        ExecutionError::MisuseCall(reason) => CallError::Rejected(reason),
        other => CallError::Read(ReadError::Internal(other.to_string())),
    }
}

fn output(outcome: CallOutcome) -> Result<(Bytes, u64), CallError> {
    match outcome {
        CallOutcome::Success { output, gas_used } => Ok((output, gas_used)),
        CallOutcome::Revert { output, .. } => Err(CallError::Reverted(output)),
        CallOutcome::Halt { reason, .. } => Err(CallError::Halted(reason)),
    }
}
