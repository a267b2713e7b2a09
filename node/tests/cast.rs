//! The README's tour, as a user takes it: Foundry's `cast` against a devnet of real processes.

#[path = "harness/cast.rs"]
mod cast;
#[path = "harness/devnet.rs"]
mod harness;

use cast::Cast;
use harness::{Devnet, run, said};
use serde_json::Value;
use std::time::Duration;

/// A contract that counts its calls in slot 0, logs the count, and returns it:
/// `SLOAD(0) + 1`, `SSTORE`, `MSTORE`, `LOG0`, `RETURN`.
const COUNTER: &str = "5f54600101805f555f5260205fa060205ff3";
/// Copies what follows it into memory and returns it as the code: ten bytes, for a contract of eighteen.
const DEPLOYER: &str = "6012600a5f3960125ff3";
const ONE: &str = "0x0000000000000000000000000000000000000000000000000000000000000001";
const TWO: &str = "0x0000000000000000000000000000000000000000000000000000000000000002";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_tour_works_with_cast() {
    let Some(cast) = cast::find() else { return };
    let devnet = Devnet::start(&["--block-time", "100ms", "--slots-per-term", "20"]);
    let key = devnet.accounts[0].to_bytes().to_string();
    let sent = tokio::task::block_in_place(|| {
        let contract = deploys(&cast, &devnet, &key);
        calls(&cast, &devnet, &key, &contract);
        let sent = sends(&cast, &devnet, &key);
        reads_blocks(&cast, &devnet, &sent);
        certificate_verifies(&cast, &devnet, &sent);
        sent
    });
    survives_the_leader(&cast, &devnet, &key, &sent).await;
}

fn url(devnet: &Devnet, operator: usize) -> &str {
    &devnet.operators[operator].url
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// `cast send --create`; the address of the contract.
fn deploys(cast: &Cast, devnet: &Devnet, key: &str) -> String {
    let init = format!("0x{DEPLOYER}{COUNTER}");
    let receipt = json(&cast.ok(url(devnet, 0), &["send", "--json", "--private-key", key, "--create", &init]));
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let contract = receipt["contractAddress"].as_str().expect("an address").to_owned();
    assert_eq!(cast.ok(url(devnet, 1), &["code", &contract]), format!("0x{COUNTER}"));
    contract
}

/// `call` and `estimate` change nothing, `send` does; its log and storage are there at every operator.
fn calls(cast: &Cast, devnet: &Devnet, key: &str, contract: &str) {
    for operator in 0..4 {
        assert_eq!(cast.ok(url(devnet, operator), &["call", contract]), ONE, "operator {operator}");
    }
    let estimate: u64 = cast.ok(url(devnet, 1), &["estimate", contract]).parse().expect("gas");
    let receipt = json(&cast.ok(url(devnet, 2), &["send", "--json", "--private-key", key, contract]));
    assert_eq!((receipt["status"].as_str(), receipt["logs"][0]["data"].as_str()), (Some("0x1"), Some(ONE)));
    let used = receipt["gasUsed"].as_str().and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    assert!(used.is_some_and(|used| used > 21_000 && used <= estimate), "{estimate} is enough: {receipt}");
    let hash = receipt["transactionHash"].as_str().expect("a hash");
    for operator in 0..4 {
        // Each operator finalizes by itself: wait for it there.
        cast.ok(url(devnet, operator), &["receipt", hash]);
        assert_eq!(cast.ok(url(devnet, operator), &["storage", contract, "0"]), ONE);
        assert_eq!(cast.ok(url(devnet, operator), &["call", contract]), TWO);
        let logs = cast.ok(url(devnet, operator), &["logs", "--json", "--from-block", "0", "--address", contract]);
        assert_eq!(json(&logs)[0]["transactionHash"], hash, "operator {operator}");
    }
}

/// A transfer of value; its receipt's JSON.
fn sends(cast: &Cast, devnet: &Devnet, key: &str) -> Value {
    let to = "0x4242424242424242424242424242424242424242";
    let sender = devnet.accounts[0].address().to_string();
    assert_eq!(cast.ok(url(devnet, 0), &["chain-id"]), devnet.chain_id.to_string());
    let before: u64 = cast.ok(url(devnet, 2), &["nonce", &sender]).parse().expect("a nonce");
    let receipt = cast.ok(url(devnet, 0), &["send", "--json", "--private-key", key, "--value", "1ether", to]);
    let receipt = json(&receipt);
    assert_eq!(receipt["status"], "0x1", "{receipt}");
    let hash = receipt["transactionHash"].as_str().expect("a hash");
    for operator in 0..4 {
        let there = json(&cast.ok(url(devnet, operator), &["receipt", "--json", hash]));
        assert_eq!(there["blockHash"], receipt["blockHash"], "operator {operator}");
        assert_eq!(cast.ok(url(devnet, operator), &["balance", "--ether", to]), "1.000000000000000000");
        assert_eq!(cast.ok(url(devnet, operator), &["nonce", &sender]), (before + 1).to_string());
        assert_eq!(cast.ok(url(devnet, operator), &["tx", hash, "nonce"]), before.to_string());
    }
    receipt
}

fn reads_blocks(cast: &Cast, devnet: &Devnet, sent: &Value) {
    let hash = sent["blockHash"].as_str().expect("a hash");
    let transaction = sent["transactionHash"].as_str().expect("a hash");
    let number = cast.ok(url(devnet, 0), &["block", hash, "--field", "number"]);
    assert!(cast.ok(url(devnet, 3), &["block", &number, "--full"]).contains(transaction));
    for tag in ["latest", "safe", "finalized", "pending"] {
        let newest: u64 = cast.ok(url(devnet, 0), &["block", tag, "--field", "number"]).parse().expect("a number");
        assert!(newest >= number.parse().expect("a number"), "{tag} is {newest}, after block {number}");
    }
}

/// The certificate of the block, by itself and in the chain, under nothing but the cluster's public file.
fn certificate_verifies(cast: &Cast, devnet: &Devnet, sent: &Value) {
    let hash = sent["blockHash"].as_str().expect("a hash");
    let certificate = cast.ok(url(devnet, 1), &["rpc", "seq_getCertificate", hash]);
    assert_eq!(json(&certificate)["block"]["hash"], hash, "{certificate}");
    let file = devnet.directory.path().join("certificate.json");
    std::fs::write(&file, &certificate).expect("it can be written");
    let cluster = devnet.cluster.display().to_string();
    let verified = run(&["verify", "--cluster", &cluster, &file.display().to_string()]);
    assert!(verified.status.success(), "{}", said(&verified));
    let height = cast.ok(url(devnet, 2), &["block-number"]);
    let verified = run(&["verify", "--cluster", &cluster, "--rpc", url(devnet, 2), "--from", "1", "--to", &height]);
    assert!(verified.status.success(), "{}", said(&verified));
}

/// With the leader killed, the others take transactions, and nothing that was sent is gone.
async fn survives_the_leader(cast: &Cast, devnet: &Devnet, key: &str, sent: &Value) {
    let status = devnet.operators[0].status().await.expect("it answers");
    let leader = status.leader.as_usize();
    devnet.operators[leader].kill();
    let survivor = devnet.operators[(leader + 1) % 4].url.clone();
    tokio::time::timeout(Duration::from_secs(60), async {
        tokio::task::block_in_place(|| {
            let hash = sent["transactionHash"].as_str().expect("a hash");
            assert_eq!(json(&cast.ok(&survivor, &["receipt", "--json", hash]))["blockHash"], sent["blockHash"]);
            let again =
                ["send", "--json", "--private-key", key, "--value", "1", "0x4242424242424242424242424242424242424242"];
            assert_eq!(json(&cast.ok(&survivor, &again))["status"], "0x1");
        });
    })
    .await
    .expect("the others go on");
}
