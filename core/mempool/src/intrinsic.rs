//! What it costs to include a transaction before any of its code runs, and its floor (EIP-2, 2028, 2930,
//! 3860, 7623, 7702), under the rules of Prague and Osaka.

use crate::AdmissionError;
use alloy_consensus::{Transaction, TxEnvelope};
use alloy_eips::eip7702::constants::PER_EMPTY_ACCOUNT_COST;
use alloy_eips::eip7825::MAX_TX_GAS_LIMIT_OSAKA;

const BASE_GAS: u64 = 21_000;
const CREATE_GAS: u64 = 32_000;
/// EIP-7623 counts data in tokens: a zero byte is one, any other byte is four.
const TOKENS_PER_NONZERO_BYTE: u64 = 4;
const TOKEN_GAS: u64 = 4;
const FLOOR_TOKEN_GAS: u64 = 10;
const ACCESS_LIST_ADDRESS_GAS: u64 = 2_400;
const ACCESS_LIST_KEY_GAS: u64 = 1_900;
const INIT_CODE_WORD_GAS: u64 = 2;
const INIT_CODE_BYTES_MAX: usize = 2 * 24_576;

/// Checks everything about gas that needs no state.
pub(crate) fn check_gas(transaction: &TxEnvelope, block_gas_limit: u64) -> Result<(), AdmissionError> {
    let have = transaction.gas_limit();
    if have > block_gas_limit {
        return Err(AdmissionError::BlockGas);
    }
    if have > MAX_TX_GAS_LIMIT_OSAKA {
        return Err(AdmissionError::GasCap { have, cap: MAX_TX_GAS_LIMIT_OSAKA });
    }
    let code = transaction.input().len();
    if transaction.is_create() && code > INIT_CODE_BYTES_MAX {
        return Err(AdmissionError::InitCode { have: code, limit: INIT_CODE_BYTES_MAX });
    }
    let tokens = data_tokens(transaction.input());
    let want = intrinsic_gas(transaction, tokens);
    if have < want {
        return Err(AdmissionError::IntrinsicGas { have, want });
    }
    let want = BASE_GAS + tokens * FLOOR_TOKEN_GAS;
    if have < want {
        return Err(AdmissionError::FloorGas { have, want });
    }
    Ok(())
}

fn data_tokens(data: &[u8]) -> u64 {
    data.iter().map(|&byte| if byte == 0 { 1 } else { TOKENS_PER_NONZERO_BYTE }).sum()
}

fn intrinsic_gas(transaction: &TxEnvelope, tokens: u64) -> u64 {
    let mut gas = BASE_GAS + tokens * TOKEN_GAS;
    if transaction.is_create() {
        let words = transaction.input().len().div_ceil(32) as u64;
        gas += CREATE_GAS + words * INIT_CODE_WORD_GAS;
    }
    if let Some(list) = transaction.access_list() {
        let keys: usize = list.iter().map(|item| item.storage_keys.len()).sum();
        gas += list.len() as u64 * ACCESS_LIST_ADDRESS_GAS + keys as u64 * ACCESS_LIST_KEY_GAS;
    }
    let authorizations = transaction.authorization_list().map_or(0, <[_]>::len);
    gas + authorizations as u64 * PER_EMPTY_ACCOUNT_COST
}
