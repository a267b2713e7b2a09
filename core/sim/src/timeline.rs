//! When blocks were proposed and became final, and when terms were entered: for figures, where a measurement asks.

use core::time::Duration;
use phalanx_checkers::Event as Observed;
use phalanx_types::{B256, OperatorIndex, Position, Time};
use std::collections::BTreeMap;

/// A block became final at an operator.
#[derive(Clone, Copy, Debug)]
pub struct Finality {
    /// Who proposed it.
    pub leader: OperatorIndex,
    /// Where it became final.
    pub operator: OperatorIndex,
    /// How long after its proposal had left.
    pub took: Duration,
}

/// What happened when, as honest operators saw it.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    proposed: BTreeMap<B256, (Time, OperatorIndex)>,
    /// Proposals that left their leaders for the first time, in order.
    pub proposals: Vec<(Time, Position)>,
    /// Every block at every operator, in order.
    pub finalities: Vec<Finality>,
    /// Terms that an operator entered, in order.
    pub entered: Vec<(Time, OperatorIndex, u64)>,
    /// Heights that an operator committed, in order.
    pub committed: Vec<(Time, OperatorIndex, u64)>,
}

impl Timeline {
    /// An operator did something.
    pub fn observe(&mut self, at: Time, operator: OperatorIndex, event: &Observed) {
        match event {
            Observed::SentProposal(header) => {
                self.proposed.entry(header.block.hash).or_insert_with(|| {
                    self.proposals.push((at, header.position));
                    (at, operator)
                });
            }
            Observed::Committed(block) => {
                self.committed.push((at, operator, block.reference.number));
                if let Some((proposed, leader)) = self.proposed.get(&block.reference.hash) {
                    self.finalities.push(Finality { leader: *leader, operator, took: at - *proposed });
                }
            }
            Observed::EnteredTerm(position) => self.entered.push((at, operator, position.term)),
            _ => {}
        }
    }

    /// How long an operator spent in each term that it entered and left.
    #[must_use]
    pub fn terms(&self, operator: OperatorIndex) -> Vec<(u64, Duration)> {
        let entered: Vec<_> = self.entered.iter().filter(|(_, who, _)| *who == operator).collect();
        entered.windows(2).map(|pair| (pair[0].2, pair[1].0 - pair[0].0)).collect()
    }

    /// The times between two proposals of one term.
    #[must_use]
    pub fn intervals(&self) -> Vec<Duration> {
        let of_one_term = self.proposals.windows(2).filter(|pair| pair[0].1.term == pair[1].1.term);
        of_one_term.map(|pair| pair[1].0.saturating_since(pair[0].0)).collect()
    }

    /// The longest time between two commits of an operator, from `since` on.
    #[must_use]
    pub fn longest_gap(&self, operator: OperatorIndex, since: Time) -> Duration {
        let own = self.committed.iter().filter(|(at, who, _)| *who == operator && *at >= since);
        let times: Vec<Time> = core::iter::once(since).chain(own.map(|(at, ..)| *at)).collect();
        times.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap_or(Duration::ZERO)
    }
}
