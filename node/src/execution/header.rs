//! The rules of the header: what follows from the parent, what is free, what execution decides.
//!
//! Invariant: a header is valid exactly when it equals the one that [`draft`] and execution make of its free
//! fields (beneficiary, timestamp, gas limit, extra data, randomness), and those keep their own rules. The
//! builder and the validator use the same functions.

use super::genesis::ChainSpec;
use super::{EXTRA_DATA_BYTES_MAX, TIMESTAMP_DRIFT_S_MAX, Verdict};
use alloy_consensus::constants::{EMPTY_OMMER_ROOT_HASH, EMPTY_WITHDRAWALS};
use alloy_consensus::{BlockHeader, Header};
use alloy_eips::eip1559::{BaseFeeParams, calculate_block_gas_limit_with_bound_divisor};
use alloy_eips::eip7685::EMPTY_REQUESTS_HASH;
use alloy_hardforks::EthereumHardforks;
use alloy_primitives::{Address, B256, Bytes};

/// By which part of the parent's the gas limit changes at most.
const GAS_LIMIT_BOUND_DIVISOR: u64 = 1_024;
/// The smallest gas limit, as in other clients.
pub(super) const GAS_LIMIT_MIN: u64 = 5_000;
/// The largest gas limit: what an `i64` holds, as in other clients.
pub(super) const GAS_LIMIT_MAX: u64 = i64::MAX.cast_unsigned();

/// The fields that a leader is free to choose.
#[derive(Clone, Debug)]
pub(super) struct Free {
    pub(super) beneficiary: Address,
    pub(super) timestamp_s: u64,
    pub(super) gas_limit: u64,
    pub(super) extra_data: Bytes,
    pub(super) prev_randao: B256,
}

impl Free {
    fn of(header: &Header) -> Self {
        Self {
            beneficiary: header.beneficiary,
            timestamp_s: header.timestamp,
            gas_limit: header.gas_limit,
            extra_data: header.extra_data.clone(),
            prev_randao: header.mix_hash,
        }
    }
}

/// The header of a block on `parent`, before it is executed: without transactions and with their roots zero.
pub(super) fn draft(spec: &ChainSpec, parent: &Header, parent_hash: B256, free: Free) -> Header {
    let time = free.timestamp_s;
    let cancun = spec.is_cancun_active_at_timestamp(time);
    let excess_blob_gas = parent.maybe_next_block_excess_blob_gas(spec.blob_params(time)).unwrap_or_default();
    Header {
        parent_hash,
        ommers_hash: EMPTY_OMMER_ROOT_HASH,
        beneficiary: free.beneficiary,
        number: parent.number + 1,
        gas_limit: free.gas_limit,
        timestamp: time,
        extra_data: free.extra_data,
        mix_hash: free.prev_randao,
        base_fee_per_gas: parent.next_block_base_fee(BaseFeeParams::ethereum()),
        withdrawals_root: spec.is_shanghai_active_at_timestamp(time).then_some(EMPTY_WITHDRAWALS),
        blob_gas_used: cancun.then_some(0),
        excess_blob_gas: cancun.then_some(excess_blob_gas),
        parent_beacon_block_root: cancun.then_some(B256::ZERO),
        requests_hash: spec.is_prague_active_at_timestamp(time).then_some(EMPTY_REQUESTS_HASH),
        ..Header::default()
    }
}

/// The gas limit nearest to `wanted` that may follow `parent`.
pub(super) fn next_gas_limit(parent: &Header, wanted: u64) -> u64 {
    let wanted = wanted.clamp(GAS_LIMIT_MIN, GAS_LIMIT_MAX);
    calculate_block_gas_limit_with_bound_divisor(parent.gas_limit, wanted, GAS_LIMIT_BOUND_DIVISOR)
}

/// Checks all of `header` that can be checked before it is executed.
pub(super) fn check(
    spec: &ChainSpec,
    parent: &Header,
    parent_hash: B256,
    header: &Header,
    now_s: u64,
) -> Result<(), Verdict> {
    if header.timestamp < parent.timestamp {
        let (own, parents) = (header.timestamp, parent.timestamp);
        return Err(Verdict::Invalid(format!("its timestamp {own} is below its parent's, {parents}")));
    }
    let acceptable_at_s = header.timestamp.saturating_sub(TIMESTAMP_DRIFT_S_MAX);
    if acceptable_at_s > now_s {
        return Err(Verdict::Early { acceptable_at_s });
    }
    check_gas_limit(parent.gas_limit, header.gas_limit).map_err(Verdict::Invalid)?;
    if header.gas_used > header.gas_limit {
        return Err(Verdict::Invalid("it uses more gas than its limit".to_owned()));
    }
    if header.extra_data.len() > EXTRA_DATA_BYTES_MAX {
        return Err(Verdict::Invalid(format!("more than {EXTRA_DATA_BYTES_MAX} bytes of extra data")));
    }
    let mut expected = draft(spec, parent, parent_hash, Free::of(header));
    expected.transactions_root = header.transactions_root;
    expected.state_root = header.state_root;
    expected.receipts_root = header.receipts_root;
    expected.logs_bloom = header.logs_bloom;
    expected.gas_used = header.gas_used;
    expected.requests_hash = expected.requests_hash.and(header.requests_hash);
    difference(&expected, header).map_or(Ok(()), |reason| Err(Verdict::Invalid(reason)))
}

/// The first field in which `actual` differs from `expected`.
pub(super) fn difference(expected: &Header, actual: &Header) -> Option<String> {
    macro_rules! compare {
        ($($field:ident),+ $(,)?) => {
            $(if expected.$field != actual.$field {
                let name = stringify!($field).replace('_', " ");
                return Some(format!("its {name} is {:?}, not {:?}", actual.$field, expected.$field));
            })+
        };
    }
    if expected == actual {
        return None;
    }
    compare!(
        parent_hash,
        number,
        ommers_hash,
        beneficiary,
        difficulty,
        gas_limit,
        timestamp,
        extra_data,
        mix_hash,
        nonce,
        base_fee_per_gas,
        withdrawals_root,
        blob_gas_used,
        excess_blob_gas,
        parent_beacon_block_root,
        block_access_list_hash,
        slot_number,
        gas_used,
        receipts_root,
        logs_bloom,
        requests_hash,
        transactions_root,
        state_root,
    );
    Some("its header differs from what executing it gives".to_owned())
}

fn check_gas_limit(parent: u64, own: u64) -> Result<(), String> {
    if !(GAS_LIMIT_MIN..=GAS_LIMIT_MAX).contains(&own) {
        return Err(format!("its gas limit {own} is not between {GAS_LIMIT_MIN} and {GAS_LIMIT_MAX}"));
    }
    if own.abs_diff(parent) >= parent / GAS_LIMIT_BOUND_DIVISOR && own != parent {
        return Err(format!("its gas limit {own} is too far from its parent's, {parent}"));
    }
    Ok(())
}
