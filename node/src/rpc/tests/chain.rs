//! Blocks, transactions, receipts and logs.

use super::fixture::{BASE_FEE, LOGGER, PING, TIP};
use super::{Served, keys};
use crate::rpc::{BATCH_ENTRIES_MAX, LOG_RANGE_BLOCKS_MAX};
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::{Block, FeeHistory, Log, Transaction, TransactionReceipt};
use serde_json::{Value, json};

/// What clients of Ethereum expect of a block; ours adds nothing and leaves nothing out.
const BLOCK_KEYS: [&str; 21] = [
    "baseFeePerGas",
    "difficulty",
    "extraData",
    "gasLimit",
    "gasUsed",
    "hash",
    "logsBloom",
    "miner",
    "mixHash",
    "nonce",
    "number",
    "parentHash",
    "receiptsRoot",
    "sha3Uncles",
    "size",
    "stateRoot",
    "timestamp",
    "transactions",
    "transactionsRoot",
    "uncles",
    "withdrawals",
];

const RECEIPT_KEYS: [&str; 14] = [
    "blockHash",
    "blockNumber",
    "contractAddress",
    "cumulativeGasUsed",
    "effectiveGasPrice",
    "from",
    "gasUsed",
    "logs",
    "logsBloom",
    "status",
    "to",
    "transactionHash",
    "transactionIndex",
    "type",
];

#[tokio::test]
async fn tags_name_what_is_final_and_what_is_notarized() {
    let served = Served::start().await;
    served.chain.mine(vec![]);
    let pending = served.chain.notarize(vec![]);
    assert_eq!(served.ask("eth_chainId", json!([])).await, "0x7a69");
    assert_eq!(served.ask("net_version", json!([])).await, "31337");
    assert_eq!(served.ask("eth_blockNumber", json!([])).await, "0x1");
    assert_eq!(served.ask("eth_syncing", json!([])).await, false);
    for (tag, number) in
        [("earliest", "0x0"), ("latest", "0x1"), ("safe", "0x1"), ("finalized", "0x1"), ("pending", "0x2")]
    {
        let block = served.ask("eth_getBlockByNumber", json!([tag, false])).await;
        assert_eq!(block["number"], number, "{tag}");
    }
    // By number, what is not final does not exist yet; by hash and as `pending` it does.
    assert_eq!(served.ask("eth_getBlockByNumber", json!(["0x2", false])).await, Value::Null);
    let by_hash = served.ask("eth_getBlockByHash", json!([pending.hash, false])).await;
    assert_eq!(by_hash["number"], "0x2");
    assert_eq!(served.ask("eth_getBlockByHash", json!([B256::ZERO, false])).await, Value::Null);
}

#[tokio::test]
async fn blocks_have_the_shape_that_clients_know() {
    let served = Served::start().await;
    let block = served.chain.mine(vec![served.chain.transfer(0, LOGGER, 5), served.chain.transfer(1, LOGGER, 6)]);
    let hashes = served.ask("eth_getBlockByNumber", json!(["latest"])).await;
    assert_eq!(keys(&hashes), BLOCK_KEYS);
    assert_eq!(hashes["transactions"][1], json!(block.block.body.transactions[1].tx_hash()));
    let full = served.ask("eth_getBlockByNumber", json!(["latest", true])).await;
    let parsed: Block = serde_json::from_value(full.clone()).unwrap();
    assert_eq!(parsed.header.hash, block.hash);
    assert_eq!(parsed.header.inner, block.block.header);
    assert_eq!(full["transactions"][1]["from"], json!(served.chain.signer.address()));
    assert_eq!(full["transactions"][1]["transactionIndex"], "0x1");
    for (method, name) in [
        ("eth_getBlockTransactionCountByNumber", json!("0x1")),
        ("eth_getBlockTransactionCountByHash", json!(block.hash)),
    ] {
        assert_eq!(served.ask(method, json!([name])).await, "0x2");
    }
    assert_eq!(served.ask("eth_getUncleCountByBlockNumber", json!(["latest"])).await, "0x0");
}

#[tokio::test]
async fn a_transaction_is_found_by_hash_and_by_place_once_it_is_final() {
    let served = Served::start().await;
    let transaction = served.chain.transfer(0, Address::repeat_byte(1), 5);
    let hash = *transaction.tx_hash();
    let block = served.chain.notarize(vec![transaction]);
    assert_eq!(served.ask("eth_getTransactionReceipt", json!([hash])).await, Value::Null, "it is not final");
    assert_eq!(served.ask("eth_getTransactionByHash", json!([hash])).await, Value::Null);
    served.chain.finalize();
    let found = served.ask("eth_getTransactionByHash", json!([hash])).await;
    let parsed: Transaction = serde_json::from_value(found.clone()).unwrap();
    assert_eq!(parsed.block_hash, Some(block.hash));
    assert_eq!(parsed.effective_gas_price, Some(u128::from(BASE_FEE) + TIP));
    for (method, params) in [
        ("eth_getTransactionByBlockHashAndIndex", json!([block.hash, "0x0"])),
        ("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x0"])),
    ] {
        assert_eq!(served.ask(method, params).await, found);
    }
    assert_eq!(served.ask("eth_getTransactionByBlockNumberAndIndex", json!(["0x1", "0x7"])).await, Value::Null);
}

#[tokio::test]
async fn a_transaction_in_the_mempool_is_shown_as_pending() {
    let served = Served::start().await;
    let transaction = served.chain.transfer(0, Address::repeat_byte(1), 5);
    served.chain.hold(transaction.clone(), true);
    let found = served.ask("eth_getTransactionByHash", json!([transaction.tx_hash()])).await;
    assert_eq!(found["blockHash"], Value::Null);
    assert_eq!(found["from"], json!(served.chain.signer.address()));
    assert_eq!(served.ask("eth_getTransactionReceipt", json!([transaction.tx_hash()])).await, Value::Null);
}

#[tokio::test]
async fn receipts_count_gas_and_logs_through_the_block() {
    let served = Served::start().await;
    let transactions: Vec<_> = (0..3).map(|nonce| served.chain.transfer(nonce, LOGGER, nonce)).collect();
    let last = *transactions[2].tx_hash();
    let block = served.chain.mine(transactions);
    let receipt = served.ask("eth_getTransactionReceipt", json!([last])).await;
    assert_eq!(keys(&receipt), RECEIPT_KEYS);
    let parsed: TransactionReceipt = serde_json::from_value(receipt.clone()).unwrap();
    assert!(parsed.status());
    assert_eq!((parsed.gas_used, parsed.transaction_index), (21_000, Some(2)));
    assert_eq!(receipt["cumulativeGasUsed"], "0xf618");
    assert_eq!((parsed.logs()[0].log_index, parsed.logs()[0].block_hash), (Some(2), Some(block.hash)));
    let all = served.ask("eth_getBlockReceipts", json!(["latest"])).await;
    assert_eq!(all.as_array().unwrap().len(), 3);
    assert_eq!(all[2], receipt);
}

#[tokio::test]
async fn logs_are_found_by_address_topic_range_and_hash() {
    let served = Served::start().await;
    for nonce in 0..4 {
        let to = if nonce == 2 { Address::repeat_byte(1) } else { LOGGER };
        served.chain.mine(vec![served.chain.transfer(nonce, to, nonce)]);
    }
    let ask = async |filter: Value| -> Vec<Log> {
        serde_json::from_value(served.ask("eth_getLogs", json!([filter])).await).unwrap()
    };
    let numbers = |logs: Vec<Log>| logs.into_iter().map(|log| log.block_number.unwrap()).collect::<Vec<_>>();
    assert_eq!(numbers(ask(json!({"fromBlock": "0x0", "toBlock": "latest"})).await), [1, 2, 4]);
    assert_eq!(numbers(ask(json!({"fromBlock": "0x2", "toBlock": "0x3"})).await), [2]);
    assert_eq!(numbers(ask(json!({"fromBlock": "0x0", "address": LOGGER, "topics": [PING]})).await), [1, 2, 4]);
    assert_eq!(numbers(ask(json!({"fromBlock": "0x0", "topics": [null, PING]})).await), [0; 0]);
    assert_eq!(numbers(ask(json!({"fromBlock": "0x0", "address": Address::ZERO})).await), [0; 0]);
    assert_eq!(numbers(ask(json!({})).await), [4], "without a range it is the latest block");
    let hash = served.ask("eth_getBlockByNumber", json!(["0x2"])).await["hash"].clone();
    assert_eq!(numbers(ask(json!({"blockHash": hash})).await), [2]);
    assert_eq!(numbers(ask(json!({"fromBlock": "0x99"})).await), [0; 0], "beyond the chain there is nothing");
}

#[tokio::test]
async fn impossible_log_filters_are_refused() {
    let served = Served::start().await;
    served.chain.mine(vec![]);
    let backwards = served.refusal("eth_getLogs", json!([{"fromBlock": "0x1", "toBlock": "0x0"}])).await;
    assert_eq!((backwards.code(), backwards.message()), (-32_602, "invalid block range params"));
    let unknown = served.refusal("eth_getLogs", json!([{"blockHash": B256::ZERO}])).await;
    assert_eq!((unknown.code(), unknown.message()), (-32_000, "header not found"));
    let many: Vec<Address> =
        (0..=crate::rpc::FILTER_ITEMS_MAX).map(|i| Address::left_padding_from(&i.to_be_bytes())).collect();
    assert_eq!(served.refusal("eth_getLogs", json!([{"address": many}])).await.code(), -32_602);
    const { assert!(LOG_RANGE_BLOCKS_MAX > BATCH_ENTRIES_MAX as u64) };
}

#[tokio::test]
async fn fees_are_suggested_and_remembered() {
    let served = Served::start().await;
    for nonce in 0..3 {
        served.chain.mine(vec![served.chain.transfer(nonce, LOGGER, 1)]);
    }
    assert_eq!(served.ask("eth_maxPriorityFeePerGas", json!([])).await, "0x7");
    assert_eq!(served.ask("eth_gasPrice", json!([])).await, "0x3b9aca07");
    let history = served.ask("eth_feeHistory", json!(["0x2", "latest", [10.0, 90.0]])).await;
    let parsed: FeeHistory = serde_json::from_value(history).unwrap();
    assert_eq!(parsed.oldest_block, 2);
    assert_eq!(parsed.base_fee_per_gas, vec![u128::from(BASE_FEE); 3]);
    assert_eq!(parsed.reward, Some(vec![vec![TIP; 2]; 2]));
    assert_eq!(parsed.gas_used_ratio.len(), 2);
    let refused = served.refusal("eth_feeHistory", json!(["0x2", "latest", [90.0, 10.0]])).await;
    assert_eq!(refused.code(), -32_602);
}
