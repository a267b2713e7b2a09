//! Executing one block: alloy-evm's Ethereum block executor over an [`Overlay`], and what it decides in the
//! header.
//!
//! Invariant: builder and validator execute through the same [`Run`] and complete the header by the same
//! [`complete`].

use super::genesis::ChainSpec;
use super::overlay::{Changes, CodeCache, Failure, Overlay};
use super::state::{Layer, StateView};
use super::trie::TrieCache;
use super::{ExecutionError, RecoveredTransaction, payload};
use alloy_consensus::proofs::calculate_receipt_root;
use alloy_consensus::{Header, ReceiptEnvelope, TxReceipt};
use alloy_eips::eip7685::Requests;
use alloy_evm::block::{BlockExecutionError, BlockExecutor, BlockValidationError};
use alloy_evm::eth::receipt_builder::AlloyReceiptBuilder;
use alloy_evm::eth::{EthBlockExecutionCtx, EthBlockExecutor, EthEvm};
use alloy_evm::precompiles::PrecompilesMap;
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory};
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{B256, Bloom, Bytes};
use revm::context_interface::result::InvalidTransaction;
use revm::inspector::NoOpInspector;
use revm::primitives::hardfork::SpecId;
use std::borrow::Cow;
use std::fmt;

/// From this many transactions on, roots are computed on another core while the trie is.
const PARALLEL_TRANSACTIONS_MIN: usize = 64;

type Executor<'a> =
    EthBlockExecutor<'a, EthEvm<Overlay<'a>, NoOpInspector, PrecompilesMap>, &'a ChainSpec, AlloyReceiptBuilder>;

/// The EVM's environment in the block of `header`.
pub(super) fn environment(spec: &ChainSpec, header: &Header) -> EvmEnv<SpecId> {
    EvmEnv::for_eth_block(header, spec, spec.chain_id(), spec.blob_params(header.timestamp))
}

/// Why a transaction was not executed.
pub(super) enum Refusal {
    /// Its gas limit exceeds what is left.
    BlockFull,
    /// The EVM does not accept it in this state.
    Transaction(Box<InvalidTransaction>),
    /// Anything else that is wrong with it or with the block.
    Other(String),
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BlockFull => f.write_str("its gas limit exceeds what is left of the block's"),
            Self::Transaction(reason) => reason.fmt(f),
            Self::Other(reason) => f.write_str(reason),
        }
    }
}

/// A block that is being executed.
pub(super) struct Run<'a> {
    executor: Executor<'a>,
    failure: Failure,
}

/// What executing a whole block gave.
pub(super) struct Finished {
    pub(super) changes: Changes,
    pub(super) receipts: Vec<ReceiptEnvelope>,
    pub(super) requests: Requests,
    pub(super) gas_used: u64,
}

impl<'a> Run<'a> {
    /// Begins the block of `header` on the state of its parent, `view`: the system calls before the first
    /// transaction.
    pub(super) fn begin(
        spec: &'a ChainSpec,
        view: StateView,
        code_cache: &'a mut CodeCache,
        header: &Header,
        transactions_hint: usize,
    ) -> Result<Result<Self, String>, ExecutionError> {
        let overlay = Overlay::new(view, code_cache);
        let failure = overlay.failure();
        let evm = EthEvmFactory::default().create_evm(overlay, environment(spec, header));
        let context = EthBlockExecutionCtx {
            parent_hash: header.parent_hash,
            parent_beacon_block_root: header.parent_beacon_block_root,
            ommers: &[],
            withdrawals: header.withdrawals_root.map(|_| Cow::Borrowed(&[][..])),
            extra_data: header.extra_data.clone(),
            tx_count_hint: Some(transactions_hint),
            slot_number: None,
        };
        let mut executor = EthBlockExecutor::new(evm, context, spec, AlloyReceiptBuilder::default());
        match executor.apply_pre_execution_changes() {
            Ok(()) => Ok(Ok(Self { executor, failure })),
            Err(error) => refusal(&failure, error).map(|refusal| Err(refusal.to_string())),
        }
    }

    /// Executes the next transaction. Returns the gas that it burnt.
    pub(super) fn execute(
        &mut self,
        transaction: &RecoveredTransaction,
    ) -> Result<Result<u64, Refusal>, ExecutionError> {
        match self.executor.execute_transaction(transaction) {
            Ok(gas) => Ok(Ok(gas.tx_gas_used())),
            Err(error) => refusal(&self.failure, error).map(Err),
        }
    }

    /// What its transactions have burnt so far.
    pub(super) fn gas_used(&self) -> u64 {
        self.executor.cumulative_tx_gas_used
    }

    /// Ends the block: the system calls after the last transaction.
    pub(super) fn finish(self) -> Result<Result<Finished, String>, ExecutionError> {
        let Self { executor, failure } = self;
        match executor.finish() {
            Ok((evm, result)) => Ok(Ok(Finished {
                changes: evm.into_db().into_changes(),
                receipts: result.receipts,
                requests: result.requests,
                gas_used: result.gas_used,
            })),
            Err(error) => refusal(&failure, error).map(|refusal| Err(refusal.to_string())),
        }
    }
}

fn refusal(failure: &Failure, error: BlockExecutionError) -> Result<Refusal, ExecutionError> {
    if let Some(first) = failure.take() {
        return Err(first);
    }
    Ok(match error {
        BlockExecutionError::Validation(BlockValidationError::TransactionGasLimitMoreThanAvailableBlockGas {
            ..
        }) => Refusal::BlockFull,
        BlockExecutionError::Validation(BlockValidationError::InvalidTx { hash, error }) => {
            match error.as_invalid_tx_err() {
                Some(reason) => Refusal::Transaction(Box::new(reason.clone())),
                None => Refusal::Other(format!("transaction {hash}: {error}")),
            }
        }
        other => Refusal::Other(other.to_string()),
    })
}

/// Fills in what execution decides: gas used, bloom, and the roots of receipts, requests and state. With
/// `transactions`, also the transactions root. Returns the diff without its blocks.
pub(super) fn complete(
    spec: &ChainSpec,
    tries: &mut TrieCache,
    view: &StateView,
    header: &mut Header,
    finished: Finished,
    transactions: Option<&[Bytes]>,
) -> Result<(Vec<ReceiptEnvelope>, Layer), ExecutionError> {
    let Finished { changes, receipts, requests, gas_used } = finished;
    let roots = || -> (B256, Option<B256>) {
        (calculate_receipt_root(&receipts), transactions.map(payload::transactions_root))
    };
    let (state, (receipts_root, transactions_root)) = if receipts.len() >= PARALLEL_TRANSACTIONS_MIN {
        rayon::join(|| tries.apply(view, changes), roots)
    } else {
        (tries.apply(view, changes), roots())
    };
    let (state_root, layer) = state?;
    header.state_root = state_root;
    header.receipts_root = receipts_root;
    if let Some(root) = transactions_root {
        header.transactions_root = root;
    }
    header.gas_used = gas_used;
    header.logs_bloom = receipts.iter().fold(Bloom::ZERO, |bloom, receipt| bloom | receipt.bloom());
    if spec.is_prague_active_at_timestamp(header.timestamp) {
        header.requests_hash = Some(requests.requests_hash());
    }
    Ok((receipts, layer))
}
