//! What `seq_clusterStatus` says, gathered from the engine's snapshot, the mesh and the chain view.

use crate::driver::clock::Clock;
use crate::driver::egress::Outlet;
use crate::driver::ingress::LastVotes;
use crate::rpc::backend::Heads;
use crate::rpc::types::{ClusterStatus, Heights, LatencyQuantiles, OperatorStatus};
use alloy_primitives::Bytes;
use phalanx_pipeline::Snapshots;
use phalanx_types::{ClusterId, ClusterSize, OperatorIndex};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// How far behind the newest known final block an operator still counts as caught up. Unit: blocks.
pub(crate) const SYNCED_LAG_BLOCKS_MAX: u64 = 16;

/// What does not change while an operator runs.
#[derive(Clone, Debug)]
pub(crate) struct Identification {
    pub(crate) cluster_id: ClusterId,
    pub(crate) chain_id: u64,
    pub(crate) public_key: Bytes,
    pub(crate) scheme: String,
    pub(crate) size: ClusterSize,
    pub(crate) me: OperatorIndex,
    pub(crate) names: Vec<String>,
}

/// See the module's page.
#[derive(Debug)]
pub(crate) struct StatusSource {
    pub(crate) identification: Identification,
    pub(crate) clock: Clock,
    pub(crate) snapshots: Snapshots,
    pub(crate) outlet: Outlet,
    pub(crate) last_votes: Arc<LastVotes>,
    /// The newest final height that catch-up knows of.
    pub(crate) target: Arc<AtomicU64>,
    /// The newest committed height.
    pub(crate) committed: Arc<AtomicU64>,
}

impl StatusSource {
    /// The height to catch up to, while this operator is behind.
    pub(crate) fn syncing(&self) -> Option<u64> {
        let target = self.target.load(Ordering::Relaxed);
        let committed = self.committed.load(Ordering::Relaxed);
        (target > committed.saturating_add(SYNCED_LAG_BLOCKS_MAX)).then_some(target)
    }

    pub(crate) fn connected_peers(&self) -> usize {
        self.outlet.status().iter().filter(|peer| peer.connected).count()
    }

    pub(crate) fn cluster_status(
        &self,
        heads: &Heads,
        fsync: LatencyQuantiles,
        proposal_to_final: LatencyQuantiles,
    ) -> ClusterStatus {
        let fixed = &self.identification;
        let snapshot = self.snapshots.load();
        let status = &snapshot.status;
        ClusterStatus {
            cluster_id: fixed.cluster_id,
            chain_id: fixed.chain_id,
            public_key: fixed.public_key.clone(),
            scheme: fixed.scheme.clone(),
            n: fixed.size.n(),
            f: fixed.size.f(),
            q: fixed.size.q(),
            operator: fixed.me,
            operators: self.operators(),
            epoch: status.epoch,
            term: status.term,
            slot: status.slot,
            leader: status.leader,
            heights: Heights {
                proposed: status.proposed.number.max(heads.notarized.number),
                notarized: status.notarized.number.max(heads.notarized.number),
                finalized: heads.finalized.number,
            },
            version: env!("CARGO_PKG_VERSION").to_owned(),
            fsync,
            proposal_to_final,
        }
    }

    fn operators(&self) -> Vec<OperatorStatus> {
        let peers = self.outlet.status();
        let now = self.clock.now();
        let connected = |index: OperatorIndex| {
            index == self.identification.me || peers.iter().any(|peer| peer.index == index && peer.connected)
        };
        let milliseconds = |index| {
            let last = self.last_votes.last(index)?;
            Some(u64::try_from(now.saturating_since(last).as_millis()).unwrap_or(u64::MAX))
        };
        self.identification
            .size
            .operators()
            .zip(&self.identification.names)
            .map(|(index, name)| OperatorStatus {
                index,
                name: name.clone(),
                connected: connected(index),
                last_vote_seen_ms_ago: milliseconds(index),
            })
            .collect()
    }
}
