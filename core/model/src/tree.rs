//! The blocks of the model: a binary tree above genesis. A block is named by its place in it, so that it is
//! the same block at whatever position it is proposed, and its hash says which it is.

use crate::instance::genesis;
use phalanx_types::{B256, Block, BlockRef, Bytes};
use std::sync::Arc;

const MARK: u8 = 0xb1;

/// A block by its place: genesis is 0, the children of `i` are `2i + 1` and `2i + 2`.
pub(crate) type Id = u8;

/// The child of a block.
pub(crate) fn child(parent: Id, salt: u8) -> Id {
    2 * parent + 1 + salt
}

/// The parent of a block that is not genesis.
pub(crate) fn parent(id: Id) -> Id {
    (id - 1) / 2
}

/// The other child of the same parent.
pub(crate) fn sibling(id: Id) -> Id {
    if is_second(id) { id - 1 } else { id + 1 }
}

/// Whether it is the second child of its parent.
pub(crate) fn is_second(id: Id) -> bool {
    id > 0 && id.is_multiple_of(2)
}

/// The blocks from one down to genesis, genesis excepted.
pub(crate) fn path(id: Id) -> impl Iterator<Item = Id> {
    core::iter::successors(Some(id), |id| (*id > 0).then(|| parent(*id))).filter(|id| *id > 0)
}

/// Whether a block descends from another, or is it.
pub(crate) fn descends(id: Id, from: Id) -> bool {
    from == 0 || path(id).any(|at| at == from)
}

/// The mask of the blocks in `blocks` and of all their ancestors.
pub(crate) fn with_ancestors(blocks: u64) -> u64 {
    let members = (0..64_u8).filter(|id| blocks >> id & 1 == 1);
    members.flat_map(path).fold(blocks, |mask, id| mask | 1 << id)
}

/// Number and hash.
pub(crate) fn reference(id: Id) -> BlockRef {
    if id == 0 {
        return genesis();
    }
    let mut hash = B256::repeat_byte(MARK);
    hash[31] = id;
    BlockRef::new(path(id).count() as u64, hash)
}

/// Which block has a hash, or which bytes are one.
pub(crate) fn id_of_hash(bytes: &[u8]) -> Option<Id> {
    match bytes {
        [first, .., id] if bytes.len() == 32 && *first == MARK => Some(*id),
        [first, ..] if bytes.len() == 32 && *first == genesis().hash[0] => Some(0),
        _ => None,
    }
}

/// Which block is referred to.
pub(crate) fn id(block: BlockRef) -> Id {
    id_of_hash(block.hash.as_slice()).expect("the model's engines know of the model's blocks only")
}

/// The block with a payload.
pub(crate) fn block(id: Id) -> Arc<Block> {
    let reference = reference(id);
    let parent_hash = self::reference(parent(id)).hash;
    Arc::new(Block { reference, parent_hash, timestamp_s: reference.number, payload: Bytes::from(vec![id]) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_is_known_by_its_place_its_hash_and_its_path() {
        for number in 1..31 {
            assert_eq!(id(reference(number)), number);
            assert!(block(number).extends(reference(parent(number))));
            assert_eq!(parent(sibling(number)), parent(number));
            assert!(descends(child(number, 1), number) && !descends(number, child(number, 1)));
            assert!(!descends(sibling(number), number));
        }
        assert_eq!(with_ancestors(1 << 9), 1 << 9 | 1 << 4 | 1 << 1);
    }
}
