//! The tree of unfinalized blocks: siblings, reorganisations, pruning, bounds, and what readers see.

use super::fixture::{NOW_S, Node, Source, attributes, genesis, transfer};
use crate::execution::state::FINALIZED_STATES_MAX;
use crate::execution::{BuildAttributes, ExecutionError, UNFINALIZED_BLOCKS_MAX, Verdict, foundry_accounts};
use alloy_primitives::{Address, B256, U256};

#[test]
fn siblings_have_states_of_their_own_and_one_survives() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let (left_to, right_to) = (Address::repeat_byte(0x0a), Address::repeat_byte(0x0b));
    let root = builder.advance([transfer(0, 0, left_to, 1), transfer(0, 1, right_to, 1)]);
    validator.follow(&root.block);
    let hash = root.reference().hash;
    let left = builder.build_on(hash, [transfer(0, 2, left_to, 100)]);
    let right = builder.build_on(hash, [transfer(0, 2, right_to, 100)]);
    let left_child = builder.build_on(left.reference().hash, [transfer(0, 3, left_to, 1)]);
    let right_child = builder.build_on(right.reference().hash, [transfer(0, 3, right_to, 1)]);
    for block in [&left, &right, &left_child, &right_child] {
        assert_eq!(validator.validate(&block.block), Verdict::Valid);
    }
    for node in [&mut builder, &mut validator] {
        let reader = node.engine().reader();
        let balance = |block: B256, of: Address| {
            reader.at(block).unwrap().account(of).unwrap().map(|record| record.balance).unwrap_or_default()
        };
        assert_eq!(balance(left_child.reference().hash, left_to), U256::from(102));
        assert_eq!(balance(left_child.reference().hash, right_to), U256::from(1));
        assert_eq!(balance(right_child.reference().hash, left_to), U256::from(1));
        assert_eq!(balance(right_child.reference().hash, right_to), U256::from(102));

        // The first leader's blocks were notarized first, but the second's become final.
        let committed = node.engine().commit(right_child.reference().hash).unwrap();
        let numbers: Vec<_> = committed.iter().map(|block| block.reference()).collect();
        assert_eq!(numbers, [right.reference(), right_child.reference()]);
        assert!(node.engine().executed(left.reference().hash).is_none());
        assert!(reader.at(left_child.reference().hash).is_none());
        assert!(matches!(
            node.engine().commit(left_child.reference().hash),
            Err(ExecutionError::MisuseUnknownBlock(_))
        ));
        assert_eq!(node.engine().commit(right_child.reference().hash).unwrap().len(), 0);
    }
    let next = builder.advance([transfer(0, 4, left_to, 1)]);
    validator.follow(&next.block);
}

#[test]
fn descendants_of_what_becomes_final_are_kept() {
    let mut node = Node::new(&genesis());
    let to = Address::repeat_byte(0x0c);
    let mut parent = node.engine().finalized().hash;
    let mut chain = Vec::new();
    for nonce in 0..5 {
        let built = node.build_on(parent, [transfer(0, nonce, to, 1)]);
        parent = built.reference().hash;
        chain.push(built);
    }
    let sibling = node.build_on(chain[0].reference().hash, [transfer(0, 1, to, 77)]);
    assert_eq!(node.engine().commit(chain[1].reference().hash).unwrap().len(), 2);
    assert!(node.engine().executed(sibling.reference().hash).is_none());
    for block in &chain[2..] {
        assert!(node.engine().executed(block.reference().hash).is_some());
    }
    assert_eq!(node.engine().commit(chain[4].reference().hash).unwrap().len(), 3);
}

#[test]
fn a_view_keeps_showing_its_block() {
    let mut node = Node::new(&genesis());
    let to = Address::repeat_byte(0x0d);
    let reader = node.engine().reader();
    let views: Vec<_> = (0..700)
        .map(|nonce| {
            node.advance(if nonce < 40 { vec![transfer(0, nonce, to, 1)] } else { Vec::new() });
            reader.finalized()
        })
        .collect();
    node.engine().flush().unwrap();
    for (view, number) in views.iter().zip(1_u64..) {
        assert_eq!(view.reference().number, number);
        assert_eq!(view.account(to).unwrap().unwrap().balance, U256::from(number.min(40)));
        assert_eq!(view.block_hash(number).unwrap(), Some(view.reference().hash));
        assert_eq!(view.block_hash(number + 1).unwrap(), None, "{number}");
    }
    assert_eq!(reader.finalized().account(to).unwrap().unwrap().balance, U256::from(40));
}

#[test]
fn the_oldest_leaf_is_forgotten_when_there_are_too_many() {
    let mut node = Node::new(&genesis());
    let parent = node.engine().finalized().hash;
    let mut build = |salt: usize| {
        let randao = B256::from(U256::from(salt));
        let attributes = BuildAttributes { prev_randao: randao, ..attributes(NOW_S) };
        node.engine().build(parent, &attributes, &mut Source::default()).unwrap()
    };
    let first = build(0);
    let second = build(1);
    for salt in 2..=UNFINALIZED_BLOCKS_MAX {
        build(salt);
    }
    assert!(node.engine().executed(first.reference().hash).is_none());
    assert!(node.engine().executed(second.reference().hash).is_some());
    assert_eq!(node.validate(&first.block), Verdict::Valid, "it is validated again when it is needed");
    assert_eq!(node.engine().commit(first.reference().hash).unwrap().len(), 1);
    assert!(node.engine().executed(second.reference().hash).is_none());
}

#[test]
fn a_pinned_leaf_is_not_forgotten() {
    let mut node = Node::new(&genesis());
    let parent = node.engine().finalized().hash;
    let build = |node: &mut Node, salt: usize| {
        let attributes = BuildAttributes { prev_randao: B256::from(U256::from(salt)), ..attributes(NOW_S) };
        node.engine().build(parent, &attributes, &mut Source::default()).unwrap().reference().hash
    };
    let first = build(&mut node, 0);
    let second = build(&mut node, 1);
    node.engine().pin(first);
    for salt in 2..=UNFINALIZED_BLOCKS_MAX {
        build(&mut node, salt);
    }
    assert!(node.engine().executed(first).is_some(), "it waits to become final");
    assert!(node.engine().executed(second).is_none(), "the next oldest went");
    assert_eq!(node.engine().commit(first).unwrap().len(), 1);
}

/// A client's request first looks up the newest final block, then its state.
#[test]
fn the_newest_finalized_states_stay_readable_for_a_while() {
    let mut node = Node::new(&genesis());
    let reader = node.engine().reader();
    let mut finals = vec![node.engine().finalized().hash];
    for _ in 0..FINALIZED_STATES_MAX {
        let parent = *finals.last().unwrap();
        let built = node.engine().build(parent, &attributes(NOW_S), &mut Source::default()).unwrap();
        node.engine().commit(built.reference().hash).unwrap();
        finals.push(built.reference().hash);
    }
    assert!(reader.at(finals[0]).is_none(), "as many as are kept came after it");
    for (number, hash) in (0..).zip(&finals).skip(1) {
        let view = reader.at(*hash).unwrap();
        assert_eq!(view.reference().number, number);
        assert!(view.account(foundry_accounts()[0].0).unwrap().is_some());
    }
}
