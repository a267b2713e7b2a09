//! The pool's indexes: what is held by hash, the order of the executable ones, the waiting ones, what is
//! to be offered to peers, and the totals that the limits bound.
//!
//! Invariant: each [`Slot`] that is held stands in `by_hash`, in exactly one of `order` and `waiting`
//! (under its `sequence`), in `fresh` if it says so and in `due` if it says so; the totals are the sums
//! over all slots. Only this module changes those fields.

use crate::gossip::reoffer_delay;
use crate::{Origin, PooledTransaction, Standing};
use alloy_primitives::{Address, B256};
use phalanx_types::{OperatorIndex, Time};
use std::collections::BTreeMap;

/// Where a transaction stands: its sender and nonce.
pub(crate) type Place = (Address, u64);

/// A transaction that is held.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(crate) transaction: PooledTransaction,
    pub(crate) origin: Origin,
    pub(crate) standing: Standing,
    /// When it came to its standing.
    pub(crate) since: Time,
    /// Its key in `order` or `waiting`.
    pub(crate) sequence: u64,
    /// Its key in `fresh`.
    fresh: Option<u64>,
    /// Its time in `due`.
    pub(crate) due: Option<Time>,
    /// How often it was offered again.
    pub(crate) reoffers: u32,
}

impl Slot {
    pub(crate) fn place(&self) -> Place {
        (self.transaction.sender(), self.transaction.nonce())
    }
}

#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) by_hash: BTreeMap<B256, Place>,
    /// Executable ones, by when they became so.
    pub(crate) order: BTreeMap<u64, PooledTransaction>,
    /// Waiting ones, by since when they wait.
    pub(crate) waiting: BTreeMap<u64, Place>,
    /// Local ones that were never offered to peers.
    pub(crate) fresh: BTreeMap<u64, B256>,
    /// Executable ones, by when they are offered again.
    pub(crate) due: BTreeMap<(Time, u64), Place>,
    /// How many are held of each peer.
    pub(crate) peers: BTreeMap<OperatorIndex, usize>,
    /// Sum of the footprints. Unit: bytes.
    pub(crate) bytes: usize,
    /// Sum of the waiting ones' footprints. Unit: bytes.
    pub(crate) waiting_bytes: usize,
    sequence: u64,
}

impl Index {
    fn next_sequence(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    pub(crate) fn len(&self) -> usize {
        self.by_hash.len()
    }

    pub(crate) fn held_of_peer(&self, peer: OperatorIndex) -> usize {
        self.peers.get(&peer).copied().unwrap_or(0)
    }

    /// Takes in a transaction that is not held; it waits until it is promoted.
    pub(crate) fn enter(&mut self, transaction: PooledTransaction, origin: Origin, now: Time) -> Slot {
        let mut slot = Slot {
            transaction,
            origin,
            standing: Standing::Waiting,
            since: now,
            sequence: self.next_sequence(),
            fresh: None,
            due: None,
            reoffers: 0,
        };
        self.note(&mut slot);
        self.link(&slot);
        slot
    }

    /// Forgets a transaction.
    pub(crate) fn leave(&mut self, slot: &Slot) {
        self.unlink(slot);
        self.unnote(slot);
    }

    /// Puts another transaction of the same sender and nonce in the place of the one in `slot`; it keeps
    /// its standing and its turn.
    pub(crate) fn replace(&mut self, slot: &mut Slot, transaction: PooledTransaction, origin: Origin, now: Time) {
        self.leave(slot);
        slot.transaction = transaction;
        slot.origin = origin;
        slot.reoffers = 0;
        slot.due = slot.due.map(|_| now + reoffer_delay(origin, 0));
        self.note(slot);
        self.link(slot);
    }

    /// Makes a waiting one executable, last in the order.
    pub(crate) fn promote(&mut self, slot: &mut Slot, now: Time) {
        debug_assert_eq!(slot.standing, Standing::Waiting, "only a waiting one is promoted");
        self.unlink(slot);
        slot.standing = Standing::Executable;
        slot.since = now;
        slot.sequence = self.next_sequence();
        slot.due = Some(now + reoffer_delay(slot.origin, slot.reoffers));
        self.link(slot);
    }

    /// Makes an executable one wait.
    pub(crate) fn demote(&mut self, slot: &mut Slot, now: Time) {
        debug_assert_eq!(slot.standing, Standing::Executable, "only an executable one is demoted");
        self.unlink(slot);
        slot.standing = Standing::Waiting;
        slot.since = now;
        slot.sequence = self.next_sequence();
        slot.due = None;
        self.link(slot);
    }

    /// Sets when an executable one is offered again.
    pub(crate) fn reschedule(&mut self, slot: &mut Slot, due: Time) {
        self.unlink(slot);
        slot.due = Some(due);
        self.link(slot);
    }

    /// It has been offered: takes it out of `fresh`.
    pub(crate) fn offered(&mut self, slot: &mut Slot) {
        if let Some(key) = slot.fresh.take() {
            self.fresh.remove(&key);
        }
    }

    /// What depends on the transaction itself: hash, totals, origin.
    fn note(&mut self, slot: &mut Slot) {
        let hash = slot.transaction.hash();
        self.by_hash.insert(hash, slot.place());
        self.bytes += slot.transaction.footprint_bytes();
        slot.fresh = None;
        match slot.origin {
            Origin::Peer(peer) => *self.peers.entry(peer).or_default() += 1,
            Origin::Local => {
                let key = self.next_sequence();
                self.fresh.insert(key, hash);
                slot.fresh = Some(key);
            }
        }
    }

    fn unnote(&mut self, slot: &Slot) {
        self.by_hash.remove(&slot.transaction.hash());
        self.bytes -= slot.transaction.footprint_bytes();
        if let Some(key) = slot.fresh {
            self.fresh.remove(&key);
        }
        if let Origin::Peer(peer) = slot.origin {
            let held = self.peers.get_mut(&peer).expect("a peer with a held transaction is counted");
            *held -= 1;
            if *held == 0 {
                self.peers.remove(&peer);
            }
        }
    }

    /// What depends on the standing: order, waiting, due.
    fn link(&mut self, slot: &Slot) {
        match slot.standing {
            Standing::Executable => {
                self.order.insert(slot.sequence, slot.transaction.clone());
            }
            Standing::Waiting => {
                self.waiting.insert(slot.sequence, slot.place());
                self.waiting_bytes += slot.transaction.footprint_bytes();
            }
        }
        if let Some(due) = slot.due {
            self.due.insert((due, slot.sequence), slot.place());
        }
    }

    fn unlink(&mut self, slot: &Slot) {
        match slot.standing {
            Standing::Executable => {
                self.order.remove(&slot.sequence);
            }
            Standing::Waiting => {
                self.waiting.remove(&slot.sequence);
                self.waiting_bytes -= slot.transaction.footprint_bytes();
            }
        }
        if let Some(due) = slot.due {
            self.due.remove(&(due, slot.sequence));
        }
    }
}
