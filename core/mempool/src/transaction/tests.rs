//! What is decoded, what is refused and in which words, and that recovery finds the signer.

use super::*;
use alloy_consensus::crypto::secp256k1::sign_message;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEip2930, TxEip7702, TxLegacy};
use alloy_eips::eip2930::{AccessList, AccessListItem};
use alloy_eips::eip7702::{Authorization, SignedAuthorization};
use alloy_primitives::{Signature, TxKind, U256, address, b256};
use proptest::prelude::*;

const CHAIN_ID: u64 = 31_337;
const RULES: Rules = Rules { chain_id: CHAIN_ID, block_gas_limit: 30_000_000, unprotected_allowed: false };
/// The first of Foundry's well-known test accounts.
const KEY: B256 = b256!("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
const SENDER: Address = address!("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266");
/// The order of secp256k1.
const ORDER: U256 = U256::from_be_bytes(b256!("0xfffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").0);

fn sign<T: SignableTransaction<Signature>>(transaction: T) -> Bytes
where
    TxEnvelope: From<alloy_consensus::Signed<T>>,
{
    let signature = sign_message(KEY, transaction.signature_hash()).unwrap();
    TxEnvelope::from(transaction.into_signed(signature)).encoded_2718().into()
}

fn transfer() -> TxEip1559 {
    TxEip1559 {
        chain_id: CHAIN_ID,
        nonce: 3,
        gas_limit: 21_000,
        max_fee_per_gas: 10,
        max_priority_fee_per_gas: 2,
        to: TxKind::Call(Address::repeat_byte(1)),
        value: U256::from(5),
        ..TxEip1559::default()
    }
}

fn legacy() -> TxLegacy {
    TxLegacy {
        chain_id: Some(CHAIN_ID),
        gas_price: 10,
        gas_limit: 21_000,
        to: TxKind::Call(Address::ZERO),
        ..TxLegacy::default()
    }
}

fn refusal(bytes: Bytes) -> AdmissionError {
    PooledTransaction::recover(&RULES, bytes).expect_err("it should be refused")
}

#[test]
fn every_supported_type_is_decoded_and_its_sender_recovered() {
    let list = AccessList(vec![AccessListItem { address: SENDER, storage_keys: vec![B256::ZERO] }]);
    let with_list = TxEip2930 {
        chain_id: CHAIN_ID,
        gas_limit: 30_000,
        to: TxKind::Call(SENDER),
        access_list: list,
        ..TxEip2930::default()
    };
    let delegation = Authorization { chain_id: U256::from(CHAIN_ID), address: SENDER, nonce: 0 };
    let delegation = SignedAuthorization::new_unchecked(delegation, 0, U256::from(1), U256::from(1));
    let with_authorization = TxEip7702 {
        chain_id: CHAIN_ID,
        gas_limit: 50_000,
        to: SENDER,
        authorization_list: vec![delegation],
        ..TxEip7702::default()
    };
    for bytes in [sign(legacy()), sign(with_list), sign(transfer()), sign(with_authorization)] {
        let found = PooledTransaction::recover(&RULES, bytes.clone()).unwrap();
        assert_eq!(found.sender(), SENDER);
        assert_eq!(found.hash(), transaction_hash(&bytes));
        assert_eq!(found.bytes(), &bytes);
    }
}

#[test]
fn cost_is_gas_times_fee_cap_plus_value() {
    let found = PooledTransaction::recover(&RULES, sign(transfer())).unwrap();
    assert_eq!(found.cost(), U512::from(21_000 * 10 + 5));
    assert_eq!((found.fee_cap(), found.tip_cap(), found.nonce()), (10, 2, 3));
    let enormous = TxEip1559 { max_fee_per_gas: u128::MAX, value: U256::MAX, ..transfer() };
    let found = PooledTransaction::recover(&RULES, sign(enormous)).unwrap();
    assert!(found.cost() > U512::from(U256::MAX), "it does not wrap");
}

#[test]
fn what_is_for_another_chain_or_for_none_is_refused() {
    let other = TxEip1559 { chain_id: 1, ..transfer() };
    assert_eq!(refusal(sign(other)), AdmissionError::ChainId { have: 1, want: CHAIN_ID });
    let unprotected = sign(TxLegacy { chain_id: None, ..legacy() });
    assert_eq!(refusal(unprotected.clone()), AdmissionError::Unprotected);
    let lenient = Rules { unprotected_allowed: true, ..RULES };
    assert_eq!(PooledTransaction::recover(&lenient, unprotected).unwrap().sender(), SENDER);
}

#[test]
fn what_is_no_transaction_is_refused() {
    assert!(matches!(refusal(Bytes::new()), AdmissionError::Malformed(_)));
    assert!(matches!(refusal(Bytes::from_static(&[0x02])), AdmissionError::Malformed(_)));
    assert!(matches!(refusal(Bytes::from_static(&[0xff, 1, 2])), AdmissionError::Malformed(_)));
    assert_eq!(refusal(Bytes::from_static(&[0x03, 0xc0])), AdmissionError::Blob);
    assert!(matches!(refusal(Bytes::from_static(&[0x80])), AdmissionError::Malformed(_)));
    assert!(matches!(refusal(Bytes::from_static(&[0xc0])), AdmissionError::Malformed(_)));
    assert_eq!(refusal(Bytes::from_static(&[0x00, 0xc0])), AdmissionError::TypeUnsupported(0));
    assert_eq!(refusal(Bytes::from_static(&[0x05, 0xc0])), AdmissionError::TypeUnsupported(5));
    assert_eq!(
        refusal(vec![2; TRANSACTION_BYTES_MAX + 1].into()),
        AdmissionError::Oversized(TRANSACTION_BYTES_MAX + 1)
    );
    for whole in [sign(transfer()), sign(legacy())] {
        let trailing = [&whole[..], &[0]].concat();
        assert!(matches!(refusal(trailing.into()), AdmissionError::Malformed(_)));
        let short = whole.slice(..whole.len() - 1);
        assert!(matches!(refusal(short), AdmissionError::Malformed(_)));
    }
}

#[test]
fn the_mirrored_signature_is_refused() {
    let unsigned = transfer();
    let signature = sign_message(KEY, unsigned.signature_hash()).unwrap();
    let mirrored = Signature::new(signature.r(), ORDER - signature.s(), !signature.v());
    let bytes = TxEnvelope::from(unsigned.into_signed(mirrored)).encoded_2718();
    assert_eq!(refusal(bytes.into()), AdmissionError::Signature);
    let nobody = Signature::new(U256::ZERO, U256::from(1), false);
    let bytes = TxEnvelope::from(transfer().into_signed(nobody)).encoded_2718();
    assert_eq!(refusal(bytes.into()), AdmissionError::Signature);
}

#[test]
fn gas_is_checked_against_what_inclusion_costs() {
    let low = TxEip1559 { gas_limit: 20_999, ..transfer() };
    assert_eq!(refusal(sign(low)), AdmissionError::IntrinsicGas { have: 20_999, want: 21_000 });
    // Two zero bytes and one other: 21,000 + 6 tokens of 4, and a floor of 21,000 + 6 tokens of 10.
    let data = Bytes::from_static(&[0, 0, 1]);
    let with_data = |gas_limit| sign(TxEip1559 { gas_limit, input: data.clone(), ..transfer() });
    assert_eq!(refusal(with_data(21_023)), AdmissionError::IntrinsicGas { have: 21_023, want: 21_024 });
    assert_eq!(refusal(with_data(21_024)), AdmissionError::FloorGas { have: 21_024, want: 21_060 });
    assert!(PooledTransaction::recover(&RULES, with_data(21_060)).is_ok());
    // 33 bytes of init code are two words.
    let create = |gas_limit, bytes| {
        sign(TxEip1559 { gas_limit, to: TxKind::Create, input: vec![0; bytes].into(), ..transfer() })
    };
    let want = 21_000 + 32_000 + 33 * 4 + 2 * 2;
    assert_eq!(refusal(create(want - 1, 33)), AdmissionError::IntrinsicGas { have: want - 1, want });
    assert!(PooledTransaction::recover(&RULES, create(want, 33)).is_ok());
    assert_eq!(refusal(create(10_000_000, 49_153)), AdmissionError::InitCode { have: 49_153, limit: 49_152 });
    let list = AccessList(vec![AccessListItem { address: SENDER, storage_keys: vec![B256::ZERO; 2] }]);
    let with_list = TxEip1559 { access_list: list, ..transfer() };
    assert_eq!(refusal(sign(with_list)), AdmissionError::IntrinsicGas { have: 21_000, want: 27_200 });
}

#[test]
fn gas_beyond_the_block_or_the_cap_is_refused() {
    let much = TxEip1559 { gas_limit: 30_000_001, ..transfer() };
    assert_eq!(refusal(sign(much)), AdmissionError::BlockGas);
    let capped = TxEip1559 { gas_limit: (1 << 24) + 1, ..transfer() };
    assert_eq!(refusal(sign(capped)), AdmissionError::GasCap { have: (1 << 24) + 1, cap: 1 << 24 });
}

#[test]
fn fees_authorizations_and_nonces_must_make_sense() {
    let tip = TxEip1559 { max_priority_fee_per_gas: 11, ..transfer() };
    assert_eq!(refusal(sign(tip)), AdmissionError::TipAboveFeeCap { tip: 11, cap: 10 });
    let last = TxEip1559 { nonce: u64::MAX, ..transfer() };
    assert_eq!(refusal(sign(last)), AdmissionError::NonceMax);
    let without = TxEip7702 { chain_id: CHAIN_ID, gas_limit: 50_000, to: SENDER, ..TxEip7702::default() };
    assert_eq!(refusal(sign(without)), AdmissionError::AuthorizationsEmpty);
}

#[test]
fn refusals_speak_the_words_that_users_know() {
    let shortfall =
        crate::Shortfall { balance: U256::from(1), queued: U512::ZERO, cost: U512::from(3), overshot: U512::from(2) };
    for (error, text) in [
        (AdmissionError::AlreadyKnown, "already known"),
        (AdmissionError::NonceTooLow { next: 5, have: 4 }, "nonce too low: next nonce 5, tx nonce 4"),
        (AdmissionError::ReplacementUnderpriced, "replacement transaction underpriced"),
        (AdmissionError::PoolFull, "txpool is full"),
        (AdmissionError::IntrinsicGas { have: 1, want: 2 }, "intrinsic gas too low: gas 1, minimum needed 2"),
        (
            AdmissionError::InsufficientFunds(Box::new(shortfall)),
            "insufficient funds for gas * price + value: balance 1, queued cost 0, tx cost 3, overshot 2",
        ),
    ] {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn a_batch_is_recovered_in_order_each_for_itself() {
    let mut batch: Vec<Bytes> = (0..50).map(|nonce| sign(TxEip1559 { nonce, ..transfer() })).collect();
    batch[17] = Bytes::from_static(&[1, 2, 3]);
    let found = recover(&RULES, &batch);
    assert_eq!(found.len(), 50);
    for (nonce, outcome) in (0..).zip(&found) {
        match outcome {
            Ok(transaction) => assert_eq!((transaction.sender(), transaction.nonce()), (SENDER, nonce)),
            Err(_) => assert_eq!(nonce, 17),
        }
    }
    assert!(found[17].is_err());
}

proptest! {
    #[test]
    fn any_bytes_are_refused_or_are_one_canonical_transaction(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let bytes = Bytes::from(bytes);
        if let Ok(found) = PooledTransaction::recover(&RULES, bytes.clone()) {
            prop_assert_eq!(found.transaction().encoded_2718(), bytes.to_vec());
        }
    }

    #[test]
    fn a_flipped_bit_never_keeps_hash_and_sender(at in 0usize..110, bit in 0u8..8) {
        let original = sign(transfer());
        let mut bytes = original.to_vec();
        let at = at % bytes.len();
        bytes[at] ^= 1 << bit;
        if let Ok(found) = PooledTransaction::recover(&RULES, bytes.into()) {
            prop_assert_ne!(found.hash(), transaction_hash(&original));
            prop_assert!(found.sender() != SENDER, "nobody else signs for the sender");
        }
    }
}
