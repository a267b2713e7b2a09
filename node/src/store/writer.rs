//! The chain store's single writer: a batch of writes is one durable transaction.

use crate::store::StoreError;
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, Position};

/// One change to the chain store.
#[derive(Clone, Debug)]
pub enum Write {
    /// Keep a block, final or not. Putting it again only adds its position.
    PutPayload {
        /// The block.
        block: Block,
        /// Where it is proposed, where that is known (genesis and synced blocks have none).
        position: Option<Position>,
    },
    /// Make a block final: its payload is held, and it extends the latest final block (or is the first one,
    /// genesis).
    Finalize {
        /// The block.
        block: BlockRef,
        /// Its receipts, as the caller encodes them.
        receipts: Bytes,
        /// Its transactions' hashes, in order.
        transactions: Vec<B256>,
    },
    /// Keep a certificate of any kind.
    PutCertificate(Certificate),
    /// Forget blocks (and their notarizations) numbered below `below` that are not final; blocks above the
    /// latest final one are never forgotten.
    PruneUnfinalized {
        /// The first height that is kept.
        below: u64,
    },
}

/// The one writer. Owned by one thread.
#[derive(Debug)]
pub struct Writer {}

impl Writer {
    /// Applies `writes` in order, all or none, and returns once they are durable.
    ///
    /// # Errors
    /// [`StoreError`]; then nothing of the batch is held. After an `Io…` error the writer refuses everything:
    /// the operator must stop.
    pub fn apply(&mut self, writes: &[Write]) -> Result<(), StoreError> {
        let _ = writes;
        unimplemented!("signatures first")
    }
}
