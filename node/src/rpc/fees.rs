//! `eth_gasPrice`, `eth_maxPriorityFeePerGas`, `eth_feeHistory`.

use super::backend::{Backend, RpcBlock};
use super::context::block_by_tag;
use super::error::RpcError;
use alloy_consensus::Transaction;
use alloy_rpc_types_eth::{BlockNumberOrTag, FeeHistory};

/// The most blocks of one history.
pub const FEE_HISTORY_BLOCKS_MAX: u64 = 1_024;
/// The most percentiles of one history.
pub const FEE_HISTORY_PERCENTILES_MAX: usize = 100;

/// EIP-4844: the price of blob gas where nobody uses any, as here.
const BLOB_BASE_FEE_MIN: u128 = 1;

/// The next block's base fee and the suggested tip. Unit: wei per gas.
pub(super) fn gas_price(backend: &dyn Backend) -> u128 {
    u128::from(backend.next_base_fee()).saturating_add(backend.suggested_tip())
}

/// Base fees, gas used and tips of the `count` blocks up to `newest`.
pub(super) fn history(
    backend: &dyn Backend,
    count: u64,
    newest: BlockNumberOrTag,
    percentiles: Option<&[f64]>,
) -> Result<FeeHistory, RpcError> {
    check_percentiles(percentiles.unwrap_or(&[]))?;
    let newest = block_by_tag(backend, newest)?.ok_or(RpcError::BlockUnknown)?;
    let last = newest.block.header.number;
    let count = count.min(FEE_HISTORY_BLOCKS_MAX).min(last + 1);
    if count == 0 {
        return Ok(FeeHistory::default());
    }
    let oldest = last + 1 - count;
    let mut history = FeeHistory { oldest_block: oldest, ..FeeHistory::default() };
    let mut rewards = Vec::new();
    for number in oldest..=last {
        let block = if number == last { Some(newest.clone()) } else { backend.block_by_number(number)? };
        let block = block.ok_or(RpcError::BlockUnknown)?;
        let header = &block.block.header;
        history.base_fee_per_gas.push(u128::from(header.base_fee_per_gas.unwrap_or_default()));
        history.gas_used_ratio.push(ratio(header.gas_used, header.gas_limit));
        history.base_fee_per_blob_gas.push(BLOB_BASE_FEE_MIN);
        history.blob_gas_used_ratio.push(0.0);
        rewards.push(tips(&block, percentiles.unwrap_or(&[])));
    }
    let above = backend.header_by_number(last + 1)?.and_then(|header| header.base_fee_per_gas);
    history.base_fee_per_gas.push(u128::from(above.unwrap_or_else(|| backend.next_base_fee())));
    history.base_fee_per_blob_gas.push(BLOB_BASE_FEE_MIN);
    history.reward = percentiles.map(|_| rewards);
    Ok(history)
}

fn check_percentiles(percentiles: &[f64]) -> Result<(), RpcError> {
    if percentiles.len() > FEE_HISTORY_PERCENTILES_MAX {
        return Err(RpcError::Params(format!("over the query limit {FEE_HISTORY_PERCENTILES_MAX} of percentiles")));
    }
    let within = percentiles.iter().all(|percentile| (0.0..=100.0).contains(percentile));
    if !within || !percentiles.is_sorted() {
        return Err(RpcError::Params("invalid reward percentile: they rise from 0 to 100".into()));
    }
    Ok(())
}

#[allow(clippy::cast_precision_loss, reason = "a ratio for people to look at")]
fn ratio(used: u64, limit: u64) -> f64 {
    if limit == 0 { 0.0 } else { used as f64 / limit as f64 }
}

/// The tips at percentiles of the gas used, as go-ethereum defines them.
#[allow(
    clippy::cast_precision_loss,
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a percentile of gas is a rounded figure; it lies between 0 and the gas used"
)]
fn tips(block: &RpcBlock, percentiles: &[f64]) -> Vec<u128> {
    let header = &block.block.header;
    let base_fee = header.base_fee_per_gas.unwrap_or_default();
    let mut gas_before = 0;
    let mut paid = Vec::with_capacity(block.receipts.len());
    for (transaction, receipt) in block.block.body.transactions.iter().zip(&block.receipts) {
        let gas = receipt.cumulative_gas_used().saturating_sub(gas_before);
        gas_before = receipt.cumulative_gas_used();
        paid.push((transaction.effective_tip_per_gas(base_fee).unwrap_or_default(), gas));
    }
    paid.sort_unstable();
    let at = |percentile: &f64| {
        let threshold = (header.gas_used as f64 * percentile / 100.0) as u64;
        let mut sum = 0;
        let reached = paid.iter().find(|(_, gas)| {
            sum += gas;
            sum >= threshold
        });
        reached.or(paid.last()).map_or(0, |(tip, _)| *tip)
    };
    percentiles.iter().map(at).collect()
}
