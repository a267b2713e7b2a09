//! One sender's transactions by nonce.
//!
//! Invariants: its executable ones are the lowest nonces held, and from the account's nonce on there is no
//! gap between them; `cost` is the sum over all of its transactions, `executable_cost` over the executable
//! ones.

use super::AccountState;
use crate::Standing;
use crate::index::{Index, Slot};
use alloy_primitives::{B256, U512};
use phalanx_types::Time;
use std::collections::BTreeMap;

#[derive(Debug)]
pub(crate) struct Sender {
    /// As last told.
    pub(super) account: AccountState,
    pub(crate) slots: BTreeMap<u64, Slot>,
    cost: U512,
    executable_cost: U512,
}

impl Sender {
    pub(super) fn new(account: AccountState) -> Self {
        Self { account, slots: BTreeMap::new(), cost: U512::ZERO, executable_cost: U512::ZERO }
    }

    pub(super) fn put(&mut self, slot: Slot) {
        self.cost += slot.transaction.cost();
        if slot.standing == Standing::Executable {
            self.executable_cost += slot.transaction.cost();
        }
        let before = self.slots.insert(slot.transaction.nonce(), slot);
        debug_assert!(before.is_none(), "a nonce is put once");
    }

    pub(super) fn take(&mut self, nonce: u64) -> Option<Slot> {
        let slot = self.slots.remove(&nonce)?;
        self.cost -= slot.transaction.cost();
        if slot.standing == Standing::Executable {
            self.executable_cost -= slot.transaction.cost();
        }
        Some(slot)
    }

    /// What the transactions from the account's nonce on may cost, but for the one at `nonce`.
    pub(super) fn cost_beside(&self, account: AccountState, nonce: u64) -> U512 {
        let own = if nonce < account.nonce { None } else { self.slots.get(&nonce) };
        let own = own.map_or(U512::ZERO, |slot| slot.transaction.cost());
        self.cost - total_cost(self.slots.range(..account.nonce)) - own
    }

    pub(super) fn waiting(&self) -> usize {
        self.slots.values().rev().take_while(|slot| slot.standing == Standing::Waiting).count()
    }

    pub(super) fn last_executable(&self) -> Option<u64> {
        let executable = |slot: &&Slot| slot.standing == Standing::Executable;
        self.slots.values().rev().find(executable).map(|slot| slot.transaction.nonce())
    }

    /// The nonce that would be executable next.
    pub(super) fn next_nonce(&self) -> u64 {
        self.last_executable().map_or(self.account.nonce, |last| (last + 1).max(self.account.nonce))
    }

    /// Makes executable what has become so: the next nonces, while the fee cap covers the base fee and the
    /// account can pay for it and for everything before it. The hashes are added to `promoted`.
    pub(super) fn promote(&mut self, index: &mut Index, base_fee: u64, now: Time, promoted: &mut Vec<B256>) {
        let mut next = self.next_nonce();
        if self.slots.range(next..).next().is_none() {
            return;
        }
        let passed = self.slots.range(..self.account.nonce);
        let passed = passed.filter(|(_, slot)| slot.standing == Standing::Executable);
        let mut spent = self.executable_cost - total_cost(passed);
        while let Some(slot) = self.slots.get_mut(&next) {
            let cost = slot.transaction.cost();
            spent += cost;
            if spent > U512::from(self.account.balance) || slot.transaction.fee_cap() < u128::from(base_fee) {
                break;
            }
            index.promote(slot, now);
            self.executable_cost += cost;
            promoted.push(slot.transaction.hash());
            next += 1;
        }
    }

    /// Makes everything from `nonce` on wait.
    pub(super) fn demote_from(&mut self, index: &mut Index, nonce: u64, now: Time) {
        for slot in self.slots.range_mut(nonce..).map(|(_, slot)| slot) {
            if slot.standing == Standing::Executable {
                index.demote(slot, now);
                self.executable_cost -= slot.transaction.cost();
            }
        }
    }

    /// The first executable nonce that is out of place: above a gap, or more than the account can pay with
    /// everything before it.
    pub(super) fn first_misplaced(&self) -> Option<u64> {
        let executable = self.slots.iter().filter(|(_, slot)| slot.standing == Standing::Executable);
        let mut spent = U512::ZERO;
        (self.account.nonce..)
            .zip(executable)
            .find(|(expected, (nonce, slot))| {
                spent += slot.transaction.cost();
                *nonce != expected || spent > U512::from(self.account.balance)
            })
            .map(|(_, (&nonce, _))| nonce)
    }
}

/// What these may cost together. Unit: wei.
fn total_cost<'a>(slots: impl Iterator<Item = (&'a u64, &'a Slot)>) -> U512 {
    slots.fold(U512::ZERO, |sum, (_, slot)| sum + slot.transaction.cost())
}
