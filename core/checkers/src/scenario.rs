//! Invariants 6 and 7, which hold only in scenarios made for them: the scenario says when.

use crate::{Broken, Violation};
use phalanx_types::{BlockRef, OperatorIndex, Position, Time};

/// Invariant 6: from some moment on too few operators are up for a quorum, so no height that was not final
/// before may become final.
#[derive(Clone, Copy, Debug)]
pub struct Standstill {
    height: u64,
}

impl Standstill {
    /// Nothing above `height`, the highest that anyone has final, may become final.
    #[must_use]
    pub fn at(height: u64) -> Self {
        Self { height }
    }

    /// `operator` committed `block`.
    ///
    /// # Errors
    /// [`Broken::GrewWithoutQuorum`].
    pub fn committed(&self, at: Time, operator: OperatorIndex, block: BlockRef) -> Result<(), Violation> {
        if block.number <= self.height {
            return Ok(());
        }
        Err(Violation::new(at, operator, Broken::GrewWithoutQuorum(block)))
    }
}

/// Invariant 7: a term must go on, whatever one operator's timer said.
#[derive(Clone, Copy, Debug)]
pub struct TermKept {
    term: u64,
}

impl TermKept {
    /// No term after `term` may be entered.
    #[must_use]
    pub fn new(term: u64) -> Self {
        Self { term }
    }

    /// `operator` entered the term of `position`.
    ///
    /// # Errors
    /// [`Broken::TermEnded`].
    pub fn entered(&self, at: Time, operator: OperatorIndex, position: Position) -> Result<(), Violation> {
        if position.term <= self.term {
            return Ok(());
        }
        Err(Violation::new(at, operator, Broken::TermEnded { expected: self.term, entered: position }))
    }
}
