//! What the others of a cluster send to one operator for a row of slots, signed and encoded beforehand.

use crate::cluster::Cluster;
use phalanx_types::{
    B256, Block, BlockInspector, BlockRef, Bytes, InspectError, Message, OperatorIndex, Position, UnsignedProposal,
    Vote, Wire, keccak256,
};
use rayon::prelude::*;

/// Who leads the one term of a feed.
pub const LEADER: OperatorIndex = OperatorIndex(0);
/// Who is fed.
pub const ME: OperatorIndex = OperatorIndex(1);

/// The block that all feeds start on.
#[must_use]
pub fn genesis() -> BlockRef {
    BlockRef::new(0, B256::repeat_byte(0xAA))
}

/// What everyone sends for one slot, encoded.
#[derive(Clone, Debug)]
pub struct SlotFeed {
    /// What is voted for.
    pub block: BlockRef,
    /// The leader's.
    pub proposal: Vec<u8>,
    /// The others' votes to notarize: liars first, then in an order that turns from slot to slot.
    pub notarize: Vec<(OperatorIndex, Vec<u8>)>,
    /// Their votes to finalize, in the same order.
    pub finalize: Vec<(OperatorIndex, Vec<u8>)>,
}

/// Signs and encodes `slots` slots of term 0, with payloads of `payload_bytes`. The last `liars` operators send
/// partials that are wrong.
#[must_use]
pub fn feed(cluster: &Cluster, slots: u32, payload_bytes: usize, liars: usize) -> Vec<SlotFeed> {
    let payloads: Vec<(BlockRef, BlockRef, Bytes)> = chain(slots, payload_bytes);
    payloads
        .into_par_iter()
        .zip(0..slots)
        .map(|((parent, block, payload), slot)| {
            let position = Position::new(0, 0, slot);
            let header = UnsignedProposal {
                position,
                parent_position: if slot == 0 { Position::default() } else { Position::new(0, 0, slot - 1) },
                parent_is_genesis: slot == 0,
                block,
                parent_hash: parent.hash,
            };
            let proposal =
                Message::Proposal { proposal: Box::new(cluster.proposal(LEADER, header)), payload }.to_wire();
            SlotFeed {
                block,
                proposal,
                notarize: votes(cluster, slot, liars, Vote::notarize(position, block)),
                finalize: votes(cluster, slot, liars, Vote::finalize(position, block)),
            }
        })
        .collect()
}

fn votes(cluster: &Cluster, slot: u32, liars: usize, vote: Vote) -> Vec<(OperatorIndex, Vec<u8>)> {
    let n = cluster.size().n();
    let (honest, lying): (Vec<_>, Vec<_>) =
        cluster.size().operators().filter(|operator| *operator != ME).partition(|one| one.as_usize() < n - liars);
    let turn = usize::try_from(slot).expect("small") % honest.len();
    let honest = honest[turn..].iter().chain(&honest[..turn]).map(|one| (*one, cluster.vote(*one, vote)));
    let lying = lying.iter().map(|one| (*one, cluster.lie(*one, vote)));
    lying.chain(honest).map(|(operator, vote)| (operator, Message::Vote(vote).to_wire())).collect()
}

fn chain(slots: u32, payload_bytes: usize) -> Vec<(BlockRef, BlockRef, Bytes)> {
    let mut parent = genesis();
    (0..slots)
        .map(|slot| {
            let mut payload = Vec::with_capacity(40 + payload_bytes);
            payload.extend_from_slice(&(u64::from(slot) + 1).to_be_bytes());
            payload.extend_from_slice(parent.hash.as_slice());
            payload.resize(40 + payload_bytes, 0x5A);
            let block = BlockRef::new(u64::from(slot) + 1, keccak256(&payload));
            let made = (parent, block, Bytes::from(payload));
            parent = block;
            made
        })
        .collect()
}

/// Reads the payloads of [`feed`]: a number (8 bytes), the parent's hash (32), and filling.
#[derive(Clone, Copy, Debug)]
pub struct PlainInspector;

impl BlockInspector for PlainInspector {
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError> {
        let error = || InspectError("shorter than its fixed part".to_owned());
        let (number, rest) = payload.split_first_chunk::<8>().ok_or_else(error)?;
        let (parent, _) = rest.split_first_chunk::<32>().ok_or_else(error)?;
        let reference = BlockRef::new(u64::from_be_bytes(*number), keccak256(&payload));
        Ok(Block { reference, parent_hash: B256::from(parent), timestamp_s: 0, payload: payload.clone() })
    }
}
