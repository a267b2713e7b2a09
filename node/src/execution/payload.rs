//! The payload: the RLP of a full Ethereum block, `[header, transactions, ommers, withdrawals]`.
//!
//! Invariant of [`parse`]: the block hash binds every byte that was parsed. The header is hashed as it
//! came, the transactions root is computed over the bytes as they came, each item has one encoding only,
//! and nothing else is left. Whether the block is valid is for execution to say.

use alloy_consensus::constants::EMPTY_WITHDRAWALS;
use alloy_consensus::{EMPTY_ROOT_HASH, Header};
use alloy_primitives::{B256, Bytes, keccak256};
use alloy_rlp::{Decodable, EMPTY_LIST_CODE, Encodable, Header as RlpHeader};
use alloy_trie::root::ordered_trie_root_encoded;
use phalanx_types::{Block, BlockInspector, BlockRef, InspectError, PAYLOAD_BYTES_MAX};

/// EIP-2718: the first byte of a typed transaction; beyond it, a legacy transaction's list begins.
const TRANSACTION_TYPE_MAX: u8 = 0x7f;

/// Reads payloads of the embedded engine without executing them.
#[derive(Clone, Copy, Debug, Default)]
pub struct EmbeddedInspector;

impl BlockInspector for EmbeddedInspector {
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError> {
        let parsed = parse(&payload)?;
        let root = transactions_root(&parsed.transactions);
        if root != parsed.header.transactions_root {
            let claimed = parsed.header.transactions_root;
            return Err(refuse(format!("its transactions have the root {root}, its header says {claimed}")));
        }
        let reference = BlockRef::new(parsed.header.number, parsed.hash);
        let (parent_hash, timestamp_s) = (parsed.header.parent_hash, parsed.header.timestamp);
        Ok(Block { reference, parent_hash, timestamp_s, payload })
    }
}

/// A payload taken apart. Its transactions root is not checked yet.
pub(super) struct Parsed<'a> {
    pub(super) header: Header,
    pub(super) hash: B256,
    /// EIP-2718 encodings.
    pub(super) transactions: Vec<&'a [u8]>,
}

/// Takes a payload apart and refuses what the header would not bind.
pub(super) fn parse(payload: &[u8]) -> Result<Parsed<'_>, InspectError> {
    if payload.len() > PAYLOAD_BYTES_MAX {
        return Err(refuse(format!("{} bytes, at most {PAYLOAD_BYTES_MAX}", payload.len())));
    }
    let mut rest = payload;
    let mut body = RlpHeader::decode_bytes(&mut rest, true).map_err(|error| malformed("the block", error))?;
    if !rest.is_empty() {
        return Err(refuse(format!("{} bytes after its end", rest.len())));
    }
    let before = body;
    let header = Header::decode(&mut body).map_err(|error| malformed("the header", error))?;
    let hash = keccak256(&before[..before.len() - body.len()]);
    let transactions = parse_transactions(&mut body)?;
    take_empty_list(&mut body, "ommers")?;
    if !header.ommers_hash_is_empty() {
        return Err(refuse("its header says that it has ommers"));
    }
    match header.withdrawals_root {
        None => {}
        Some(EMPTY_WITHDRAWALS) => take_empty_list(&mut body, "withdrawals")?,
        Some(_) => return Err(refuse("its header says that it has withdrawals")),
    }
    if !body.is_empty() {
        return Err(refuse("more parts than a block has"));
    }
    Ok(Parsed { header, hash, transactions })
}

/// The block of `header` with `transactions` in their EIP-2718 encodings.
pub(super) fn assemble(header: &Header, transactions: &[Bytes]) -> Block {
    let list_length = transactions.iter().map(|raw| transaction_item_length(raw)).sum();
    let list = RlpHeader { list: true, payload_length: list_length };
    let withdrawals = usize::from(header.withdrawals_root.is_some());
    let body_length = header.length() + list.length_with_payload() + 1 + withdrawals;
    let outer = RlpHeader { list: true, payload_length: body_length };
    let mut payload = Vec::with_capacity(outer.length_with_payload());
    outer.encode(&mut payload);
    let start = payload.len();
    header.encode(&mut payload);
    let hash = keccak256(&payload[start..]);
    list.encode(&mut payload);
    for raw in transactions {
        if is_legacy(raw) {
            payload.extend_from_slice(raw);
        } else {
            raw.as_ref().encode(&mut payload);
        }
    }
    payload.extend(std::iter::repeat_n(EMPTY_LIST_CODE, 1 + withdrawals));
    Block {
        reference: BlockRef::new(header.number, hash),
        parent_hash: header.parent_hash,
        timestamp_s: header.timestamp,
        payload: payload.into(),
    }
}

/// How many bytes of a payload a transaction takes.
pub(super) fn transaction_item_length(raw: &[u8]) -> usize {
    if is_legacy(raw) { raw.len() } else { raw.length() }
}

/// The root of the ordered trie of EIP-2718 encodings.
pub(super) fn transactions_root<T: AsRef<[u8]>>(transactions: &[T]) -> B256 {
    if transactions.is_empty() { EMPTY_ROOT_HASH } else { ordered_trie_root_encoded(transactions) }
}

fn is_legacy(raw: &[u8]) -> bool {
    raw.first().is_some_and(|&first| first > TRANSACTION_TYPE_MAX)
}

fn parse_transactions<'a>(body: &mut &'a [u8]) -> Result<Vec<&'a [u8]>, InspectError> {
    let mut list = RlpHeader::decode_bytes(body, true).map_err(|error| malformed("the transactions", error))?;
    let mut transactions = Vec::new();
    while !list.is_empty() {
        let before = list;
        let item = RlpHeader::decode(&mut list).map_err(|error| malformed("a transaction", error))?;
        let content = list;
        let Some(rest) = list.get(item.payload_length..) else {
            return Err(refuse("a transaction runs over the end"));
        };
        list = rest;
        let raw = if item.list { &before[..before.len() - rest.len()] } else { &content[..item.payload_length] };
        // A legacy transaction wrapped in a string would have the root of the same one unwrapped.
        if raw.is_empty() || item.list != is_legacy(raw) {
            return Err(refuse("a transaction is neither a list nor a typed one"));
        }
        transactions.push(raw);
    }
    Ok(transactions)
}

fn take_empty_list(body: &mut &[u8], what: &str) -> Result<(), InspectError> {
    match body.split_first() {
        Some((&EMPTY_LIST_CODE, rest)) => {
            *body = rest;
            Ok(())
        }
        _ => Err(refuse(format!("its list of {what} is missing or not empty"))),
    }
}

fn refuse(reason: impl Into<String>) -> InspectError {
    InspectError(reason.into())
}

fn malformed(what: &str, error: alloy_rlp::Error) -> InspectError {
    InspectError(format!("{what}: {error}"))
}
