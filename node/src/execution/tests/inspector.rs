//! The hash binds every byte of a payload.

use super::fixture::{Node, call, genesis, sign, signer, transfer};
use crate::execution::EmbeddedInspector;
use alloy_consensus::TxLegacy;
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_rlp::{Encodable, Header as RlpHeader};
use phalanx_types::{BlockInspector, PAYLOAD_BYTES_MAX};

fn payload() -> Bytes {
    let mut node = Node::new(&genesis());
    let to = Address::repeat_byte(0x33);
    let legacy = TxLegacy {
        chain_id: Some(super::fixture::CHAIN_ID),
        nonce: 0,
        gas_price: 10_000_000_000,
        gas_limit: 21_000,
        to: TxKind::Call(to),
        value: U256::ONE,
        input: Bytes::new(),
    };
    let typed = call(0, TxKind::Call(to), 5, Bytes::new());
    let built = node.advance([sign(&signer(0), legacy), sign(&signer(1), typed), transfer(2, 0, to, 9)]);
    built.block.payload.clone()
}

#[test]
fn no_byte_can_be_changed_under_the_same_hash() {
    let payload = payload();
    let hash = EmbeddedInspector.inspect(payload.clone()).unwrap().reference.hash;
    for position in 0..payload.len() {
        for flip in [0x01, 0x80, 0xff] {
            let mut changed = payload.to_vec();
            changed[position] ^= flip;
            if let Ok(block) = EmbeddedInspector.inspect(changed.into()) {
                assert_ne!(block.reference.hash, hash, "byte {position}");
            }
        }
    }
}

#[test]
fn no_byte_can_be_added_or_taken() {
    let payload = payload();
    for cut in 0..payload.len() {
        assert!(EmbeddedInspector.inspect(payload.slice(..cut)).is_err());
    }
    let mut longer = payload.to_vec();
    longer.push(0);
    assert!(EmbeddedInspector.inspect(longer.into()).is_err());
    assert!(EmbeddedInspector.inspect(vec![0; PAYLOAD_BYTES_MAX + 1].into()).is_err());
}

/// A legacy transaction wrapped in a string has the same transactions root as the bare one.
#[test]
fn a_transaction_has_one_encoding() {
    let payload = payload();
    let parsed = crate::execution::payload::parse(&payload).unwrap();
    let mut transactions = Vec::new();
    for raw in &parsed.transactions {
        raw.encode(&mut transactions);
    }
    let mut body = Vec::new();
    parsed.header.encode(&mut body);
    RlpHeader { list: true, payload_length: transactions.len() }.encode(&mut body);
    body.extend_from_slice(&transactions);
    body.extend_from_slice(&[0xc0, 0xc0]);
    let mut wrapped = Vec::new();
    RlpHeader { list: true, payload_length: body.len() }.encode(&mut wrapped);
    wrapped.extend_from_slice(&body);
    let refused = EmbeddedInspector.inspect(wrapped.into()).unwrap_err();
    assert!(refused.0.contains("neither a list nor a typed one"), "{refused}");
}
