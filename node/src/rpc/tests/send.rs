//! Raw transactions, alone and in batches.

use super::Served;
use super::fixture::{Fixture, LOGGER, raw};
use crate::rpc::send::{SEND_CALLS_MAX, SendQueue};
use crate::rpc::{BATCH_ENTRIES_MAX, REQUEST_BYTES_MAX};
use alloy_primitives::Bytes;
use jsonrpsee::core::client::{BatchResponse, ClientT};
use jsonrpsee::core::params::BatchRequestBuilder;
use jsonrpsee::rpc_params;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

#[tokio::test]
async fn a_transaction_is_taken_and_answered_with_its_hash() {
    let served = Served::start().await;
    let transaction = served.chain.transfer(0, LOGGER, 1);
    let hash = served.ask("eth_sendRawTransaction", json!([raw(&transaction)])).await;
    assert_eq!(hash, json!(transaction.tx_hash()));
    let receipt = served.ask("eth_getTransactionReceipt", json!([hash])).await;
    assert_eq!(receipt["status"], "0x1");
    let refused = served.refusal("eth_sendRawTransaction", json!([raw(&transaction)])).await;
    assert_eq!((refused.code(), refused.message()), (-32_000, "nonce too low: next nonce 1, tx nonce 0"));
    assert_eq!(served.refusal("eth_sendRawTransaction", json!(["0x02ff"])).await.code(), -32_602);
}

#[tokio::test]
async fn a_batch_of_transactions_goes_to_the_operator_in_one_call() {
    let served = Served::start().await;
    let count = 200;
    let mut batch = BatchRequestBuilder::new();
    let mut expected = Vec::new();
    for nonce in 0..count {
        let transaction = served.chain.transfer(nonce, LOGGER, 1);
        expected.push(*transaction.tx_hash());
        batch.insert("eth_sendRawTransaction", rpc_params![raw(&transaction)]).unwrap();
    }
    let answers: BatchResponse<'_, alloy_primitives::B256> = served.http.batch_request(batch).await.unwrap();
    let hashes: Vec<_> = answers.into_ok().unwrap().collect();
    assert_eq!(hashes, expected);
    assert_eq!(served.chain.send_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_mixed_batch_is_answered_in_order_and_each_for_itself() {
    let served = Served::start().await;
    let sender = served.chain.signer.address();
    let mut batch = BatchRequestBuilder::new();
    batch.insert("eth_getTransactionCount", rpc_params![sender, "latest"]).unwrap();
    batch.insert("eth_sendRawTransaction", rpc_params![raw(&served.chain.transfer(0, LOGGER, 1))]).unwrap();
    batch.insert("eth_sendRawTransaction", rpc_params!["not hex"]).unwrap();
    batch.insert("eth_sendRawTransaction", rpc_params![raw(&served.chain.transfer(0, LOGGER, 2))]).unwrap();
    batch.insert("eth_sendRawTransaction", rpc_params![raw(&served.chain.transfer(1, LOGGER, 3))]).unwrap();
    batch.insert("eth_getTransactionCount", rpc_params![sender, "latest"]).unwrap();
    batch.insert("eth_mine", rpc_params![]).unwrap();
    let answers: BatchResponse<'_, Value> = served.http.batch_request(batch).await.unwrap();
    let answers: Vec<_> = answers.into_iter().map(|answer| answer.map_err(|error| error.code())).collect();
    assert_eq!(answers[0], Ok(json!("0x0")));
    assert!(answers[1].is_ok());
    assert_eq!(answers[2], Err(-32_602));
    assert_eq!(answers[3], Err(-32_000));
    assert!(answers[4].is_ok());
    assert_eq!(answers[5], Ok(json!("0x2")), "what comes after the transactions sees them");
    assert_eq!(answers[6], Err(-32_601));
    assert_eq!(served.chain.send_calls.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn what_queues_up_goes_to_the_operator_together_and_each_gets_its_own_answer() {
    let chain = Arc::new(Fixture::new());
    let queue = SendQueue::start(chain.clone());
    let count = 200;
    let sends: Vec<_> = (0..count)
        .map(|nonce| {
            // Every tenth client sends bytes that are no transaction.
            let broken = nonce % 10 == 9;
            let transaction = chain.transfer(nonce - nonce / 10, LOGGER, 1);
            let bytes = if broken { Bytes::from_static(&[2]) } else { raw(&transaction) };
            let queue = queue.clone();
            let answer = tokio::spawn(async move { queue.send(vec![bytes]).await.unwrap().pop().unwrap() });
            (answer, (!broken).then_some(*transaction.tx_hash()))
        })
        .collect();
    for (answer, hash) in sends {
        assert_eq!(answer.await.unwrap().ok(), hash);
    }
    let calls = chain.send_calls.load(Ordering::SeqCst);
    assert!(calls <= SEND_CALLS_MAX, "{count} sends took {calls} calls");
}

#[tokio::test]
async fn a_server_that_is_dropped_or_stopped_listens_no_more() {
    let Served { server, http, .. } = Served::start().await;
    let address = server.address();
    drop((server, http));
    let mut attempts = 0;
    while TcpStream::connect(address).await.is_ok() {
        attempts += 1;
        assert!(attempts < 100, "it still listens");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    let served = Served::start().await;
    let address = served.server.address();
    served.server.stop().await;
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn bounds_are_kept() {
    let served = Served::start().await;
    let entry = r#"{"jsonrpc":"2.0","id":1,"method":"eth_chainId","params":[]}"#;
    let entries = usize::try_from(BATCH_ENTRIES_MAX).unwrap();
    let within = post(&served, &format!("[{}]", vec![entry; entries].join(","))).await;
    assert_eq!(within.matches("0x7a69").count(), entries);
    let beyond = post(&served, &format!("[{}]", vec![entry; entries + 1].join(","))).await;
    assert!(beyond.contains("-32010") && !beyond.contains("0x7a69"), "{beyond}");
    let huge = "x".repeat(usize::try_from(REQUEST_BYTES_MAX).unwrap() + 1);
    let refused = post(&served, &huge).await;
    assert!(refused.starts_with("HTTP/1.1 413") || refused.contains("-32007"), "{refused}");
    let garbage = post(&served, "{").await;
    assert!(garbage.contains("-32700"), "{garbage}");
}

/// The whole answer to a POST of `body`.
async fn post(served: &Served, body: &str) -> String {
    let mut stream = TcpStream::connect(served.server.address()).await.unwrap();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    // A server that refuses by the announced length may close before it has read everything.
    let _ = stream.write_all(body.as_bytes()).await;
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}
