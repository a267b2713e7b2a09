//! What readers are shown of an engine: a copy, made after a step.

use core::time::Duration;
use phalanx_types::{BlockRef, OperatorIndex, Position};

/// Where an engine stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Status {
    /// The epoch.
    pub epoch: u64,
    /// The current term.
    pub term: u64,
    /// Its leader.
    pub leader: OperatorIndex,
    /// The slot that is waited for: the lowest of the term above every notarized one.
    pub slot: u32,
    /// Whether this operator has left the term.
    pub left: bool,
    /// The highest proposed block of the current term that is held, else the notarized one.
    pub proposed: BlockRef,
    /// The newest notarized block (a finalization counts).
    pub notarized: BlockRef,
    /// Where it was notarized; `None` for genesis.
    pub notarized_position: Option<Position>,
    /// The newest finalized block.
    pub finalized: BlockRef,
    /// Where it, or its finalized descendant, was finalized; `None` for genesis.
    pub finalized_position: Option<Position>,
    /// The newest block that is committed and executed here.
    pub committed: BlockRef,
    /// The progress timeout in force.
    pub progress_timeout: Duration,
    /// The leaders marked absent.
    pub absent: Vec<OperatorIndex>,
    /// Unfinalized blocks that are held.
    pub blocks_held: usize,
    /// Unfinalized certificates that are held.
    pub certificates_held: usize,
    /// Proposals that are held, of the current term and the next.
    pub proposals_held: usize,
    /// The engine has stopped for good.
    pub halted: bool,
}
