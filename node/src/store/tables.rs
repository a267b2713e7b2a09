//! The tables of the chain store, and how their values look. Layout [`crate::store::CHAIN_VERSION`].
//!
//! Heights come first in keys wherever they can, so that a chain grows at the right edge of each tree and
//! ranges of heights are neighbours. Only look-ups by hash go elsewhere.

use crate::store::fault::Fault;
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use phalanx_types::{B256, Bytes, Certificate, Position, Wire};
use redb::TableDefinition;

/// A block: its height and hash.
pub(super) type BlockKey = (u64, &'static [u8; 32]);
/// A notarization: its block's height, then its position.
pub(super) type NotarizationKey = (u64, u64, u64, u32);
/// A certificate by position, then kind of vote.
pub(super) type TermKey = (u64, u64, u32, u8);

/// The store's own facts, by name.
pub(super) const META: TableDefinition<&str, &[u8]> = TableDefinition::new("meta");
/// What is held of a block besides its payload: [`HeaderRecord`].
pub(super) const HEADERS: TableDefinition<BlockKey, &[u8]> = TableDefinition::new("headers");
/// A block's payload, sealed.
pub(super) const PAYLOADS: TableDefinition<BlockKey, &[u8]> = TableDefinition::new("payloads");
/// The height of a block by its hash.
pub(super) const NUMBERS: TableDefinition<&[u8; 32], u64> = TableDefinition::new("numbers");
/// The final block at a height.
pub(super) const FINALIZED: TableDefinition<u64, &[u8; 32]> = TableDefinition::new("finalized");
/// The final block's receipts, sealed.
pub(super) const RECEIPTS: TableDefinition<u64, &[u8]> = TableDefinition::new("receipts");
/// Where a final transaction is.
pub(super) const TRANSACTIONS: TableDefinition<&[u8; 32], (u64, u32)> = TableDefinition::new("transactions");
/// Notarizations by height.
pub(super) const NOTARIZATIONS: TableDefinition<NotarizationKey, &[u8]> = TableDefinition::new("notarizations");
/// Finalizations by height.
pub(super) const FINALIZATIONS: TableDefinition<u64, &[u8]> = TableDefinition::new("finalizations");
/// What ends terms: nullifications, and notarizations and finalizations of last slots.
pub(super) const TERMS: TableDefinition<TermKey, &[u8]> = TableDefinition::new("terms");

/// Transactions that were accepted from clients and are not final, by hash.
pub(super) const POOLED: TableDefinition<&[u8; 32], &[u8]> = TableDefinition::new("pooled");

/// In [`META`]: the layout, 8 bytes big-endian.
pub(super) const META_VERSION: &str = "version";
/// In [`META`]: the cluster's id, 32 bytes.
pub(super) const META_CLUSTER: &str = "cluster";
/// In [`META`]: every height below it has been pruned, 8 bytes big-endian.
pub(super) const META_PRUNED_BELOW: &str = "pruned_below";

/// What is held of a block besides its payload.
#[derive(Clone, Debug, PartialEq, Eq, RlpEncodable, RlpDecodable)]
pub(super) struct HeaderRecord {
    pub(super) parent_hash: B256,
    pub(super) timestamp_s: u64,
    pub(super) positions: Vec<Position>,
}

impl HeaderRecord {
    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.length());
        self.encode(&mut out);
        out
    }

    pub(super) fn from_bytes(mut bytes: &[u8]) -> Result<Self, Fault> {
        Self::decode(&mut bytes).map_err(|error| Fault::Damaged(format!("a block's header is not one: {error}")))
    }
}

/// Bytes of a sealed value before its content: a CRC-32 of the content, big-endian.
pub(super) const SEAL_BYTES: usize = 4;

/// Fills `out`, which is [`SEAL_BYTES`] longer than `content`.
pub(super) fn seal_into(out: &mut [u8], content: &[u8]) {
    let (seal, body) = out.split_at_mut(SEAL_BYTES);
    seal.copy_from_slice(&crc32fast::hash(content).to_be_bytes());
    body.copy_from_slice(content);
}

/// The content of a sealed value, if it is what was sealed.
pub(super) fn unseal(what: &str, number: u64, sealed: &[u8]) -> Result<Bytes, Fault> {
    match sealed.split_first_chunk::<SEAL_BYTES>() {
        Some((seal, content)) if crc32fast::hash(content).to_be_bytes() == *seal => Ok(Bytes::copy_from_slice(content)),
        _ => Err(Fault::Damaged(format!("the {what} of block {number} do not match their checksum"))),
    }
}

/// A stored certificate.
pub(super) fn certificate(bytes: &[u8]) -> Result<Certificate, Fault> {
    Certificate::from_wire(bytes).map_err(|error| Fault::Damaged(format!("a certificate is not one: {error}")))
}

/// The key of a block.
pub(super) fn block_key(number: u64, hash: &B256) -> (u64, &[u8; 32]) {
    (number, &hash.0)
}
