//! Who collects the votes of a term, in large clusters: its leader, and the leaders of the next terms.
//!
//! Nothing of the protocol's safety rests on it: it only says who gets a message. Its liveness rests on two
//! things: an honest leader is a collector of its own term, and what is said again goes to everyone.

use crate::Config;
use phalanx_types::{ClusterSize, OperatorIndex, Vote, VoteKind};
use std::sync::Arc;

/// The seats of the collectors, for every term.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CollectorSeats {
    size: ClusterSize,
    me: OperatorIndex,
    /// How many after the leader; below `n`.
    after: usize,
}

impl CollectorSeats {
    /// Those of a cluster; `None` where votes go to everyone.
    #[must_use]
    pub fn new(config: &Config) -> Option<Self> {
        let (size, me, settings) = (config.size, config.me, config.collectors);
        (size.n() > settings.above).then(|| Self { size, me, after: settings.count.min(size.n() - 1) })
    }

    /// Whether this operator collects the votes of a term.
    #[must_use]
    pub fn collects(&self, term: u64) -> bool {
        let (n, leader) = (self.size.n(), self.size.leader(term).as_usize());
        (self.me.as_usize() + n - leader) % n <= self.after
    }

    /// Whether a vote that was sent here, and whose position is final, shows that its sender lacks the finalization.
    /// To an operator that does not collect votes for a block come only when they are said again; and `Nullify`, which
    /// everyone gets, is not for what its sender knows final.
    #[must_use]
    pub fn shows_lack(&self, vote: &Vote) -> bool {
        vote.kind == VoteKind::Nullify || !self.collects(vote.position.term)
    }

    /// The collectors of a term but for this operator, its leader first.
    fn others(&self, term: u64) -> impl Iterator<Item = OperatorIndex> {
        let Self { size, me, after } = *self;
        let first = size.leader(term).as_usize();
        let seat = move |next| u16::try_from((first + next) % size.n()).expect("a seat fits in a u16");
        (0..=after).map(seat).map(OperatorIndex).filter(move |operator| *operator != me)
    }
}

/// To whom the votes of the current term go first.
#[derive(Clone, Debug)]
pub(crate) struct Collecting {
    seats: CollectorSeats,
    /// The collectors of the current term but for this operator: made once for each term.
    others: Arc<[OperatorIndex]>,
    term: u64,
}

impl Collecting {
    pub(crate) fn new(config: &Config) -> Option<Self> {
        let seats = CollectorSeats::new(config)?;
        Some(Self { seats, others: seats.others(0).collect(), term: 0 })
    }

    pub(crate) fn enter(&mut self, term: u64) {
        self.others = self.seats.others(term).collect();
        self.term = term;
    }

    pub(crate) fn seats(&self) -> CollectorSeats {
        self.seats
    }

    pub(crate) fn others(&self) -> Arc<[OperatorIndex]> {
        Arc::clone(&self.others)
    }

    /// Whether this operator collects the votes of the current term.
    pub(crate) fn collects(&self) -> bool {
        self.seats.collects(self.term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Collectors;
    use crate::testing::config;

    fn seats(me: u16, n: usize, count: usize) -> CollectorSeats {
        let collectors = Collectors { above: 3, count };
        CollectorSeats::new(&Config { collectors, ..config(me, n, 8) }).expect("a large cluster")
    }

    #[test]
    fn who_collects_and_to_whom_votes_go_agree() {
        for (n, count) in [(4, 1), (10, 3), (10, 9), (10, 100), (67, 4)] {
            for term in [0, 1, 7, 66, u64::MAX] {
                let me = |operator: OperatorIndex| seats(operator.0, n, count);
                let size = ClusterSize::new(n).expect("within range");
                let collecting: Vec<_> = size.operators().filter(|operator| me(*operator).collects(term)).collect();
                assert_eq!(collecting.len(), n.min(count + 1), "n = {n}, k = {count}, term {term}");
                assert!(collecting.contains(&size.leader(term)));
                for operator in size.operators() {
                    let mut told: Vec<_> = me(operator).others(term).collect();
                    told.sort_unstable();
                    let expected: Vec<_> = collecting.iter().copied().filter(|other| *other != operator).collect();
                    assert_eq!(told, expected, "n = {n}, k = {count}, term {term}, operator {operator}");
                }
            }
        }
    }

    #[test]
    fn small_clusters_have_none() {
        let settings = Config { collectors: Collectors { above: 4, count: 1 }, ..config(0, 4, 8) };
        assert_eq!(CollectorSeats::new(&settings), None);
    }
}
