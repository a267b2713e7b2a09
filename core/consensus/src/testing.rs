//! What the tests of this crate share: keys of a toy scheme, one engine under a test's hand (`Rig`), and a
//! small cluster that exchanges effects directly (`Cluster`). The simulator proper is `phalanx-sim`.

mod cluster;
mod keys;
mod rig;

pub(crate) use cluster::{Cluster, Wire};
pub(crate) use keys::Keys;
pub(crate) use rig::{Rig, header};

use crate::{Collectors, Config};
use core::time::Duration;
use phalanx_types::{B256, Block, BlockRef, Bytes, ClusterSize, OperatorIndex, Position, Time, keccak256};
use std::sync::Arc;

pub(crate) const BLOCK_TIME: Duration = Duration::from_millis(100);
pub(crate) const TIMEOUT: Duration = Duration::from_millis(1_000);
pub(crate) const LAG: Duration = Duration::from_millis(2_000);
pub(crate) const RESEND: Duration = Duration::from_millis(150);

pub(crate) fn genesis() -> BlockRef {
    BlockRef::new(0, B256::repeat_byte(0xee))
}

pub(crate) fn config(me: u16, n: usize, slots_per_term: u32) -> Config {
    Config {
        me: OperatorIndex(me),
        size: ClusterSize::new(n).unwrap(),
        epoch: 0,
        genesis: genesis(),
        slots_per_term,
        block_time: BLOCK_TIME,
        pipeline_depth: 4,
        progress_timeout_min: TIMEOUT,
        progress_timeout_max: TIMEOUT * 8,
        finality_lag_min: LAG,
        finality_lag_max: LAG * 8,
        resend_interval_min: RESEND,
        resend_interval_max: RESEND * 8,
        jitter_seed: u64::from(me) + 1,
        collectors: Collectors::default(),
    }
}

/// A block on a parent; `salt` tells siblings apart.
pub(crate) fn block(parent: BlockRef, salt: u64) -> Arc<Block> {
    let number = parent.number + 1;
    let mut payload = parent.hash.to_vec();
    payload.extend(number.to_be_bytes());
    payload.extend(salt.to_be_bytes());
    let hash = keccak256(&payload);
    Arc::new(Block {
        reference: BlockRef::new(number, hash),
        parent_hash: parent.hash,
        timestamp_s: number,
        payload: Bytes::from(payload),
    })
}

/// A chain of blocks on a parent.
pub(crate) fn chain(parent: BlockRef, length: u64, salt: u64) -> Vec<Arc<Block>> {
    let mut parent = parent;
    (0..length)
        .map(|_| {
            let block = block(parent, salt);
            parent = block.reference;
            block
        })
        .collect()
}

pub(crate) fn at(term: u64, slot: u32) -> Position {
    Position::new(0, term, slot)
}

pub(crate) fn ms(milliseconds: u64) -> Time {
    Time::from_micros(milliseconds * 1_000)
}
