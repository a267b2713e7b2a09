//! Senders that the mempool recovered, so that a block's signatures are not recovered a second time.
//!
//! Invariant: at most twice [`SENDERS_CACHED_MAX`] are held; the oldest half goes first.

use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256};

/// The most senders in each of the two halves.
pub const SENDERS_CACHED_MAX: usize = 65_536;

/// Transaction hash to sender.
#[derive(Debug, Default)]
pub(super) struct SenderCache {
    young: B256Map<Address>,
    old: B256Map<Address>,
}

impl SenderCache {
    pub(super) fn insert(&mut self, transaction_hash: B256, sender: Address) {
        if self.young.len() >= SENDERS_CACHED_MAX {
            self.old = std::mem::take(&mut self.young);
        }
        self.young.insert(transaction_hash, sender);
    }

    pub(super) fn get(&self, transaction_hash: &B256) -> Option<Address> {
        self.young.get(transaction_hash).or_else(|| self.old.get(transaction_hash)).copied()
    }
}
