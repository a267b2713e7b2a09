//! The rules of the header, of time and of gas.

use super::fixture::{CHAIN_ID, NOW_S, Node, Source, attributes, call, forge, genesis, sign, signer, transfer};
use crate::execution::{
    BuildAttributes, FOUNDRY_BALANCE_WEI, Genesis, Outcome, Skip, TIMESTAMP_DRIFT_S_MAX, Verdict, devnet_genesis,
    foundry_accounts,
};
use alloy_consensus::Header;
use alloy_primitives::{Address, B64, B256, Bloom, Bytes, TxKind, U256};
use std::time::Instant;

type Change = fn(&mut Header);

fn invalid(verdict: Verdict) -> String {
    match verdict {
        Verdict::Invalid(reason) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn timestamps_may_be_equal_and_never_fall() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    for _ in 0..3 {
        let built = builder.advance([]);
        assert_eq!(built.header.timestamp, NOW_S);
        validator.follow(&built.block);
    }
    let built = builder.advance([]);
    let early = forge(&built, |header| header.timestamp = NOW_S - 1);
    assert!(invalid(validator.validate(&early)).contains("below its parent's"));
    // A leader whose clock is behind its parent's time keeps to the parent's.
    let parent = builder.engine().finalized().hash;
    let late = builder.engine().build(parent, &attributes(NOW_S - 50), &mut Source::default()).unwrap();
    assert_eq!(late.header.timestamp, NOW_S);
}

#[test]
fn a_timestamp_too_far_ahead_is_early_until_the_clock_comes_near() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let parent = genesis.reference().hash;
    let built = builder.engine().build(parent, &attributes(NOW_S + 3), &mut Source::default()).unwrap();
    let acceptable_at_s = NOW_S + 3 - TIMESTAMP_DRIFT_S_MAX;
    assert_eq!(validator.validate(&built.block), Verdict::Early { acceptable_at_s });
    let engine = validator.engine();
    assert_eq!(engine.validate(&built.block, acceptable_at_s - 1).unwrap(), Verdict::Early { acceptable_at_s });
    assert_eq!(engine.validate(&built.block, acceptable_at_s).unwrap(), Verdict::Valid);
}

#[test]
fn a_certified_block_is_never_early() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let parent = genesis.reference().hash;
    let built = builder.engine().build(parent, &attributes(NOW_S + 1_000), &mut Source::default()).unwrap();
    assert_eq!(validator.engine().validate(&built.block, u64::MAX).unwrap(), Verdict::Valid);
}

#[test]
fn every_field_that_follows_is_checked() {
    let genesis = genesis();
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    let built = builder.advance([transfer(0, 0, Address::repeat_byte(0x44), 1)]);
    let changes: [(&str, Change); 19] = [
        ("state root", |header| header.state_root = B256::repeat_byte(1)),
        ("receipts root", |header| header.receipts_root = B256::repeat_byte(1)),
        ("logs bloom", |header| header.logs_bloom = Bloom::repeat_byte(1)),
        ("gas used", |header| header.gas_used += 1),
        ("gas used", |header| header.gas_used = 0),
        ("number", |header| header.number += 1),
        ("difficulty", |header| header.difficulty = U256::ONE),
        ("nonce", |header| header.nonce = B64::repeat_byte(1)),
        ("base fee", |header| header.base_fee_per_gas = Some(1)),
        ("base fee", |header| header.base_fee_per_gas = header.base_fee_per_gas.map(|fee| fee + 1)),
        ("blob gas used", |header| header.blob_gas_used = Some(131_072)),
        ("excess blob gas", |header| header.excess_blob_gas = Some(1)),
        ("beacon block root", |header| header.parent_beacon_block_root = Some(B256::repeat_byte(1))),
        ("requests hash", |header| header.requests_hash = Some(B256::repeat_byte(1))),
        ("access list", |header| header.block_access_list_hash = Some(B256::repeat_byte(1))),
        ("extra data", |header| header.extra_data = Bytes::from(vec![0; 33])),
        ("gas limit", |header| header.gas_limit = 4_999),
        ("gas limit", |header| header.gas_limit += header.gas_limit / 1_024),
        ("gas limit", |header| header.gas_limit -= header.gas_limit / 1_024),
    ];
    for (name, change) in changes {
        let reason = invalid(validator.validate(&forge(&built, change)));
        assert!(reason.contains(name), "{name}: {reason}");
    }
    assert_eq!(validator.validate(&built.block), Verdict::Valid);
}

#[test]
fn the_gas_limit_approaches_the_wanted_one() {
    let mut node = Node::new(&genesis());
    let mut limit = node.genesis.header().gas_limit;
    let wanted = BuildAttributes { gas_limit: limit * 2, ..attributes(NOW_S) };
    for _ in 0..3 {
        let parent = node.engine().finalized().hash;
        let built = node.engine().build(parent, &wanted, &mut Source::default()).unwrap();
        assert_eq!(built.header.gas_limit, limit + limit / 1_024 - 1);
        limit = built.header.gas_limit;
        node.engine().commit(built.reference().hash).unwrap();
    }
}

#[test]
fn a_full_block_takes_no_more() {
    let mut file = devnet_genesis(CHAIN_ID, &foundry_accounts());
    file.gas_limit = 50_000;
    let mut node = Node::new(&Genesis::new(file).unwrap());
    let parent = node.engine().finalized().hash;
    let to = Address::repeat_byte(0x55);
    let mut greedy = call(0, TxKind::Call(to), 1, Bytes::new());
    greedy.gas_limit = 60_000;
    let mut big = call(0, TxKind::Call(to), 1, Bytes::new());
    big.gas_limit = 40_000;
    let mut source = Source::of([
        sign(&signer(1), greedy),
        transfer(0, 0, to, 1),
        sign(&signer(2), big),
        transfer(0, 1, to, 1),
        transfer(0, 2, to, 1),
    ]);
    let built = node.engine().build(parent, &attributes(NOW_S), &mut source).unwrap();
    assert_eq!(built.header.gas_used, 42_000);
    assert!(matches!(&source.outcomes[0], Outcome::Skipped(Skip::Invalid(reason)) if reason.contains("gas limit")));
    assert_eq!(source.outcomes[2], Outcome::Skipped(Skip::BlockFull));
    assert_eq!(source.outcomes.len(), 4, "with less gas than a transfer takes, nothing more is asked for");
}

#[test]
fn bytes_and_time_bound_a_block() {
    let mut node = Node::new(&genesis());
    let parent = node.engine().finalized().hash;
    let to = Address::repeat_byte(0x66);
    let bound = BuildAttributes { payload_bytes_max: (2 << 10) + 250, ..attributes(NOW_S) };
    let mut source = Source::of((0..3).map(|nonce| transfer(0, nonce, to, 1)));
    let built = node.engine().build(parent, &bound, &mut source).unwrap();
    assert_eq!(built.transactions.len(), 2);
    assert!(built.block.payload.len() <= bound.payload_bytes_max);
    assert_eq!(source.outcomes[2], Outcome::Skipped(Skip::BlockFull));

    let late = BuildAttributes { deadline: Some(Instant::now()), ..attributes(NOW_S) };
    let mut source = Source::of([transfer(0, 0, to, 1)]);
    let built = node.engine().build(parent, &late, &mut source).unwrap();
    assert_eq!((built.transactions.len(), source.queue.len()), (0, 1));
}

#[test]
fn who_cannot_pay_is_skipped() {
    let mut node = Node::new(&genesis());
    let parent = node.engine().finalized().hash;
    let to = Address::repeat_byte(0x67);
    let mut poor = call(0, TxKind::Call(to), 0, Bytes::new());
    poor.value = U256::from(FOUNDRY_BALANCE_WEI);
    let mut cheap = call(0, TxKind::Call(to), 0, Bytes::new());
    cheap.max_fee_per_gas = 1_000;
    let mut foreign = call(0, TxKind::Call(to), 0, Bytes::new());
    foreign.chain_id += 1;
    let mut source = Source::of([sign(&signer(0), poor), sign(&signer(1), cheap), sign(&signer(2), foreign)]);
    node.engine().build(parent, &attributes(NOW_S), &mut source).unwrap();
    assert_eq!(source.outcomes[..2], [Outcome::Skipped(Skip::Balance), Outcome::Skipped(Skip::BaseFee)]);
    assert!(matches!(&source.outcomes[2], Outcome::Skipped(skip @ Skip::Invalid(_)) if skip.is_final()));
}
