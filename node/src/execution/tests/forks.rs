//! Forks before the newest: what they change in the header and in the state.

use super::fixture::{CHAIN_ID, NOW_S, Node, Source, attributes, call, genesis, sign, signer};
use crate::execution::{Genesis, Verdict, devnet_genesis, foundry_accounts};
use alloy_primitives::{Bytes, TxKind, U256};

fn genesis_with(change: impl FnOnce(&mut alloy_genesis::ChainConfig)) -> Genesis {
    let mut file = devnet_genesis(CHAIN_ID, &foundry_accounts());
    change(&mut file.config);
    Genesis::new(file).unwrap()
}

#[test]
fn headers_grow_fork_by_fork() {
    let genesis = genesis_with(|config| {
        config.shanghai_time = Some(NOW_S + 1);
        config.cancun_time = Some(NOW_S + 2);
        config.prague_time = Some(NOW_S + 3);
        config.osaka_time = Some(NOW_S + 4);
    });
    let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
    for second in 0..6_u64 {
        let parent = builder.engine().finalized().hash;
        let built = builder.engine().build(parent, &attributes(NOW_S + second), &mut Source::default()).unwrap();
        let header = &built.header;
        assert_eq!(header.withdrawals_root.is_some(), second >= 1);
        assert_eq!(header.blob_gas_used.is_some(), second >= 2);
        assert_eq!(header.excess_blob_gas.is_some(), second >= 2);
        assert_eq!(header.parent_beacon_block_root.is_some(), second >= 2);
        assert_eq!(header.requests_hash.is_some(), second >= 3);
        assert_eq!(validator.engine().validate(&built.block, NOW_S + second).unwrap(), Verdict::Valid);
        for node in [&mut builder, &mut validator] {
            node.engine().commit(built.reference().hash).unwrap();
        }
    }
}

/// Before Cancun a contract that destroys itself takes its storage along; since then it keeps both
/// (EIP-6780).
#[test]
fn self_destruction_follows_the_fork() {
    let shanghai = genesis_with(|config| {
        config.cancun_time = None;
        config.prague_time = None;
        config.osaka_time = None;
    });
    for (genesis, destroys) in [(shanghai, true), (genesis(), false)] {
        let (mut builder, mut validator) = (Node::new(&genesis), Node::new(&genesis));
        // PUSH1 7, PUSH1 1, SSTORE, then deploy CALLER, SELFDESTRUCT.
        let mut init = vec![0x60, 7, 0x60, 1, 0x55, 0x60, 2, 0x80, 0x60, 14, 0x5f, 0x39, 0x5f, 0xf3];
        init.extend_from_slice(&[0x33, 0xff]);
        let deployed = builder.advance([sign(&signer(0), call(0, TxKind::Create, 0, Bytes::from(init)))]);
        validator.follow(&deployed.block);
        let address = deployed.contract_address(0).unwrap();
        let seven = builder.engine().reader().finalized().storage(address, U256::ONE).unwrap();
        assert_eq!(seven, U256::from(7));
        let mut destroy = call(1, TxKind::Call(address), 5, Bytes::new());
        destroy.gas_limit = 100_000;
        let destroyed = builder.advance([sign(&signer(0), destroy)]);
        validator.follow(&destroyed.block);
        for node in [&mut builder, &mut validator] {
            for _ in 0..2 {
                let view = node.engine().reader().finalized();
                assert_eq!(view.account(address).unwrap().is_none(), destroys);
                let left = if destroys { 0 } else { 7 };
                assert_eq!(view.storage(address, U256::ONE).unwrap(), U256::from(left));
                node.engine().flush().unwrap();
            }
        }
        let next = builder.advance([]);
        validator.follow(&next.block);
    }
}
