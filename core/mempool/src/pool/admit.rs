//! Admission: what is taken, what it replaces, and what makes room for it.

use super::sender::Sender;
use super::{AccountState, Admitted, Mempool, Origin};
use crate::index::Place;
use crate::{AdmissionError, PooledTransaction, Shortfall, Standing};
use alloy_primitives::{B256, U512};
use phalanx_types::Time;

impl Mempool {
    /// Admits a transaction. `account` is its sender's in the newest final state (nothing older than what
    /// [`Mempool::committed`] was last told).
    ///
    /// # Errors
    /// An [`AdmissionError`]; the pool is then as it was.
    pub fn admit(
        &mut self,
        transaction: PooledTransaction,
        account: AccountState,
        origin: Origin,
        now: Time,
    ) -> Result<Admitted, AdmissionError> {
        let account = self.newest(&transaction, account);
        self.check_price_and_nonce(&transaction, account)?;
        self.check_funds(&transaction, account)?;
        let place = (transaction.sender(), transaction.nonce());
        let old = self.senders.get(&place.0).and_then(|sender| sender.slots.get(&place.1));
        let replaced = old.map(|slot| slot.transaction.hash());
        let mut evicted = Vec::new();
        if replaced.is_some() {
            self.check_replacement(&transaction, place, origin)?;
        } else {
            self.check_peer(origin)?;
            self.check_sender(&transaction, account)?;
            self.make_room(&transaction, account, &mut evicted)?;
        }
        let sender = self.senders.entry(place.0).or_insert_with(|| Sender::new(account));
        sender.account = account;
        let was_executable = match sender.take(place.1) {
            Some(mut slot) => {
                self.index.replace(&mut slot, transaction, origin, now);
                let executable = slot.standing == Standing::Executable;
                sender.put(slot);
                executable
            }
            None => {
                sender.put(self.index.enter(transaction, origin, now));
                false
            }
        };
        let mut executable = Vec::new();
        if was_executable {
            executable.push(sender.slots[&place.1].transaction.hash());
        }
        sender.promote(&mut self.index, self.base_fee, now, &mut executable);
        Ok(Admitted { replaced, evicted, executable })
    }

    /// The later of what the caller and the pool know of the account.
    fn newest(&self, transaction: &PooledTransaction, account: AccountState) -> AccountState {
        match self.senders.get(&transaction.sender()) {
            Some(sender) if sender.account.nonce > account.nonce => sender.account,
            _ => account,
        }
    }

    fn check_price_and_nonce(
        &self,
        transaction: &PooledTransaction,
        account: AccountState,
    ) -> Result<(), AdmissionError> {
        if self.contains(&transaction.hash()) {
            return Err(AdmissionError::AlreadyKnown);
        }
        let (have, want) = (transaction.tip_cap(), self.limits.tip_min);
        if have < want {
            return Err(AdmissionError::Underpriced { have, want });
        }
        let (have, next) = (transaction.nonce(), account.nonce);
        if have < next {
            return Err(AdmissionError::NonceTooLow { next, have });
        }
        Ok(())
    }

    fn check_funds(&self, transaction: &PooledTransaction, account: AccountState) -> Result<(), AdmissionError> {
        let sender = self.senders.get(&transaction.sender());
        let queued = sender.map_or(U512::ZERO, |sender| sender.cost_beside(account, transaction.nonce()));
        let cost = transaction.cost();
        let overshot = (queued + cost).saturating_sub(U512::from(account.balance));
        if overshot.is_zero() {
            return Ok(());
        }
        let shortfall = Shortfall { balance: account.balance, queued, cost, overshot };
        Err(AdmissionError::InsufficientFunds(Box::new(shortfall)))
    }

    fn check_replacement(
        &self,
        transaction: &PooledTransaction,
        (sender, nonce): Place,
        origin: Origin,
    ) -> Result<(), AdmissionError> {
        let slot = &self.senders[&sender].slots[&nonce];
        let old = &slot.transaction;
        let bump = self.limits.price_bump_percent;
        let outbids = |new: u128, old: u128| new > old && new >= bumped(old, bump);
        if !outbids(transaction.fee_cap(), old.fee_cap()) || !outbids(transaction.tip_cap(), old.tip_cap()) {
            return Err(AdmissionError::ReplacementUnderpriced);
        }
        if slot.origin != origin {
            self.check_peer(origin)?;
        }
        let bytes = self.index.bytes - old.footprint_bytes() + transaction.footprint_bytes();
        if bytes > self.limits.bytes_max { Err(AdmissionError::PoolFull) } else { Ok(()) }
    }

    fn check_peer(&self, origin: Origin) -> Result<(), AdmissionError> {
        let Origin::Peer(peer) = origin else { return Ok(()) };
        let held = self.index.held_of_peer(peer);
        if held < self.limits.peer_transactions_max { Ok(()) } else { Err(AdmissionError::PeerFull { held }) }
    }

    /// The nonce that would be executable next, if `account` is the sender's.
    fn next_nonce(&self, transaction: &PooledTransaction, account: AccountState) -> u64 {
        let sender = self.senders.get(&transaction.sender());
        sender.map_or(account.nonce, Sender::next_nonce).max(account.nonce)
    }

    fn would_wait(&self, transaction: &PooledTransaction, account: AccountState) -> bool {
        transaction.nonce() != self.next_nonce(transaction, account)
            || transaction.fee_cap() < u128::from(self.base_fee)
    }

    fn check_sender(&self, transaction: &PooledTransaction, account: AccountState) -> Result<(), AdmissionError> {
        let (next, have, limit) =
            (self.next_nonce(transaction, account), transaction.nonce(), self.limits.nonce_gap_max);
        if have > next.saturating_add(limit) {
            return Err(AdmissionError::NonceTooFar { next, have, limit });
        }
        let Some(sender) = self.senders.get(&transaction.sender()) else { return Ok(()) };
        let (held, limit) = (sender.slots.len(), self.limits.sender_transactions_max);
        if held >= limit {
            return Err(AdmissionError::SenderFull { held, limit });
        }
        if !self.would_wait(transaction, account) {
            return Ok(());
        }
        let (held, limit) = (sender.waiting(), self.limits.sender_waiting_max);
        if held >= limit { Err(AdmissionError::SenderFull { held, limit }) } else { Ok(()) }
    }

    /// First come, first served: a full pool refuses, unless an executable transaction comes and there are
    /// waiting ones, of which the newest then make room.
    fn make_room(
        &mut self,
        transaction: &PooledTransaction,
        account: AccountState,
        evicted: &mut Vec<B256>,
    ) -> Result<(), AdmissionError> {
        let limits = self.limits;
        let bytes_free = limits.bytes_max.saturating_sub(transaction.footprint_bytes());
        if self.would_wait(transaction, account) {
            let full = self.index.len() >= limits.transactions_max
                || self.index.waiting.len() >= limits.waiting_max
                || self.index.bytes > bytes_free;
            return if full { Err(AdmissionError::PoolFull) } else { Ok(()) };
        }
        let kept = self.index.len() - self.index.waiting.len();
        let kept_bytes = self.index.bytes - self.index.waiting_bytes;
        if kept >= limits.transactions_max || kept_bytes > bytes_free {
            return Err(AdmissionError::PoolFull);
        }
        while self.index.len() >= limits.transactions_max || self.index.bytes > bytes_free {
            let (_, &newest) = self.index.waiting.last_key_value().expect("without waiting ones there is room");
            evicted.push(self.remove(newest));
        }
        Ok(())
    }
}

/// What a replacement must offer at least, rounded down as other clients do.
fn bumped(price: u128, percent: u128) -> u128 {
    let whole = (price / 100).saturating_mul(100 + percent);
    whole.saturating_add(price % 100 * (100 + percent) / 100)
}
