//! What other threads see: the newest finalized state and the unfinalized ones, swapped as a whole.

use super::super::ExecutedBlock;
use super::{Layer, StateView};
use alloy_primitives::B256;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many of the newest finalized states can be read: whoever looked up which block is the newest has
/// time to read its state although others become final meanwhile.
pub(in crate::execution) const FINALIZED_STATES_MAX: usize = 8;

/// An unfinalized block and what it changes.
#[derive(Debug)]
pub(in crate::execution) struct UnfinalizedBlock {
    /// The block.
    pub(in crate::execution) executed: Arc<ExecutedBlock>,
    /// What it changes.
    pub(in crate::execution) layer: Arc<Layer>,
    /// The state after it.
    pub(in crate::execution) view: StateView,
    /// Grows with every block that is added.
    pub(in crate::execution) order: u64,
}

/// One moment of the engine. Immutable.
#[derive(Debug)]
pub(in crate::execution) struct Published {
    /// The state of the newest finalized block.
    pub(in crate::execution) finalized: StateView,
    /// Those that were the newest before, the latest first; at most [`FINALIZED_STATES_MAX`] with it.
    pub(in crate::execution) before: VecDeque<StateView>,
    /// In no order that means anything.
    pub(in crate::execution) unfinalized: Vec<Arc<UnfinalizedBlock>>,
}

/// Reads the engine's state from any thread, without ever waiting for the engine.
#[derive(Clone, Debug)]
pub struct StateReader {
    published: Arc<ArcSwap<Published>>,
}

impl StateReader {
    pub(in crate::execution) fn new(first: Published) -> Self {
        Self { published: Arc::new(ArcSwap::from_pointee(first)) }
    }

    /// Shows the next moment; what was final before stays readable for a while.
    pub(in crate::execution) fn publish(&self, finalized: StateView, unfinalized: Vec<Arc<UnfinalizedBlock>>) {
        let previous = self.published.load();
        let mut before = previous.before.clone();
        if previous.finalized.reference() != finalized.reference() {
            before.push_front(previous.finalized.clone());
            before.truncate(FINALIZED_STATES_MAX - 1);
        }
        self.published.store(Arc::new(Published { finalized, before, unfinalized }));
    }

    /// The state of the newest finalized block.
    #[must_use]
    pub fn finalized(&self) -> StateView {
        self.published.load().finalized.clone()
    }

    /// The state of one of the newest finalized blocks or of an unfinalized one; `None` for any other.
    #[must_use]
    pub fn at(&self, hash: B256) -> Option<StateView> {
        let published = self.published.load();
        let mut finalized = [&published.finalized].into_iter().chain(&published.before);
        match finalized.find(|view| view.reference().hash == hash) {
            Some(view) => Some(view.clone()),
            None => published.find(hash).map(|block| block.view.clone()),
        }
    }

    /// An unfinalized block that was built or found valid.
    #[must_use]
    pub fn executed(&self, hash: B256) -> Option<Arc<ExecutedBlock>> {
        self.published.load().find(hash).map(|block| Arc::clone(&block.executed))
    }
}

impl Published {
    fn find(&self, hash: B256) -> Option<&Arc<UnfinalizedBlock>> {
        self.unfinalized.iter().find(|block| block.executed.block.reference.hash == hash)
    }
}
