//! What goes into the engine and comes out of it: attributes, transactions offered and what became of
//! them, blocks with what executing them produced, verdicts.
//!
//! Invariant: an [`ExecutedBlock`] holds one sender and one receipt for each transaction, in block order.

use alloy_consensus::transaction::Recovered;
use alloy_consensus::{Header, ReceiptEnvelope, Transaction as _, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, Log};
use phalanx_types::{Block, BlockRef};
use std::sync::Arc;
use std::time::Instant;

/// A transaction whose sender was recovered from its signature.
pub type RecoveredTransaction = Recovered<TxEnvelope>;

/// What a leader decides about a block, beside its transactions.
#[derive(Clone, Debug)]
pub struct BuildAttributes {
    /// The wanted timestamp; raised to the parent's where it lies below. Unit: seconds since the Unix epoch.
    pub timestamp_s: u64,
    /// Who earns the priority fees.
    pub beneficiary: Address,
    /// The wanted gas limit; approached from the parent's by at most 1/1024 each block.
    pub gas_limit: u64,
    /// At most 32 bytes, cut there.
    pub extra_data: Bytes,
    /// What the `PREVRANDAO` opcode returns.
    pub prev_randao: B256,
    /// Bound of the encoded block; lowered to `PAYLOAD_BYTES_MAX` where it lies above. Unit: bytes.
    pub payload_bytes_max: usize,
    /// When to stop taking transactions. The transaction being executed then is finished first.
    pub deadline: Option<Instant>,
}

/// Where a build takes its transactions from: the mempool, in the order in which they are to be tried.
pub trait TransactionSource {
    /// The next transaction to try; `None` ends the block.
    fn next(&mut self) -> Option<Arc<RecoveredTransaction>>;

    /// What became of the transaction that `next` returned last. A transaction that was returned when the
    /// block was full or late gets [`Outcome::Skipped`] with [`Skip::BlockFull`].
    fn outcome(&mut self, transaction: &RecoveredTransaction, outcome: Outcome);
}

/// What became of an offered transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is in the block, whether it succeeded or reverted.
    Included {
        /// What it burnt.
        gas_used: u64,
    },
    /// It is not in the block.
    Skipped(Skip),
}

/// Why an offered transaction is not in the block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Skip {
    /// Its nonce was used before: it can never be included. Drop it.
    NonceTooLow {
        /// The sender's nonce.
        expected: u64,
    },
    /// An earlier transaction of its sender is missing. Keep it, and its sender's later ones.
    NonceGap {
        /// The sender's nonce.
        expected: u64,
    },
    /// The sender cannot pay for it now.
    Balance,
    /// It offers less than the base fee.
    BaseFee,
    /// Its gas limit, or its bytes, exceed what is left of the block, or the deadline passed. Keep it.
    BlockFull,
    /// It can never be included on this chain. Drop it.
    Invalid(String),
}

impl Skip {
    /// Whether the transaction will never become includable, so that a mempool drops it.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::NonceTooLow { .. } | Self::Invalid(_))
    }
}

/// What validation says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It may be voted for.
    Valid,
    /// Nobody honest builds this.
    Invalid(String),
    /// Its parent is not known: validate that first.
    MissingParent {
        /// The parent's hash.
        parent_hash: B256,
    },
    /// Its timestamp is more than `TIMESTAMP_DRIFT_S_MAX` ahead of the clock, or as many blocks wait to become
    /// final as may (`UNFINALIZED_BLOCKS_MAX`, `UNFINALIZED_BYTES_MAX`): ask again later.
    Early {
        /// The clock from which on to ask again. Unit: seconds since the Unix epoch.
        acceptable_at_s: u64,
    },
}

/// A block with what executing it produced.
#[derive(Clone, Debug)]
pub struct ExecutedBlock {
    /// The consensus block: number, hash, parent, payload.
    pub block: Block,
    /// The execution header. Its hash is `block.reference.hash`.
    pub header: Header,
    /// The transactions with their senders.
    pub transactions: Vec<Arc<RecoveredTransaction>>,
    /// One receipt for each transaction.
    pub receipts: Vec<ReceiptEnvelope>,
}

impl ExecutedBlock {
    /// Number and hash.
    #[must_use]
    pub fn reference(&self) -> BlockRef {
        self.block.reference
    }

    /// The hash of transaction `index`.
    #[must_use]
    pub fn transaction_hash(&self, index: usize) -> Option<B256> {
        self.transactions.get(index).map(|transaction| *transaction.inner().tx_hash())
    }

    /// What transaction `index` burnt, without those before it.
    #[must_use]
    pub fn gas_used(&self, index: usize) -> Option<u64> {
        let total = self.receipts.get(index)?.cumulative_gas_used();
        let before = match index.checked_sub(1) {
            Some(previous) => self.receipts.get(previous)?.cumulative_gas_used(),
            None => 0,
        };
        total.checked_sub(before)
    }

    /// What transaction `index` paid for each unit of gas. Unit: wei.
    #[must_use]
    pub fn effective_gas_price(&self, index: usize) -> Option<u128> {
        let transaction = self.transactions.get(index)?;
        Some(transaction.inner().effective_gas_price(self.header.base_fee_per_gas))
    }

    /// The contract that transaction `index` created, if it is a creation.
    #[must_use]
    pub fn contract_address(&self, index: usize) -> Option<Address> {
        let transaction = self.transactions.get(index)?;
        transaction.inner().is_create().then(|| transaction.signer().create(transaction.inner().nonce()))
    }

    /// The logs of transaction `index`, and the index in the block of the first of them.
    #[must_use]
    pub fn logs(&self, index: usize) -> Option<(usize, &[Log])> {
        let first = self.receipts.get(..index)?.iter().map(|receipt| receipt.logs().len()).sum();
        Some((first, self.receipts.get(index)?.logs()))
    }
}
