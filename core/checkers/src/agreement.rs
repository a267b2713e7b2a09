//! Invariants 1 and 4: all honest operators commit one chain, each of them height by height.

use crate::{Broken, CommittedBlock, Violation};
use phalanx_types::{BlockRef, OperatorIndex, Time};
use std::collections::BTreeMap;

/// Who first had a block final, and when.
#[derive(Clone, Copy, Debug)]
struct Final {
    block: BlockRef,
    by: OperatorIndex,
    at: Time,
}

/// Keeps the one final chain, and each operator's place on it.
#[derive(Clone, Debug)]
pub struct AgreementChecker {
    genesis: BlockRef,
    chain: BTreeMap<u64, Final>,
    newest: BTreeMap<OperatorIndex, BlockRef>,
}

impl AgreementChecker {
    /// For a cluster that starts from `genesis`.
    #[must_use]
    pub fn new(genesis: BlockRef) -> Self {
        Self { genesis, chain: BTreeMap::new(), newest: BTreeMap::new() }
    }

    /// The newest block that `operator` was seen to commit.
    #[must_use]
    pub fn newest(&self, operator: OperatorIndex) -> BlockRef {
        self.newest.get(&operator).copied().unwrap_or(self.genesis)
    }

    /// The height of the highest block that anyone proved final.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.chain.last_key_value().map_or(self.genesis.number, |(height, _)| *height)
    }

    /// The block that is final at `height`.
    #[must_use]
    pub fn block_at(&self, height: u64) -> Option<BlockRef> {
        self.chain.get(&height).map(|found| found.block)
    }

    /// `operator` holds a proof that `block` is final, or committed it.
    ///
    /// # Errors
    /// [`Broken::ConflictingBlocks`] when another block is final at that height.
    pub fn finalized(&mut self, at: Time, operator: OperatorIndex, block: BlockRef) -> Result<(), Violation> {
        let known = *self.chain.entry(block.number).or_insert(Final { block, by: operator, at });
        if known.block == block && (block.number > self.genesis.number || block == self.genesis) {
            return Ok(());
        }
        let broken =
            Broken::ConflictingBlocks { first: known.block, first_by: known.by, first_at: known.at, second: block };
        Err(Violation::new(at, operator, broken))
    }

    /// `operator` committed `block`.
    ///
    /// # Errors
    /// [`Broken::Gap`], [`Broken::Unlinked`] or [`Broken::ConflictingBlocks`].
    pub fn committed(&mut self, at: Time, operator: OperatorIndex, block: &CommittedBlock) -> Result<(), Violation> {
        let previous = self.newest(operator);
        let committed = block.reference;
        let expected = previous.number + 1;
        if committed.number != expected {
            return Err(Violation::new(at, operator, Broken::Gap { expected, committed }));
        }
        if block.parent_hash != previous.hash {
            let broken = Broken::Unlinked { committed, parent_hash: block.parent_hash, previous };
            return Err(Violation::new(at, operator, broken));
        }
        self.newest.insert(operator, committed);
        self.finalized(at, operator, committed)
    }

    /// `operator` starts again with `restored` as its newest committed block. Losing the last commits is
    /// legal: they are made again.
    ///
    /// # Errors
    /// [`Broken::RestoredUnknown`] when it never committed that block.
    pub fn restarted(&mut self, at: Time, operator: OperatorIndex, restored: BlockRef) -> Result<(), Violation> {
        let known = self.newest(operator);
        let on_chain = restored == self.genesis || self.block_at(restored.number) == Some(restored);
        if restored.number > known.number || !on_chain {
            return Err(Violation::new(at, operator, Broken::RestoredUnknown { restored, known }));
        }
        self.newest.insert(operator, restored);
        Ok(())
    }
}
