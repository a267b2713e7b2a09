//! The `seq_` namespace.

use super::{Served, keys};
use crate::rpc::types::{CertifiedBlock, ClusterStatus};
use alloy_consensus::Header;
use alloy_primitives::{B256, keccak256};
use alloy_rlp::Decodable;
use phalanx_types::VoteKind;
use serde_json::{Value, json};

#[tokio::test]
async fn the_cluster_is_shown_at_a_glance() {
    let served = Served::start().await;
    let status = served.ask("seq_clusterStatus", json!([])).await;
    let expected = [
        "chainId",
        "clusterId",
        "epoch",
        "f",
        "fsync",
        "heights",
        "leader",
        "n",
        "operator",
        "operators",
        "proposalToFinal",
        "publicKey",
        "q",
        "scheme",
        "slot",
        "term",
        "version",
    ];
    assert_eq!(keys(&status), expected);
    assert_eq!(status["leader"], 2);
    assert_eq!(keys(&status["operators"][3]), ["connected", "index", "lastVoteSeenMsAgo", "name"]);
    assert_eq!(status["operators"][3]["lastVoteSeenMsAgo"], Value::Null);
    assert_eq!(status["heights"], json!({"proposed": 9, "notarized": 8, "finalized": 7}));
    let parsed: ClusterStatus = serde_json::from_value(status).unwrap();
    assert_eq!(parsed.operators.len(), 4);
}

/// What a client does that trusts nobody but the certificate.
fn chain_to_certificate(certified: &CertifiedBlock) -> bool {
    let mut tip: B256 = keccak256(&certified.header);
    if tip != certified.block.hash {
        return false;
    }
    for header in &certified.ancestry {
        if Header::decode(&mut &header[..]).unwrap().parent_hash != tip {
            return false;
        }
        tip = keccak256(header);
    }
    tip == certified.certificate.block().hash
}

#[tokio::test]
async fn a_certificate_comes_with_everything_that_ties_it_to_the_block() {
    let served = Served::start().await;
    for _ in 0..4 {
        served.chain.mine(vec![]);
    }
    served.chain.notarize(vec![]);
    let ask = async |block: Value| -> CertifiedBlock {
        serde_json::from_value(served.ask("seq_getCertificate", json!([block])).await).unwrap()
    };
    let own = ask(json!("0x2")).await;
    assert!(own.finalized && own.ancestry.is_empty() && chain_to_certificate(&own));
    let by_descendant = ask(json!("0x3")).await;
    assert_eq!((by_descendant.ancestry.len(), by_descendant.certificate.block().number), (1, 4));
    assert!(by_descendant.finalized && chain_to_certificate(&by_descendant));
    let by_hash = ask(json!(by_descendant.block.hash)).await;
    assert_eq!(by_hash, by_descendant);
    let notarized = ask(json!("pending")).await;
    assert_eq!((notarized.finalized, notarized.certificate.kind()), (false, VoteKind::Notarize));
    assert!(chain_to_certificate(&notarized));
    assert_eq!(ask(json!("latest")).await.block.number, 4);
}

#[tokio::test]
async fn genesis_and_unknown_blocks_have_no_certificate() {
    let served = Served::start().await;
    for block in [json!("0x0"), json!("0x9"), json!(B256::ZERO)] {
        assert_eq!(served.ask("seq_getCertificate", json!([block])).await, Value::Null);
    }
}
