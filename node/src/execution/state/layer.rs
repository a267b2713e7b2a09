//! What one block, or a run of blocks, changes.

use super::AccountRecord;
use alloy_primitives::map::{AddressMap, AddressSet, B256Map, HashMap};
use alloy_primitives::{Address, B256, Bytes, U256};
use revm::bytecode::Bytecode;

/// Trie nodes by their path, one nibble a byte. A path says which node it is; an outdated node stays until
/// its path is written again and is never referenced, because a parent names its children by hash.
pub(in crate::execution) type NodeMap = HashMap<Vec<u8>, Bytes>;

/// A diff over the state of the block before `blocks`.
#[derive(Debug, Default)]
pub(in crate::execution) struct Layer {
    /// The blocks that it covers, ascending.
    pub(in crate::execution) blocks: Vec<(u64, B256)>,
    /// Accounts that changed; `None` where one ceased to exist.
    pub(in crate::execution) accounts: AddressMap<Option<AccountRecord>>,
    /// Accounts whose storage was emptied before what `storage` and `storage_nodes` say.
    pub(in crate::execution) wiped: AddressSet,
    /// Slots that changed; zero where one was cleared.
    pub(in crate::execution) storage: HashMap<(Address, U256), U256>,
    /// Code that was created, by its hash.
    pub(in crate::execution) codes: B256Map<Bytecode>,
    /// New nodes of the account trie.
    pub(in crate::execution) account_nodes: NodeMap,
    /// New nodes of storage tries.
    pub(in crate::execution) storage_nodes: AddressMap<NodeMap>,
    /// About how much memory it takes. Unit: bytes.
    pub(in crate::execution) bytes: usize,
}

/// What a map entry takes beside its variable part. Unit: bytes.
const ENTRY_BYTES: usize = 96;

impl Layer {
    /// Puts `newer` on top of `self`.
    pub(in crate::execution) fn absorb(&mut self, newer: &Self) {
        self.blocks.extend_from_slice(&newer.blocks);
        self.accounts.extend(newer.accounts.iter().map(|(address, record)| (*address, *record)));
        if !newer.wiped.is_empty() {
            self.storage.retain(|(address, _), _| !newer.wiped.contains(address));
            self.storage_nodes.retain(|address, _| !newer.wiped.contains(address));
            self.wiped.extend(newer.wiped.iter().copied());
        }
        self.storage.extend(newer.storage.iter().map(|(slot, value)| (*slot, *value)));
        self.codes.extend(newer.codes.iter().map(|(hash, code)| (*hash, code.clone())));
        extend_nodes(&mut self.account_nodes, &newer.account_nodes);
        for (address, nodes) in &newer.storage_nodes {
            extend_nodes(self.storage_nodes.entry(*address).or_default(), nodes);
        }
        self.bytes += newer.bytes;
    }

    /// Computes `bytes`.
    pub(in crate::execution) fn measure(&mut self) {
        let entries = self.blocks.len() + self.wiped.len() + self.storage.len() + 2 * self.accounts.len();
        let codes: usize = self.codes.values().map(|code| ENTRY_BYTES + 2 * code.len()).sum();
        let storage_nodes: usize = self.storage_nodes.values().map(node_bytes).sum();
        self.bytes = entries * ENTRY_BYTES + codes + node_bytes(&self.account_nodes) + storage_nodes;
    }
}

fn extend_nodes(nodes: &mut NodeMap, newer: &NodeMap) {
    nodes.extend(newer.iter().map(|(path, node)| (path.clone(), node.clone())));
}

fn node_bytes(nodes: &NodeMap) -> usize {
    nodes.values().map(|node| ENTRY_BYTES + node.len()).sum()
}
