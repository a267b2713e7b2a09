//! The state of block 0.

use super::super::overlay::{AccountChange, Changes};
use super::super::state::{AccountRecord, Layer, StateView};
use super::super::store::Snapshot;
use super::super::trie::TrieCache;
use super::super::{ExecutionError, Genesis};
use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_primitives::map::B256Map;
use alloy_primitives::{U256, keccak256};
use phalanx_types::BlockRef;
use revm::bytecode::Bytecode;
use std::sync::Arc;

/// What genesis puts into the state of `empty`.
pub(super) fn layer(genesis: &Genesis, empty: &Arc<Snapshot>, tries: &mut TrieCache) -> Result<Layer, ExecutionError> {
    let nothing = Header { state_root: EMPTY_ROOT_HASH, ..Header::default() };
    let view = StateView::new(BlockRef::NONE, nothing, Arc::clone(genesis.spec()), Vec::new(), Arc::clone(empty));
    let (root, mut layer) = tries.apply(&view, changes(genesis)?)?;
    let wanted = genesis.header().state_root;
    assert!(root == wanted, "two ways to compute the genesis state root agree: {root}, {wanted}");
    let reference = genesis.reference();
    layer.blocks = vec![(reference.number, reference.hash)];
    layer.measure();
    Ok(layer)
}

fn changes(genesis: &Genesis) -> Result<Changes, ExecutionError> {
    let mut codes = B256Map::default();
    let mut accounts = Vec::with_capacity(genesis.alloc().len());
    for (&address, account) in genesis.alloc() {
        let mut code_hash = KECCAK_EMPTY;
        if let Some(code) = account.code.as_ref().filter(|code| !code.is_empty()) {
            code_hash = keccak256(code);
            let code = Bytecode::new_raw_checked(code.clone())
                .map_err(|error| ExecutionError::MisuseGenesis(format!("the code of {address}: {error}")))?;
            codes.insert(code_hash, code);
        }
        let slots = account.storage.iter().flatten().filter(|(_, value)| !value.is_zero());
        let record = AccountRecord {
            nonce: account.nonce.unwrap_or_default(),
            balance: account.balance,
            code_hash,
            storage_root: EMPTY_ROOT_HASH,
        };
        accounts.push(AccountChange {
            address,
            before: None,
            after: Some(record),
            wiped: false,
            slots: slots.map(|(slot, value)| (U256::from_be_bytes(slot.0), U256::from_be_bytes(value.0))).collect(),
        });
    }
    Ok(Changes { accounts, codes })
}
