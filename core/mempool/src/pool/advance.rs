//! What final blocks, verdicts of execution and the passing of time do to the pool.

use super::{AccountState, Committed, Maintained, Mempool, Verdict};
use crate::{RECHECKED_SENDERS_MAX, Standing};
use alloy_primitives::{Address, B256};
use core::ops::Bound;
use phalanx_types::Time;
use std::collections::BTreeSet;

impl Mempool {
    /// A block became final. `touched` are the senders of its transactions (and the authorities of its
    /// EIP-7702 authorizations, whose nonces grow too; any other account may be named, none twice is
    /// needed); `account_of` looks accounts up in the block's state; `base_fee` is the next block's (wei
    /// per gas). Only what the final state has passed is removed.
    pub fn committed(
        &mut self,
        touched: impl IntoIterator<Item = Address>,
        base_fee: u64,
        mut account_of: impl FnMut(Address) -> AccountState,
        now: Time,
    ) -> Committed {
        let mut outcome = Committed::default();
        let fell = base_fee < self.base_fee;
        self.base_fee = base_fee;
        let touched: BTreeSet<Address> = touched.into_iter().collect();
        for address in touched {
            if self.senders.contains_key(&address) {
                let removed = self.recheck(address, account_of(address), now, &mut outcome.executable);
                outcome.removed.extend(removed);
            }
        }
        if fell {
            for address in self.waiting_senders() {
                self.promote(address, now, &mut outcome.executable);
            }
        }
        outcome
    }

    /// Execution says that a selected transaction cannot go into a block. Nothing happens to one that is
    /// no longer held.
    pub fn verdict(&mut self, hash: &B256, verdict: Verdict, now: Time) {
        let Some(&(address, nonce)) = self.index.by_hash.get(hash) else { return };
        let sender = self.senders.get_mut(&address).expect("an index names held senders only");
        sender.demote_from(&mut self.index, nonce, now);
        if verdict == Verdict::Invalid {
            self.remove((address, nonce));
        }
    }

    /// Expires what has waited too long, and looks up the accounts of the next
    /// [`RECHECKED_SENDERS_MAX`] senders in the newest final state, in turn: finds nonces and balances that
    /// changed without a transaction of the sender's. Call it about once a second.
    pub fn maintain(&mut self, mut account_of: impl FnMut(Address) -> AccountState, now: Time) -> Maintained {
        let mut outcome = Maintained::default();
        while let Some((_, &place)) = self.index.waiting.first_key_value() {
            let slot = &self.senders[&place.0].slots[&place.1];
            if now.saturating_since(slot.since) < self.limits.waiting_lifetime_max {
                break;
            }
            outcome.expired.push(self.remove(place));
        }
        for address in self.next_senders() {
            let removed = self.recheck(address, account_of(address), now, &mut outcome.executable);
            outcome.removed.extend(removed);
        }
        outcome
    }

    /// The senders after the cursor, in a circle, each at most once.
    fn next_senders(&mut self) -> Vec<Address> {
        let after = self.senders.range((Bound::Excluded(self.cursor), Bound::Unbounded));
        let before = self.senders.range(..=self.cursor);
        let next: Vec<Address> = after.chain(before).map(|(&address, _)| address).take(RECHECKED_SENDERS_MAX).collect();
        self.cursor = next.last().copied().unwrap_or_default();
        next
    }

    /// Takes in an account as it is in the newest final state. Returns what was removed.
    fn recheck(&mut self, address: Address, account: AccountState, now: Time, executable: &mut Vec<B256>) -> Vec<B256> {
        let sender = self.senders.get_mut(&address).expect("only senders that are held are rechecked");
        sender.account = account;
        let passed: Vec<u64> = sender.slots.range(..account.nonce).map(|(&nonce, _)| nonce).collect();
        let removed = passed.into_iter().map(|nonce| self.remove((address, nonce))).collect();
        if let Some(sender) = self.senders.get_mut(&address) {
            if let Some(nonce) = sender.first_misplaced() {
                sender.demote_from(&mut self.index, nonce, now);
            }
            sender.promote(&mut self.index, self.base_fee, now, executable);
        }
        removed
    }

    fn promote(&mut self, address: Address, now: Time, executable: &mut Vec<B256>) {
        if let Some(sender) = self.senders.get_mut(&address) {
            debug_assert!(sender.slots.values().any(|slot| slot.standing == Standing::Waiting), "it has one waiting");
            sender.promote(&mut self.index, self.base_fee, now, executable);
        }
    }
}
