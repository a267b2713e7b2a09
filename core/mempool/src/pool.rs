//! The pool: its types, its state, and what can be read of it. Changing it is in `admit` and `advance`.

mod admit;
mod advance;
mod sender;
#[cfg(test)]
mod tests;

use crate::gossip::ReofferBudget;
use crate::index::{Index, Place, Slot};
use crate::select::Selection;
use crate::{Limits, PooledTransaction};
use alloy_primitives::{Address, B256, U256};
use phalanx_types::OperatorIndex;
use sender::Sender;
use std::collections::{BTreeMap, BTreeSet};

/// What the pool must know of an account. Taken from the newest *final* state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct AccountState {
    /// The next nonce.
    pub nonce: u64,
    /// Unit: wei.
    pub balance: U256,
}

/// Who offered a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A client of this operator.
    Local,
    /// Another operator.
    Peer(OperatorIndex),
}

/// Where a held transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It can be executed in its turn.
    Executable,
    /// It waits for a nonce, a lower base fee, or funds.
    Waiting,
}

/// What admitting a transaction brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Admitted {
    /// The transaction with the same nonce that it replaced.
    pub replaced: Option<B256>,
    /// The waiting ones that made room for it.
    pub evicted: Vec<B256>,
    /// What became executable by it: itself, then those of its sender that waited for it. Empty when it
    /// waits.
    pub executable: Vec<B256>,
}

/// What a final block brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Committed {
    /// What the final state has passed: included, or overtaken by another with the same nonce.
    pub removed: Vec<B256>,
    /// What became executable by it.
    pub executable: Vec<B256>,
}

/// What maintenance brought about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maintained {
    /// Waiting transactions whose time was up.
    pub expired: Vec<B256>,
    /// What the final state has passed.
    pub removed: Vec<B256>,
    /// What became executable by it.
    pub executable: Vec<B256>,
}

/// What execution says of a transaction that did not go into the block it was selected for. One that was
/// passed over for want of room needs no verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Its sender cannot pay for it in the parent state: it waits, with what follows it.
    Unpayable,
    /// No state would make it valid: it is dropped, and what follows it waits.
    Invalid,
}

/// A held transaction, as readers see it.
#[derive(Clone, Debug)]
pub struct Held {
    /// The transaction.
    pub transaction: PooledTransaction,
    /// Where it stands.
    pub standing: Standing,
}

/// Counts, for gauges and `txpool_status`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Status {
    /// Executable transactions.
    pub executable: usize,
    /// Waiting transactions.
    pub waiting: usize,
    /// Senders.
    pub senders: usize,
    /// What holding them takes. Unit: bytes.
    pub bytes: usize,
}

/// The pool of one operator. See the crate's page for its invariants.
#[derive(Debug)]
pub struct Mempool {
    limits: Limits,
    /// Of the next block, as of the newest final one.
    base_fee: u64,
    pub(crate) senders: BTreeMap<Address, Sender>,
    pub(crate) index: Index,
    pub(crate) reoffers: ReofferBudget,
    /// The last sender that maintenance looked at.
    cursor: Address,
}

/// The held transaction at a place that an index names.
pub(crate) fn slot_at(senders: &mut BTreeMap<Address, Sender>, (sender, nonce): Place) -> &mut Slot {
    let sender = senders.get_mut(&sender).expect("an index names held senders only");
    sender.slots.get_mut(&nonce).expect("an index names held transactions only")
}

impl Mempool {
    /// An empty pool. `base_fee` is the next block's (wei per gas).
    #[must_use]
    pub fn new(limits: Limits, base_fee: u64) -> Self {
        Self {
            limits,
            base_fee,
            senders: BTreeMap::new(),
            index: Index::default(),
            reoffers: ReofferBudget::default(),
            cursor: Address::ZERO,
        }
    }

    /// Whether a transaction is held: look here before recovering what a peer offers.
    #[must_use]
    pub fn contains(&self, hash: &B256) -> bool {
        self.index.by_hash.contains_key(hash)
    }

    /// The held transaction with a hash.
    #[must_use]
    pub fn get(&self, hash: &B256) -> Option<Held> {
        let (sender, nonce) = self.index.by_hash.get(hash)?;
        self.senders.get(sender)?.slots.get(nonce).map(held)
    }

    /// What to build a block from. `base_fee` is that block's (wei per gas); `nonce_of` looks up the next
    /// nonce of an account in the state of that block's parent, once for each sender.
    pub fn select<F: FnMut(Address) -> u64>(&self, base_fee: u64, nonce_of: F) -> Selection<'_, F> {
        Selection::new(self.index.order.values(), base_fee, nonce_of)
    }

    /// The nonce that follows the sender's executable transactions; `None` where there are none.
    #[must_use]
    pub fn pending_nonce(&self, sender: &Address) -> Option<u64> {
        let sender = self.senders.get(sender)?;
        sender.last_executable().map(|nonce| nonce + 1)
    }

    /// Counts.
    #[must_use]
    pub fn status(&self) -> Status {
        Status {
            executable: self.index.order.len(),
            waiting: self.index.waiting.len(),
            senders: self.senders.len(),
            bytes: self.index.bytes,
        }
    }

    /// Everything that is held, in order of sender and nonce.
    pub fn content(&self) -> impl Iterator<Item = Held> + '_ {
        self.senders.values().flat_map(|sender| sender.slots.values().map(held))
    }

    /// What is held of one sender, in order of nonce.
    pub fn content_of(&self, sender: &Address) -> impl Iterator<Item = Held> + '_ {
        self.senders.get(sender).into_iter().flat_map(|sender| sender.slots.values().map(held))
    }

    /// How many transactions are held that a peer offered.
    #[must_use]
    pub fn held_of_peer(&self, peer: OperatorIndex) -> usize {
        self.index.held_of_peer(peer)
    }

    /// Forgets the transaction at a place, and its sender if that was the last one. Returns its hash.
    fn remove(&mut self, (address, nonce): Place) -> B256 {
        let sender = self.senders.get_mut(&address).expect("only what is held is removed");
        let slot = sender.take(nonce).expect("only what is held is removed");
        self.index.leave(&slot);
        if sender.slots.is_empty() {
            self.senders.remove(&address);
        }
        slot.transaction.hash()
    }

    /// The senders that have something waiting, the longest waiting first.
    fn waiting_senders(&self) -> Vec<Address> {
        let mut seen = BTreeSet::new();
        self.index.waiting.values().map(|(sender, _)| *sender).filter(|sender| seen.insert(*sender)).collect()
    }
}

fn held(slot: &Slot) -> Held {
    Held { transaction: slot.transaction.clone(), standing: slot.standing }
}
