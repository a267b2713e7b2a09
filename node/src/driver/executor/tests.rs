//! The executor's thread over a real state, chain store and pool.

use super::*;
use crate::driver::open::begin_chain;
use crate::driver::stage_thread::Waker;
use crate::driver::transactions::TransactionsConfig;
use crate::execution::{EmbeddedOptions, Genesis, UNFINALIZED_BLOCKS_MAX, devnet_genesis, foundry_accounts};
use crate::store::{ChainOptions, ChainStore, PayloadLog, Reader};
use phalanx_mempool::{Limits, Rules};
use phalanx_types::{ClusterId, Vote};
use tempfile::TempDir;

const CHAIN_ID: u64 = 31_337;
const PATIENCE: Duration = Duration::from_secs(60);

/// An executor that runs, and what it is connected to.
struct Running {
    executor: ExecutorHandle,
    transactions: Transactions,
    events: Receiver<Event>,
    reader: Reader,
    health: Arc<Health>,
    threads: Vec<JoinHandle<()>>,
    _directory: TempDir,
}

fn genesis() -> Genesis {
    Genesis::new(devnet_genesis(CHAIN_ID, &foundry_accounts())).expect("a good genesis")
}

fn start() -> Running {
    let directory = tempfile::tempdir().expect("a directory");
    let genesis = genesis();
    let options = ChainOptions { cluster: ClusterId(B256::repeat_byte(1)), slots_per_term: 50 };
    let store = ChainStore::open(&directory.path().join("chain.redb"), options).expect("a new store");
    let payloads = PayloadLog::open(&directory.path().join("payloads"), &store).expect("a new log");
    let (mut writer, reader) = store.split();
    begin_chain(&mut writer, &reader, &genesis).expect("it begins");
    let engine = open_engine(&directory, &genesis);
    let (health, clock, feed) = (Arc::new(Health::default()), Clock::starting_now(), EventFeed::new());
    let (writer, writer_thread) = ChainWriter::spawn(writer, Arc::clone(&health)).expect("a thread");
    let (payloads, payloads_thread) = PayloadWriter::spawn(payloads, Arc::clone(&health)).expect("a thread");
    let (events, event_receiver) = Events::new(Waker::default());
    let (transactions, mut threads) = Transactions::spawn(TransactionsConfig {
        rules: Rules { chain_id: CHAIN_ID, block_gas_limit: 30_000_000, unprotected_allowed: false },
        limits: Limits::default(),
        clock,
        reader: engine.reader(),
        writer: writer.clone(),
        outlet: crate::driver::egress::Outlet::default(),
        feed: feed.clone(),
        restored: Vec::new(),
        health: Arc::clone(&health),
    })
    .expect("two threads");
    let newest = crate::driver::executed::empty_rpc_block(genesis.block()).expect("genesis is a block");
    let settings = BuildSettings {
        beneficiary: Address::ZERO,
        gas_limit: 30_000_000,
        extra_data: Bytes::new(),
        payload_bytes_max: 1_000_000,
        time_max: Duration::from_secs(1),
    };
    let executor = Executor {
        reader: engine.reader(),
        engine,
        clock,
        settings,
        transactions: transactions.clone(),
        writer,
        payloads,
        events,
        view: Arc::new(SharedChainView::new(ChainView::new(newest))),
        feed,
        health: Arc::clone(&health),
    };
    let (executor, executor_thread) = executor.spawn().expect("a thread");
    threads.extend([executor_thread, writer_thread, payloads_thread]);
    Running { executor, transactions, events: event_receiver, reader, health, threads, _directory: directory }
}

fn open_engine(directory: &TempDir, genesis: &Genesis) -> Embedded {
    let state = directory.path().join("state");
    std::fs::create_dir_all(&state).expect("a directory");
    Embedded::open(&state, genesis, EmbeddedOptions::default()).expect("a new state")
}

/// A chain of empty blocks on genesis.
fn chain(length: usize) -> Vec<Arc<Block>> {
    let directory = tempfile::tempdir().expect("a directory");
    let mut engine = open_engine(&directory, &genesis());
    let attributes = BuildAttributes {
        timestamp_s: 1_800_000_000,
        beneficiary: Address::ZERO,
        gas_limit: 30_000_000,
        extra_data: Bytes::new(),
        prev_randao: B256::ZERO,
        payload_bytes_max: 1_000_000,
        deadline: None,
    };
    let mut blocks = Vec::with_capacity(length);
    for _ in 0..length {
        let parent = engine.finalized().hash;
        let built = engine.build(parent, &attributes, &mut Selection::default()).expect("it builds");
        engine.commit(built.reference().hash).expect("it is final");
        blocks.push(Arc::new(built.block.clone()));
    }
    blocks
}

fn finalization(block: BlockRef) -> Certificate {
    Certificate { vote: Vote::finalize(Position::new(0, 0, 0), block), signature: [0; 48].into() }
}

impl Running {
    /// Waits until `tip` is committed.
    fn await_committed(&self, tip: BlockRef) {
        loop {
            match self.events.recv_timeout(PATIENCE) {
                Ok(Event::Committed(block)) if block == tip => return,
                Ok(_) => {}
                Err(error) => panic!("{tip} is not committed: {error}, {:?}", self.health.fatal_reason()),
            }
        }
    }
}

/// What a restarted operator fetches may be more than execution holds unfinalized: it must become final step
/// by step, and never look like an invalid block.
#[test]
fn a_commit_larger_than_the_tree_of_unfinalized_blocks_is_taken_in_steps() {
    let blocks = chain(UNFINALIZED_BLOCKS_MAX + 20);
    let tip = blocks.last().expect("many").reference;
    let running = start();
    let task = Task::Commit { blocks, finalization: finalization(tip) };
    assert!(running.executor.try_send(task).is_none(), "there is room");
    running.await_committed(tip);
    assert_eq!(running.health.fatal_reason(), None);
    let view = running.reader.view().expect("readable");
    assert_eq!(view.latest_finalized().expect("readable"), Some(tip));
    assert!(view.finalization(tip.number).expect("readable").is_some());
}

/// They hold each other's queues, in part in a circle: an operator that is stopped must not wait for them.
#[test]
fn the_threads_end_when_they_are_let_go_of() {
    let Running { executor, transactions, health, threads, events: _events, .. } = start();
    transactions.stop();
    drop((executor, transactions));
    let deadline = Instant::now() + PATIENCE;
    for thread in threads {
        while !thread.is_finished() {
            assert!(Instant::now() < deadline, "{:?} goes on", thread.thread().name());
            std::thread::sleep(Duration::from_millis(1));
        }
        thread.join().expect("it ends well");
    }
    assert_eq!(health.fatal_reason(), None);
}
