//! The `seq_` namespace: the cluster and its certificates.

use super::api::SeqServer;
use super::backend::{Backend, RpcBlock};
use super::context::Context;
use super::error::RpcError;
use super::subscribe;
use super::types::{CertifiedBlock, ClusterStatus};
use alloy_primitives::{B256, Bytes};
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag};
use jsonrpsee::PendingSubscriptionSink;
use jsonrpsee::core::{SubscriptionResult, async_trait};
use phalanx_types::BlockRef;
use std::sync::Arc;

/// The most headers between a block and the descendant whose finalization proves it final.
pub const ANCESTRY_HEADERS_MAX: u64 = 1_024;

#[async_trait]
impl SeqServer for Context {
    fn cluster_status(&self) -> Result<ClusterStatus, RpcError> {
        Ok(self.backend.cluster_status())
    }

    async fn certificate(&self, block: BlockId) -> Result<Option<CertifiedBlock>, RpcError> {
        self.slow(move |backend| certified(backend, block)).await
    }

    async fn subscribe_certificates(&self, pending: PendingSubscriptionSink, kind: String) -> SubscriptionResult {
        subscribe::certificates(self, pending, &kind).await
    }
}

/// The block, and what certifies it. `None` for a block that does not exist, is not certified yet, or is
/// genesis.
fn certified(backend: &dyn Backend, id: BlockId) -> Result<Option<CertifiedBlock>, RpcError> {
    let Some(block) = find(backend, id)? else { return Ok(None) };
    let reference = block.reference();
    let held = backend.certificates(reference)?;
    let Some(certificate) = held.finalization.or(held.notarization) else { return Ok(None) };
    let header = &block.block.header;
    Ok(Some(CertifiedBlock {
        block: reference,
        parent_hash: header.parent_hash,
        timestamp_s: header.timestamp,
        header: alloy_rlp::encode(header).into(),
        position: block.position,
        finalized: held.finalization.is_some(),
        certificate,
        notarization: held.notarization,
        ancestry: ancestry(backend, reference, certificate.block())?,
    }))
}

/// Unlike `eth_` methods this one also takes the number of a notarized block: its certificate says that it
/// is not final.
fn find(backend: &dyn Backend, id: BlockId) -> Result<Option<Arc<RpcBlock>>, RpcError> {
    let heads = backend.heads();
    let hash: B256 = match id {
        BlockId::Hash(hash) => hash.block_hash,
        BlockId::Number(BlockNumberOrTag::Number(number)) => return Ok(backend.block_by_number(number)?),
        BlockId::Number(BlockNumberOrTag::Earliest) => return Ok(backend.block_by_number(0)?),
        BlockId::Number(BlockNumberOrTag::Pending) => heads.notarized.hash,
        BlockId::Number(BlockNumberOrTag::Latest) => heads.finalized.hash,
        BlockId::Number(BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized) => heads.settled.hash,
    };
    Ok(backend.block_by_hash(hash)?)
}

/// The headers above `block` up to and including `descendant`, ascending.
fn ancestry(backend: &dyn Backend, block: BlockRef, descendant: BlockRef) -> Result<Vec<Bytes>, RpcError> {
    if descendant.number.saturating_sub(block.number) > ANCESTRY_HEADERS_MAX {
        let message = format!("the finalization held is more than {ANCESTRY_HEADERS_MAX} blocks above block {block}");
        return Err(RpcError::Limit(message));
    }
    let mut headers = Vec::new();
    for number in block.number + 1..=descendant.number {
        let header = backend.header_by_number(number)?.ok_or(RpcError::BlockUnknown)?;
        headers.push(alloy_rlp::encode(header).into());
    }
    Ok(headers)
}
