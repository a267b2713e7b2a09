//! The newest blocks, as everybody but the executor sees them: one immutable value, swapped whole.
//!
//! Invariants: `finalized` is durable in the chain store before it is published here; the notarized blocks
//! form one chain on top of it; neither ever shows a block that was not executed by this operator.

use crate::rpc::backend::{Heads, RpcBlock};
use alloy_primitives::B256;
use arc_swap::ArcSwap;
use std::collections::VecDeque;
use std::sync::Arc;

/// How many of the newest final blocks are kept in memory for readers.
const RECENT_BLOCKS_MAX: usize = 128;

/// One moment.
#[derive(Clone, Debug)]
pub(crate) struct ChainView {
    /// The newest final blocks, ascending; never empty.
    recent: VecDeque<Arc<RpcBlock>>,
    /// The notarized chain above them, ascending.
    notarized: Vec<Arc<RpcBlock>>,
}

impl ChainView {
    pub(crate) fn new(finalized: Arc<RpcBlock>) -> Self {
        Self { recent: VecDeque::from([finalized]), notarized: Vec::new() }
    }

    /// The newest final block.
    pub(crate) fn finalized(&self) -> &Arc<RpcBlock> {
        self.recent.back().expect("a chain view always holds a final block")
    }

    /// The newest notarized block, or the newest final one when none stands above it.
    pub(crate) fn newest(&self) -> &Arc<RpcBlock> {
        self.notarized.last().unwrap_or_else(|| self.finalized())
    }

    pub(crate) fn heads(&self) -> Heads {
        let finalized = self.finalized().reference();
        Heads { notarized: self.newest().reference(), finalized, settled: finalized }
    }

    pub(crate) fn by_number(&self, number: u64) -> Option<&Arc<RpcBlock>> {
        self.newest_first().find(|block| block.block.header.number == number)
    }

    pub(crate) fn by_hash(&self, hash: B256) -> Option<&Arc<RpcBlock>> {
        self.newest_first().find(|block| block.hash == hash)
    }

    /// Blocks held, newest first.
    pub(crate) fn newest_first(&self) -> impl Iterator<Item = &Arc<RpcBlock>> {
        self.notarized.iter().rev().chain(self.recent.iter().rev())
    }

    /// A final block was added.
    pub(crate) fn finalize(&mut self, block: Arc<RpcBlock>) {
        let number = block.block.header.number;
        let same_chain = self.notarized.first().is_some_and(|lowest| lowest.hash == block.hash);
        if same_chain {
            self.notarized.remove(0);
        } else if self.notarized.first().is_some_and(|lowest| lowest.block.header.number <= number) {
            self.notarized.clear();
        }
        self.recent.push_back(block);
        if self.recent.len() > RECENT_BLOCKS_MAX {
            self.recent.pop_front();
        }
    }

    /// The notarized chain is now this one: ascending, the first on top of the newest final block.
    pub(crate) fn set_notarized(&mut self, chain: Vec<Arc<RpcBlock>>) {
        self.notarized = chain;
    }
}

/// Where the executor publishes and everybody reads.
#[derive(Debug)]
pub(crate) struct SharedChainView(ArcSwap<ChainView>);

impl SharedChainView {
    pub(crate) fn new(view: ChainView) -> Self {
        Self(ArcSwap::from_pointee(view))
    }

    pub(crate) fn load(&self) -> Arc<ChainView> {
        self.0.load_full()
    }

    pub(crate) fn publish(&self, view: ChainView) {
        self.0.store(Arc::new(view));
    }
}
