//! A simple deterministic execution: the state is the next nonce of each sender.
//!
//! Invariants: a verdict depends on the block and its ancestors only, except that a timestamp may lie too
//! far ahead of this operator's wall clock (then it is pending), and except where a scenario tells this
//! operator to refuse a block. State of unfinalized blocks is a tree of differences over the final state.

use crate::payload::Payload;
use crate::workload::Senders;
use alloy_primitives::{Address, U256};
use phalanx_consensus::{BuildFailure, Verdict};
use phalanx_mempool::{AccountState, Mempool};
use phalanx_types::{B256, Block, BlockRef};
use std::collections::{BTreeMap, BTreeSet};

/// How far ahead of the wall clock a block's timestamp may lie. Unit: seconds.
pub const TIMESTAMP_AHEAD_S_MAX: u64 = 2;
/// The most transactions that a block is built with.
pub const BLOCK_TRANSACTIONS_MAX: usize = 1_000;

/// An executed block above the final one.
#[derive(Clone, Debug)]
struct Executed {
    reference: BlockRef,
    parent_hash: B256,
    timestamp_s: u64,
    /// The next nonces of the senders in this block.
    nonces: BTreeMap<Address, u64>,
    transactions: Vec<B256>,
}

/// What a committed block brought.
#[derive(Clone, Debug, Default)]
pub struct CommitOutcome {
    /// The transactions in it, by hash, in order.
    pub transactions: Vec<B256>,
    /// Their senders.
    pub senders: BTreeSet<Address>,
}

/// The execution of one operator.
#[derive(Clone, Debug)]
pub struct Executor {
    committed: BlockRef,
    committed_timestamp_s: u64,
    nonces: BTreeMap<Address, u64>,
    executed: BTreeMap<B256, Executed>,
    refused: BTreeSet<B256>,
    refuses_all: bool,
    padding_bytes: u32,
    builds_refused_ppm: u64,
}

impl Executor {
    /// An execution whose newest block is `genesis`.
    #[must_use]
    pub fn new(genesis: BlockRef) -> Self {
        Self {
            committed: genesis,
            committed_timestamp_s: 0,
            nonces: BTreeMap::new(),
            executed: BTreeMap::new(),
            refused: BTreeSet::new(),
            refuses_all: false,
            padding_bytes: 0,
            builds_refused_ppm: 0,
        }
    }

    /// From now on refuses to build so many blocks. Unit: parts per million.
    pub fn set_builds_refused(&mut self, ppm: u32) {
        self.builds_refused_ppm = u64::from(ppm);
    }

    /// From now on pads each block that it builds with so many bytes.
    pub fn set_padding(&mut self, bytes: u32) {
        self.padding_bytes = bytes;
    }

    /// The newest committed block.
    #[must_use]
    pub fn committed(&self) -> BlockRef {
        self.committed
    }

    /// From now on calls this block invalid, whatever it holds.
    pub fn refuse(&mut self, hash: B256) {
        self.refused.insert(hash);
        self.executed.remove(&hash);
    }

    /// From now on calls every new block invalid (`true`), or goes back to judging them.
    pub fn set_refuses_all(&mut self, refuses: bool) {
        self.refuses_all = refuses;
    }

    /// Whether a block was executed, or is the newest committed one.
    #[must_use]
    pub fn knows(&self, hash: B256) -> bool {
        hash == self.committed.hash || self.executed.contains_key(&hash)
    }

    /// How many executed blocks are held above the committed one.
    #[must_use]
    pub fn executed_count(&self) -> usize {
        self.executed.len()
    }

    /// The account in the newest committed state. Everyone is rich.
    #[must_use]
    pub fn account(&self, sender: Address) -> AccountState {
        AccountState { nonce: self.nonces.get(&sender).copied().unwrap_or(0), balance: U256::MAX }
    }

    /// The sender's next nonce after the block `hash`.
    fn nonce_after(&self, hash: B256, sender: Address) -> u64 {
        let mut cursor = hash;
        while let Some(block) = self.executed.get(&cursor) {
            if let Some(nonce) = block.nonces.get(&sender) {
                return *nonce;
            }
            cursor = block.parent_hash;
        }
        self.account(sender).nonce
    }

    fn timestamp_after(&self, hash: B256) -> u64 {
        self.executed.get(&hash).map_or(self.committed_timestamp_s, |block| block.timestamp_s)
    }

    /// Builds a block on `parent` out of the pool.
    ///
    /// # Errors
    /// [`BuildFailure::ParentMissing`] when the parent was not executed here; [`BuildFailure::Refused`] as often as it
    /// was told to.
    pub fn build(&mut self, parent: BlockRef, pool: &Mempool, wall_s: u64, salt: u64) -> Result<Block, BuildFailure> {
        if !self.knows(parent.hash) {
            return Err(BuildFailure::ParentMissing);
        }
        if salt % 1_000_000 < self.builds_refused_ppm {
            return Err(BuildFailure::Refused("told to refuse some".to_owned()));
        }
        let mut nonces = BTreeMap::new();
        let mut hashes = Vec::new();
        let mut transactions = Vec::new();
        let selection = pool.select(0, |sender| self.nonce_after(parent.hash, sender));
        for transaction in selection.take(BLOCK_TRANSACTIONS_MAX) {
            nonces.insert(transaction.sender(), transaction.nonce() + 1);
            hashes.push(transaction.hash());
            transactions.push(transaction.bytes().clone());
        }
        let timestamp_s = wall_s.max(self.timestamp_after(parent.hash));
        let payload = Payload {
            number: parent.number + 1,
            parent_hash: parent.hash,
            timestamp_s,
            salt,
            padding: self.padding_bytes,
            transactions,
        };
        let block = payload.to_block();
        self.insert(&block, nonces, hashes);
        Ok(block)
    }

    fn insert(&mut self, block: &Block, nonces: BTreeMap<Address, u64>, transactions: Vec<B256>) {
        let Block { reference, parent_hash, timestamp_s, .. } = *block;
        self.executed.insert(reference.hash, Executed { reference, parent_hash, timestamp_s, nonces, transactions });
    }

    /// Executes a block.
    pub fn validate(&mut self, block: &Block, senders: &mut Senders, wall_s: u64) -> Verdict {
        let hash = block.reference.hash;
        if self.refused.contains(&hash) {
            return Verdict::Invalid("this operator was told to refuse it".to_owned());
        }
        if self.knows(hash) {
            return Verdict::Valid;
        }
        if self.refuses_all {
            self.refuse(hash);
            return Verdict::Invalid("this operator was told to refuse everything".to_owned());
        }
        if block.timestamp_s > wall_s + TIMESTAMP_AHEAD_S_MAX || !self.knows(block.parent_hash) {
            return Verdict::Pending;
        }
        match self.execute(block, senders) {
            Ok(()) => Verdict::Valid,
            Err(reason) => Verdict::Invalid(reason),
        }
    }

    /// Executes a block whose parent was executed, whatever its timestamp.
    fn execute(&mut self, block: &Block, senders: &mut Senders) -> Result<(), String> {
        let payload = Payload::decode(&block.payload).map_err(|error| error.to_string())?;
        if block.timestamp_s < self.timestamp_after(block.parent_hash) {
            return Err(format!("its timestamp {} lies before its parent's", block.timestamp_s));
        }
        let mut nonces = BTreeMap::new();
        let mut hashes = Vec::new();
        for bytes in &payload.transactions {
            let transaction = senders.recover(bytes).map_err(|error| error.to_string())?;
            let sender = transaction.sender();
            let next = nonces.entry(sender).or_insert_with(|| self.nonce_after(block.parent_hash, sender));
            if *next != transaction.nonce() {
                return Err(format!("nonce {} of {sender}, expected {next}", transaction.nonce()));
            }
            *next += 1;
            hashes.push(transaction.hash());
        }
        self.insert(block, nonces, hashes);
        Ok(())
    }

    /// Makes a block final that builds on the committed one; executes it first where that was not done. Its
    /// timestamp is not looked at: a quorum did.
    ///
    /// # Errors
    /// Why the block is invalid. A final block never is, unless this operator is told to refuse it.
    pub fn commit(&mut self, block: &Block, senders: &mut Senders) -> Result<CommitOutcome, String> {
        assert!(block.extends(self.committed), "blocks are handed to execution in order");
        let hash = block.reference.hash;
        if !self.knows(hash) {
            self.execute(block, senders)?;
        }
        let executed = self.executed.remove(&hash).expect("it was executed just now, or before");
        let outcome =
            CommitOutcome { transactions: executed.transactions, senders: executed.nonces.keys().copied().collect() };
        self.nonces.extend(executed.nonces);
        self.committed = executed.reference;
        self.committed_timestamp_s = executed.timestamp_s;
        self.discard_others();
        Ok(outcome)
    }

    /// Lets go of one unfinalized block.
    pub fn discard(&mut self, hash: B256) {
        self.executed.remove(&hash);
    }

    /// Lets go of all blocks that do not descend from the committed one. Only one generation at a time: the
    /// children of what went go with the next commit.
    fn discard_others(&mut self) {
        let committed = self.committed;
        self.executed.retain(|_, block| {
            block.reference.number > committed.number + 1
                || block.reference.number == committed.number + 1 && block.parent_hash == committed.hash
        });
    }
}
