//! The state file: closed in order, torn off by a crash, damaged.

use super::fixture::{NOW_S, Node, genesis, transfer};
use crate::execution::{
    Embedded, EmbeddedOptions, ExecutedBlock, ExecutionError, REPLAY_BLOCKS_MAX, STATE_FILE, Verdict,
};
use alloy_primitives::{Address, U256};
use std::sync::Arc;
use tempfile::TempDir;

/// What a crash leaves: the file as it is now, under an engine that still runs.
fn crash(node: &Node) -> TempDir {
    let directory = TempDir::new().unwrap();
    std::fs::copy(node.directory.path().join(STATE_FILE), directory.path().join(STATE_FILE)).unwrap();
    directory
}

fn open(directory: &TempDir, node: &Node) -> Result<Embedded, ExecutionError> {
    Embedded::open(directory.path(), &node.genesis, EmbeddedOptions::default())
}

/// Replays `chain` (whose first block is number 1) above what `engine` holds.
fn replay(engine: &mut Embedded, chain: &[Arc<ExecutedBlock>]) {
    let held = usize::try_from(engine.finalized().number).unwrap();
    for block in &chain[held..] {
        assert_eq!(engine.validate(&block.block, u64::MAX).unwrap(), Verdict::Valid);
        engine.commit(block.reference().hash).unwrap();
    }
}

fn grow(node: &mut Node, blocks: u64) -> Vec<Arc<ExecutedBlock>> {
    let first = node.engine().finalized().number;
    let to = |number: u64| Address::from_word(U256::from(number % 7 + 1_000).into());
    (first..first + blocks).map(|number| node.advance([transfer(0, number, to(number), number + 1)])).collect()
}

#[test]
fn closed_in_order_nothing_is_replayed() {
    let mut node = Node::new(&genesis());
    let chain = grow(&mut node, 10);
    node.engine = None;
    node.open();
    assert_eq!(node.engine().finalized(), chain[9].reference());
    grow(&mut node, 10);
}

#[test]
fn a_crash_loses_what_was_not_synced_and_replay_restores_it() {
    let mut node = Node::new(&genesis());
    let mut chain = grow(&mut node, 10);
    node.engine().flush().unwrap();
    chain.extend(grow(&mut node, 10));
    node.engine().write_down(false).unwrap();
    chain.extend(grow(&mut node, 5));
    let directory = crash(&node);
    let mut engine = open(&directory, &node).unwrap();
    assert_eq!(engine.finalized().number, 10, "a commit without fsync does not survive alone");
    assert_eq!(engine.finalized(), chain[9].reference());
    replay(&mut engine, &chain);
    assert_eq!(engine.finalized(), node.engine().finalized());
    let (left, right) = (engine.reader().finalized(), node.engine().reader().finalized());
    for number in 1_000..1_008_u64 {
        let address = Address::from_word(U256::from(number).into());
        assert_eq!(left.account(address).unwrap(), right.account(address).unwrap());
    }
    // And both go on alike.
    let next = grow(&mut node, 1);
    assert_eq!(engine.validate(&next[0].block, NOW_S).unwrap(), Verdict::Valid);
}

#[test]
fn without_any_flush_a_crash_loses_few_blocks() {
    let mut node = Node::new(&genesis());
    let chain: Vec<_> = (0..1_400).map(|_| node.advance([])).collect();
    let directory = crash(&node);
    let mut engine = open(&directory, &node).unwrap();
    let held = engine.finalized().number;
    assert!(held >= 512, "{held}");
    assert!(1_400 - held <= REPLAY_BLOCKS_MAX);
    replay(&mut engine, &chain);
    assert_eq!(engine.finalized(), node.engine().finalized());
}

#[test]
fn a_crash_before_genesis_was_written_starts_from_genesis() {
    let mut node = Node::new(&genesis());
    let chain = grow(&mut node, 3);
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(STATE_FILE), b"").unwrap();
    let mut engine = open(&directory, &node).unwrap();
    assert_eq!(engine.finalized(), node.genesis.reference());
    replay(&mut engine, &chain);
}

#[test]
fn a_file_in_use_is_not_opened_twice() {
    let node = Node::new(&genesis());
    let opened = Embedded::open(node.directory.path(), &node.genesis, EmbeddedOptions::default());
    assert!(matches!(opened, Err(ExecutionError::Io { reason, .. }) if reason.contains("another process")));
}

#[test]
fn a_damaged_file_is_named_and_says_what_to_do() {
    let mut node = Node::new(&genesis());
    grow(&mut node, 3);
    node.engine = None;
    let good = std::fs::read(node.directory.path().join(STATE_FILE)).unwrap();
    let mut refused = 0;
    for part in 0..64 {
        let directory = TempDir::new().unwrap();
        let mut bad = good.clone();
        let start = bad.len() / 64 * part;
        bad[start..start + 64].iter_mut().for_each(|byte| *byte ^= 0x5a);
        std::fs::write(directory.path().join(STATE_FILE), &bad).unwrap();
        match open(&directory, &node) {
            // The damage hit bytes that hold nothing.
            Ok(engine) => assert_eq!(engine.finalized().number, 3),
            Err(error) => {
                assert!(matches!(error, ExecutionError::IoDamaged { .. }), "{error}");
                assert!(error.to_string().contains("delete that file"), "{error}");
                refused += 1;
            }
        }
    }
    assert!(refused > 0);
    let directory = TempDir::new().unwrap();
    std::fs::write(directory.path().join(STATE_FILE), b"this is no database at all").unwrap();
    assert!(matches!(open(&directory, &node), Err(ExecutionError::IoDamaged { .. })));
}
