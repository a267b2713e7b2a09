//! The incremental state root against alloy-trie's, which is computed in full: random changes, deletions,
//! emptied storage, siblings, with warm and cold nodes, with and without the file.

use super::fixture::CHAIN_ID;
use crate::execution::overlay::{AccountChange, Changes};
use crate::execution::state::{Layer, StateView};
use crate::execution::store::{self, Job, Opened, Writer};
use crate::execution::trie::TrieCache;
use crate::execution::{AccountRecord, Genesis, devnet_genesis};
use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_primitives::map::B256Map;
use alloy_primitives::{Address, B256, U256, keccak256};
use alloy_trie::root::{state_root_unhashed, storage_root_unhashed};
use phalanx_types::BlockRef;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tempfile::TempDir;

/// Few enough that tries lose nodes, collapse and split.
const ADDRESSES: u64 = 60;
const SLOTS: u64 = 24;

#[derive(Clone, Default)]
struct ModelAccount {
    nonce: u64,
    balance: U256,
    storage: BTreeMap<U256, U256>,
}

type Model = BTreeMap<Address, ModelAccount>;

fn oracle(model: &Model) -> B256 {
    state_root_unhashed(model.iter().map(|(address, account)| {
        let record = AccountRecord {
            nonce: account.nonce,
            balance: account.balance,
            code_hash: KECCAK_EMPTY,
            storage_root: storage_root_unhashed(
                account.storage.iter().map(|(slot, value)| (B256::from(*slot), *value)),
            ),
        };
        (*address, record.to_trie_account())
    }))
}

struct Chain {
    rng: ChaCha12Rng,
    model: Model,
    view: StateView,
    layers: Vec<Arc<Layer>>,
    number: u64,
}

impl Chain {
    fn below(&mut self, bound: u64) -> u64 {
        self.rng.next_u64() % bound
    }

    fn random_changes(&mut self) -> Changes {
        let indexes: BTreeSet<_> = (0..1 + self.below(12)).map(|_| self.below(ADDRESSES)).collect();
        let address = |index: u64| Address::from_word(keccak256(index.to_be_bytes()));
        let accounts = indexes.into_iter().map(|index| self.random_change(address(index))).collect();
        Changes { accounts, codes: B256Map::default() }
    }

    fn random_change(&mut self, address: Address) -> AccountChange {
        let before = self.view.account(address).unwrap();
        let had_storage = before.is_some_and(|record| record.storage_root != EMPTY_ROOT_HASH);
        let dies = before.is_some() && self.below(6) == 0;
        let wiped = had_storage && (dies || self.below(8) == 0);
        let mut account = self.model.remove(&address).unwrap_or_default();
        if wiped {
            account.storage.clear();
        }
        if dies {
            return AccountChange { address, before, after: None, wiped, slots: Vec::new() };
        }
        account.nonce += self.below(2);
        account.balance = U256::from(1 + self.below(1_000));
        let mut slots = BTreeMap::new();
        for _ in 0..self.below(10) {
            let slot = U256::from(self.below(SLOTS));
            let value = if self.below(2) == 0 { U256::ZERO } else { U256::from(1 + self.below(1 << 40)) };
            let held = account.storage.get(&slot).copied().unwrap_or_default();
            if held != value && !slots.contains_key(&slot) {
                slots.insert(slot, value);
                if value.is_zero() {
                    account.storage.remove(&slot);
                } else {
                    account.storage.insert(slot, value);
                }
            }
        }
        let record = AccountRecord {
            nonce: account.nonce,
            balance: account.balance,
            storage_root: before.map_or(EMPTY_ROOT_HASH, |record| record.storage_root),
            ..AccountRecord::default()
        };
        self.model.insert(address, account);
        AccountChange { address, before, after: Some(record), wiped, slots: slots.into_iter().collect() }
    }

    fn step(&mut self, tries: &mut TrieCache) {
        let changes = self.random_changes();
        let (root, mut layer) = tries.apply(&self.view, changes).unwrap();
        assert_eq!(root, oracle(&self.model), "block {}", self.number + 1);
        self.number += 1;
        let reference = BlockRef::new(self.number, keccak256(self.number.to_be_bytes()));
        layer.blocks = vec![(reference.number, reference.hash)];
        layer.measure();
        let header = Header { state_root: root, number: self.number, ..Header::default() };
        let layer = Arc::new(layer);
        self.layers.push(Arc::clone(&layer));
        self.view = self.view.extend(reference, header, layer);
    }

    fn check_flat(&self) {
        for (address, account) in &self.model {
            let record = self.view.account(*address).unwrap().unwrap();
            assert_eq!((record.nonce, record.balance), (account.nonce, account.balance));
            for slot in (0..SLOTS).map(U256::from) {
                let held = account.storage.get(&slot).copied().unwrap_or_default();
                assert_eq!(self.view.storage(*address, slot).unwrap(), held);
            }
        }
        for index in 0..ADDRESSES {
            let address = Address::from_word(keccak256(index.to_be_bytes()));
            assert_eq!(self.view.account(address).unwrap().is_some(), self.model.contains_key(&address));
        }
    }
}

fn start(seed: u64) -> (Chain, Writer, TempDir) {
    let mut file = devnet_genesis(CHAIN_ID, &[]);
    file.alloc.clear();
    file.config.prague_time = None;
    file.config.osaka_time = None;
    let genesis = Genesis::new(file).unwrap();
    let directory = TempDir::new().unwrap();
    let opened = store::open(directory.path(), &genesis, 1 << 20, |_| Ok(Layer::default())).unwrap();
    let Opened { database, snapshot, header } = opened;
    let writer = Writer::start(database, snapshot.blame().clone()).unwrap();
    let view = StateView::new(genesis.reference(), header, Arc::clone(genesis.spec()), Vec::new(), snapshot);
    let rng = ChaCha12Rng::seed_from_u64(seed);
    (Chain { rng, model: Model::new(), view, layers: Vec::new(), number: 0 }, writer, directory)
}

#[test]
fn random_chains_have_the_roots_that_alloy_trie_computes() {
    for seed in 0..6 {
        let (mut chain, mut writer, _directory) = start(seed);
        let mut tries = TrieCache::default();
        for _ in 0..150 {
            chain.step(&mut tries);
            match chain.below(12) {
                0 => tries = TrieCache::default(),
                1 => {
                    let header = chain.view.header().clone();
                    let layers = std::mem::take(&mut chain.layers);
                    writer.give(Job { layers, header: header.clone(), durable: false });
                    let snapshot = writer.take(true).unwrap().unwrap();
                    let (reference, spec) = (chain.view.reference(), Arc::clone(chain.view.spec()));
                    chain.view = StateView::new(reference, header, spec, Vec::new(), snapshot);
                    chain.check_flat();
                }
                2 => {
                    // Merge all that is not written yet, as the engine does by sixteens.
                    let mut merged = Layer::default();
                    chain.layers.iter().for_each(|layer| merged.absorb(layer));
                    chain.layers = vec![Arc::new(merged)];
                    chain.check_flat();
                }
                _ => {}
            }
        }
        chain.check_flat();
    }
}

#[test]
fn siblings_share_nodes_without_seeing_each_other() {
    let (mut trunk, _writer, _directory) = start(99);
    let mut tries = TrieCache::default();
    for _ in 0..30 {
        trunk.step(&mut tries);
    }
    let branch = |seed: u64| Chain {
        rng: ChaCha12Rng::seed_from_u64(seed),
        model: trunk.model.clone(),
        view: trunk.view.clone(),
        layers: trunk.layers.clone(),
        number: trunk.number,
    };
    let mut branches: Vec<_> = (0..5).map(branch).collect();
    for _ in 0..20 {
        for branch in &mut branches {
            branch.step(&mut tries);
        }
    }
    branches.iter().for_each(Chain::check_flat);
}

/// So many changes that the trie is hashed on several cores, from an empty trie and back to one.
#[test]
fn large_changes_have_the_same_root() {
    let (chain, _writer, _directory) = start(7);
    let mut tries = TrieCache::default();
    let record = |balance: u64| Some(AccountRecord { balance: U256::from(balance), ..AccountRecord::default() });
    let address = |index: u64| Address::from_word(keccak256(index.to_be_bytes()));
    let mut view = chain.view;
    let mut model: BTreeMap<Address, AccountRecord> = BTreeMap::new();
    for (round, dies) in [(0, false), (1, false), (2, true)] {
        let change = |index: u64| AccountChange {
            address: address(index),
            before: view.account(address(index)).unwrap(),
            after: if dies { None } else { record(index + round + 1) },
            wiped: false,
            slots: Vec::new(),
        };
        let accounts: Vec<_> = (0..2_000).map(change).collect();
        for change in &accounts {
            match change.after {
                Some(record) => model.insert(change.address, record),
                None => model.remove(&change.address),
            };
        }
        let (root, layer) = tries.apply(&view, Changes { accounts, codes: B256Map::default() }).unwrap();
        assert_eq!(root, state_root_unhashed(model.iter().map(|(address, one)| (*address, one.to_trie_account()))));
        let header = Header { state_root: root, ..Header::default() };
        view = view.extend(BlockRef::new(round + 1, B256::ZERO), header, Arc::new(layer));
    }
    assert_eq!(view.header().state_root, EMPTY_ROOT_HASH);
}
