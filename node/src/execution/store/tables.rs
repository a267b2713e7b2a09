//! The tables of the state file and the bytes of their keys.

use super::super::state::AccountRecord;
use alloy_primitives::{Address, U256};
use redb::TableDefinition;

/// Address to [`AccountRecord`].
pub(super) const ACCOUNTS: TableDefinition<'_, &[u8; 20], &[u8; AccountRecord::BYTES]> =
    TableDefinition::new("accounts");
/// Address and slot to value, big endian; zero is not stored.
pub(super) const STORAGE: TableDefinition<'_, &[u8; 52], &[u8; 32]> = TableDefinition::new("storage");
/// Code hash to code.
pub(super) const CODES: TableDefinition<'_, &[u8; 32], &[u8]> = TableDefinition::new("codes");
/// Path, one nibble a byte, to node of the account trie.
pub(super) const ACCOUNT_NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("account_nodes");
/// Address and path to node of that account's storage trie.
pub(super) const STORAGE_NODES: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("storage_nodes");
/// Block number to block hash.
pub(super) const BLOCK_HASHES: TableDefinition<'_, u64, &[u8; 32]> = TableDefinition::new("block_hashes");
/// What the file says of itself.
pub(super) const META: TableDefinition<'_, &str, &[u8]> = TableDefinition::new("meta");

/// The version of these tables, big endian.
pub(super) const META_FORMAT: &str = "format";
/// The genesis hash.
pub(super) const META_GENESIS: &str = "genesis";
/// The finalized block's header in RLP.
pub(super) const META_HEADER: &str = "header";

/// A key of [`STORAGE`].
pub(super) fn slot_key(address: Address, slot: U256) -> [u8; 52] {
    let mut key = [0; 52];
    key[..20].copy_from_slice(address.as_slice());
    key[20..].copy_from_slice(&slot.to_be_bytes::<32>());
    key
}

/// A key of [`STORAGE_NODES`].
pub(super) fn node_key(owner: Address, path: &[u8]) -> Vec<u8> {
    let mut key = Vec::with_capacity(20 + path.len());
    key.extend_from_slice(owner.as_slice());
    key.extend_from_slice(path);
    key
}
