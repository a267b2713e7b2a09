//! Genesis files: what is refused, and that others compute the same hash.

use super::fixture::{CHAIN_ID, Node, genesis};
use crate::execution::{Embedded, EmbeddedInspector, ExecutionError, Genesis, devnet_genesis, foundry_accounts};
use alloy_eips::{eip2935, eip7002};
use alloy_hardforks::{EthereumHardfork, EthereumHardforks};
use alloy_primitives::{Address, U256, b256};
use phalanx_types::BlockInspector;

fn refused(change: impl FnOnce(&mut alloy_genesis::Genesis)) -> String {
    let mut file = devnet_genesis(CHAIN_ID, &foundry_accounts());
    change(&mut file);
    match Genesis::new(file) {
        Err(ExecutionError::MisuseGenesis(reason)) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_newest_fork_is_the_default() {
    let genesis = genesis();
    assert!(genesis.spec().is_osaka_active_at_timestamp(0));
    assert!(!genesis.spec().is_amsterdam_active_at_timestamp(u64::MAX));
    assert!(genesis.spec().is_paris_active_at_block(0));
    assert!(!genesis.spec().is_ethereum_fork_active_at_block(EthereumHardfork::Dao, 0));
}

#[test]
fn what_this_engine_does_not_run_is_refused() {
    assert!(refused(|file| file.config.amsterdam_time = Some(0)).contains("Osaka"));
    assert!(refused(|file| file.config.london_block = None).contains("londonBlock"));
    assert!(refused(|file| file.config.berlin_block = Some(5)).contains("berlinBlock"));
    assert!(refused(|file| file.config.terminal_total_difficulty = Some(U256::ONE)).contains("merged"));
    assert!(refused(|file| file.config.cancun_time = None).contains("before Cancun"));
    assert!(refused(|file| file.gas_limit = 4_999).contains("gasLimit"));
    assert!(refused(|file| file.number = Some(1)).contains("number"));
}

#[test]
fn a_file_without_the_contracts_of_its_forks_is_refused() {
    let address = eip7002::WITHDRAWAL_REQUEST_PREDEPLOY_ADDRESS;
    assert!(refused(|file| drop(file.alloc.remove(&address))).contains("EIP-7002"));
}

#[test]
fn json_makes_the_same_block() {
    let file = devnet_genesis(CHAIN_ID, &foundry_accounts());
    let text = serde_json::to_string(&file).unwrap();
    let read = Genesis::from_json(&text).unwrap();
    assert_eq!(read.reference(), genesis().reference());
    assert!(matches!(Genesis::from_json("{"), Err(ExecutionError::MisuseGenesis(_))));
    let mut other = file;
    other.config.chain_id += 1;
    other.alloc.remove(&foundry_accounts()[0].0);
    assert_ne!(Genesis::new(other).unwrap().reference(), read.reference());
}

/// The genesis header of Hive's Cancun tests, whose hash all clients agree on.
#[test]
fn the_header_hashes_as_in_other_clients() {
    let mut file = devnet_genesis(1_337, &[]);
    file.config.prague_time = None;
    file.config.osaka_time = None;
    file.gas_limit = 0x2fefd8;
    let mut header = Genesis::new(file).unwrap().header().clone();
    header.state_root = b256!("62e2595e017f0ca23e08d17221010721a71c3ae932f4ea3cb12117786bb392d4");
    let hive = b256!("16bb7c59613a5bad3f7c04a852fd056545ade2483968d9a25a1abb05af0c4d37");
    assert_eq!(header.hash_slow(), hive);
}

#[test]
fn block_0_is_a_block() {
    let genesis = genesis();
    let block = EmbeddedInspector.inspect(genesis.block().payload.clone()).unwrap();
    assert_eq!(&block, genesis.block());
    assert_eq!(block.reference.hash, genesis.header().hash_slow());
    assert_eq!(block.reference.number, 0);
}

#[test]
fn accounts_of_genesis_are_readable() {
    let mut node = Node::new(&genesis());
    let view = node.engine().reader().finalized();
    assert_eq!(view.code(eip2935::HISTORY_STORAGE_ADDRESS).unwrap(), eip2935::HISTORY_STORAGE_CODE);
    assert_eq!(view.account(Address::repeat_byte(0x77)).unwrap(), None);
    assert_eq!(view.code(Address::repeat_byte(0x77)).unwrap().len(), 0);
}

#[test]
fn another_chains_state_is_refused() {
    let mut node = Node::new(&genesis());
    node.engine = None;
    let other = Genesis::new(devnet_genesis(CHAIN_ID, &[])).unwrap();
    let opened = Embedded::open(node.directory.path(), &other, Default::default());
    assert!(
        matches!(opened, Err(ExecutionError::MisuseOtherChain { stored, .. }) if stored == node.genesis.reference().hash)
    );
}
