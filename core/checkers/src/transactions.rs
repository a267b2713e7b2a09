//! Each accepted transaction is committed exactly once, and none is lost.

use crate::{Broken, CommittedBlock, Violation};
use phalanx_types::{B256, OperatorIndex, Time};
use std::collections::BTreeMap;

/// Who accepted a transaction, and when.
#[derive(Clone, Copy, Debug)]
struct Acceptance {
    by: OperatorIndex,
    at: Time,
}

/// Follows transactions from acceptance to the final chain.
#[derive(Clone, Debug, Default)]
pub struct TransactionChecker {
    waiting: BTreeMap<B256, Acceptance>,
    committed: BTreeMap<B256, u64>,
    height: u64,
}

impl TransactionChecker {
    /// For a chain whose genesis stands at height `genesis`.
    #[must_use]
    pub fn new(genesis: u64) -> Self {
        Self { waiting: BTreeMap::new(), committed: BTreeMap::new(), height: genesis }
    }

    /// How many transactions were committed.
    #[must_use]
    pub fn committed_count(&self) -> usize {
        self.committed.len()
    }

    /// How many transactions were accepted and are not committed yet.
    #[must_use]
    pub fn waiting_count(&self) -> usize {
        self.waiting.len()
    }

    /// `operator` accepted `transaction` from a client.
    pub fn accepted(&mut self, at: Time, operator: OperatorIndex, transaction: B256) {
        if !self.committed.contains_key(&transaction) {
            self.waiting.entry(transaction).or_insert(Acceptance { by: operator, at });
        }
    }

    /// `operator` committed `block`. Only the first commit of a height counts: agreement is another
    /// checker's matter.
    ///
    /// # Errors
    /// [`Broken::CommittedTwice`].
    pub fn committed(&mut self, at: Time, operator: OperatorIndex, block: &CommittedBlock) -> Result<(), Violation> {
        let height = block.reference.number;
        if height <= self.height {
            return Ok(());
        }
        self.height = height;
        for transaction in &block.transactions {
            self.waiting.remove(transaction);
            if let Some(first) = self.committed.insert(*transaction, height) {
                let broken = Broken::CommittedTwice { transaction: *transaction, first, second: height };
                return Err(Violation::new(at, operator, broken));
            }
        }
        Ok(())
    }

    /// All that was accepted before `before` must be committed by now.
    ///
    /// # Errors
    /// [`Broken::Lost`], naming the first that is not.
    pub fn expect_committed(&self, now: Time, before: Time) -> Result<(), Violation> {
        let mut lost = self.waiting.iter().filter(|(_, acceptance)| acceptance.at < before);
        let Some((transaction, acceptance)) = lost.next() else { return Ok(()) };
        let broken = Broken::Lost { transaction: *transaction, accepted: acceptance.at, lost: 1 + lost.count() };
        Err(Violation::new(now, acceptance.by, broken))
    }
}
