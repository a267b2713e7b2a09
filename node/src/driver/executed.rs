//! Executed blocks in their three shapes: as execution makes them, as the RPC shows them, and as the
//! chain store keeps their senders and receipts.

use crate::execution::ExecutedBlock;
use crate::rpc::backend::RpcBlock;
use crate::store::Write;
use alloy_consensus::{Block as ExecutionBlock, BlockBody, Header, ReceiptEnvelope, TxEnvelope};
use alloy_eips::eip4895::Withdrawals;
use alloy_primitives::{Address, Bytes};
use alloy_rlp::{Decodable, RlpDecodable, RlpEncodable};
use phalanx_types::{Block, Position};
use std::sync::Arc;

/// What executing a block produced, as the chain store keeps it: one sender and one receipt for each
/// transaction.
#[derive(Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
struct StoredExecution {
    senders: Vec<Address>,
    receipts: Vec<ReceiptEnvelope>,
}

/// The write that makes an executed block final.
pub(crate) fn finalize_write(executed: &ExecutedBlock) -> Write {
    let senders = executed.transactions.iter().map(|transaction| transaction.signer()).collect();
    let stored = StoredExecution { senders, receipts: executed.receipts.clone() };
    let transactions = (0..executed.transactions.len()).filter_map(|index| executed.transaction_hash(index)).collect();
    Write::Finalize { block: executed.reference(), receipts: alloy_rlp::encode(stored).into(), transactions }
}

/// For the RPC, fresh from execution.
pub(crate) fn rpc_block(executed: &ExecutedBlock, position: Option<Position>) -> RpcBlock {
    let transactions = executed.transactions.iter().map(|transaction| transaction.inner().clone()).collect();
    let withdrawals = executed.header.withdrawals_root.map(|_| Withdrawals::default());
    RpcBlock {
        block: ExecutionBlock {
            header: executed.header.clone(),
            body: BlockBody { transactions, ommers: Vec::new(), withdrawals },
        },
        hash: executed.reference().hash,
        senders: executed.transactions.iter().map(|transaction| transaction.signer()).collect(),
        receipts: executed.receipts.clone(),
        position,
    }
}

/// For the RPC, out of the chain store. The error says what is damaged.
pub(crate) fn rpc_block_from_store(
    block: &Block,
    receipts: &Bytes,
    position: Option<Position>,
) -> Result<RpcBlock, String> {
    let decoded = ExecutionBlock::<TxEnvelope>::decode(&mut block.payload.as_ref())
        .map_err(|error| format!("the stored payload of block {} is damaged: {error}", block.reference))?;
    let stored = StoredExecution::decode(&mut receipts.as_ref())
        .map_err(|error| format!("the stored receipts of block {} are damaged: {error}", block.reference))?;
    let transactions = decoded.body.transactions.len();
    if stored.senders.len() != transactions || stored.receipts.len() != transactions {
        return Err(format!("the stored receipts of block {} are not as many as its transactions", block.reference));
    }
    Ok(RpcBlock {
        block: decoded,
        hash: block.reference.hash,
        senders: stored.senders,
        receipts: stored.receipts,
        position,
    })
}

/// The header alone, out of the chain store: the first item of the payload's list.
pub(crate) fn header_of(block: &Block) -> Result<Header, String> {
    let mut payload = block.payload.as_ref();
    let decoded = alloy_rlp::Header::decode(&mut payload).and_then(|_| Header::decode(&mut payload));
    decoded.map_err(|error| format!("the stored payload of block {} is damaged: {error}", block.reference))
}

/// The receipts of a block without transactions, such as genesis.
pub(crate) fn no_receipts() -> Bytes {
    alloy_rlp::encode(StoredExecution { senders: Vec::new(), receipts: Vec::new() }).into()
}

/// A block for the RPC that holds no transaction (genesis).
pub(crate) fn empty_rpc_block(block: &Block) -> Result<Arc<RpcBlock>, String> {
    rpc_block_from_store(block, &no_receipts(), None).map(Arc::new)
}
