//! Where in the protocol's time a block stands.

use alloy_rlp::{RlpDecodable, RlpEncodable};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A position: at each one at most one block can be notarized. Ordered lexicographically.
#[derive(
    Clone,
    Copy,
    Debug,
    Default,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    RlpEncodable,
    RlpDecodable,
)]
pub struct Position {
    /// Counts changes of the set of operators.
    pub epoch: u64,
    /// Counts leaders within the epoch.
    pub term: u64,
    /// Counts blocks within the term, below `slots_per_term`.
    pub slot: u32,
}

impl Position {
    /// The position `(epoch, term, slot)`.
    #[must_use]
    pub const fn new(epoch: u64, term: u64, slot: u32) -> Self {
        Self { epoch, term, slot }
    }
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "({}, {}, {})", self.epoch, self.term, self.slot)
    }
}
