//! Everything that can happen to an engine.

use phalanx_threshold::Verified;
use phalanx_types::{Block, BlockRef, Certificate, Equivocation, OperatorIndex, Position, Proposal, Record, Vote};
use std::sync::Arc;

/// What execution says of a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Valid, executed, and its payload is durable at this operator.
    Valid,
    /// Invalid for ever. The reason is for people.
    Invalid(String),
    /// Not yet known (syncing, parent missing, timestamp slightly ahead): ask again later.
    Pending,
}

/// Why no block was built. The engine tries again, unless its term is over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildFailure {
    /// The parent is not executed here yet.
    ParentMissing,
    /// Execution refused, with a sentence for people.
    Refused(String),
}

/// Something that happened. Signatures were checked before: `Verified` says so.
#[derive(Clone, Debug)]
pub enum Input {
    /// A leader's proposal and the block that it names; `block.reference` and `block.parent_hash` equal
    /// those of the header. The certificates of its justification come as inputs of their own, before it.
    Proposal {
        /// Under the leader's identity signature.
        proposal: Verified<Proposal>,
        /// Its block.
        block: Arc<Block>,
    },
    /// A notarization, nullification or finalization, however it came.
    Certificate(Verified<Certificate>),
    /// `from`, authenticated by its connection, sent something; `vote` if that was a vote. Not evidence
    /// of anything before others: its partial is unchecked. Used for rule 5 (f+1 left, hand-over, absent).
    Heard {
        /// The authenticated sender.
        from: OperatorIndex,
        /// Its vote, if it sent one.
        vote: Option<Vote>,
    },
    /// A leader caught with two proposals for one position.
    Equivocation(Verified<Equivocation>),
    /// The answer to `Effect::Build`. An `Ok` block's payload is durable and executed.
    Built {
        /// The position asked for.
        position: Position,
        /// The block, or why there is none.
        result: Result<Arc<Block>, BuildFailure>,
    },
    /// The answer to `Effect::Validate`.
    Validated {
        /// The block asked about.
        block: BlockRef,
        /// What execution says.
        verdict: Verdict,
    },
    /// A block fetched because of `Effect::Fetch(Missing::Block)`.
    Fetched(Arc<Block>),
    /// Everything up to this block is committed and executed here.
    Committed(BlockRef),
    /// Hand the leadership over: leave the term that this operator leads (rule 5).
    HandOver,
    /// A deadline set by `Effect::SetTimer` has passed. May come at any time, also early.
    Tick,
}

/// What an engine is restored from after a restart. Empty for a first start.
#[derive(Clone, Debug, Default)]
pub struct Restored {
    /// The journal, in the order in which it was written: own votes and proposals, and certificates.
    pub records: Vec<Record>,
    /// The journal's certificates, checked again.
    pub certificates: Vec<Verified<Certificate>>,
    /// Payloads held above the finalized height, in ascending order of number.
    pub blocks: Vec<Arc<Block>>,
    /// The newest committed block and the position that its finalization (or its finalized descendant's)
    /// speaks of; `None` when nothing but genesis is committed.
    pub committed: Option<BlockRef>,
}
