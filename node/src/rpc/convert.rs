//! From executed blocks to the shapes that Ethereum clients show.

use super::backend::{PoolTransaction, RpcBlock};
use alloy_consensus::transaction::{Recovered, TransactionInfo};
use alloy_consensus::{Sealed, TxReceipt};
use alloy_primitives::U256;
use alloy_rlp::Encodable;
use alloy_rpc_types_eth::{
    Block, BlockTransactions, Header, Log, Transaction, TransactionReceipt, TransactionTrait, Withdrawals,
};

/// The header, without the fields that only a whole block has.
pub(super) fn header(block: &RpcBlock) -> Header {
    Header::from_consensus(Sealed::new_unchecked(block.block.header.clone(), block.hash), None, None)
}

/// The block, with its transactions or with their hashes.
pub(super) fn block(block: &RpcBlock, full: bool) -> Block {
    let transactions = if full {
        BlockTransactions::Full((0..block.senders.len()).filter_map(|index| transaction(block, index)).collect())
    } else {
        BlockTransactions::Hashes(block.block.body.transactions.iter().map(|tx| *tx.tx_hash()).collect())
    };
    let mut header = header(block);
    header.size = Some(U256::from(block.block.length()));
    let withdrawals: Option<Withdrawals> = block.block.body.withdrawals.clone();
    Block::new(header, transactions).with_withdrawals(withdrawals)
}

/// The transaction at an index of a block.
pub(super) fn transaction(block: &RpcBlock, index: usize) -> Option<Transaction> {
    let transaction = block.block.body.transactions.get(index)?;
    let sender = *block.senders.get(index)?;
    let header = &block.block.header;
    let info = TransactionInfo {
        hash: Some(*transaction.tx_hash()),
        index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        base_fee: header.base_fee_per_gas,
        block_timestamp: Some(header.timestamp),
    };
    Some(Transaction::from_transaction(Recovered::new_unchecked(transaction.clone(), sender), info))
}

/// A transaction that is in no block yet.
pub(super) fn pool_transaction(held: PoolTransaction) -> Transaction {
    Transaction::from_transaction(held.transaction, TransactionInfo::default())
}

/// Every receipt of a block, with its logs numbered through the block.
pub(super) fn receipts(block: &RpcBlock) -> Vec<TransactionReceipt> {
    let mut gas_before = 0;
    let mut logs_before = 0;
    let mut shown = Vec::with_capacity(block.receipts.len());
    for index in 0..block.receipts.len() {
        let Some(receipt) = receipt_after(block, index, gas_before, logs_before) else { break };
        gas_before = block.receipts[index].cumulative_gas_used();
        logs_before += block.receipts[index].logs().len() as u64;
        shown.push(receipt);
    }
    shown
}

/// The receipt at an index of a block.
pub(super) fn receipt(block: &RpcBlock, index: usize) -> Option<TransactionReceipt> {
    let before = block.receipts.get(..index)?;
    let gas_before = before.last().map_or(0, TxReceipt::cumulative_gas_used);
    let logs_before = before.iter().map(|receipt| receipt.logs().len() as u64).sum();
    receipt_after(block, index, gas_before, logs_before)
}

fn receipt_after(block: &RpcBlock, index: usize, gas_before: u64, logs_before: u64) -> Option<TransactionReceipt> {
    let transaction = block.block.body.transactions.get(index)?;
    let receipt = block.receipts.get(index)?;
    let from = *block.senders.get(index)?;
    let header = &block.block.header;
    let mut log_index = logs_before;
    let inner = receipt.clone().map_logs(|inner| {
        let log = log(block, index, log_index, inner);
        log_index += 1;
        log
    });
    Some(TransactionReceipt {
        gas_used: receipt.cumulative_gas_used().saturating_sub(gas_before),
        inner,
        transaction_hash: *transaction.tx_hash(),
        transaction_index: Some(index as u64),
        block_hash: Some(block.hash),
        block_number: Some(header.number),
        effective_gas_price: transaction.effective_gas_price(header.base_fee_per_gas),
        blob_gas_used: None,
        blob_gas_price: None,
        from,
        to: transaction.to(),
        contract_address: TransactionTrait::is_create(transaction).then(|| from.create(transaction.nonce())),
    })
}

/// A log of the transaction at `index` of a block, the `log_index`-th of the block.
pub(super) fn log(block: &RpcBlock, index: usize, log_index: u64, inner: alloy_primitives::Log) -> Log {
    Log {
        inner,
        block_hash: Some(block.hash),
        block_number: Some(block.block.header.number),
        block_timestamp: Some(block.block.header.timestamp),
        transaction_hash: block.block.body.transactions.get(index).map(|tx| *tx.tx_hash()),
        transaction_index: Some(index as u64),
        log_index: Some(log_index),
        removed: false,
    }
}
