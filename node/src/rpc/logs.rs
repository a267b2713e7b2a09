//! `eth_getLogs`: final blocks only, by bloom first, within bounds.

use super::backend::{Backend, RpcBlock};
use super::context::final_height;
use super::convert;
use super::error::RpcError;
use alloy_primitives::B256;
use alloy_rpc_types_eth::{BlockNumberOrTag, Filter, FilterBlockOption, Log};

/// The most blocks that one request searches.
pub const LOG_RANGE_BLOCKS_MAX: u64 = 100_000;
/// The most logs that one request finds.
pub const LOGS_MAX: usize = 20_000;
/// The most addresses, and the most topics in one place, of one filter.
pub const FILTER_ITEMS_MAX: usize = 1_000;

/// The logs that a filter finds.
pub(super) fn find(backend: &dyn Backend, filter: &Filter) -> Result<Vec<Log>, RpcError> {
    check(filter)?;
    match filter.block_option {
        FilterBlockOption::AtBlockHash(hash) => at_hash(backend, filter, hash),
        FilterBlockOption::Range { from_block, to_block } => {
            let latest = BlockNumberOrTag::Latest;
            in_range(backend, filter, from_block.unwrap_or(latest), to_block.unwrap_or(latest))
        }
    }
}

/// Refuses filters beyond the bounds.
pub(super) fn check(filter: &Filter) -> Result<(), RpcError> {
    let topics = filter.topics.iter().map(|topics| topics.len()).max().unwrap_or(0);
    if filter.address.len() > FILTER_ITEMS_MAX || topics > FILTER_ITEMS_MAX {
        return Err(RpcError::Params(format!(
            "exceed max addresses or topics: at most {FILTER_ITEMS_MAX} in one place"
        )));
    }
    Ok(())
}

fn at_hash(backend: &dyn Backend, filter: &Filter, hash: B256) -> Result<Vec<Log>, RpcError> {
    let block = backend.block_by_hash(hash)?.ok_or(RpcError::BlockUnknown)?;
    let mut found = Vec::new();
    append(&block, filter, &mut found)?;
    Ok(found)
}

fn in_range(
    backend: &dyn Backend,
    filter: &Filter,
    from: BlockNumberOrTag,
    to: BlockNumberOrTag,
) -> Result<Vec<Log>, RpcError> {
    let heads = backend.heads();
    if let (Some(from), Some(to)) = (from.as_number(), to.as_number())
        && from > to
    {
        return Err(RpcError::Params("invalid block range params".into()));
    }
    if from.as_number().is_some_and(|from| from > heads.finalized.number) {
        return Ok(Vec::new());
    }
    let (from, to) = (final_height(&heads, from), final_height(&heads, to));
    if from > to {
        return Err(RpcError::Params("invalid block range params".into()));
    }
    if to - from >= LOG_RANGE_BLOCKS_MAX {
        return Err(RpcError::Limit(format!(
            "query exceeds max block range {LOG_RANGE_BLOCKS_MAX}: it asks for {}",
            to - from + 1
        )));
    }
    let mut found = Vec::new();
    for number in from..=to {
        let Some(header) = backend.header_by_number(number)? else { continue };
        if !filter.matches_bloom(header.logs_bloom) {
            continue;
        }
        if let Some(block) = backend.block_by_number(number)? {
            append(&block, filter, &mut found)?;
        }
    }
    Ok(found)
}

fn append(block: &RpcBlock, filter: &Filter, found: &mut Vec<Log>) -> Result<(), RpcError> {
    for log in matching(block, filter) {
        if found.len() == LOGS_MAX {
            return Err(RpcError::Limit(format!("query returned more than {LOGS_MAX} results; ask for fewer blocks")));
        }
        found.push(log);
    }
    Ok(())
}

/// The logs of one block that a filter matches by address and topics.
pub(super) fn matching<'a>(block: &'a RpcBlock, filter: &'a Filter) -> impl Iterator<Item = Log> + 'a {
    let numbered = block
        .receipts
        .iter()
        .enumerate()
        .flat_map(|(index, receipt)| receipt.logs().iter().map(move |log| (index, log)));
    (0..)
        .zip(numbered)
        .filter(|(_, (_, log))| filter.matches(log))
        .map(|(log_index, (index, log))| convert::log(block, index, log_index, log.clone()))
}
