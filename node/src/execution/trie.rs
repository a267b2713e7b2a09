//! The state root, kept up to date: `ethrex-trie` over the nodes of a [`StateView`], with the nodes of the
//! last blocks in memory.
//!
//! Invariants: a trie's root hash names its content, so a cached root serves every block that has it,
//! siblings included (nodes are shared and copied on write). Dropping the cache changes no root, only the
//! time that the next one takes.
//!
//! Why this crate, and how it compares: `docs/decisions/0003-state-trie.md`.

use super::ExecutionError;
use super::overlay::{AccountChange, Changes};
use super::state::{Layer, NodeMap, StateView};
use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_primitives::map::AddressMap;
use alloy_primitives::{Address, B256, Bytes, keccak256};
use ethrex_crypto::NativeCrypto;
use ethrex_trie::{Nibbles, Node, NodeHash, NodeRef, Trie, TrieDB, TrieError};
use rayon::prelude::*;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// How many recent roots of one trie are kept with their nodes: enough for the blocks in flight.
const ROOTS_CACHED_MAX: usize = 4;
/// The most contracts whose storage tries are kept.
const STORAGE_TRIES_CACHED_MAX: usize = 1_024;
/// About how much memory the cached nodes may take before all are dropped. Unit: bytes.
const CACHE_BYTES_MAX: usize = 96 << 20;
/// About what a decoded branch takes in memory beyond its encoding. Unit: bytes.
const BRANCH_BYTES: usize = 700;
/// About what a decoded leaf takes in memory beyond its encoding. Unit: bytes.
const LEAF_BYTES: usize = 160;
/// Encodings up to this length are mostly leaves. Unit: bytes.
const LEAF_ENCODING_BYTES_MAX: usize = 128;
/// From this many changed keys on, a trie is hashed on all cores.
const PARALLEL_KEYS_MIN: usize = 128;

/// A trie in memory, named by its root hash.
#[derive(Clone)]
struct Cached {
    root: B256,
    node: NodeRef,
}

#[derive(Default)]
struct RecentRoots {
    roots: VecDeque<Cached>,
}

impl RecentRoots {
    fn find(&self, root: B256) -> Option<NodeRef> {
        self.roots.iter().find(|cached| cached.root == root).map(|cached| cached.node.clone())
    }

    fn remember(&mut self, root: B256, node: NodeRef) {
        self.roots.retain(|cached| cached.root != root);
        if self.roots.len() == ROOTS_CACHED_MAX {
            self.roots.pop_front();
        }
        self.roots.push_back(Cached { root, node });
    }
}

/// The tries of the last blocks.
#[derive(Default)]
pub(super) struct TrieCache {
    accounts: RecentRoots,
    storage: AddressMap<RecentRoots>,
    /// About how much memory the nodes of the newest roots take: what was loaded and what was added, while
    /// a node that replaces another counts nothing. Unit: bytes.
    bytes: Arc<AtomicUsize>,
}

impl std::fmt::Debug for TrieCache {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TrieCache").field("bytes", &self.bytes).finish_non_exhaustive()
    }
}

impl TrieCache {
    /// Applies `changes` to the state of `view`. Returns the new state root, and the diff without its blocks.
    pub(super) fn apply(&mut self, view: &StateView, changes: Changes) -> Result<(B256, Layer), ExecutionError> {
        if self.bytes.load(Ordering::Relaxed) > CACHE_BYTES_MAX {
            *self = Self::default();
        }
        let mut layer = Layer { codes: changes.codes, ..Layer::default() };
        let mut leaves = Vec::with_capacity(changes.accounts.len());
        for change in changes.accounts {
            let mut record = change.after;
            if let Some(record) = &mut record
                && (change.wiped || !change.slots.is_empty())
            {
                let (root, nodes) = self.apply_storage(view, &change)?;
                record.storage_root = root;
                layer.storage_nodes.insert(change.address, nodes);
            }
            if change.wiped {
                layer.wiped.insert(change.address);
            }
            layer.storage.extend(change.slots.iter().map(|&(slot, value)| ((change.address, slot), value)));
            if record == change.before {
                continue;
            }
            layer.accounts.insert(change.address, record);
            if change.before.is_none() {
                self.bytes.fetch_add(BRANCH_BYTES, Ordering::Relaxed);
            }
            let value = record.map(|record| alloy_rlp::encode(record.to_trie_account()));
            leaves.push((keccak256(change.address), value));
        }
        let before = view.header().state_root;
        let (root, node, nodes) = self.change_trie(view, None, before, self.accounts.find(before), leaves)?;
        self.accounts.remember(root, node);
        layer.account_nodes = nodes;
        Ok((root, layer))
    }

    fn apply_storage(&mut self, view: &StateView, change: &AccountChange) -> Result<(B256, NodeMap), ExecutionError> {
        let before = match change.before {
            Some(record) if !change.wiped => record.storage_root,
            _ => EMPTY_ROOT_HASH,
        };
        let leaves = change
            .slots
            .iter()
            .map(|(slot, value)| {
                let encoded = (!value.is_zero()).then(|| alloy_rlp::encode(value));
                (keccak256(slot.to_be_bytes::<32>()), encoded)
            })
            .collect();
        self.bytes.fetch_add(LEAF_BYTES * change.slots.len(), Ordering::Relaxed);
        let warm = self.storage.get(&change.address).and_then(|roots| roots.find(before));
        let (root, node, nodes) = self.change_trie(view, Some(change.address), before, warm, leaves)?;
        if self.storage.len() >= STORAGE_TRIES_CACHED_MAX && !self.storage.contains_key(&change.address) {
            self.storage.clear();
        }
        self.storage.entry(change.address).or_default().remember(root, node);
        Ok((root, nodes))
    }

    /// Writes and removes `leaves` in the trie of `before`. Returns the new root, its nodes in memory, and
    /// the nodes that are new.
    fn change_trie(
        &self,
        view: &StateView,
        owner: Option<Address>,
        before: B256,
        warm: Option<NodeRef>,
        leaves: Vec<(B256, Option<Vec<u8>>)>,
    ) -> Result<(B256, NodeRef, NodeMap), ExecutionError> {
        let nodes = Nodes { view: view.clone(), owner, loaded_bytes: Arc::clone(&self.bytes) };
        let mut trie = Trie::open(Box::new(nodes), before.0.into());
        if let Some(warm) = warm {
            trie.root = warm;
        }
        let keys = leaves.len();
        for (key, value) in leaves {
            let done = match value {
                Some(value) => trie.insert(key.to_vec(), value),
                None => trie.remove(key.as_slice()).map(drop),
            };
            done.map_err(|error| blame(view, owner, &error))?;
        }
        let (root, nodes) = hash(&mut trie.root, keys >= PARALLEL_KEYS_MIN);
        Ok((root, trie.root, nodes))
    }
}

/// Hashes what changed below `root`. Returns the root hash and the new nodes.
fn hash(root: &mut NodeRef, parallel: bool) -> (B256, NodeMap) {
    if !root.is_valid() {
        return (EMPTY_ROOT_HASH, NodeMap::default());
    }
    let mut new = Vec::new();
    if parallel
        && let NodeRef::Node(node, memoized) = root
        && memoized.get().is_none()
        && let Node::Branch(branch) = Arc::make_mut(node)
    {
        let below: Vec<_> = branch
            .choices
            .par_iter_mut()
            .zip(0_u8..16)
            .map(|(child, nibble)| {
                let mut new = Vec::new();
                child.commit(Nibbles::from_hex(vec![nibble]), &mut new, &NativeCrypto);
                new
            })
            .collect();
        new = below.into_iter().flatten().collect();
    }
    let hash = root.commit(Nibbles::default(), &mut new, &NativeCrypto);
    let nodes = new.into_iter().map(|(path, node)| (path.into_vec(), Bytes::from(node)));
    // It also lists each leaf by its whole key, which ends in a terminator; the flat state has those.
    (finalize(hash), nodes.filter(|(path, _)| path.last() != Some(&TERMINATOR)).collect())
}

/// What ends the path of a leaf's whole key.
const TERMINATOR: u8 = 16;

/// The hash of a root whose encoding may be shorter than a hash.
fn finalize(hash: NodeHash) -> B256 {
    B256::from(hash.finalize(&NativeCrypto).0)
}

/// The nodes of one trie as one block left them.
struct Nodes {
    view: StateView,
    owner: Option<Address>,
    loaded_bytes: Arc<AtomicUsize>,
}

impl TrieDB for Nodes {
    fn get(&self, path: Nibbles) -> Result<Option<Vec<u8>>, TrieError> {
        let node = self.view.node(self.owner, path.as_ref()).map_err(|error| TrieError::DbError(error.into()))?;
        Ok(node.map(|node| {
            let decoded = if node.len() > LEAF_ENCODING_BYTES_MAX { BRANCH_BYTES } else { LEAF_BYTES };
            self.loaded_bytes.fetch_add(decoded + node.len(), Ordering::Relaxed);
            node.to_vec()
        }))
    }

    fn put_batch(&self, _nodes: Vec<(Nibbles, Vec<u8>)>) -> Result<(), TrieError> {
        Err(TrieError::InvalidInput)
    }
}

fn blame(view: &StateView, owner: Option<Address>, error: &TrieError) -> ExecutionError {
    let trie = owner.map_or_else(|| "the account trie".to_owned(), |owner| format!("the storage trie of {owner}"));
    let number = view.reference().number;
    view.blame().damaged(format!("{trie} after block {number}: {error}"))
}
