//! What the tests share: Foundry's accounts as signers, a source of transactions, engines in temporary
//! directories.

use crate::execution::{
    BuildAttributes, DEVNET_GAS_LIMIT, Embedded, EmbeddedInspector, EmbeddedOptions, ExecutedBlock, Genesis, Outcome,
    RecoveredTransaction, Skip, TransactionSource, Verdict, devnet_genesis, foundry_accounts, payload,
};
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_consensus::{Header, SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::eip2930::AccessList;
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, b256, hex};
use alloy_signer_local::PrivateKeySigner;
use phalanx_types::{Block, BlockInspector};
use std::collections::VecDeque;
use std::sync::Arc;
use tempfile::TempDir;

pub(super) const CHAIN_ID: u64 = 31_337;
pub(super) const NOW_S: u64 = 1_800_000_000;
const KEYS: [B256; 3] = [
    b256!("ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"),
    b256!("59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d"),
    b256!("5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a"),
];

/// One of Foundry's accounts.
pub(super) fn signer(index: usize) -> PrivateKeySigner {
    PrivateKeySigner::from_bytes(&KEYS[index]).unwrap()
}

pub(super) fn genesis() -> Genesis {
    Genesis::new(devnet_genesis(CHAIN_ID, &foundry_accounts())).unwrap()
}

/// A generous EIP-1559 transaction.
pub(super) fn call(nonce: u64, to: TxKind, value: u64, input: Bytes) -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce,
        gas_limit: if input.is_empty() && to.is_call() { 21_000 } else { 1_000_000 },
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1_000,
        to,
        value: U256::from(value),
        access_list: AccessList::default(),
        input,
    }
}

pub(super) fn sign<T>(signer: &PrivateKeySigner, mut transaction: T) -> Arc<RecoveredTransaction>
where
    T: SignableTransaction<alloy_primitives::Signature>,
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = signer.sign_transaction_sync(&mut transaction).unwrap();
    let envelope = TxEnvelope::from(transaction.into_signed(signature));
    let sender = envelope.recover_signer().unwrap();
    assert_eq!(sender, signer.address());
    Arc::new(Recovered::new_unchecked(envelope, sender))
}

pub(super) fn transfer(from: usize, nonce: u64, to: Address, value: u64) -> Arc<RecoveredTransaction> {
    sign(&signer(from), call(nonce, TxKind::Call(to), value, Bytes::new()))
}

/// Offers transactions in order and keeps what became of them.
#[derive(Default)]
pub(super) struct Source {
    pub(super) queue: VecDeque<Arc<RecoveredTransaction>>,
    pub(super) outcomes: Vec<Outcome>,
}

impl Source {
    pub(super) fn of(transactions: impl IntoIterator<Item = Arc<RecoveredTransaction>>) -> Self {
        Self { queue: transactions.into_iter().collect(), outcomes: Vec::new() }
    }

    pub(super) fn skips(&self) -> Vec<&Skip> {
        self.outcomes
            .iter()
            .filter_map(|outcome| match outcome {
                Outcome::Skipped(skip) => Some(skip),
                Outcome::Included { .. } => None,
            })
            .collect()
    }
}

impl TransactionSource for Source {
    fn next(&mut self) -> Option<Arc<RecoveredTransaction>> {
        self.queue.pop_front()
    }

    fn outcome(&mut self, _transaction: &RecoveredTransaction, outcome: Outcome) {
        self.outcomes.push(outcome);
    }
}

pub(super) fn attributes(timestamp_s: u64) -> BuildAttributes {
    BuildAttributes {
        timestamp_s,
        beneficiary: Address::repeat_byte(0xfe),
        gas_limit: DEVNET_GAS_LIMIT,
        extra_data: Bytes::from_static(b"test"),
        prev_randao: B256::repeat_byte(7),
        payload_bytes_max: usize::MAX,
        deadline: None,
    }
}

/// An engine in a directory of its own.
pub(super) struct Node {
    pub(super) engine: Option<Embedded>,
    pub(super) directory: TempDir,
    pub(super) genesis: Genesis,
}

impl Node {
    pub(super) fn new(genesis: &Genesis) -> Self {
        let directory = TempDir::new().unwrap();
        let mut node = Self { engine: None, directory, genesis: genesis.clone() };
        node.open();
        node
    }

    pub(super) fn open(&mut self) {
        let opened = Embedded::open(self.directory.path(), &self.genesis, EmbeddedOptions::default()).unwrap();
        self.engine = Some(opened);
    }

    pub(super) fn engine(&mut self) -> &mut Embedded {
        self.engine.as_mut().unwrap()
    }

    pub(super) fn build_on(
        &mut self,
        parent: B256,
        transactions: impl IntoIterator<Item = Arc<RecoveredTransaction>>,
    ) -> Arc<ExecutedBlock> {
        let mut source = Source::of(transactions);
        let built = self.engine().build(parent, &attributes(NOW_S), &mut source).unwrap();
        assert_eq!(source.skips(), Vec::<&Skip>::new());
        built
    }

    /// Builds on the finalized block and commits.
    pub(super) fn advance(
        &mut self,
        transactions: impl IntoIterator<Item = Arc<RecoveredTransaction>>,
    ) -> Arc<ExecutedBlock> {
        let parent = self.engine().finalized().hash;
        let built = self.build_on(parent, transactions);
        let committed = self.engine().commit(built.reference().hash).unwrap();
        assert_eq!(committed.len(), 1);
        built
    }

    pub(super) fn validate(&mut self, block: &Block) -> Verdict {
        self.engine().validate(block, NOW_S).unwrap()
    }

    /// Validates and commits, as at catch-up.
    pub(super) fn follow(&mut self, block: &Block) {
        let inspected = EmbeddedInspector.inspect(block.payload.clone()).unwrap();
        assert_eq!(&inspected, block);
        assert_eq!(self.validate(&inspected), Verdict::Valid);
        self.engine().commit(block.reference.hash).unwrap();
    }
}

/// `executed` with another header over the same transactions, sealed again.
pub(super) fn forge(executed: &ExecutedBlock, change: impl FnOnce(&mut Header)) -> Block {
    let mut header = executed.header.clone();
    change(&mut header);
    let encoded: Vec<_> = executed.transactions.iter().map(|one| Bytes::from(one.inner().encoded_2718())).collect();
    payload::assemble(&header, &encoded)
}

/// Init code that deploys `runtime`, at most 255 bytes of it.
pub(super) fn deploying(runtime: &[u8]) -> Bytes {
    let length = u8::try_from(runtime.len()).unwrap();
    // PUSH1 length, DUP1, PUSH1 9, PUSH0, CODECOPY, PUSH0, RETURN
    let mut init = vec![0x60, length, 0x80, 0x60, 9, 0x5f, 0x39, 0x5f, 0xf3];
    init.extend_from_slice(runtime);
    init.into()
}

/// Counts its calls in slot 0, logs the count under topic 0x42, and returns it.
pub(super) const COUNTER: [u8; 20] = hex!("5f54600101805f555f52604260205fa160205ff3");
