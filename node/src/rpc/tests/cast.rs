//! Foundry's `cast` against the server: what users run first. Needs its binary (npm: `@foundry-rs/cast`).

#[path = "../../../tests/harness/cast.rs"]
mod binary;

use super::Served;
use super::fixture::{LOGGER, REVERTER};
use alloy_primitives::hex;
use binary::Cast;
use serde_json::Value;

/// Runs `cast` with these arguments; what it printed, or why it failed.
async fn run(cast: &Cast, served: &Served, arguments: &[&str]) -> Result<String, String> {
    let (cast, url) = (cast.clone(), format!("http://{}", served.server.address()));
    let arguments: Vec<String> = arguments.iter().map(|&argument| argument.to_owned()).collect();
    let run = move || cast.run(&url, &arguments.iter().map(String::as_str).collect::<Vec<_>>());
    tokio::task::spawn_blocking(run).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn cast_understands_the_server() {
    let Some(cast) = binary::find() else { return };
    let served = Served::start().await;
    served.chain.mine(vec![]);
    let sender = served.chain.signer.address().to_string();
    let key = hex::encode_prefixed(served.chain.signer.to_bytes());
    let logger = LOGGER.to_string();
    let run = async |arguments: &[&str]| {
        run(&cast, &served, arguments).await.unwrap_or_else(|error| panic!("cast {}: {error}", arguments[0]))
    };
    assert_eq!(run(&["chain-id"]).await, "31337");
    assert_eq!(run(&["block-number"]).await, "1");
    assert_eq!(run(&["client"]).await, "phalanx/test");
    assert_eq!(run(&["gas-price"]).await, "1000000007");
    assert_eq!(run(&["base-fee"]).await, "1000000000");
    assert_eq!(run(&["balance", &sender, "--ether"]).await, "10000.000000000000000000");

    let sent = run(&["send", &logger, "--value", "3", "--private-key", &key, "--json"]).await;
    let sent: Value = serde_json::from_str(&sent).unwrap();
    assert_eq!((sent["status"].as_str(), sent["blockNumber"].as_str()), (Some("0x1"), Some("0x2")));
    let hash = sent["transactionHash"].as_str().unwrap();
    let legacy = run(&["send", &logger, "--value", "4", "--legacy", "--private-key", &key, "--json"]).await;
    assert!(legacy.contains("\"status\":\"0x1\""));
    assert_eq!(run(&["nonce", &sender]).await, "2");
    assert_eq!(run(&["nonce", &sender, "--block", "pending"]).await, "2");
    assert_eq!(run(&["balance", &logger]).await, "7");
    assert_eq!(run(&["receipt", hash, "gasUsed"]).await, "21000");
    assert_eq!(run(&["tx", hash, "nonce"]).await, "0");
    assert_eq!(run(&["block", "2", "--field", "number"]).await, "2");
    assert!(run(&["block", "latest", "--full"]).await.contains(&logger));
    assert!(run(&["logs", "--from-block", "0", "--address", &logger]).await.contains(hash));
    assert_eq!(run(&["code", &logger]).await, "0x60016001");
    assert!(run(&["storage", &logger, "1"]).await.ends_with("02"));
    assert_eq!(run(&["estimate", &logger, "--value", "1"]).await, "21000");
    assert_eq!(run(&["call", &logger, "--data", "0x1234"]).await, "0x1234");
    let reverted = self::run(&cast, &served, &["call", &REVERTER.to_string(), "--data", "0x"]).await.unwrap_err();
    assert!(reverted.contains("execution reverted: no"), "{reverted}");
    assert!(run(&["rpc", "seq_clusterStatus"]).await.contains("\"publicKey\""));
    assert!(run(&["rpc", "seq_getCertificate", "0x2"]).await.contains("\"certificate\""));
    assert!(run(&["rpc", "txpool_status"]).await.contains("\"pending\""));
}
