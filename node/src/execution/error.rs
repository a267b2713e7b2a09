//! What can go wrong in the execution engine, sorted by who is to blame. An invalid block is no error:
//! it is a [`Verdict`](super::Verdict).

use alloy_primitives::B256;
use std::path::PathBuf;

/// The execution engine's errors.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The genesis file asks for something that this engine does not do.
    #[error("genesis: {0}")]
    MisuseGenesis(String),
    /// The state directory belongs to another chain.
    #[error(
        "the state in {path} was made from genesis {stored}, but the genesis file makes {configured}; \
         give this cluster a directory of its own"
    )]
    MisuseOtherChain {
        /// The state file.
        path: PathBuf,
        /// The genesis hash that it was made from.
        stored: B256,
        /// The genesis hash that was configured.
        configured: B256,
    },
    /// A block that is neither the finalized one nor among the unfinalized ones: validate it first.
    #[error("block {0} is not known to the execution engine")]
    MisuseUnknownBlock(B256),
    /// As many blocks wait to become final as may.
    #[error("too many blocks wait to become final; none is built until some are")]
    MisuseUnfinalized,
    /// A block that would undo a finalized one. The cluster contradicts itself, or this operator's state does.
    #[error("block {hash} does not descend from the finalized block {finalized}")]
    MisuseConflict {
        /// The block to be committed.
        hash: B256,
        /// What is final already.
        finalized: B256,
    },
    /// A call or estimate that cannot be carried out as asked.
    #[error("{0}")]
    MisuseCall(String),
    /// The disk, or the state file's lock.
    #[error("the state file {path}: {reason}")]
    Io {
        /// The state file.
        path: PathBuf,
        /// What the store said.
        reason: String,
    },
    /// The state file contradicts itself.
    #[error(
        "the state file {path} is damaged ({reason}); stop the operator, delete that file and start again: \
         the state is rebuilt by replaying the stored blocks"
    )]
    IoDamaged {
        /// The state file.
        path: PathBuf,
        /// What was found.
        reason: String,
    },
}
