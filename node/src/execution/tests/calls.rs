//! `eth_call` and `eth_estimateGas`.

use super::fixture::{COUNTER, Node, call, deploying, genesis, sign, signer};
use crate::execution::{CallOutcome, ExecutionError};
use alloy_primitives::{Address, Bytes, TxKind, U256};
use alloy_rpc_types_eth::TransactionRequest;

fn deploy(node: &mut Node, runtime: &[u8]) -> Address {
    let parent = node.engine().reader().finalized();
    let nonce = parent.account(signer(0).address()).unwrap().unwrap().nonce;
    let deployed = node.advance([sign(&signer(0), call(nonce, TxKind::Create, 0, deploying(runtime)))]);
    deployed.contract_address(0).unwrap()
}

#[test]
fn a_call_runs_on_a_state_and_changes_nothing() {
    let mut node = Node::new(&genesis());
    let counter = deploy(&mut node, &COUNTER);
    let view = node.engine().reader().finalized();
    let request = TransactionRequest::default().to(counter);
    for _ in 0..2 {
        match view.call(&request).unwrap() {
            CallOutcome::Success { output, gas_used } => {
                assert_eq!(U256::from_be_slice(&output), U256::ONE);
                assert!(gas_used > 21_000);
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(view.storage(counter, U256::ZERO).unwrap(), U256::ZERO);
}

#[test]
fn a_call_sees_the_block_it_runs_in() {
    let mut node = Node::new(&genesis());
    // PUSH1 1, NUMBER, SUB, BLOCKHASH, PUSH0, MSTORE, PUSH1 32, PUSH0, RETURN
    let contract = deploy(&mut node, &[0x60, 1, 0x43, 0x03, 0x40, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xf3]);
    for _ in 0..3 {
        node.advance([]);
    }
    let view = node.engine().reader().finalized();
    match view.call(&TransactionRequest::default().to(contract)).unwrap() {
        CallOutcome::Success { output, .. } => assert_eq!(output.as_ref(), view.header().parent_hash.as_slice()),
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_revert_gives_its_reason_and_a_halt_its_name() {
    let mut node = Node::new(&genesis());
    // PUSH1 0x2a, PUSH0, MSTORE, PUSH1 32, PUSH0, REVERT
    let reverting = deploy(&mut node, &[0x60, 0x2a, 0x5f, 0x52, 0x60, 0x20, 0x5f, 0xfd]);
    let halting = deploy(&mut node, &[0xfe]);
    let view = node.engine().reader().finalized();
    let of = |to| TransactionRequest::default().to(to);
    for outcome in [view.call(&of(reverting)), view.estimate_gas(&of(reverting))] {
        assert!(matches!(
            outcome.unwrap(),
            CallOutcome::Revert { output, .. } if U256::from_be_slice(&output) == U256::from(0x2a)
        ));
    }
    for outcome in [view.call(&of(halting)), view.estimate_gas(&of(halting))] {
        assert!(matches!(outcome.unwrap(), CallOutcome::Halt { reason, .. } if reason.contains("InvalidFEOpcode")));
    }
}

fn estimate(node: &mut Node, request: &TransactionRequest) -> u64 {
    match node.engine().reader().finalized().estimate_gas(request).unwrap() {
        CallOutcome::Success { gas_used, .. } => gas_used,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_estimate_suffices_and_is_near() {
    let mut node = Node::new(&genesis());
    let counter = deploy(&mut node, &COUNTER);
    let transfer = TransactionRequest::default().from(signer(0).address()).to(Address::repeat_byte(9));
    assert_eq!(estimate(&mut node, &transfer.value(U256::ONE)), 21_000);

    let creation = TransactionRequest {
        to: Some(TxKind::Create),
        input: deploying(&COUNTER).into(),
        from: Some(signer(1).address()),
        ..TransactionRequest::default()
    };
    let poke =
        TransactionRequest::default().from(signer(1).address()).to(counter).input(Bytes::from_static(&[1]).into());
    for (nonce, request) in [creation, poke].into_iter().enumerate() {
        let limit = estimate(&mut node, &request);
        let mut transaction = call(nonce as u64, request.to.unwrap(), 0, request.input.input().unwrap().clone());
        transaction.gas_limit = limit;
        let block = node.advance([sign(&signer(1), transaction)]);
        assert!(alloy_consensus::TxReceipt::status(&block.receipts[0]), "{limit}");
        let burnt = block.gas_used(0).unwrap();
        assert!(limit - burnt <= limit / 32, "{limit} for {burnt}");
    }
}

/// A contract that passes all but 1/64 of its gas on needs more than it burns (EIP-150).
#[test]
fn an_estimate_covers_what_is_held_back_from_inner_calls() {
    let mut node = Node::new(&genesis());
    let counter = deploy(&mut node, &COUNTER);
    // CALL(gas, counter, 0, 0, 0, 0, 0), and revert unless it succeeds:
    // PUSH0 ×5, PUSH20 counter, GAS, CALL, PUSH1 34, JUMPI, PUSH0, PUSH0, REVERT, JUMPDEST, STOP
    let mut runtime = vec![0x5f; 5];
    runtime.push(0x73);
    runtime.extend_from_slice(counter.as_slice());
    runtime.extend_from_slice(&[0x5a, 0xf1, 0x60, 34, 0x57, 0x5f, 0x5f, 0xfd, 0x5b, 0x00]);
    assert_eq!(runtime[34], 0x5b);
    let outer = deploy(&mut node, &runtime);
    let request =
        TransactionRequest::default().from(signer(2).address()).to(outer).input(Bytes::from_static(&[1]).into());
    let limit = estimate(&mut node, &request);
    let mut transaction = call(0, TxKind::Call(outer), 0, Bytes::from_static(&[1]));
    transaction.gas_limit = limit;
    let block = node.advance([sign(&signer(2), transaction)]);
    assert!(alloy_consensus::TxReceipt::status(&block.receipts[0]));
}

#[test]
fn a_request_that_cannot_be_paid_for_is_refused() {
    let mut node = Node::new(&genesis());
    let view = node.engine().reader().finalized();
    let poor = TransactionRequest::default().from(Address::repeat_byte(8)).to(Address::ZERO).value(U256::ONE);
    assert!(matches!(view.call(&poor), Err(ExecutionError::MisuseCall(_))));
    assert!(matches!(view.estimate_gas(&poor), Err(ExecutionError::MisuseCall(_))));
    let priced = poor.value(U256::ZERO).max_fee_per_gas(1_000_000_000).max_priority_fee_per_gas(1);
    assert!(matches!(view.estimate_gas(&priced), Err(ExecutionError::MisuseCall(_))));
    let both = TransactionRequest { gas_price: Some(1), max_fee_per_gas: Some(1), ..TransactionRequest::default() };
    assert!(matches!(view.call(&both), Err(ExecutionError::MisuseCall(_))));
}
