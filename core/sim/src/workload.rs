//! Transactions: real ones, since the pool takes no others, from a few senders with nonces in order.
//!
//! Invariant: what a seed makes is fixed. Each transaction's sender is recovered once in the whole
//! simulation; operators share the result, which saves time and changes nothing.

use crate::random::{Random, Stream};
use alloy_consensus::{SignableTransaction, TxEnvelope, TxLegacy};
use alloy_eips::eip2718::Encodable2718;
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256};
use alloy_signer_local::PrivateKeySigner;
use phalanx_mempool::{AdmissionError, PooledTransaction, Rules, transaction_hash};
use std::collections::BTreeMap;

/// The chain id of every simulated chain.
pub const CHAIN_ID: u64 = 31_337;
/// How many senders a workload has.
const SENDERS: usize = 8;
const RULES: Rules = Rules { chain_id: CHAIN_ID, block_gas_limit: 1_000_000_000, unprotected_allowed: false };

/// Recovers senders, each transaction's once.
#[derive(Debug, Default)]
pub struct Senders {
    recovered: BTreeMap<B256, Result<PooledTransaction, AdmissionError>>,
}

impl Senders {
    /// The transaction in `bytes`, with its sender.
    ///
    /// # Errors
    /// [`AdmissionError`] when it is none that any state would take.
    pub fn recover(&mut self, bytes: &Bytes) -> Result<PooledTransaction, AdmissionError> {
        let hash = transaction_hash(bytes);
        let recover = || PooledTransaction::recover(&RULES, bytes.clone());
        self.recovered.entry(hash).or_insert_with(recover).clone()
    }
}

#[derive(Debug)]
struct Account {
    signer: PrivateKeySigner,
    nonce: u64,
}

/// Makes transactions.
#[derive(Debug)]
pub struct Workload {
    accounts: Vec<Account>,
    random: Random,
}

impl Workload {
    /// The workload of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let mut random = Random::new(seed, Stream::Workload);
        let account = |_| {
            let secret = B256::left_padding_from(&(random.number() | 1).to_be_bytes());
            let signer = PrivateKeySigner::from_bytes(&secret).expect("a small number other than zero is a key");
            Account { signer, nonce: 0 }
        };
        let accounts = (0..SENDERS).map(account).collect();
        Self { accounts, random }
    }

    /// The next transaction, of any sender.
    pub fn transaction(&mut self) -> Bytes {
        let account = self.random.index(self.accounts.len());
        let Account { signer, nonce } = &mut self.accounts[account];
        let mut transaction = TxLegacy {
            chain_id: Some(CHAIN_ID),
            nonce: *nonce,
            gas_price: 1,
            gas_limit: 21_000,
            to: TxKind::Call(Address::repeat_byte(0x11)),
            value: U256::from(1),
            input: Bytes::new(),
        };
        *nonce += 1;
        let signature = signer.sign_transaction_sync(&mut transaction).expect("a local key signs anything");
        TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
    }
}
