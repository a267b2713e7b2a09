//! Contracts: created, called, logging, delegated to; and the system contracts of the fork.

use super::fixture::{CHAIN_ID, COUNTER, NOW_S, Node, Source, attributes, call, deploying, genesis, sign, signer};
use crate::execution::{Outcome, Skip, Verdict, payload};
use alloy_consensus::{SignableTransaction, TxEip4844, TxEip7702, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_eips::{eip2935, eip4788, eip7702::Authorization};
use alloy_network::{FullSignerSync, TxSignerSync};
use alloy_primitives::{Address, B256, Bloom, BloomInput, Bytes, Signature, TxKind, U256, keccak256};

fn sign_hash(signer: &impl FullSignerSync<Signature>, hash: B256) -> Signature {
    signer.sign_hash_sync(&hash).unwrap()
}

const TOPIC: B256 = B256::with_last_byte(0x42);

#[test]
fn a_contract_is_deployed_called_and_heard() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let alice = signer(0);
    let deployed = builder.advance([sign(&alice, call(0, TxKind::Create, 0, deploying(&COUNTER)))]);
    validator.follow(&deployed.block);
    let counter = deployed.contract_address(0).unwrap();
    assert_eq!(counter, alice.address().create(0));
    assert!(deployed.receipts[0].status());

    let poke = |nonce| sign(&alice, call(nonce, TxKind::Call(counter), 0, Bytes::from_static(&[1])));
    let called = builder.advance([poke(1), poke(2)]);
    validator.follow(&called.block);
    assert_eq!(called.contract_address(0), None);
    let (first, logs) = called.logs(1).unwrap();
    assert_eq!(first, 1);
    assert_eq!((logs[0].address, logs[0].topics()), (counter, &[TOPIC][..]));
    assert_eq!(U256::from_be_slice(&logs[0].data.data), U256::from(2));
    for input in [BloomInput::Raw(counter.as_slice()), BloomInput::Raw(TOPIC.as_slice())] {
        assert!(called.header.logs_bloom.contains_input(input));
    }
    assert_ne!(called.header.logs_bloom, Bloom::ZERO);
    assert_eq!(called.gas_used(0).unwrap() + called.gas_used(1).unwrap(), called.header.gas_used);
    assert!(called.effective_gas_price(0).unwrap() > u128::from(called.header.base_fee_per_gas.unwrap()));

    for node in [&mut builder, &mut validator] {
        let view = node.engine().reader().finalized();
        assert_eq!(view.code(counter).unwrap(), Bytes::from_static(&COUNTER));
        assert_eq!(view.account(counter).unwrap().unwrap().code_hash, keccak256(COUNTER));
        assert_eq!(view.storage(counter, U256::ZERO).unwrap(), U256::from(2));
        assert_eq!(view.storage(counter, U256::ONE).unwrap(), U256::ZERO);
    }
}

#[test]
fn a_reverted_transaction_is_included_and_changes_only_its_sender() {
    let mut node = Node::new(&genesis());
    // PUSH1 1, PUSH0, SSTORE, PUSH0, PUSH0, REVERT
    let runtime = [0x60, 1, 0x5f, 0x55, 0x5f, 0x5f, 0xfd];
    let deployed = node.advance([sign(&signer(0), call(0, TxKind::Create, 0, deploying(&runtime)))]);
    let address = deployed.contract_address(0).unwrap();
    let called = node.advance([sign(&signer(1), call(0, TxKind::Call(address), 5, Bytes::new().slice(..0)))]);
    assert!(!called.receipts[0].status());
    let view = node.engine().reader().finalized();
    assert_eq!(view.storage(address, U256::ZERO).unwrap(), U256::ZERO);
    assert_eq!(view.account(address).unwrap().unwrap().balance, U256::ZERO);
    assert_eq!(view.account(signer(1).address()).unwrap().unwrap().nonce, 1);
}

#[test]
fn an_account_delegates_its_code_by_eip_7702() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let (alice, bob) = (signer(0), signer(1));
    let deployed = builder.advance([sign(&alice, call(0, TxKind::Create, 0, deploying(&COUNTER)))]);
    validator.follow(&deployed.block);
    let counter = deployed.contract_address(0).unwrap();
    let authorization = Authorization { chain_id: U256::from(CHAIN_ID), address: counter, nonce: 0 };
    let signature = sign_hash(&bob, authorization.signature_hash());
    let delegating = TxEip7702 {
        chain_id: CHAIN_ID,
        nonce: 1,
        gas_limit: 200_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1,
        to: bob.address(),
        value: U256::ZERO,
        access_list: Default::default(),
        authorization_list: vec![authorization.into_signed(signature)],
        input: Bytes::new(),
    };
    let delegated = builder.advance([sign(&alice, delegating)]);
    validator.follow(&delegated.block);
    assert!(delegated.receipts[0].status());
    for node in [&mut builder, &mut validator] {
        let view = node.engine().reader().finalized();
        assert_eq!(view.code(bob.address()).unwrap().as_ref(), [&[0xef, 0x01, 0x00], counter.as_slice()].concat());
        assert_eq!(view.storage(bob.address(), U256::ZERO).unwrap(), U256::ONE);
        assert_eq!(view.account(bob.address()).unwrap().unwrap().nonce, 1);
    }
}

#[test]
fn blob_transactions_are_refused_by_name() {
    let mut node = Node::new(&genesis());
    let blob = TxEip4844 {
        chain_id: CHAIN_ID,
        nonce: 0,
        gas_limit: 21_000,
        max_fee_per_gas: 10_000_000_000,
        max_priority_fee_per_gas: 1,
        to: Address::repeat_byte(1),
        value: U256::ZERO,
        access_list: Default::default(),
        blob_versioned_hashes: vec![B256::repeat_byte(1)],
        max_fee_per_blob_gas: 1_000_000_000,
        input: Bytes::new(),
    };
    let blob = sign(&signer(0), blob);
    let mut source = Source::of([blob.clone()]);
    let parent = node.engine().finalized().hash;
    let built = node.engine().build(parent, &attributes(NOW_S), &mut source).unwrap();
    assert!(matches!(&source.outcomes[0], Outcome::Skipped(Skip::Invalid(reason)) if reason.contains("EIP-4844")));

    let encoded = [Bytes::from(blob.inner().encoded_2718())];
    let mut header = built.header.clone();
    header.transactions_root = payload::transactions_root(&encoded);
    let verdict = node.validate(&payload::assemble(&header, &encoded));
    assert!(matches!(verdict, Verdict::Invalid(reason) if reason.contains("EIP-4844")));
}

#[test]
fn a_bad_signature_makes_a_block_invalid() {
    let mut node = Node::new(&genesis());
    let mut unsigned = call(0, TxKind::Call(Address::repeat_byte(1)), 1, Bytes::new());
    let good = signer(0).sign_transaction_sync(&mut unsigned).unwrap();
    // The same signature with a high s is malleable, and refused since Homestead.
    let order = U256::from_str_radix("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141", 16).unwrap();
    let high = Signature::new(good.r(), order - good.s(), !good.v());
    let encoded = [Bytes::from(TxEnvelope::from(unsigned.into_signed(high)).encoded_2718())];
    let parent = node.engine().finalized().hash;
    let built = node.engine().build(parent, &attributes(NOW_S), &mut Source::default()).unwrap();
    let mut header = built.header.clone();
    header.transactions_root = payload::transactions_root(&encoded);
    let verdict = node.validate(&payload::assemble(&header, &encoded));
    assert!(matches!(&verdict, Verdict::Invalid(reason) if reason.contains("transaction 0")), "{verdict:?}");
}

#[test]
fn system_contracts_remember_blocks() {
    let mut node = Node::new(&genesis());
    let blocks: Vec<_> = (0..5).map(|_| node.advance([])).collect();
    let view = node.engine().reader().finalized();
    for block in &blocks[..4] {
        let slot = U256::from(block.header.number % 8_191);
        let stored = view.storage(eip2935::HISTORY_STORAGE_ADDRESS, slot).unwrap();
        assert_eq!(B256::from(stored), block.reference().hash);
    }
    let slot = U256::from(NOW_S % 8_191);
    assert_eq!(view.storage(eip4788::BEACON_ROOTS_ADDRESS, slot).unwrap(), U256::from(NOW_S));
}
