//! The engine: the finalized state, the tree of unfinalized blocks above it, and the three things done to
//! them: build, validate, commit.
//!
//! Invariants: every unfinalized block descends from the finalized one through blocks that are held; a block
//! is held only when it was executed and found valid; the newest moment is published after every change.

mod build;
mod finalized;
mod genesis_state;
mod validate;

use self::finalized::Finalized;
use super::genesis::ChainSpec;
use super::overlay::CodeCache;
use super::senders::SenderCache;
use super::state::{Layer, Published, StateReader, StateView, UnfinalizedBlock};
use super::trie::TrieCache;
use super::{ExecutedBlock, ExecutionError, Genesis, UNFINALIZED_BLOCKS_MAX, UNFINALIZED_BYTES_MAX, store};
use alloy_primitives::map::{B256Map, B256Set};
use alloy_primitives::{Address, B256};
use phalanx_types::BlockRef;
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

/// What an operator may tune.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EmbeddedOptions {
    /// How much of the state file is kept in memory. Unit: bytes.
    pub cache_bytes: usize,
}

impl Default for EmbeddedOptions {
    fn default() -> Self {
        Self { cache_bytes: 24 << 20 }
    }
}

/// The embedded execution engine. One thread owns it.
#[derive(Debug)]
pub struct Embedded {
    spec: Arc<ChainSpec>,
    finalized: Finalized,
    unfinalized: B256Map<Arc<UnfinalizedBlock>>,
    /// About how much memory `unfinalized` takes. Unit: bytes.
    unfinalized_bytes: usize,
    /// A block that is about to become final: neither it nor an ancestor of it is forgotten.
    pinned: Option<B256>,
    /// How many blocks were ever added.
    order: u64,
    tries: TrieCache,
    codes: CodeCache,
    senders: SenderCache,
    reader: StateReader,
}

impl Embedded {
    /// Opens the state in `directory`, or makes it from `genesis`. What it holds may be older than the
    /// newest finalized block: the caller then validates and commits the stored blocks above
    /// [`Self::finalized`], at most [`REPLAY_BLOCKS_MAX`](super::REPLAY_BLOCKS_MAX) of them.
    ///
    /// # Errors
    /// [`ExecutionError::Io`], [`ExecutionError::IoDamaged`] or [`ExecutionError::MisuseOtherChain`].
    pub fn open(directory: &Path, genesis: &Genesis, options: EmbeddedOptions) -> Result<Self, ExecutionError> {
        let mut tries = TrieCache::default();
        let opened = store::open(directory, genesis, options.cache_bytes, |empty| {
            genesis_state::layer(genesis, empty, &mut tries)
        })?;
        let spec = Arc::clone(genesis.spec());
        let finalized = Finalized::start(opened, Arc::clone(&spec))?;
        let first = Published { finalized: finalized.view(), before: VecDeque::new(), unfinalized: Vec::new() };
        Ok(Self {
            spec,
            finalized,
            unfinalized: B256Map::default(),
            unfinalized_bytes: 0,
            pinned: None,
            order: 0,
            tries,
            codes: CodeCache::default(),
            senders: SenderCache::default(),
            reader: StateReader::new(first),
        })
    }

    /// The newest finalized block.
    #[must_use]
    pub fn finalized(&self) -> BlockRef {
        self.finalized.reference()
    }

    /// Reads the state from other threads.
    #[must_use]
    pub fn reader(&self) -> StateReader {
        self.reader.clone()
    }

    /// An unfinalized block that was built or found valid.
    #[must_use]
    pub fn executed(&self, hash: B256) -> Option<Arc<ExecutedBlock>> {
        self.unfinalized.get(&hash).map(|block| Arc::clone(&block.executed))
    }

    /// Takes senders that the mempool recovered from transactions (hash, sender), so that validation does
    /// not recover them again. They are trusted.
    pub fn remember_senders(&mut self, senders: impl IntoIterator<Item = (B256, Address)>) {
        for (transaction_hash, sender) in senders {
            self.senders.insert(transaction_hash, sender);
        }
    }

    /// Keeps `hash`, and so its ancestors, until it is final or another block is pinned: it is certified, and
    /// only waits to be stored. Without it a full tree may forget a block that no other stands on.
    pub fn pin(&mut self, hash: B256) {
        self.pinned = Some(hash);
    }

    /// Makes `hash` and its ancestors final. Returns the blocks that became final, ascending; none when
    /// `hash` is the newest finalized block already. Siblings are forgotten.
    ///
    /// # Errors
    /// [`ExecutionError::MisuseUnknownBlock`] for a block that was not validated (or was forgotten: validate
    /// it again), [`ExecutionError::MisuseConflict`], and the errors of the state file.
    pub fn commit(&mut self, hash: B256) -> Result<Vec<Arc<ExecutedBlock>>, ExecutionError> {
        if hash == self.finalized.reference().hash {
            return Ok(Vec::new());
        }
        let path = self.path_from_finalized(hash)?;
        for block in &path {
            let (reference, header) = (block.executed.reference(), block.executed.header.clone());
            self.finalized.push(reference, header, Arc::clone(&block.layer));
        }
        self.prune();
        let maintained = self.finalized.maintain();
        self.publish();
        maintained?;
        Ok(path.iter().map(|block| Arc::clone(&block.executed)).collect())
    }

    /// Writes the finalized state down so that a crash does not undo it. Also done when the engine is
    /// dropped.
    ///
    /// # Errors
    /// The errors of the state file.
    pub fn flush(&mut self) -> Result<(), ExecutionError> {
        self.write_down(true)
    }

    /// Writes the finalized state to the file, with fsync or without.
    pub(in crate::execution) fn write_down(&mut self, durable: bool) -> Result<(), ExecutionError> {
        let written = self.finalized.write_down(durable);
        self.publish();
        written
    }

    /// The unfinalized blocks from the finalized one to `hash`, ascending.
    fn path_from_finalized(&self, hash: B256) -> Result<Vec<Arc<UnfinalizedBlock>>, ExecutionError> {
        let finalized = self.finalized.reference().hash;
        let mut path = Vec::new();
        let mut next = hash;
        while next != finalized {
            match self.unfinalized.get(&next) {
                Some(block) => {
                    next = block.executed.block.parent_hash;
                    path.push(Arc::clone(block));
                }
                None if path.is_empty() => return Err(ExecutionError::MisuseUnknownBlock(hash)),
                None => return Err(ExecutionError::MisuseConflict { hash, finalized }),
            }
        }
        path.reverse();
        Ok(path)
    }

    /// The state after the finalized block or an unfinalized one, with its header.
    fn state_of(&self, hash: B256) -> Option<StateView> {
        if hash == self.finalized.reference().hash {
            return Some(self.finalized.view());
        }
        let block = self.unfinalized.get(&hash)?;
        let path = self.path_from_finalized(hash).ok()?;
        let layers = path.iter().rev().map(|block| Arc::clone(&block.layer)).collect();
        Some(self.finalized.view_above(block.executed.reference(), block.executed.header.clone(), layers))
    }

    /// Holds a block that was executed on `parent`.
    fn insert(&mut self, parent: &StateView, executed: ExecutedBlock, mut layer: Layer) -> Arc<ExecutedBlock> {
        let reference = executed.reference();
        layer.blocks = vec![(reference.number, reference.hash)];
        layer.measure();
        let layer = Arc::new(layer);
        let executed = Arc::new(executed);
        let view = parent.extend(reference, executed.header.clone(), Arc::clone(&layer));
        self.order += 1;
        let block = UnfinalizedBlock { executed: Arc::clone(&executed), layer, view, order: self.order };
        self.unfinalized_bytes += block_bytes(&block);
        self.unfinalized.insert(reference.hash, Arc::new(block));
        self.publish();
        executed
    }

    /// Makes room for a child of `parent`: forgets the oldest blocks without children, other than `parent` and
    /// the pinned one.
    /// Says whether there is room: a single chain is not cut, it waits to become final.
    fn make_room(&mut self, parent: B256) -> bool {
        while self.unfinalized.len() >= UNFINALIZED_BLOCKS_MAX || self.unfinalized_bytes >= UNFINALIZED_BYTES_MAX {
            let parents = self.unfinalized.values().map(|block| block.executed.block.parent_hash);
            let kept: B256Set = parents.chain([parent]).chain(self.pinned).collect();
            let oldest = self
                .unfinalized
                .values()
                .map(|block| (block.order, block.executed.reference().hash))
                .filter(|(_, hash)| !kept.contains(hash))
                .min();
            let Some((_, hash)) = oldest else { return false };
            let forgotten = self.unfinalized.remove(&hash).expect("it was just found");
            self.unfinalized_bytes -= block_bytes(&forgotten);
        }
        true
    }

    /// Forgets what does not descend from the finalized block.
    fn prune(&mut self) {
        let mut ascending: Vec<_> = self.unfinalized.drain().collect();
        ascending.sort_unstable_by_key(|(_, block)| block.executed.reference().number);
        self.unfinalized_bytes = 0;
        let finalized = self.finalized.reference();
        for (hash, block) in ascending {
            let parent = block.executed.block.parent_hash;
            if parent == finalized.hash || self.unfinalized.contains_key(&parent) {
                self.unfinalized_bytes += block_bytes(&block);
                self.unfinalized.insert(hash, block);
            }
        }
    }

    fn publish(&self) {
        let unfinalized = self.unfinalized.values().cloned().collect();
        self.reader.publish(self.finalized.view(), unfinalized);
    }
}

impl Drop for Embedded {
    fn drop(&mut self) {
        if let Err(error) = self.finalized.write_down(true) {
            tracing::warn!(%error, "the state was not written down; its blocks are replayed at the next start");
        }
    }
}

/// About how much memory a block takes: its diff, its payload, and what was decoded from it.
fn block_bytes(block: &UnfinalizedBlock) -> usize {
    block.layer.bytes + 8 * block.executed.block.payload.len()
}

/// A transaction of type 3: its blobs would need a data layer that this chain does not have.
const BLOBS_REFUSED: &str = "blob transactions (EIP-4844) are not accepted on this chain";
