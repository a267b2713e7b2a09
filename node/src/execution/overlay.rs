//! The state that the EVM sees while a block is executed: one [`StateView`], and above it what the block
//! has changed so far.
//!
//! Invariants: whatever was read is remembered with the value that the view gave, so that [`Overlay::changes`]
//! tells what really changed; an account that was touched and is empty does not exist (EIP-161).
//!
//! Left to others: the new roots (`trie`), the diff that is kept (`state::Layer`).

use super::ExecutionError;
use super::state::{AccountRecord, StateView};
use alloy_consensus::EMPTY_ROOT_HASH;
use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::map::{AddressMap, B256Map, HashMap, U256Map};
use alloy_primitives::{Address, B256, U256};
use revm::bytecode::Bytecode;
use revm::database_interface::DBErrorMarker;
use revm::state::{Account, AccountInfo};
use revm::{Database, DatabaseCommit};
use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;

/// The most analysed contracts that are kept between blocks.
pub(super) const CODES_CACHED_MAX: usize = 256;

/// Analysed contracts, kept between blocks: reading and analysing code costs more than running it.
#[derive(Debug, Default)]
pub(super) struct CodeCache {
    codes: B256Map<Bytecode>,
}

impl CodeCache {
    fn get(&mut self, view: &StateView, code_hash: B256) -> Result<Bytecode, ExecutionError> {
        if let Some(code) = self.codes.get(&code_hash) {
            return Ok(code.clone());
        }
        let code = view.bytecode(code_hash)?;
        if self.codes.len() >= CODES_CACHED_MAX {
            self.codes.clear();
        }
        self.codes.insert(code_hash, code.clone());
        Ok(code)
    }
}

/// Reading the state failed under the EVM. The error itself waits in the [`Failure`].
#[derive(Debug)]
pub(super) struct ReadError;

impl fmt::Display for ReadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the state cannot be read")
    }
}

impl std::error::Error for ReadError {}

impl DBErrorMarker for ReadError {}

/// Keeps the first failure to read, since the EVM turns some into a verdict on the block.
#[derive(Clone, Debug, Default)]
pub(super) struct Failure {
    first: Rc<RefCell<Option<ExecutionError>>>,
}

impl Failure {
    /// The first failure, if there was one.
    pub(super) fn take(&self) -> Option<ExecutionError> {
        self.first.borrow_mut().take()
    }

    fn note<T>(&self, result: Result<T, ExecutionError>) -> Result<T, ReadError> {
        result.map_err(|error| {
            self.first.borrow_mut().get_or_insert(error);
            ReadError
        })
    }
}

#[derive(Debug)]
struct Slot {
    before: U256,
    now: U256,
}

#[derive(Debug, Default)]
struct Entry {
    before: Option<AccountRecord>,
    now: Option<AccountInfo>,
    /// Its storage was emptied: what the view says of its slots no longer holds.
    wiped: bool,
    slots: U256Map<Slot>,
}

impl Entry {
    fn empty_storage(&mut self) {
        self.wiped |= self.before.is_some_and(|record| record.storage_root != EMPTY_ROOT_HASH);
        self.slots.values_mut().for_each(|slot| slot.now = U256::ZERO);
    }
}

/// What a block did to one account.
#[derive(Debug)]
pub(super) struct AccountChange {
    pub(super) address: Address,
    /// As the parent left it.
    pub(super) before: Option<AccountRecord>,
    /// As the block left it, with the parent's storage root.
    pub(super) after: Option<AccountRecord>,
    /// Its storage was emptied before `slots` were written.
    pub(super) wiped: bool,
    /// Slot, and its value now. A slot of a wiped account is listed only when it is not zero.
    pub(super) slots: Vec<(U256, U256)>,
}

/// All that a block did to the state.
#[derive(Debug)]
pub(super) struct Changes {
    pub(super) accounts: Vec<AccountChange>,
    pub(super) codes: B256Map<Bytecode>,
}

/// See the module.
#[derive(Debug)]
pub(super) struct Overlay<'a> {
    view: StateView,
    code_cache: &'a mut CodeCache,
    failure: Failure,
    entries: AddressMap<Entry>,
    codes: B256Map<Bytecode>,
    hashes: HashMap<u64, B256>,
}

impl<'a> Overlay<'a> {
    pub(super) fn new(view: StateView, code_cache: &'a mut CodeCache) -> Self {
        let (failure, entries, codes, hashes) = Default::default();
        Self { view, code_cache, failure, entries, codes, hashes }
    }

    /// Where failures to read are kept.
    pub(super) fn failure(&self) -> Failure {
        self.failure.clone()
    }

    /// What really changed.
    pub(super) fn into_changes(self) -> Changes {
        let accounts = self.entries.into_iter().filter_map(|(address, entry)| change(address, entry)).collect();
        Changes { accounts, codes: self.codes }
    }

    fn entry(&mut self, address: Address) -> Result<&mut Entry, ReadError> {
        use std::collections::hash_map::Entry as Place;
        match self.entries.entry(address) {
            Place::Occupied(place) => Ok(place.into_mut()),
            Place::Vacant(place) => {
                let before = self.failure.note(self.view.account(address))?;
                let now = before.map(|record| AccountInfo {
                    balance: record.balance,
                    nonce: record.nonce,
                    code_hash: record.code_hash,
                    account_id: None,
                    code: None,
                });
                Ok(place.insert(Entry { before, now, ..Entry::default() }))
            }
        }
    }

    fn commit_account(&mut self, address: Address, account: Account) {
        if !account.is_touched() {
            return;
        }
        let entry = self.entries.entry(address).or_default();
        if account.is_selfdestructed() {
            entry.empty_storage();
            entry.now = None;
            return;
        }
        if account.is_created() {
            entry.empty_storage();
        }
        if account.is_empty() {
            entry.now = None;
            return;
        }
        for (slot, value) in account.storage {
            if value.is_changed() {
                let fresh = Slot { before: U256::ZERO, now: U256::ZERO };
                entry.slots.entry(slot).or_insert(fresh).now = value.present_value;
            }
        }
        let mut info = account.info;
        if let Some(code) = info.code.take()
            && info.code_hash != KECCAK_EMPTY
            && entry.now.as_ref().is_none_or(|now| now.code_hash != info.code_hash)
        {
            self.codes.insert(info.code_hash, code);
        }
        entry.now = Some(info);
    }
}

fn change(address: Address, entry: Entry) -> Option<AccountChange> {
    let Entry { before, now, wiped, slots } = entry;
    let storage_root = before.map_or(EMPTY_ROOT_HASH, |record| record.storage_root);
    let after = now.map(|info| AccountRecord {
        nonce: info.nonce,
        balance: info.balance,
        code_hash: info.code_hash,
        storage_root,
    });
    let changed = |slot: &Slot| if wiped { !slot.now.is_zero() } else { slot.now != slot.before };
    let slots: Vec<_> = match after {
        Some(_) => slots.iter().filter(|(_, slot)| changed(slot)).map(|(key, slot)| (*key, slot.now)).collect(),
        None => Vec::new(),
    };
    (before != after || wiped || !slots.is_empty()).then_some(AccountChange { address, before, after, wiped, slots })
}

impl Database for Overlay<'_> {
    type Error = ReadError;

    fn basic(&mut self, address: Address) -> Result<Option<AccountInfo>, ReadError> {
        Ok(self.entry(address)?.now.clone())
    }

    fn code_by_hash(&mut self, code_hash: B256) -> Result<Bytecode, ReadError> {
        match self.codes.get(&code_hash) {
            Some(code) => Ok(code.clone()),
            None => self.failure.note(self.code_cache.get(&self.view, code_hash)),
        }
    }

    fn storage(&mut self, address: Address, slot: U256) -> Result<U256, ReadError> {
        let entry = self.entry(address)?;
        if let Some(known) = entry.slots.get(&slot) {
            return Ok(known.now);
        }
        let has_storage = entry.before.is_some_and(|record| record.storage_root != EMPTY_ROOT_HASH);
        let before = if has_storage { self.failure.note(self.view.storage(address, slot))? } else { U256::ZERO };
        let entry = self.entry(address)?;
        let now = if entry.wiped { U256::ZERO } else { before };
        entry.slots.insert(slot, Slot { before, now });
        Ok(now)
    }

    fn block_hash(&mut self, number: u64) -> Result<B256, ReadError> {
        if let Some(hash) = self.hashes.get(&number) {
            return Ok(*hash);
        }
        let hash = self.failure.note(self.view.block_hash(number))?.unwrap_or_default();
        self.hashes.insert(number, hash);
        Ok(hash)
    }
}

impl DatabaseCommit for Overlay<'_> {
    fn commit(&mut self, changes: AddressMap<Account>) {
        self.commit_iter(&mut changes.into_iter());
    }

    fn commit_iter(&mut self, changes: &mut dyn Iterator<Item = (Address, Account)>) {
        for (address, account) in changes {
            self.commit_account(address, account);
        }
    }
}
