//! Tests of the store: what a chain looks like, what crashes and failing disks do to it, and the journal's disk.

mod chain;
mod crash;
mod disk;
mod payloads;

use crate::store::{ChainOptions, Write};
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, ClusterId, Position, SignatureBytes, Vote, keccak256};

pub(super) const OPTIONS: ChainOptions = ChainOptions { cluster: ClusterId(B256::repeat_byte(7)), slots_per_term: 4 };

/// The block numbered `number` of a made-up chain; `fork` tells siblings apart.
pub(super) fn block(number: u64, fork: u8, payload_bytes: usize) -> Block {
    let hash = |number: u64, fork: u8| keccak256([number.to_be_bytes().as_slice(), &[fork]].concat());
    let mut payload = vec![fork; payload_bytes];
    payload[..8].copy_from_slice(&number.to_be_bytes());
    Block {
        reference: BlockRef::new(number, hash(number, fork)),
        parent_hash: number.checked_sub(1).map_or(B256::ZERO, |parent| hash(parent, 0)),
        timestamp_s: 1_000 + number,
        payload: Bytes::from(payload),
    }
}

pub(super) fn put(block: &Block) -> Write {
    let number = block.reference.number;
    Write::PutPayload { block: block.clone(), position: Some(Position::new(0, number / 4, (number % 4) as u32)) }
}

pub(super) fn transaction_hash(number: u64, index: u32) -> B256 {
    keccak256([number.to_be_bytes().as_slice(), &index.to_be_bytes(), b"transaction"].concat())
}

pub(super) fn finalize(block: &Block) -> Write {
    let number = block.reference.number;
    Write::Finalize {
        block: block.reference,
        receipts: Bytes::from(format!("receipts of {number}").into_bytes()),
        transactions: (0..3).map(|index| transaction_hash(number, index)).collect(),
    }
}

pub(super) fn certificate(vote: Vote) -> Certificate {
    Certificate { vote, signature: SignatureBytes::from([9; 48]) }
}
