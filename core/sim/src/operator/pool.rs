//! Transactions: taken from clients and peers, offered to peers, kept over a restart.

use super::Operator;
use super::lifecycle::HOUSEKEEP_INTERVAL;
use crate::world::{Event, World};
use phalanx_checkers::Event as Observed;
use phalanx_mempool::{Origin, PooledTransaction};
use phalanx_types::{Bytes, Message, OperatorIndex};

impl Operator {
    /// A client sends a transaction; whether it was accepted. What is accepted is durable first.
    pub fn submit(&mut self, world: &mut World, transaction: &Bytes) -> bool {
        let Ok(transaction) = world.senders.recover(transaction) else { return false };
        if !self.admit(world, transaction.clone(), Origin::Local) {
            return false;
        }
        self.store.put_accepted(transaction.hash(), transaction.bytes().clone());
        world.observe(self.index(), Observed::Accepted(transaction.hash()));
        self.gossip(world);
        true
    }

    /// Another operator offers transactions.
    pub(super) fn offered(&mut self, world: &mut World, from: OperatorIndex, transactions: &[Bytes]) {
        for bytes in transactions {
            if let Ok(transaction) = world.senders.recover(bytes) {
                self.admit(world, transaction, Origin::Peer(from));
            }
        }
    }

    fn admit(&mut self, world: &World, transaction: PooledTransaction, origin: Origin) -> bool {
        let local = self.config.clock.local(world.now());
        let Some(running) = &mut self.running else { return false };
        let account = running.executor.account(transaction.sender());
        running.pool.admit(transaction, account, origin, local).is_ok()
    }

    /// After a restart: what was accepted and is not final is in the pool again.
    pub(super) fn readmit(&mut self, world: &mut World) {
        let accepted: Vec<Bytes> = self.store.accepted().cloned().collect();
        for bytes in accepted {
            if let Ok(transaction) = world.senders.recover(&bytes) {
                self.admit(world, transaction, Origin::Local);
            }
        }
        self.gossip(world);
    }

    fn gossip(&mut self, world: &mut World) {
        let local = self.config.clock.local(world.now());
        let others = self.others();
        while let Some(running) = &mut self.running {
            let batch = running.pool.to_gossip(local);
            if batch.is_empty() || others.is_empty() {
                return;
            }
            let transactions = batch.iter().map(|transaction| transaction.bytes().clone()).collect();
            self.send_message(world, &others, &Message::Transactions(transactions));
        }
    }

    /// Offers again what is due, shows the checkers how full the rings are, and comes back later.
    pub fn housekeep(&mut self, world: &mut World) {
        self.gossip(world);
        self.observe_rings(world);
        let event = Event::Housekeep { operator: self.machine(), incarnation: self.incarnation };
        world.queue.push(world.now() + HOUSEKEEP_INTERVAL, event);
    }
}
