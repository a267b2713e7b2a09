//! What a leader builds a block from: executable transactions in the order in which they came.

use crate::PooledTransaction;
use alloy_primitives::Address;
use std::collections::BTreeMap;
use std::collections::btree_map::Values;

/// Yields executable transactions in order of arrival, a sender's in order of nonce, starting at each
/// sender's nonce in the *parent* state of the block being built: what unfinalized ancestors include is
/// passed over and stays in the pool. A sender whose next transaction cannot pay the base fee is passed
/// over as a whole.
#[derive(Debug)]
pub struct Selection<'a, F> {
    order: Values<'a, u64, PooledTransaction>,
    base_fee: u64,
    nonce_of: F,
    /// Each sender's next nonce; `None` for one that is passed over.
    next: BTreeMap<Address, Option<u64>>,
}

impl<'a, F: FnMut(Address) -> u64> Selection<'a, F> {
    pub(crate) fn new(order: Values<'a, u64, PooledTransaction>, base_fee: u64, nonce_of: F) -> Self {
        Self { order, base_fee, nonce_of, next: BTreeMap::new() }
    }

    /// Passes over everything else of a sender: its last one did not go into the block.
    pub fn skip_sender(&mut self, sender: Address) {
        self.next.insert(sender, None);
    }
}

impl<'a, F: FnMut(Address) -> u64> Iterator for Selection<'a, F> {
    type Item = &'a PooledTransaction;

    fn next(&mut self) -> Option<Self::Item> {
        for transaction in self.order.by_ref() {
            let sender = transaction.sender();
            let next = self.next.entry(sender).or_insert_with(|| Some((self.nonce_of)(sender)));
            if *next != Some(transaction.nonce()) {
                continue;
            }
            if transaction.fee_cap() < u128::from(self.base_fee) {
                *next = None;
                continue;
            }
            *next = Some(transaction.nonce() + 1);
            return Some(transaction);
        }
        None
    }
}
