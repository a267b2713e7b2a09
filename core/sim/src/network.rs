//! The virtual network: when a message arrives, how often, or that it never does.
//!
//! Each ordered pair of operators has a [`Link`] of its own, so that everything may be asymmetric. The
//! lanes of a link have bandwidth of their own: a big block takes its time, and delays no vote. Nothing is
//! ordered or delivered for sure; what QUIC does to repair that is left out, which only makes it harder.

pub mod regions;

use crate::random::{Random, micros};
use core::time::Duration;
use phalanx_types::{OperatorIndex, Time};

/// What a message travels with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Votes, certificates, evidence.
    Vote,
    /// Proposals with their payloads.
    Block,
    /// Everything else: transactions, requests, answers.
    Bulk,
}

impl Lane {
    const COUNT: usize = 3;

    fn index(self) -> usize {
        match self {
            Self::Vote => 0,
            Self::Block => 1,
            Self::Bulk => 2,
        }
    }
}

/// How messages fare in one direction between two operators.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Link {
    /// The least delay.
    pub latency: Duration,
    /// Up to so much is added to it, evenly distributed; it also reorders.
    pub jitter: Duration,
    /// So many are lost. Unit: parts per million.
    pub loss_ppm: u32,
    /// So many arrive twice. Unit: parts per million.
    pub duplicate_ppm: u32,
    /// So many are held up by up to ten times latency and jitter. Unit: parts per million.
    pub straggler_ppm: u32,
    /// Of each lane. Unit: bytes per second.
    pub bandwidth_bytes_s: u64,
}

impl core::fmt::Display for Link {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        write!(
            f,
            "{:?} and up to {:?} slow, {} ppm lost, {} ppm doubled, {} ppm held up, {} bytes/s",
            self.latency, self.jitter, self.loss_ppm, self.duplicate_ppm, self.straggler_ppm, self.bandwidth_bytes_s
        )
    }
}

impl Link {
    /// A good link within one region: 1 ms, 1 Gbit/s.
    pub const GOOD: Self = Self {
        latency: Duration::from_millis(1),
        jitter: Duration::from_micros(200),
        loss_ppm: 0,
        duplicate_ppm: 0,
        straggler_ppm: 0,
        bandwidth_bytes_s: 125_000_000,
    };

    /// A bad one: 10 to 40 ms, one message in ten lost, one in twenty twice, one in fifty very late,
    /// 100 Mbit/s.
    pub const BAD: Self = Self {
        latency: Duration::from_millis(10),
        jitter: Duration::from_millis(30),
        loss_ppm: 100_000,
        duplicate_ppm: 50_000,
        straggler_ppm: 20_000,
        bandwidth_bytes_s: 12_500_000,
    };
}

/// When copies of a message arrive: none, one or two.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Arrivals {
    /// The first copy.
    pub first: Option<Time>,
    /// A duplicate.
    pub second: Option<Time>,
}

/// All links of a cluster.
#[derive(Clone, Debug)]
pub struct Network {
    n: usize,
    links: Vec<Link>,
    cut: Vec<bool>,
    busy_until: Vec<[Time; Lane::COUNT]>,
    sent: [u64; Lane::COUNT],
    random: Random,
}

impl Network {
    /// `n` operators, each joined with each other by `link`.
    #[must_use]
    pub fn new(n: usize, link: Link, random: Random) -> Self {
        let pairs = n * n;
        Self {
            n,
            links: vec![link; pairs],
            cut: vec![false; pairs],
            busy_until: vec![[Time::ZERO; Lane::COUNT]; pairs],
            sent: [0; Lane::COUNT],
            random,
        }
    }

    /// How many messages were ever sent with a lane, lost ones among them.
    #[must_use]
    pub fn sent(&self, lane: Lane) -> u64 {
        self.sent[lane.index()]
    }

    fn pair(&self, from: OperatorIndex, to: OperatorIndex) -> usize {
        from.as_usize() * self.n + to.as_usize()
    }

    /// Changes one direction between two operators.
    pub fn set_link(&mut self, from: OperatorIndex, to: OperatorIndex, link: Link) {
        let pair = self.pair(from, to);
        self.links[pair] = link;
    }

    /// Changes every link.
    pub fn set_all(&mut self, link: Link) {
        self.links.fill(link);
    }

    /// Spreads the machines over the regions of the world, in turn: see [`regions`].
    pub fn spread(&mut self) {
        for from in 0..self.n {
            for to in 0..self.n {
                self.links[from * self.n + to].latency = regions::latency(from, to);
            }
        }
    }

    /// Cuts one direction between two operators, or joins it again. What is under way still arrives.
    pub fn set_cut(&mut self, from: OperatorIndex, to: OperatorIndex, cut: bool) {
        let pair = self.pair(from, to);
        self.cut[pair] = cut;
    }

    /// Whether one direction is cut.
    #[must_use]
    pub fn is_cut(&self, from: OperatorIndex, to: OperatorIndex) -> bool {
        self.cut[self.pair(from, to)]
    }

    /// Lets only members of one group talk to each other; whoever is in no group talks to nobody.
    pub fn partition(&mut self, groups: &[Vec<OperatorIndex>]) {
        self.cut.fill(true);
        for group in groups {
            for from in group {
                for to in group {
                    self.set_cut(*from, *to, false);
                }
            }
        }
    }

    /// Cuts an operator off from everyone, in both directions.
    pub fn isolate(&mut self, operator: OperatorIndex) {
        let cut = operator.as_usize();
        for other in 0..self.n {
            self.cut[cut * self.n + other] = true;
            self.cut[other * self.n + cut] = true;
        }
    }

    /// Cuts what others send to an operator; they hear it.
    pub fn deafen(&mut self, operator: OperatorIndex) {
        (0..self.n).for_each(|other| self.cut[other * self.n + operator.as_usize()] = true);
    }

    /// Joins everyone again.
    pub fn heal(&mut self) {
        self.cut.fill(false);
    }

    /// Sends `bytes` bytes on a lane now.
    pub fn send(&mut self, now: Time, from: OperatorIndex, to: OperatorIndex, lane: Lane, bytes: usize) -> Arrivals {
        let pair = self.pair(from, to);
        let link = self.links[pair];
        self.sent[lane.index()] += 1;
        if self.cut[pair] || self.random.chance(link.loss_ppm) {
            return Arrivals::default();
        }
        let busy = &mut self.busy_until[pair][lane.index()];
        let sending = (bytes as u64).saturating_mul(1_000_000) / link.bandwidth_bytes_s.max(1);
        let sent = (*busy).max(now) + Duration::from_micros(sending);
        *busy = sent;
        let first = Some(sent + self.delay(&link));
        let second = self.random.chance(link.duplicate_ppm).then(|| sent + self.delay(&link));
        Arrivals { first, second }
    }

    fn delay(&mut self, link: &Link) -> Duration {
        let usual = link.latency + self.random.duration(link.jitter);
        if self.random.chance(link.straggler_ppm) {
            let worst = micros(link.latency + link.jitter).saturating_mul(10);
            return usual + Duration::from_micros(self.random.between(0, worst));
        }
        usual
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Stream;

    const A: OperatorIndex = OperatorIndex(0);
    const B: OperatorIndex = OperatorIndex(1);
    const C: OperatorIndex = OperatorIndex(2);

    fn network(link: Link) -> Network {
        Network::new(3, link, Random::new(5, Stream::Network))
    }

    fn arrives(network: &mut Network, from: OperatorIndex, to: OperatorIndex) -> bool {
        network.send(Time::ZERO, from, to, Lane::Vote, 100).first.is_some()
    }

    #[test]
    fn latency_and_jitter_bound_the_delay() {
        let link = Link { jitter: Duration::from_millis(3), ..Link::GOOD };
        let mut network = network(link);
        for _ in 0..1_000 {
            let at = network.send(Time::ZERO, A, B, Lane::Vote, 0).first.expect("nothing is lost here");
            assert!((1_000..=4_000).contains(&at.as_micros()), "{at}");
        }
    }

    #[test]
    fn a_big_block_takes_time_and_delays_no_vote() {
        let mut network = network(Link { jitter: Duration::ZERO, ..Link::GOOD });
        let at = |network: &mut Network, lane, bytes| network.send(Time::ZERO, A, B, lane, bytes).first;
        assert_eq!(at(&mut network, Lane::Block, 12_500_000), Some(Time::from_micros(101_000)));
        assert_eq!(at(&mut network, Lane::Block, 12_500_000), Some(Time::from_micros(201_000)), "one after the other");
        assert_eq!(at(&mut network, Lane::Vote, 125), Some(Time::from_micros(1_001)));
    }

    #[test]
    fn messages_are_lost_and_doubled_as_often_as_the_link_says() {
        let mut network = network(Link::BAD);
        let arrivals: Vec<_> = (0..10_000).map(|_| network.send(Time::ZERO, A, B, Lane::Vote, 100)).collect();
        let lost = arrivals.iter().filter(|arrival| arrival.first.is_none()).count();
        let doubled = arrivals.iter().filter(|arrival| arrival.second.is_some()).count();
        assert!((850..1_150).contains(&lost), "{lost} lost");
        assert!((350..550).contains(&doubled), "{doubled} doubled");
    }

    #[test]
    fn cuts_may_be_asymmetric_and_heal() {
        let mut network = network(Link::GOOD);
        network.set_cut(A, B, true);
        assert!(!arrives(&mut network, A, B) && arrives(&mut network, B, A));
        network.partition(&[vec![A, B]]);
        assert!(arrives(&mut network, A, B) && !arrives(&mut network, A, C) && !arrives(&mut network, C, B));
        network.heal();
        network.isolate(B);
        assert!(arrives(&mut network, A, C) && !arrives(&mut network, A, B) && !arrives(&mut network, B, C));
        network.heal();
        network.deafen(B);
        assert!(arrives(&mut network, B, C) && !arrives(&mut network, C, B) && arrives(&mut network, C, A));
        network.heal();
        assert!(arrives(&mut network, C, B));
    }
}
