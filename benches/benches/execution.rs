//! The embedded execution engine: building, validating and committing blocks of 0, 20 and 1,000 transfers
//! between 100,000 accounts (10,000 in test mode). Senders are known, as they are when the mempool recovered
//! them; `recover` is what it costs when they are not.
//!
//! `cargo bench -p phalanx-benches --bench execution`; `cargo test --benches` runs everything once.

use alloy_consensus::transaction::Recovered;
use alloy_consensus::{Signed, TxEip1559, TxEnvelope};
use alloy_primitives::{Address, B256, Bytes, Signature, TxKind, U256, keccak256};
use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use phalanx_node::execution::{
    BuildAttributes, DEVNET_GAS_LIMIT, Embedded, EmbeddedInspector, EmbeddedOptions, ExecutedBlock, Genesis, Outcome,
    RecoveredTransaction, TransactionSource, Verdict, devnet_genesis,
};
use phalanx_types::BlockInspector;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// As in the binary.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const CHAIN_ID: u64 = 31_337;
const NOW_S: u64 = 1_800_000_000;
const TRANSFERS: [usize; 3] = [0, 20, 1_000];

/// Two engines on one chain, a builder and a validator, and the accounts that send.
struct Chain {
    builder: Embedded,
    validator: Embedded,
    accounts: Vec<Address>,
    nonces: Vec<u64>,
    next: usize,
    _directories: [TempDir; 2],
}

impl Chain {
    fn new() -> Self {
        let count = if std::env::args().any(|argument| argument == "--test") { 10_000 } else { 100_000_u64 };
        let accounts: Vec<_> = (0..count).map(|index| Address::from_word(keccak256(index.to_be_bytes()))).collect();
        let balance = U256::from(10).pow(U256::from(21));
        let prefunded: Vec<_> = accounts.iter().map(|&address| (address, balance)).collect();
        let genesis = Genesis::new(devnet_genesis(CHAIN_ID, &prefunded)).expect("the devnet's genesis is good");
        let directories = [(); 2].map(|()| TempDir::new().expect("a temporary directory"));
        let open = |directory: &TempDir| {
            Embedded::open(directory.path(), &genesis, EmbeddedOptions::default()).expect("a new directory")
        };
        let (builder, validator) = (open(&directories[0]), open(&directories[1]));
        let nonces = vec![0; accounts.len()];
        Self { builder, validator, accounts, nonces, next: 0, _directories: directories }
    }

    /// Transfers between accounts far from each other in the list, which is random in the trie. Their
    /// signatures are made up: the sender is given.
    fn transfers(&mut self, count: usize) -> VecDeque<Arc<RecoveredTransaction>> {
        (0..count)
            .map(|_| {
                let from = self.next % self.accounts.len();
                let to = (from * 7 + 13) % self.accounts.len();
                self.next += 1;
                let nonce = self.nonces[from];
                self.nonces[from] += 1;
                let transaction = TxEip1559 {
                    chain_id: CHAIN_ID,
                    nonce,
                    gas_limit: 21_000,
                    max_fee_per_gas: 100_000_000_000,
                    max_priority_fee_per_gas: 1,
                    to: TxKind::Call(self.accounts[to]),
                    value: U256::ONE,
                    access_list: Default::default(),
                    input: Bytes::new(),
                };
                let seed = U256::from(self.next);
                let signed = Signed::new_unhashed(transaction, Signature::new(seed, seed, false));
                Arc::new(Recovered::new_unchecked(TxEnvelope::from(signed), self.accounts[from]))
            })
            .collect()
    }

    fn build(&mut self, transfers: usize) -> (Arc<ExecutedBlock>, Duration) {
        let mut source = Queue(self.transfers(transfers));
        let attributes = BuildAttributes {
            timestamp_s: NOW_S,
            beneficiary: Address::repeat_byte(0xfe),
            gas_limit: DEVNET_GAS_LIMIT,
            extra_data: Bytes::new(),
            prev_randao: B256::ZERO,
            payload_bytes_max: usize::MAX,
            deadline: None,
        };
        let parent = self.builder.finalized().hash;
        let start = Instant::now();
        let built = self.builder.build(parent, &attributes, &mut source).expect("a block on the finalized one");
        let took = start.elapsed();
        assert_eq!(built.transactions.len(), transfers);
        (built, took)
    }

    fn validate(&mut self, built: &ExecutedBlock) -> Duration {
        let senders = built.transactions.iter().map(|one| (*one.inner().tx_hash(), one.signer()));
        self.validator.remember_senders(senders);
        let start = Instant::now();
        let verdict = self.validator.validate(&built.block, NOW_S).expect("the state can be read");
        let took = start.elapsed();
        assert_eq!(verdict, Verdict::Valid);
        took
    }

    /// Commits on both, and says what it took on one.
    fn commit(&mut self, built: &ExecutedBlock) -> Duration {
        let hash = built.reference().hash;
        let start = Instant::now();
        self.builder.commit(hash).expect("it was built");
        let took = start.elapsed();
        self.validator.commit(hash).expect("it is valid");
        took
    }
}

struct Queue(VecDeque<Arc<RecoveredTransaction>>);

impl TransactionSource for Queue {
    fn next(&mut self) -> Option<Arc<RecoveredTransaction>> {
        self.0.pop_front()
    }

    fn outcome(&mut self, _transaction: &RecoveredTransaction, outcome: Outcome) {
        assert!(matches!(outcome, Outcome::Included { .. }), "{outcome:?}");
    }
}

/// Which step of a block's life is measured.
#[derive(Clone, Copy, Debug)]
enum Step {
    Build,
    Inspect,
    Validate,
    Commit,
}

fn blocks(criterion: &mut Criterion) {
    let mut chain = Chain::new();
    for transfers in TRANSFERS {
        let mut group = criterion.benchmark_group(format!("{transfers} transfers"));
        group.throughput(Throughput::Elements(u64::try_from(transfers).unwrap_or(u64::MAX).max(1)));
        for step in [Step::Build, Step::Inspect, Step::Validate, Step::Commit] {
            group.bench_function(BenchmarkId::from_parameter(format!("{step:?}").to_lowercase()), |bencher| {
                bencher.iter_custom(|iterations| (0..iterations).map(|_| one_block(&mut chain, transfers, step)).sum());
            });
        }
        group.finish();
    }
}

fn one_block(chain: &mut Chain, transfers: usize, step: Step) -> Duration {
    let (built, build) = chain.build(transfers);
    let start = Instant::now();
    EmbeddedInspector.inspect(built.block.payload.clone()).expect("a block that was just built");
    let inspect = start.elapsed();
    let validate = chain.validate(&built);
    let commit = chain.commit(&built);
    match step {
        Step::Build => build,
        Step::Inspect => inspect,
        Step::Validate => validate,
        Step::Commit => commit,
    }
}

criterion_group!(benches, blocks);
criterion_main!(benches);
