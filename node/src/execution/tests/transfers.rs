//! Blocks of plain transfers: built, validated elsewhere, committed.

use super::fixture::{CHAIN_ID, NOW_S, Node, Source, attributes, genesis, signer, transfer};
use crate::execution::{ExecutionError, Outcome, Skip, Verdict, foundry_accounts};
use alloy_primitives::{Address, U256};

fn is_send<T: Send>() {}

#[test]
fn an_engine_moves_to_its_thread_and_readers_go_anywhere() {
    is_send::<crate::execution::Embedded>();
    is_send::<crate::execution::StateReader>();
    is_send::<crate::execution::StateView>();
}

#[test]
fn foundry_keys_are_prefunded() {
    let accounts = foundry_accounts();
    for (index, account) in accounts.iter().enumerate().take(3) {
        assert_eq!(signer(index).address(), account.0);
    }
    let mut node = Node::new(&genesis());
    let view = node.engine().reader().finalized();
    assert_eq!(view.chain_id(), CHAIN_ID);
    for (address, balance) in accounts {
        assert_eq!(view.account(address).unwrap().unwrap().balance, balance);
    }
}

#[test]
fn what_one_engine_builds_another_finds_valid() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let to = Address::repeat_byte(0x11);
    for height in 0..40_u64 {
        let built = builder.advance((0..3).map(|from| transfer(from, height, to, 1 + height)));
        assert_eq!(built.header.number, height + 1);
        assert_eq!(built.transactions.len(), 3);
        validator.follow(&built.block);
    }
    for node in [&mut builder, &mut validator] {
        let view = node.engine().reader().finalized();
        assert_eq!(view.reference().number, 40);
        let expected: u64 = (0..40).map(|height| 3 * (1 + height)).sum();
        assert_eq!(view.account(to).unwrap().unwrap().balance, U256::from(expected));
        assert_eq!(view.account(signer(0).address()).unwrap().unwrap().nonce, 40);
        assert_eq!(view.block_hash(0).unwrap(), Some(genesis.reference().hash));
    }
}

#[test]
fn nonces_out_of_order_are_skipped_and_named() {
    let mut node = Node::new(&genesis());
    let to = Address::repeat_byte(0x22);
    node.advance([transfer(0, 0, to, 1)]);
    let parent = node.engine().finalized().hash;
    let mut source = Source::of([
        transfer(0, 0, to, 1),
        transfer(0, 2, to, 1),
        transfer(1, 0, to, u64::MAX),
        transfer(0, 1, to, 1),
        transfer(0, 2, to, 1),
    ]);
    let built = node.engine().build(parent, &attributes(NOW_S), &mut source).unwrap();
    let included = Outcome::Included { gas_used: 21_000 };
    assert_eq!(
        source.outcomes,
        [
            Outcome::Skipped(Skip::NonceTooLow { expected: 1 }),
            Outcome::Skipped(Skip::NonceGap { expected: 1 }),
            included.clone(),
            included.clone(),
            included,
        ]
    );
    assert_eq!(built.transactions.len(), 3);
    assert_eq!(built.gas_used(2), Some(21_000));
}

#[test]
fn an_unknown_parent_is_missing_not_invalid() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let first = builder.advance([]);
    let second = builder.advance([]);
    let missing = Verdict::MissingParent { parent_hash: first.reference().hash };
    assert_eq!(validator.validate(&second.block), missing);
    assert!(matches!(
        validator.engine().commit(second.reference().hash),
        Err(ExecutionError::MisuseUnknownBlock(hash)) if hash == second.reference().hash
    ));
    assert_eq!(validator.validate(&first.block), Verdict::Valid);
    assert_eq!(validator.validate(&second.block), Verdict::Valid);
    let committed = validator.engine().commit(second.reference().hash).unwrap();
    assert_eq!(committed.iter().map(|block| block.header.number).collect::<Vec<_>>(), [1, 2]);
}
