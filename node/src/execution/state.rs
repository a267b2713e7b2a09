//! State as execution sees it: a chain of immutable diffs over a snapshot of the file.
//!
//! Invariants: a [`Layer`] is never changed once it is shared; a [`StateView`] shows one block's state for
//! as long as it lives, whatever is committed meanwhile. Reading takes no lock of ours.
//!
//! Left to others: making layers (`overlay`, `trie`), writing them down (`store`), EVM calls (`call`).

mod layer;
mod reader;
mod view;

pub(super) use layer::{Layer, NodeMap};
#[cfg(test)]
pub(super) use reader::FINALIZED_STATES_MAX;
pub use reader::StateReader;
pub(super) use reader::{Published, UnfinalizedBlock};
pub use view::StateView;

use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{B256, U256};
use alloy_trie::TrieAccount;

/// What the state says of an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AccountRecord {
    /// How many transactions it sent, or contracts it created.
    pub nonce: u64,
    /// Unit: wei.
    pub balance: U256,
    /// Keccak-256 of its code.
    pub code_hash: B256,
    /// The root of its storage trie.
    pub storage_root: B256,
}

impl AccountRecord {
    /// The length of [`Self::to_bytes`].
    pub(super) const BYTES: usize = 8 + 3 * 32;

    /// How it stands in the file: nonce, balance, code hash, storage root, big endian.
    pub(super) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.nonce.to_be_bytes());
        bytes[8..40].copy_from_slice(&self.balance.to_be_bytes::<32>());
        bytes[40..72].copy_from_slice(self.code_hash.as_slice());
        bytes[72..].copy_from_slice(self.storage_root.as_slice());
        bytes
    }

    /// The inverse of [`Self::to_bytes`].
    pub(super) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Self {
        let (nonce, rest) = bytes.split_first_chunk::<8>().expect("a record is longer than a nonce");
        Self {
            nonce: u64::from_be_bytes(*nonce),
            balance: U256::from_be_slice(&rest[..32]),
            code_hash: B256::from_slice(&rest[32..64]),
            storage_root: B256::from_slice(&rest[64..]),
        }
    }

    /// The leaf of the account trie.
    pub(super) fn to_trie_account(self) -> TrieAccount {
        let Self { nonce, balance, code_hash, storage_root } = self;
        TrieAccount { nonce, balance, storage_root, code_hash }
    }
}

impl Default for AccountRecord {
    fn default() -> Self {
        Self { nonce: 0, balance: U256::ZERO, code_hash: KECCAK_EMPTY, storage_root: EMPTY_ROOT_HASH }
    }
}
