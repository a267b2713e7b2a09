//! Subscriptions over WebSocket.

use super::Served;
use super::fixture::{LOGGER, PING};
use crate::rpc::events::BLOCK_EVENTS_MAX;
use crate::rpc::types::CertificateEvent;
use alloy_primitives::{Address, B256};
use alloy_rpc_types_eth::{Header, Log};
use jsonrpsee::core::client::{ClientT, Subscription, SubscriptionClientT};
use jsonrpsee::rpc_params;
use phalanx_types::VoteKind;
use serde_json::{Value, json};
use std::time::Duration;

async fn next<T: serde::de::DeserializeOwned>(subscription: &mut Subscription<T>) -> T {
    let item = tokio::time::timeout(Duration::from_secs(10), subscription.next()).await;
    item.expect("an event in time").expect("the subscription is open").unwrap()
}

#[tokio::test]
async fn new_heads_are_final_blocks_in_order() {
    let served = Served::start().await;
    let client = served.websocket().await;
    let mut heads: Subscription<Header> =
        client.subscribe("eth_subscribe", rpc_params!["newHeads"], "eth_unsubscribe").await.unwrap();
    served.chain.notarize(vec![]);
    served.chain.notarize(vec![]);
    served.chain.finalize();
    served.chain.mine(vec![]);
    for number in 1..=3 {
        assert_eq!(next(&mut heads).await.number, number);
    }
}

#[tokio::test]
async fn logs_are_filtered_and_pending_transactions_are_announced() {
    let served = Served::start().await;
    let client = served.websocket().await;
    let filter = json!({"address": LOGGER, "topics": [PING]});
    let mut logs: Subscription<Log> =
        client.subscribe("eth_subscribe", rpc_params!["logs", filter], "eth_unsubscribe").await.unwrap();
    let mut pending: Subscription<B256> =
        client.subscribe("eth_subscribe", rpc_params!["newPendingTransactions"], "eth_unsubscribe").await.unwrap();
    served.chain.mine(vec![served.chain.transfer(0, Address::repeat_byte(1), 1)]);
    let logged = served.chain.transfer(1, LOGGER, 9);
    served.chain.mine(vec![logged.clone()]);
    let log = next(&mut logs).await;
    assert_eq!((log.transaction_hash, log.block_number), (Some(*logged.tx_hash()), Some(2)));
    let held = served.chain.transfer(2, LOGGER, 1);
    served.chain.hold(held.clone(), true);
    assert_eq!(next(&mut pending).await, *held.tx_hash());
}

#[tokio::test]
async fn notarizations_and_finalizations_are_streamed() {
    let served = Served::start().await;
    let client = served.websocket().await;
    let mut notarized: Subscription<CertificateEvent> =
        client.subscribe("seq_subscribe", rpc_params!["notarized"], "seq_unsubscribe").await.unwrap();
    let mut finalized: Subscription<CertificateEvent> =
        client.subscribe("seq_subscribe", rpc_params!["finalized"], "seq_unsubscribe").await.unwrap();
    served.chain.notarize(vec![]);
    served.chain.notarize(vec![]);
    served.chain.finalize();
    for number in 1..=2 {
        let event = next(&mut notarized).await;
        assert_eq!((event.block.number, event.certificate.kind()), (number, VoteKind::Notarize));
        assert_eq!(event.certificate.block(), event.block);
        let event = next(&mut finalized).await;
        assert_eq!((event.block.number, event.certificate.kind()), (number, VoteKind::Finalize));
        assert_eq!(event.certificate.block().number, 2, "the descendant's finalization covers both");
    }
}

#[tokio::test]
async fn a_subscriber_that_lags_is_told_and_dropped() {
    let served = Served::start().await;
    let client = served.websocket().await;
    let mut heads: Subscription<Value> =
        client.subscribe("eth_subscribe", rpc_params!["newHeads"], "eth_unsubscribe").await.unwrap();
    // The server's task cannot run in between: this test has one thread, and it does not yield here.
    for _ in 0..=BLOCK_EVENTS_MAX {
        served.chain.mine(vec![]);
    }
    let mut last = None;
    while let Some(item) = tokio::time::timeout(Duration::from_secs(10), heads.next()).await.expect("an end in time") {
        last = Some(item);
    }
    assert!(!matches!(last, Some(Ok(_))), "no head follows a gap: {last:?}");
    // The connection lives on.
    let number: String = client.request("eth_blockNumber", rpc_params![]).await.unwrap();
    assert_eq!(number, format!("{:#x}", BLOCK_EVENTS_MAX + 1));
}

#[tokio::test]
async fn unknown_subscriptions_are_refused_by_name() {
    let served = Served::start().await;
    let client = served.websocket().await;
    let refused = client.subscribe::<Value, _>("seq_subscribe", rpc_params!["nullified"], "seq_unsubscribe").await;
    assert!(refused.unwrap_err().to_string().contains("notarized, finalized"));
    let refused = client.subscribe::<Value, _>("eth_subscribe", rpc_params!["syncing"], "eth_unsubscribe").await;
    assert!(refused.unwrap_err().to_string().contains("newHeads"));
    // Over HTTP there are none.
    assert!(served.try_ask("eth_subscribe", json!(["newHeads"])).await.is_err());
}
