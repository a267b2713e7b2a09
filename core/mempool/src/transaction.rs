//! From bytes to a transaction with its sender: strict decoding, every check that needs no state, and
//! recovery of the sender on all cores.

use crate::AdmissionError;
use crate::intrinsic::check_gas;
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_consensus::{Signed, Transaction, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::{Decodable2718, Eip2718Error, Encodable2718};
use alloy_primitives::{Address, B256, Bytes, U512, keccak256};
use core::fmt;
use phalanx_types::TRANSACTION_BYTES_MAX;
use rayon::prelude::*;
use std::sync::Arc;

#[cfg(test)]
mod tests;

/// Recoveries that one task does in a row: below it, splitting costs more than it brings (a recovery
/// takes about 35 µs).
const RECOVERIES_PER_TASK_MIN: usize = 4;
/// What a held transaction takes whatever its length: the decoded form and its places in the indexes.
const FOOTPRINT_OVERHEAD_BYTES: usize = 1_024;
/// What a held transaction takes for each encoded byte: an access list, the worst case, takes 48 bytes
/// decoded for 23 encoded ones.
const FOOTPRINT_PER_ENCODED_BYTE: usize = 4;
const BLOB_TYPE: u8 = 3;
const TYPE_MAX: u8 = 0x7f;

/// What a transaction is checked against without any state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The chain's EIP-155 id.
    pub chain_id: u64,
    /// No transaction may ask for more gas.
    pub block_gas_limit: u64,
    /// Whether transactions without a chain id (before EIP-155) are taken: some old deployment
    /// transactions need it.
    pub unprotected_allowed: bool,
}

/// A decoded, well-formed transaction with its sender. Cheap to clone: clones share one copy.
#[derive(Clone)]
pub struct PooledTransaction(Arc<Inner>);

struct Inner {
    transaction: Recovered<TxEnvelope>,
    bytes: Bytes,
    hash: B256,
    cost: U512,
}

/// The hash of an encoded transaction: lets a receiver look up what it holds before any cryptography.
#[must_use]
pub fn transaction_hash(bytes: &[u8]) -> B256 {
    keccak256(bytes)
}

/// Decodes, checks and recovers, on all cores. As many results as transactions, in their order. Pure:
/// call it outside of the thread that owns the pool.
#[must_use]
pub fn recover(rules: &Rules, transactions: &[Bytes]) -> Vec<Result<PooledTransaction, AdmissionError>> {
    if transactions.len() < 2 * RECOVERIES_PER_TASK_MIN {
        return transactions.iter().map(|bytes| PooledTransaction::recover(rules, bytes.clone())).collect();
    }
    transactions
        .par_iter()
        .with_min_len(RECOVERIES_PER_TASK_MIN)
        .map(|bytes| PooledTransaction::recover(rules, bytes.clone()))
        .collect()
}

impl PooledTransaction {
    /// Decodes, checks and recovers one transaction.
    ///
    /// # Errors
    /// An [`AdmissionError`] that no state of the chain would cure.
    pub fn recover(rules: &Rules, bytes: Bytes) -> Result<Self, AdmissionError> {
        let transaction = decode(&bytes)?;
        check(rules, &transaction)?;
        let sender = transaction.recover_signer().map_err(|_| AdmissionError::Signature)?;
        Ok(Self::new(Recovered::new_unchecked(transaction, sender), bytes))
    }

    pub(crate) fn new(transaction: Recovered<TxEnvelope>, bytes: Bytes) -> Self {
        let hash = *transaction.tx_hash();
        let gas = U512::from(transaction.gas_limit()) * U512::from(transaction.max_fee_per_gas());
        let cost = gas + U512::from(transaction.value());
        Self(Arc::new(Inner { transaction, bytes, hash, cost }))
    }

    /// The transaction with its sender.
    #[must_use]
    pub fn transaction(&self) -> &Recovered<TxEnvelope> {
        &self.0.transaction
    }

    /// Its EIP-2718 encoding.
    #[must_use]
    pub fn bytes(&self) -> &Bytes {
        &self.0.bytes
    }

    /// Its hash.
    #[must_use]
    pub fn hash(&self) -> B256 {
        self.0.hash
    }

    /// Its sender.
    #[must_use]
    pub fn sender(&self) -> Address {
        self.0.transaction.signer()
    }

    /// Its nonce.
    #[must_use]
    pub fn nonce(&self) -> u64 {
        self.0.transaction.nonce()
    }

    /// The most that it may cost its sender: gas limit × fee cap + value. Unit: wei.
    #[must_use]
    pub fn cost(&self) -> U512 {
        self.0.cost
    }

    /// The fee cap (or gas price). Unit: wei per gas.
    #[must_use]
    pub fn fee_cap(&self) -> u128 {
        self.0.transaction.max_fee_per_gas()
    }

    /// The tip cap (or gas price). Unit: wei per gas.
    #[must_use]
    pub fn tip_cap(&self) -> u128 {
        self.0.transaction.priority_fee_or_price()
    }

    /// What holding it takes: encoded, decoded, and in the indexes. Unit: bytes; an upper estimate.
    #[must_use]
    pub fn footprint_bytes(&self) -> usize {
        FOOTPRINT_PER_ENCODED_BYTE * self.0.bytes.len() + FOOTPRINT_OVERHEAD_BYTES
    }
}

impl fmt::Debug for PooledTransaction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PooledTransaction")
            .field("hash", &self.hash())
            .field("sender", &self.sender())
            .field("nonce", &self.nonce())
            .field("bytes", &self.bytes().len())
            .finish()
    }
}

/// Decodes EIP-2718 strictly: the whole of `bytes`, canonical, of a supported type.
fn decode(bytes: &Bytes) -> Result<TxEnvelope, AdmissionError> {
    if bytes.len() > TRANSACTION_BYTES_MAX {
        return Err(AdmissionError::Oversized(bytes.len()));
    }
    let malformed = |error: Eip2718Error| AdmissionError::Malformed(error.to_string());
    let transaction = match *bytes.first().ok_or_else(|| AdmissionError::Malformed("no bytes".into()))? {
        BLOB_TYPE => return Err(AdmissionError::Blob),
        1 | 2 | 4 => TxEnvelope::decode_2718_exact(bytes).map_err(malformed)?,
        number @ ..=TYPE_MAX => return Err(AdmissionError::TypeUnsupported(number)),
        // The envelope's own decoder would hide what is wrong with a legacy transaction.
        _ => {
            let mut rest = &bytes[..];
            Signed::<TxLegacy>::fallback_decode(&mut rest).map(TxEnvelope::from).map_err(malformed)?
        }
    };
    // The decoder may be lenient where we may not: one transaction has one encoding and one hash.
    if transaction.encode_2718_len() != bytes.len() || transaction.encoded_2718() != bytes[..] {
        return Err(AdmissionError::Malformed("not the canonical encoding".into()));
    }
    Ok(transaction)
}

/// Every check that needs neither state nor the sender.
fn check(rules: &Rules, transaction: &TxEnvelope) -> Result<(), AdmissionError> {
    match transaction.chain_id() {
        None if !rules.unprotected_allowed => return Err(AdmissionError::Unprotected),
        Some(have) if have != rules.chain_id => return Err(AdmissionError::ChainId { have, want: rules.chain_id }),
        _ => {}
    }
    if transaction.nonce() == u64::MAX {
        return Err(AdmissionError::NonceMax);
    }
    let (tip, cap) = (transaction.priority_fee_or_price(), transaction.max_fee_per_gas());
    if tip > cap {
        return Err(AdmissionError::TipAboveFeeCap { tip, cap });
    }
    if transaction.authorization_list().is_some_and(<[_]>::is_empty) {
        return Err(AdmissionError::AuthorizationsEmpty);
    }
    check_gas(transaction, rules.block_gas_limit)
}
