//! The feed that subscriptions listen to.
//!
//! Invariant: publishing never waits. A listener that falls more than the feed's capacity behind loses
//! events, is told so by its receiver, and is dropped by the server; the chain does not notice.

use super::backend::RpcBlock;
use alloy_primitives::B256;
use phalanx_types::Certificate;
use std::sync::Arc;
use tokio::sync::broadcast;

/// The most block events that a listener may lag behind.
pub const BLOCK_EVENTS_MAX: usize = 1_024;
/// The most announcements of pending transactions that a listener may lag behind.
pub const TRANSACTION_EVENTS_MAX: usize = 16_384;

/// Something happened to a block.
#[derive(Clone, Debug)]
pub enum BlockEvent {
    /// It was notarized, by this certificate (of the block itself).
    Notarized(Arc<RpcBlock>, Certificate),
    /// It is final, by this finalization of it or of a descendant. Published once for each block, in
    /// ascending order of height without gaps.
    Finalized(Arc<RpcBlock>, Certificate),
}

/// Where the driver publishes. Cheap to clone; clones are one feed.
#[derive(Clone, Debug)]
pub struct EventFeed {
    blocks: broadcast::Sender<BlockEvent>,
    transactions: broadcast::Sender<B256>,
}

impl Default for EventFeed {
    fn default() -> Self {
        Self::new()
    }
}

impl EventFeed {
    /// A feed that nobody listens to yet.
    #[must_use]
    pub fn new() -> Self {
        Self {
            blocks: broadcast::Sender::new(BLOCK_EVENTS_MAX),
            transactions: broadcast::Sender::new(TRANSACTION_EVENTS_MAX),
        }
    }

    /// Tells listeners of a block.
    pub fn publish_block(&self, event: BlockEvent) {
        // An error says that nobody listens, which is fine.
        let _ = self.blocks.send(event);
    }

    /// Tells listeners of a transaction that became executable in the mempool.
    pub fn publish_transaction(&self, hash: B256) {
        let _ = self.transactions.send(hash);
    }

    /// Whether anybody listens to blocks: lets the driver skip assembling one.
    #[must_use]
    pub fn has_block_listeners(&self) -> bool {
        self.blocks.receiver_count() > 0
    }

    /// From now on.
    #[must_use]
    pub fn listen_blocks(&self) -> broadcast::Receiver<BlockEvent> {
        self.blocks.subscribe()
    }

    /// From now on.
    #[must_use]
    pub fn listen_transactions(&self) -> broadcast::Receiver<B256> {
        self.transactions.subscribe()
    }
}
