//! The same invariants over the stores of real operators, read after they stopped.

use crate::{Checkers, CommittedBlock, Event, Observation, Setting, Violation};
use phalanx_types::{B256, BlockRef, Certificate, OperatorIndex, Record, Time};

/// One block of a store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBlock {
    /// Height and hash.
    pub reference: BlockRef,
    /// The block's own parent link.
    pub parent_hash: B256,
    /// The transactions in it, by hash, in order; empty where transactions are not audited.
    pub transactions: Vec<B256>,
    /// The certificates stored beside it.
    pub certificates: Vec<Certificate>,
}

/// What one operator had on its disks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct OperatorStore {
    /// Its chain from the block after genesis, in ascending order of height.
    pub chain: Vec<StoredBlock>,
    /// Its vote journal, in the order in which it was written; empty where it was compacted, since what it
    /// then says no longer begins at the beginning.
    pub journal: Vec<Record>,
}

/// Reads the stores of all honest operators against each other. Times are unknown, so all are zero; the
/// invariants that speak of time are not checked. Returns every violation, at most one for each record
/// and block.
#[must_use]
pub fn audit(setting: &Setting, stores: &[(OperatorIndex, OperatorStore)]) -> Vec<Violation> {
    let mut checkers = Checkers::new(setting);
    let mut violations = Vec::new();
    let mut observe = |operator: OperatorIndex, event: Event| {
        let observation = Observation { at: Time::ZERO, operator, event };
        violations.extend(checkers.observe(&observation).err());
    };
    for (operator, store) in stores {
        for record in &store.journal {
            observe(*operator, Event::Durable(record.clone()));
        }
        for block in &store.chain {
            for certificate in &block.certificates {
                observe(*operator, Event::Certificate(*certificate));
            }
            let StoredBlock { reference, parent_hash, ref transactions, .. } = *block;
            let committed = CommittedBlock { reference, parent_hash, transactions: transactions.clone() };
            observe(*operator, Event::Committed(committed));
        }
    }
    violations
}
