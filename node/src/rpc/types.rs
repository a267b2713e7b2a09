//! The shapes of the `seq_` namespace. Numbers are JSON numbers, hashes and signatures are hex.
//!
//! Clients (`phalanx status`, `phalanx verify`) read these very types.

use alloy_primitives::{B256, Bytes};
use phalanx_types::{BlockRef, Certificate, ClusterId, OperatorIndex, Position};
use serde::{Deserialize, Serialize};

/// `seq_clusterStatus`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ClusterStatus {
    /// Names the cluster.
    pub cluster_id: ClusterId,
    /// The chain's EIP-155 id.
    pub chain_id: u64,
    /// The cluster's one public key, compressed.
    pub public_key: Bytes,
    /// `min-sig` or `min-pk`.
    pub scheme: String,
    /// Operators.
    pub n: usize,
    /// The most that may be Byzantine.
    pub f: usize,
    /// The quorum.
    pub q: usize,
    /// The operator that answers.
    pub operator: OperatorIndex,
    /// Every operator, in order of index, the one that answers included.
    pub operators: Vec<OperatorStatus>,
    /// Of the current position.
    pub epoch: u64,
    /// Of the current position.
    pub term: u64,
    /// Of the current position: the slot after the highest notarized one of the term.
    pub slot: u32,
    /// The leader of the term.
    pub leader: OperatorIndex,
    /// How far the chain is.
    pub heights: Heights,
    /// The operator's release.
    pub version: String,
    /// How long the vote journal's syncs take.
    pub fsync: LatencyQuantiles,
    /// How long a proposal takes to become final at this operator: from the proposal's arrival (for the
    /// leader, from its making) to the finalization.
    #[serde(default)]
    pub proposal_to_final: LatencyQuantiles,
}

/// One operator, as another sees it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OperatorStatus {
    /// Its seat.
    pub index: OperatorIndex,
    /// Its name in the cluster file.
    pub name: String,
    /// Whether there is a connection to it; true for oneself.
    pub connected: bool,
    /// How long ago a vote of it was last seen. Unit: milliseconds; `null` when none was.
    pub last_vote_seen_ms_ago: Option<u64>,
}

/// Block numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Heights {
    /// The highest proposed block that is held.
    pub proposed: u64,
    /// The newest notarized block.
    pub notarized: u64,
    /// The newest final block.
    pub finalized: u64,
}

/// Quantiles of a latency since the operator's start. Unit: microseconds; 0 before the first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LatencyQuantiles {
    /// Half took at most this.
    pub p50_us: u64,
    /// 99 of 100 took at most this.
    pub p99_us: u64,
}

/// `seq_getCertificate`: everything that is needed to check one block with nothing but the cluster's
/// public key.
///
/// How to check: `keccak256(header)` is `block.hash`; if `ancestry` is empty, the certificate names
/// `block`; else each header of `ancestry` names the one before it (the first names `block`) as its
/// parent, and the certificate names the hash of the last one. Then the certificate's signature is checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertifiedBlock {
    /// The block asked for.
    pub block: BlockRef,
    /// Its parent.
    pub parent_hash: B256,
    /// Unit: seconds since the Unix epoch.
    pub timestamp_s: u64,
    /// The RLP of its header.
    pub header: Bytes,
    /// Where it was notarized, where that is known.
    pub position: Option<Position>,
    /// Whether it is final; else it is notarized.
    pub finalized: bool,
    /// A finalization of it or of a descendant; for a block that is not final, its notarization.
    pub certificate: Certificate,
    /// Its own notarization, where it is held.
    pub notarization: Option<Certificate>,
    /// The RLP of the headers above it, ascending, up to the block that `certificate` names.
    pub ancestry: Vec<Bytes>,
}

/// What `seq_subscribe` sends.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CertificateEvent {
    /// The block.
    pub block: BlockRef,
    /// Its parent.
    pub parent_hash: B256,
    /// Unit: seconds since the Unix epoch.
    pub timestamp_s: u64,
    /// How many transactions it holds.
    pub transaction_count: usize,
    /// A notarization of it, or a finalization of it or of a descendant.
    pub certificate: Certificate,
}
