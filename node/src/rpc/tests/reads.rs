//! State, calls, the mempool, and requests that make no sense.

use super::fixture::{CODE, LOGGER, REVERTER, SLEEPER, STATES};
use super::{Served, keys};
use crate::rpc::SLOW_READS_MAX;
use alloy_primitives::{Address, U256};
use serde_json::json;
use std::sync::Arc;
use std::sync::atomic::Ordering;

#[tokio::test]
async fn state_is_read_at_the_block_that_is_named() {
    let served = Served::start().await;
    let poor = Address::repeat_byte(1);
    let first = served.chain.mine(vec![served.chain.transfer(0, poor, 5)]);
    served.chain.notarize(vec![served.chain.transfer(1, poor, 6)]);
    let sender = served.chain.signer.address();
    for (block, balance, nonce) in [
        (json!("0x0"), "0x0", "0x0"),
        (json!("latest"), "0x5", "0x1"),
        (json!("pending"), "0xb", "0x2"),
        (json!({"blockHash": first.hash}), "0x5", "0x1"),
    ] {
        assert_eq!(served.ask("eth_getBalance", json!([poor, block])).await, balance, "{block}");
        assert_eq!(served.ask("eth_getTransactionCount", json!([sender, block])).await, nonce, "{block}");
    }
    assert_eq!(served.ask("eth_getBalance", json!([poor])).await, "0x5", "latest is the default");
    assert_eq!(served.ask("eth_getCode", json!([LOGGER, "latest"])).await, json!(CODE));
    assert_eq!(served.ask("eth_getCode", json!([poor, "latest"])).await, "0x");
    let slot = served.ask("eth_getStorageAt", json!([LOGGER, "0x2", "latest"])).await;
    assert_eq!(slot, "0x0000000000000000000000000000000000000000000000000000000000000003");
    let padded = "0x0000000000000000000000000000000000000000000000000000000000000002";
    assert_eq!(served.ask("eth_getStorageAt", json!([LOGGER, padded, "latest"])).await, slot);
}

#[tokio::test]
async fn state_that_is_gone_or_unknown_is_a_clear_error() {
    let served = Served::start().await;
    for _ in 0..STATES + 2 {
        served.chain.mine(vec![]);
    }
    let gone = served.refusal("eth_getBalance", json!([LOGGER, "0x0"])).await;
    assert_eq!(gone.code(), -32_000);
    assert!(gone.message().contains("is not kept"), "{}", gone.message());
    let unknown = served.refusal("eth_getBalance", json!([LOGGER, "0xffff"])).await;
    assert_eq!((unknown.code(), unknown.message()), (-32_000, "header not found"));
}

#[tokio::test]
async fn the_pending_nonce_counts_the_mempool() {
    let served = Served::start().await;
    let sender = served.chain.signer.address();
    served.chain.hold(served.chain.transfer(0, LOGGER, 1), true);
    served.chain.hold(served.chain.transfer(1, LOGGER, 1), true);
    served.chain.hold(served.chain.transfer(5, LOGGER, 1), false);
    assert_eq!(served.ask("eth_getTransactionCount", json!([sender, "latest"])).await, "0x0");
    assert_eq!(served.ask("eth_getTransactionCount", json!([sender, "pending"])).await, "0x2");
}

#[tokio::test]
async fn calls_return_output_or_why_they_reverted() {
    let served = Served::start().await;
    let echoed = served.ask("eth_call", json!([{"to": LOGGER, "input": "0x1234"}, "latest"])).await;
    assert_eq!(echoed, "0x1234");
    let old_field = served.ask("eth_call", json!([{"to": LOGGER, "data": "0x1234"}])).await;
    assert_eq!(old_field, "0x1234");
    for method in ["eth_call", "eth_estimateGas"] {
        let reverted = served.refusal(method, json!([{"to": REVERTER}, "latest"])).await;
        assert_eq!((reverted.code(), reverted.message()), (3, "execution reverted: no"));
        assert!(reverted.data().unwrap().get().starts_with("\"0x08c379a0"));
    }
    assert_eq!(served.ask("eth_estimateGas", json!([{"to": LOGGER}])).await, "0x5208");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn slow_reads_run_a_few_at_a_time() {
    let served = Arc::new(Served::start().await);
    let calls: Vec<_> = (0..4 * SLOW_READS_MAX)
        .map(|_| {
            let served = served.clone();
            tokio::spawn(async move { served.ask("eth_call", json!([{"to": SLEEPER, "input": "0x"}, "latest"])).await })
        })
        .collect();
    for call in calls {
        assert_eq!(call.await.unwrap(), "0x");
    }
    let most = served.chain.running_max.load(Ordering::SeqCst);
    assert!((2..=SLOW_READS_MAX).contains(&most), "{most} calls ran at one time");
}

#[tokio::test]
async fn the_mempool_is_shown_by_sender_and_nonce() {
    let served = Served::start().await;
    let sender = served.chain.signer.address().to_string();
    served.chain.hold(served.chain.transfer(0, LOGGER, 3), true);
    served.chain.hold(served.chain.transfer(2, LOGGER, 4), false);
    let status = served.ask("txpool_status", json!([])).await;
    assert_eq!(status, json!({"pending": "0x1", "queued": "0x1"}));
    let content = served.ask("txpool_content", json!([])).await;
    assert_eq!(content["pending"][&sender]["0"]["value"], "0x3");
    assert_eq!(content["queued"][&sender]["2"]["value"], "0x4");
    let inspected = served.ask("txpool_inspect", json!([])).await;
    let expected = format!("{LOGGER}: 3 wei + 21000 gas × 2000000000 wei");
    assert_eq!(inspected["pending"][&sender]["0"], expected);
    let of_sender = served.ask("txpool_contentFrom", json!([sender])).await;
    assert_eq!(keys(&of_sender["queued"]), ["2"]);
}

#[tokio::test]
async fn nonsense_is_refused_with_the_usual_codes() {
    let served = Served::start().await;
    let unknown = served.refusal("eth_mine", json!([])).await;
    assert_eq!((unknown.code(), unknown.message()), (-32_601, "the method eth_mine does not exist/is not available"));
    for (method, params) in [
        ("eth_getBalance", json!([])),
        ("eth_getBalance", json!(["0x12", "latest"])),
        ("eth_getBlockByNumber", json!(["newest", false])),
        ("eth_getBlockByHash", json!(["0x12", false])),
        ("eth_sendRawTransaction", json!(["hello"])),
        ("eth_sendRawTransaction", json!([])),
    ] {
        assert_eq!(served.refusal(method, params.clone()).await.code(), -32_602, "{method}{params}");
    }
}

#[tokio::test]
async fn the_small_methods_answer() {
    let served = Served::start().await;
    assert_eq!(served.ask("web3_clientVersion", json!([])).await, "phalanx/test");
    let empty = "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470";
    assert_eq!(served.ask("web3_sha3", json!(["0x"])).await, empty);
    assert_eq!(served.ask("net_listening", json!([])).await, true);
    assert_eq!(served.ask("net_peerCount", json!([])).await, "0x3");
    assert_eq!(served.ask("eth_accounts", json!([])).await, json!([]));
    let rich: U256 =
        serde_json::from_value(served.ask("eth_getBalance", json!([served.chain.signer.address(), "earliest"])).await)
            .unwrap();
    assert_eq!(rich, U256::from(10).pow(U256::from(22)));
}
