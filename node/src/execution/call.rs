//! Calls that change nothing: `eth_call` and `eth_estimateGas` on a [`StateView`], on the caller's thread.
//!
//! Rules, as in other clients: the call runs in the block whose state it sees, with that block's time and
//! beneficiary; nonces and the base fee are not enforced; a call without a price costs nothing; contracts may
//! be callers.

use super::ExecutionError;
use super::overlay::{CodeCache, Overlay};
use super::run;
use super::state::StateView;
use alloy_evm::rpc::TryIntoTxEnv;
use alloy_evm::{EthEvmFactory, Evm, EvmEnv, EvmFactory};
use alloy_primitives::{Bytes, U256};
use alloy_rpc_types_eth::TransactionRequest;
use revm::context::TxEnv;
use revm::context_interface::result::{EVMError, ExecutionResult, InvalidTransaction};
use revm::primitives::hardfork::SpecId;

/// The most gas that one call may burn. Unit: gas.
pub const CALL_GAS_MAX: u64 = 50_000_000;
/// A search for the gas limit ends when it is this near, as a part of the limit: 1/64.
const ESTIMATE_ERROR_DIVISOR: u64 = 64;
/// The most executions that one estimate takes.
const ESTIMATE_STEPS_MAX: usize = 64;
/// What a transfer to an account without code burns. Unit: gas.
const TRANSFER_GAS: u64 = 21_000;
/// What the EVM gives along with a value, and holds back from a call: they must be there although they are
/// not burnt (EIP-150).
const CALL_STIPEND_GAS: u64 = 2_300;

/// How a call ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CallOutcome {
    /// It returned.
    Success {
        /// What it returned, or the code that it deployed.
        output: Bytes,
        /// What it burnt; of an estimate, the gas limit that it needs.
        gas_used: u64,
    },
    /// It reverted.
    Revert {
        /// The reason, ABI-encoded as a rule.
        output: Bytes,
        /// What it burnt.
        gas_used: u64,
    },
    /// It ran out of gas, or did something that the EVM forbids.
    Halt {
        /// What that was.
        reason: String,
        /// What it burnt.
        gas_used: u64,
    },
}

/// One execution, beside its outcome.
struct Attempt {
    outcome: CallOutcome,
    /// What it burnt before refunds: they come too late to pay for anything.
    gas_spent: u64,
}

impl StateView {
    /// Executes `request` and forgets what it changed (`eth_call`).
    ///
    /// # Errors
    /// [`ExecutionError::MisuseCall`] for a request that contradicts itself or that its caller cannot pay
    /// for, and the errors of the state file.
    pub fn call(&self, request: &TransactionRequest) -> Result<CallOutcome, ExecutionError> {
        let mut environment = call_environment(self);
        environment.cfg_env.tx_gas_limit_cap = Some(u64::MAX);
        let mut transaction = call_transaction(request, &environment)?;
        transaction.gas_limit = request.gas.unwrap_or(CALL_GAS_MAX).min(CALL_GAS_MAX);
        match self.attempt(&environment, transaction)? {
            Ok(attempt) => Ok(attempt.outcome),
            Err(reason) => Err(ExecutionError::MisuseCall(reason.to_string())),
        }
    }

    /// The smallest gas limit, to 1/64, with which `request` succeeds (`eth_estimateGas`). Of a request that
    /// fails with any limit, how it fails.
    ///
    /// # Errors
    /// As [`Self::call`].
    pub fn estimate_gas(&self, request: &TransactionRequest) -> Result<CallOutcome, ExecutionError> {
        let environment = call_environment(self);
        let transaction = call_transaction(request, &environment)?;
        let highest = self.gas_limit_max(request, &environment, &transaction)?;
        let with_limit = |limit: u64| TxEnv { gas_limit: limit, ..transaction.clone() };
        if transaction.data.is_empty()
            && highest >= TRANSFER_GAS
            && let Ok(Attempt { outcome: CallOutcome::Success { output, gas_used }, .. }) =
                self.attempt(&environment, with_limit(TRANSFER_GAS))?
        {
            return Ok(CallOutcome::Success { output, gas_used });
        }
        let first = match self.attempt(&environment, with_limit(highest))? {
            Ok(attempt) => attempt,
            Err(reason) => return Err(ExecutionError::MisuseCall(reason.to_string())),
        };
        let CallOutcome::Success { output, gas_used } = first.outcome else { return Ok(first.outcome) };
        let (mut low, mut high) = (gas_used.saturating_sub(1), highest);
        let mut middle = (first.gas_spent + CALL_STIPEND_GAS).saturating_mul(64) / 63;
        for _ in 0..ESTIMATE_STEPS_MAX {
            if high - low <= (high / ESTIMATE_ERROR_DIVISOR).max(1) {
                break;
            }
            let limit = middle.clamp(low + 1, high - 1);
            match self.attempt(&environment, with_limit(limit))? {
                Ok(Attempt { outcome: CallOutcome::Success { .. }, .. }) => high = limit,
                _ => low = limit,
            }
            // Most need little more than they burn: search near the low end first.
            middle = (low + (high - low) / 2).min(low.saturating_mul(2));
        }
        Ok(CallOutcome::Success { output, gas_used: high })
    }

    /// What the block, the fork, the request and the caller's balance allow.
    fn gas_limit_max(
        &self,
        request: &TransactionRequest,
        environment: &EvmEnv<SpecId>,
        transaction: &TxEnv,
    ) -> Result<u64, ExecutionError> {
        let cap = environment.cfg_env.tx_gas_limit_cap.unwrap_or(u64::MAX);
        let limit = request.gas.unwrap_or(self.header().gas_limit).min(cap).min(CALL_GAS_MAX);
        if transaction.gas_price == 0 {
            return Ok(limit);
        }
        let balance = self.account(transaction.caller)?.unwrap_or_default().balance;
        let Some(left) = balance.checked_sub(transaction.value) else {
            return Err(ExecutionError::MisuseCall("insufficient funds for transfer".to_owned()));
        };
        Ok(limit.min((left / U256::from(transaction.gas_price)).saturating_to()))
    }

    fn attempt(
        &self,
        environment: &EvmEnv<SpecId>,
        transaction: TxEnv,
    ) -> Result<Result<Attempt, InvalidTransaction>, ExecutionError> {
        let mut codes = CodeCache::default();
        let overlay = Overlay::new(self.clone(), &mut codes);
        let failure = overlay.failure();
        let mut evm = EthEvmFactory::default().create_evm(overlay, environment.clone());
        let result = match evm.transact_raw(transaction) {
            Ok(executed) => executed.result,
            Err(EVMError::Transaction(reason)) => return Ok(Err(reason)),
            Err(error) => {
                return Err(failure.take().unwrap_or_else(|| ExecutionError::MisuseCall(error.to_string())));
            }
        };
        let gas_used = result.tx_gas_used();
        let gas_spent = result.gas().total_gas_spent();
        let outcome = match result {
            ExecutionResult::Success { output, .. } => CallOutcome::Success { output: output.into_data(), gas_used },
            ExecutionResult::Revert { output, .. } => CallOutcome::Revert { output, gas_used },
            ExecutionResult::Halt { reason, .. } => CallOutcome::Halt { reason: format!("{reason:?}"), gas_used },
        };
        Ok(Ok(Attempt { outcome, gas_spent }))
    }
}

fn call_environment(view: &StateView) -> EvmEnv<SpecId> {
    let mut environment = run::environment(view.spec(), view.header());
    environment.cfg_env.disable_nonce_check = true;
    environment.cfg_env.disable_base_fee = true;
    environment.cfg_env.disable_block_gas_limit = true;
    environment.cfg_env.disable_eip3607 = true;
    environment
}

fn call_transaction(request: &TransactionRequest, environment: &EvmEnv<SpecId>) -> Result<TxEnv, ExecutionError> {
    let priced = request.gas_price.is_some() || request.max_fee_per_gas.is_some();
    let converted: Result<TxEnv, _> = request.clone().try_into_tx_env(environment);
    let mut transaction = converted.map_err(|error| ExecutionError::MisuseCall(error.to_string()))?;
    if !priced {
        transaction.gas_price = 0;
        transaction.gas_priority_fee = None;
    }
    Ok(transaction)
}
