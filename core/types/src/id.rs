//! Who and how many: operator indexes, the cluster's id, and the quorum arithmetic of its size.

use alloy_primitives::B256;
use alloy_rlp::{RlpDecodableWrapper, RlpEncodableWrapper};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The largest cluster that any structure is sized for.
pub const OPERATORS_MAX: usize = 1_024;

/// An operator's seat in the cluster file, from 0.
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
    RlpEncodableWrapper,
    RlpDecodableWrapper,
)]
#[serde(transparent)]
pub struct OperatorIndex(pub u16);

impl OperatorIndex {
    /// The index for use in arrays.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::from(self.0)
    }
}

impl fmt::Display for OperatorIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.0)
    }
}

/// Names a cluster for ever: it fixes genesis, `slots_per_term` and the leader schedule, and enters
/// every digest that is signed. It survives changes of operators.
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
    RlpEncodableWrapper,
    RlpDecodableWrapper,
)]
#[serde(transparent)]
pub struct ClusterId(pub B256);

impl fmt::Display for ClusterId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How many operators there are, and what follows from it. Unit: operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterSize {
    n: u16,
}

impl ClusterSize {
    /// A cluster of `n` operators, `1 ≤ n ≤ OPERATORS_MAX`; `None` outside that range.
    #[must_use]
    pub fn new(n: usize) -> Option<Self> {
        let within = (1..=OPERATORS_MAX).contains(&n);
        within.then_some(n).and_then(|n| u16::try_from(n).ok()).map(|n| Self { n })
    }

    /// All operators.
    #[must_use]
    pub fn n(self) -> usize {
        usize::from(self.n)
    }

    /// The most that may be Byzantine: `⌊(n−1)/3⌋`.
    #[must_use]
    pub fn f(self) -> usize {
        (self.n() - 1) / 3
    }

    /// The quorum, and the threshold of the key: `n − f`.
    #[must_use]
    pub fn q(self) -> usize {
        self.n() - self.f()
    }

    /// Every index, in order.
    pub fn operators(self) -> impl Iterator<Item = OperatorIndex> {
        (0..self.n).map(OperatorIndex)
    }

    /// The leader of a term: round robin over the operators.
    #[must_use]
    pub fn leader(self, term: u64) -> OperatorIndex {
        let index = term % u64::from(self.n);
        OperatorIndex(u16::try_from(index).expect("a remainder of a u16 fits in a u16"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quorums_intersect_in_an_honest_operator() {
        for n in 1..=OPERATORS_MAX {
            let size = ClusterSize::new(n).expect("within range");
            assert!(2 * size.q() > n + size.f(), "two quorums of {n} share more than f operators");
            assert!(size.q() <= n - size.f(), "the honest ones of {n} make a quorum");
        }
    }

    #[test]
    fn sizes_outside_the_range_are_refused() {
        assert_eq!(ClusterSize::new(0), None);
        assert_eq!(ClusterSize::new(OPERATORS_MAX + 1), None);
    }

    #[test]
    fn every_operator_leads_in_turn() {
        let size = ClusterSize::new(7).expect("within range");
        let leaders: Vec<_> = (0..7).map(|term| size.leader(term)).collect();
        assert_eq!(leaders, size.operators().collect::<Vec<_>>());
        assert_eq!(size.leader(7), OperatorIndex(0));
    }
}
