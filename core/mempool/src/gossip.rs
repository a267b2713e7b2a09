//! What is offered to peers, and when.
//!
//! The operators are a full mesh, so a local transaction is sent once to all, and one that came from a
//! peer is not sent on. Either is offered again while it is executable and not final, with a delay that
//! doubles: a peer that was down, or refused it, gets it then. Local ones are offered again sooner, so
//! that usually only one operator does it. Neither the size of a batch nor the number of offers in a second
//! exceeds its bound.

use crate::pool::slot_at;
use crate::{Mempool, Origin, PooledTransaction};
use core::time::Duration;
use phalanx_types::{TRANSACTION_BYTES_MAX, TRANSACTIONS_PER_MESSAGE_MAX, Time};

/// The most bytes of transactions in one batch.
pub const GOSSIP_BYTES_MAX: usize = 1 << 20;
/// The most transactions that are offered again within one second.
pub const REOFFERS_PER_SECOND_MAX: u32 = 2_048;
const LOCAL_REOFFER_S_MIN: u64 = 2;
const PEER_REOFFER_S_MIN: u64 = 6;
/// A delay doubles this often at most: up to 64 s for local ones, 192 s for others.
const REOFFER_DOUBLINGS_MAX: u32 = 5;

const _: () = assert!(GOSSIP_BYTES_MAX >= TRANSACTION_BYTES_MAX, "every transaction fits in a batch");

/// How long after an offer, the `reoffers`-th repetition, the next one is due.
pub(crate) fn reoffer_delay(origin: Origin, reoffers: u32) -> Duration {
    let first = match origin {
        Origin::Local => LOCAL_REOFFER_S_MIN,
        Origin::Peer(_) => PEER_REOFFER_S_MIN,
    };
    Duration::from_secs(first << reoffers.min(REOFFER_DOUBLINGS_MAX))
}

/// Counts offers within one second.
#[derive(Debug, Default)]
pub(crate) struct ReofferBudget {
    second_start: Time,
    spent: u32,
}

impl ReofferBudget {
    fn take(&mut self, now: Time) -> bool {
        if now.saturating_since(self.second_start) >= Duration::from_secs(1) {
            *self = Self { second_start: now, spent: 0 };
        }
        let left = self.spent < REOFFERS_PER_SECOND_MAX;
        self.spent += u32::from(left);
        left
    }
}

/// A batch that fits in one message.
#[derive(Default)]
struct Batch {
    transactions: Vec<PooledTransaction>,
    bytes: usize,
}

impl Batch {
    fn has_room_for(&self, transaction: &PooledTransaction) -> bool {
        self.transactions.len() < TRANSACTIONS_PER_MESSAGE_MAX
            && self.bytes + transaction.bytes().len() <= GOSSIP_BYTES_MAX
    }

    fn push(&mut self, transaction: PooledTransaction) {
        self.bytes += transaction.bytes().len();
        self.transactions.push(transaction);
    }
}

impl Mempool {
    /// The next batch to send to every peer: local transactions that were never sent, then those that are
    /// due again. Fits in one message; empty when there is nothing to send. Call it until it is empty.
    pub fn to_gossip(&mut self, now: Time) -> Vec<PooledTransaction> {
        let mut batch = Batch::default();
        while let Some((_, hash)) = self.index.fresh.first_key_value() {
            let place = self.index.by_hash[hash];
            let slot = slot_at(&mut self.senders, place);
            if !batch.has_room_for(&slot.transaction) {
                return batch.transactions;
            }
            self.index.offered(slot);
            batch.push(slot.transaction.clone());
        }
        while let Some((&(due, _), &place)) = self.index.due.first_key_value() {
            let slot = slot_at(&mut self.senders, place);
            if due > now || !batch.has_room_for(&slot.transaction) || !self.reoffers.take(now) {
                break;
            }
            slot.reoffers = slot.reoffers.saturating_add(1);
            let next = now + reoffer_delay(slot.origin, slot.reoffers);
            self.index.reschedule(slot, next);
            batch.push(slot.transaction.clone());
        }
        batch.transactions
    }
}
