//! A chain in memory: it includes what it is sent at once, moves balances, and knows three contracts.

use crate::rpc::backend::{
    Account, Backend, CallError, Certificates, Heads, PoolStatus, PoolTransaction, ReadError, RpcBlock, SendError,
    StateView, async_trait,
};
use crate::rpc::events::{BlockEvent, EventFeed};
use crate::rpc::types::{ClusterStatus, Heights, LatencyQuantiles, OperatorStatus};
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_consensus::{
    Block, BlockBody, Header, Receipt, ReceiptEnvelope, SignableTransaction, Transaction, TxEip1559, TxEnvelope,
    TxReceipt,
};
use alloy_eips::eip2718::{Decodable2718, Encodable2718};
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, Log, TxKind, U256, address, b256, bytes};
use alloy_rpc_types_eth::TransactionRequest;
use alloy_rpc_types_eth::state::EvmOverrides;
use alloy_signer_local::PrivateKeySigner;

use alloy_sol_types::{Revert, SolError};
use phalanx_types::{BlockRef, Certificate, ClusterId, OperatorIndex, Position, SignatureBytes, Vote};
use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

pub(super) const CHAIN_ID: u64 = 31_337;
pub(super) const BASE_FEE: u64 = 1_000_000_000;
pub(super) const TIP: u128 = 7;
/// Reverts with "no".
pub(super) const REVERTER: Address = address!("0x00000000000000000000000000000000000000aa");
/// Emits one log with [`PING`] for each transaction.
pub(super) const LOGGER: Address = address!("0x00000000000000000000000000000000000000bb");
/// Takes a while.
pub(super) const SLEEPER: Address = address!("0x00000000000000000000000000000000000000cc");
pub(super) const PING: B256 = b256!("0x1111111111111111111111111111111111111111111111111111111111111111");
pub(super) const CODE: Bytes = bytes!("0x60016001");
/// Blocks whose state is kept.
pub(super) const STATES: u64 = 8;

type State = BTreeMap<Address, Account>;

struct Chain {
    blocks: Vec<Arc<RpcBlock>>,
    states: Vec<State>,
    finalized: u64,
    pool: Vec<PoolTransaction>,
}

pub(super) struct Fixture {
    chain: Mutex<Chain>,
    feed: EventFeed,
    pub(super) signer: PrivateKeySigner,
    /// How often the backend was given transactions.
    pub(super) send_calls: AtomicUsize,
    running: Arc<AtomicUsize>,
    /// The most calls that ran at one time.
    pub(super) running_max: Arc<AtomicUsize>,
}

impl Fixture {
    pub(super) fn new() -> Self {
        // The first of Foundry's well-known test accounts.
        let key = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
        let signer = PrivateKeySigner::from_bytes(&key).unwrap();
        let rich = Account { nonce: 0, balance: U256::from(10).pow(U256::from(22)) };
        let genesis =
            seal(Header { gas_limit: 30_000_000, base_fee_per_gas: Some(BASE_FEE), ..Header::default() }, vec![]);
        let chain = Chain {
            blocks: vec![genesis],
            states: vec![BTreeMap::from([(signer.address(), rich)])],
            finalized: 0,
            pool: Vec::new(),
        };
        Self {
            chain: Mutex::new(chain),
            feed: EventFeed::new(),
            signer,
            send_calls: AtomicUsize::new(0),
            running: Arc::default(),
            running_max: Arc::default(),
        }
    }

    /// A signed transfer.
    pub(super) fn transfer(&self, nonce: u64, to: Address, value: u64) -> TxEnvelope {
        let mut unsigned = TxEip1559 {
            chain_id: CHAIN_ID,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: 2 * u128::from(BASE_FEE),
            max_priority_fee_per_gas: TIP,
            to: TxKind::Call(to),
            value: U256::from(value),
            ..TxEip1559::default()
        };
        let signature = self.signer.sign_transaction_sync(&mut unsigned).unwrap();
        unsigned.into_signed(signature).into()
    }

    /// A notarized block with these transactions on top of the newest one.
    pub(super) fn notarize(&self, transactions: Vec<TxEnvelope>) -> Arc<RpcBlock> {
        let mut chain = self.chain.lock().unwrap();
        let parent = chain.blocks.last().unwrap().clone();
        let mut state = chain.states.last().unwrap().clone();
        for transaction in &transactions {
            let sender = state.entry(transaction.recover_signer().unwrap()).or_default();
            sender.nonce += 1;
            sender.balance -= transaction.value();
            state.entry(transaction.to().unwrap_or_default()).or_default().balance += transaction.value();
        }
        let header = Header {
            parent_hash: parent.hash,
            number: parent.block.header.number + 1,
            timestamp: 1_700_000_000,
            gas_limit: 30_000_000,
            base_fee_per_gas: Some(BASE_FEE),
            ..Header::default()
        };
        let block = seal(header, transactions);
        chain.blocks.push(block.clone());
        chain.states.push(state);
        drop(chain);
        let certificate = certificate(Vote::notarize(block.position.unwrap(), block.reference()));
        self.feed.publish_block(BlockEvent::Notarized(block.clone(), certificate));
        block
    }

    /// Everything up to the newest block is final.
    pub(super) fn finalize(&self) {
        let mut chain = self.chain.lock().unwrap();
        let newest = chain.blocks.last().unwrap().clone();
        let certificate = certificate(Vote::finalize(newest.position.unwrap(), newest.reference()));
        for number in chain.finalized + 1..=newest.block.header.number {
            let block = chain.blocks[usize::try_from(number).unwrap()].clone();
            self.feed.publish_block(BlockEvent::Finalized(block, certificate));
        }
        chain.finalized = newest.block.header.number;
    }

    pub(super) fn mine(&self, transactions: Vec<TxEnvelope>) -> Arc<RpcBlock> {
        let block = self.notarize(transactions);
        self.finalize();
        block
    }

    /// Puts a transaction into the mempool, where it stays.
    pub(super) fn hold(&self, transaction: TxEnvelope, executable: bool) {
        let transaction = Recovered::new_unchecked(transaction, self.signer.address());
        self.feed.publish_transaction(*transaction.tx_hash());
        self.chain.lock().unwrap().pool.push(PoolTransaction { transaction, executable });
    }

    fn include(&self, bytes: &Bytes) -> Result<B256, SendError> {
        let transaction =
            TxEnvelope::decode_2718_exact(bytes).map_err(|error| SendError::malformed(error.to_string()))?;
        let sender = transaction.recover_signer().map_err(|_| SendError::rejected("invalid sender"))?;
        let nonce = {
            let chain = self.chain.lock().unwrap();
            chain.states.last().unwrap().get(&sender).copied().unwrap_or_default().nonce
        };
        if transaction.nonce() != nonce {
            let have = transaction.nonce();
            return Err(SendError::rejected(format!("nonce too low: next nonce {nonce}, tx nonce {have}")));
        }
        let hash = *transaction.tx_hash();
        self.mine(vec![transaction]);
        Ok(hash)
    }
}

fn certificate(vote: Vote) -> Certificate {
    Certificate { vote, signature: SignatureBytes::from([7; 48]) }
}

fn seal(header: Header, transactions: Vec<TxEnvelope>) -> Arc<RpcBlock> {
    let mut gas = 0;
    let mut receipts = Vec::new();
    for transaction in &transactions {
        gas += 21_000;
        let ping = Log::new_unchecked(LOGGER, vec![PING], transaction.value().to_be_bytes_vec().into());
        let logs = if transaction.to() == Some(LOGGER) { vec![ping] } else { Vec::new() };
        let receipt = Receipt { status: true.into(), cumulative_gas_used: gas, logs };
        receipts.push(ReceiptEnvelope::Eip1559(receipt.with_bloom()));
    }
    let logs_bloom = receipts.iter().fold(Default::default(), |bloom, receipt| bloom | receipt.bloom());
    let senders = transactions.iter().map(|transaction| transaction.recover_signer().unwrap()).collect();
    let number = header.number;
    let header = Header { gas_used: gas, logs_bloom, ..header };
    Arc::new(RpcBlock {
        hash: header.hash_slow(),
        block: Block::new(header, BlockBody { transactions, ommers: vec![], withdrawals: Some(vec![].into()) }),
        senders,
        receipts,
        position: number.checked_sub(1).map(|slot| Position::new(0, 0, u32::try_from(slot).unwrap())),
    })
}

#[async_trait]
impl Backend for Fixture {
    fn chain_id(&self) -> u64 {
        CHAIN_ID
    }

    fn client_version(&self) -> String {
        "phalanx/test".into()
    }

    fn heads(&self) -> Heads {
        let chain = self.chain.lock().unwrap();
        let finalized = chain.blocks[usize::try_from(chain.finalized).unwrap()].reference();
        Heads { notarized: chain.blocks.last().unwrap().reference(), finalized, settled: finalized }
    }

    fn syncing(&self) -> Option<u64> {
        None
    }

    fn connected_peers(&self) -> usize {
        3
    }

    fn next_base_fee(&self) -> u64 {
        BASE_FEE
    }

    fn suggested_tip(&self) -> u128 {
        TIP
    }

    fn block_by_number(&self, number: u64) -> Result<Option<Arc<RpcBlock>>, ReadError> {
        Ok(self.chain.lock().unwrap().blocks.get(usize::try_from(number).unwrap()).cloned())
    }

    fn block_by_hash(&self, hash: B256) -> Result<Option<Arc<RpcBlock>>, ReadError> {
        Ok(self.chain.lock().unwrap().blocks.iter().find(|block| block.hash == hash).cloned())
    }

    fn transaction_location(&self, hash: B256) -> Result<Option<(u64, usize)>, ReadError> {
        let chain = self.chain.lock().unwrap();
        let last = usize::try_from(chain.finalized).unwrap();
        Ok(chain.blocks[..=last].iter().find_map(|block| {
            let index = block.block.body.transactions.iter().position(|transaction| *transaction.tx_hash() == hash)?;
            Some((block.block.header.number, index))
        }))
    }

    /// Only even blocks have a finalization of their own.
    fn certificates(&self, block: BlockRef) -> Result<Certificates, ReadError> {
        let chain = self.chain.lock().unwrap();
        let vote_at = |number: u64| chain.blocks.get(usize::try_from(number).unwrap()).map(|block| block.reference());
        let position = |number: u64| Position::new(0, 0, u32::try_from(number - 1).unwrap());
        if block.number == 0 {
            return Ok(Certificates::default());
        }
        let even = block.number + block.number % 2;
        let finalization = vote_at(even)
            .filter(|_| even <= chain.finalized)
            .map(|reference| certificate(Vote::finalize(position(even), reference)));
        let notarization = Some(certificate(Vote::notarize(position(block.number), block)));
        Ok(Certificates { notarization, finalization })
    }

    fn state_at(&self, block: BlockRef) -> Result<Box<dyn StateView>, ReadError> {
        let chain = self.chain.lock().unwrap();
        if block.number + STATES < chain.finalized {
            return Err(ReadError::StateNotKept(block));
        }
        let state = chain.states[usize::try_from(block.number).unwrap()].clone();
        Ok(Box::new(View { state, running: self.running.clone(), running_max: self.running_max.clone() }))
    }

    fn cluster_status(&self) -> ClusterStatus {
        let operator = |index: u16| OperatorStatus {
            index: OperatorIndex(index),
            name: format!("operator-{index}"),
            connected: index != 3,
            last_vote_seen_ms_ago: (index != 3).then_some(12),
        };
        ClusterStatus {
            cluster_id: ClusterId(B256::repeat_byte(9)),
            chain_id: CHAIN_ID,
            public_key: Bytes::from(vec![5; 96]),
            scheme: "min-sig".into(),
            n: 4,
            f: 1,
            q: 3,
            operator: OperatorIndex(0),
            operators: (0..4).map(operator).collect(),
            epoch: 0,
            term: 2,
            slot: 7,
            leader: OperatorIndex(2),
            heights: Heights { proposed: 9, notarized: 8, finalized: 7 },
            version: "0.1.0".into(),
            fsync: LatencyQuantiles { p50_us: 400, p99_us: 900 },
            proposal_to_final: LatencyQuantiles { p50_us: 8_000, p99_us: 21_000 },
        }
    }

    fn events(&self) -> &EventFeed {
        &self.feed
    }

    async fn send_raw_transactions(&self, transactions: Vec<Bytes>) -> Vec<Result<B256, SendError>> {
        self.send_calls.fetch_add(1, Ordering::SeqCst);
        transactions.iter().map(|bytes| self.include(bytes)).collect()
    }

    async fn pool_status(&self) -> PoolStatus {
        let chain = self.chain.lock().unwrap();
        let executable = chain.pool.iter().filter(|held| held.executable).count();
        PoolStatus { executable, waiting: chain.pool.len() - executable }
    }

    async fn pool_transaction(&self, hash: B256) -> Option<PoolTransaction> {
        self.chain.lock().unwrap().pool.iter().find(|held| *held.transaction.tx_hash() == hash).cloned()
    }

    async fn pool_transactions(&self, sender: Option<Address>, max: usize) -> Vec<PoolTransaction> {
        let chain = self.chain.lock().unwrap();
        let wanted = |held: &&PoolTransaction| sender.is_none_or(|sender| sender == held.transaction.signer());
        chain.pool.iter().filter(wanted).take(max).cloned().collect()
    }

    async fn pool_nonce(&self, sender: Address) -> Option<u64> {
        let held = self.pool_transactions(Some(sender), usize::MAX).await;
        held.iter().filter(|held| held.executable).map(|held| held.transaction.nonce() + 1).max()
    }
}

struct View {
    state: State,
    running: Arc<AtomicUsize>,
    running_max: Arc<AtomicUsize>,
}

impl StateView for View {
    fn account(&self, address: Address) -> Result<Option<Account>, ReadError> {
        Ok(self.state.get(&address).copied())
    }

    fn code(&self, address: Address) -> Result<Bytes, ReadError> {
        Ok(if address == LOGGER { CODE } else { Bytes::new() })
    }

    fn storage(&self, address: Address, slot: U256) -> Result<U256, ReadError> {
        Ok(if address == LOGGER { slot + U256::from(1) } else { U256::ZERO })
    }

    fn call(&self, request: TransactionRequest, _: EvmOverrides, _: u64) -> Result<Bytes, CallError> {
        let to = request.to.and_then(|to| to.into_to()).unwrap_or_default();
        if to == SLEEPER {
            let running = self.running.fetch_add(1, Ordering::SeqCst) + 1;
            self.running_max.fetch_max(running, Ordering::SeqCst);
            std::thread::sleep(std::time::Duration::from_millis(20));
            self.running.fetch_sub(1, Ordering::SeqCst);
        }
        if to == REVERTER {
            return Err(CallError::Reverted(Revert::from("no").abi_encode().into()));
        }
        Ok(request.input.into_input().unwrap_or_default())
    }

    fn estimate_gas(&self, request: TransactionRequest, overrides: EvmOverrides, max: u64) -> Result<u64, CallError> {
        self.call(request, overrides, max).map(|_| 21_000)
    }
}

/// The encoding of a transaction, as clients send it.
pub(super) fn raw(transaction: &TxEnvelope) -> Bytes {
    transaction.encoded_2718().into()
}
