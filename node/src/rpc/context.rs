//! What every method shares: the backend, tags, and the gate before slow reads.

use super::backend::{Backend, Heads, RpcBlock, StateView};
use super::error::RpcError;
use super::send::SendQueue;
use alloy_rpc_types_eth::{BlockId, BlockNumberOrTag};
use phalanx_types::BlockRef;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The most slow reads (calls, estimates, logs, whole blocks) at one time.
pub const SLOW_READS_MAX: usize = 8;
/// How long a slow read waits for its turn before the client is told that the server is busy. Unit:
/// seconds.
pub const SLOW_READ_WAIT_S_MAX: u64 = 5;

/// Cheap to clone; clones are one.
#[derive(Clone)]
pub(super) struct Context {
    pub(super) backend: Arc<dyn Backend>,
    pub(super) sends: SendQueue,
    gate: Arc<Semaphore>,
}

impl Context {
    pub(super) fn new(backend: Arc<dyn Backend>) -> Self {
        let sends = SendQueue::start(backend.clone());
        Self { backend, sends, gate: Arc::new(Semaphore::new(SLOW_READS_MAX)) }
    }

    /// Runs a slow read on a blocking thread, at most [`SLOW_READS_MAX`] at one time.
    pub(super) async fn slow<T, F>(&self, read: F) -> Result<T, RpcError>
    where
        T: Send + 'static,
        F: FnOnce(&dyn Backend) -> Result<T, RpcError> + Send + 'static,
    {
        let turn = self.gate.clone().acquire_owned();
        let permit = tokio::time::timeout(Duration::from_secs(SLOW_READ_WAIT_S_MAX), turn).await;
        let permit = permit.map_err(|_| RpcError::Busy)?.expect("the gate is never closed");
        let backend = self.backend.clone();
        let work = move || {
            // The permit goes with the work: a client that hangs up does not make room for another.
            let _permit = permit;
            read(&*backend)
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| RpcError::Internal)?
    }
}

/// The height that a tag names: `pending` is the newest notarized block, `latest` the newest final one.
fn height(heads: &Heads, tag: BlockNumberOrTag) -> u64 {
    match tag {
        BlockNumberOrTag::Latest => heads.finalized.number,
        BlockNumberOrTag::Pending => heads.notarized.number,
        BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized => heads.settled.number,
        BlockNumberOrTag::Earliest => 0,
        BlockNumberOrTag::Number(number) => number,
    }
}

/// The final block that a tag or number names, or the notarized one that `pending` names. A number above
/// the newest final block names nothing yet: what is not final may still be replaced.
pub(super) fn block_by_tag(backend: &dyn Backend, tag: BlockNumberOrTag) -> Result<Option<Arc<RpcBlock>>, RpcError> {
    let heads = backend.heads();
    if tag.is_pending() {
        return Ok(backend.block_by_hash(heads.notarized.hash)?);
    }
    let number = height(&heads, tag);
    if number > heads.finalized.number {
        return Ok(None);
    }
    Ok(backend.block_by_number(number)?)
}

/// The block that an EIP-1898 identifier names.
pub(super) fn block_by_id(backend: &dyn Backend, id: BlockId) -> Result<Option<Arc<RpcBlock>>, RpcError> {
    match id {
        BlockId::Number(tag) => block_by_tag(backend, tag),
        BlockId::Hash(hash) => Ok(backend.block_by_hash(hash.block_hash)?),
    }
}

/// The height of the final block that a tag or number names; clamped to the newest final one.
pub(super) fn final_height(heads: &Heads, tag: BlockNumberOrTag) -> u64 {
    height(heads, tag).min(heads.finalized.number)
}

/// The state after the block that an identifier names, `latest` if none is given.
pub(super) fn state_by_id(
    backend: &dyn Backend,
    id: Option<BlockId>,
) -> Result<(BlockRef, Box<dyn StateView>), RpcError> {
    let heads = backend.heads();
    let block = match id.unwrap_or_default() {
        BlockId::Number(BlockNumberOrTag::Latest) => heads.finalized,
        BlockId::Number(BlockNumberOrTag::Pending) => heads.notarized,
        BlockId::Number(BlockNumberOrTag::Safe | BlockNumberOrTag::Finalized) => heads.settled,
        other => block_by_id(backend, other)?.ok_or(RpcError::BlockUnknown)?.reference(),
    };
    Ok((block, backend.state_at(block)?))
}
