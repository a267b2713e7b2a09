//! The kinds of fault: their names, what they need, and what may be asked of a cluster that suffers one.

use crate::operator::Tools;
use std::time::Duration;

/// A kind of fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Kind {
    /// Every link takes 60 ms, give or take 20.
    Latency,
    /// Every link loses a tenth of the packets and doubles a hundredth.
    Loss,
    /// Every link carries 2 Mbit/s.
    Narrow,
    /// As many operators as may fail, the leader among them, are cut off.
    MinorityCutOff,
    /// No side of the cut has a quorum.
    Halves,
    /// What the leader sends is lost; it hears the others.
    LeaderUnheard,
    /// What is sent to the leader is lost; the others hear it.
    LeaderDeaf,
    /// `kill -9` of the leader.
    LeaderKilled,
    /// `kill -9` of two, the leader among them.
    TwoKilled,
    /// `kill -9` of all of them.
    AllKilled,
    /// `SIGSTOP` of the leader, then `SIGCONT`.
    LeaderStopped,
    /// No room on the disk of one.
    FullDisk,
    /// Each sync of one takes 50 ms longer.
    SlowDisk,
    /// The syncs of one fail.
    FailingDisk,
    /// The wall clock of one steps forward by 90 s.
    ClockForward,
    /// The wall clock of one steps back by 90 s.
    ClockBack,
}

impl Kind {
    /// All, in the order of the script.
    pub(crate) const ALL: [Self; 16] = [
        Self::Latency,
        Self::Loss,
        Self::Narrow,
        Self::MinorityCutOff,
        Self::Halves,
        Self::LeaderUnheard,
        Self::LeaderDeaf,
        Self::LeaderKilled,
        Self::TwoKilled,
        Self::AllKilled,
        Self::LeaderStopped,
        Self::FullDisk,
        Self::SlowDisk,
        Self::FailingDisk,
        Self::ClockForward,
        Self::ClockBack,
    ];

    /// Its name on the command line and in reports.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Latency => "latency",
            Self::Loss => "loss",
            Self::Narrow => "narrow",
            Self::MinorityCutOff => "minority-cut-off",
            Self::Halves => "halves",
            Self::LeaderUnheard => "leader-unheard",
            Self::LeaderDeaf => "leader-deaf",
            Self::LeaderKilled => "leader-killed",
            Self::TwoKilled => "two-killed",
            Self::AllKilled => "all-killed",
            Self::LeaderStopped => "leader-stopped",
            Self::FullDisk => "full-disk",
            Self::SlowDisk => "slow-disk",
            Self::FailingDisk => "failing-disk",
            Self::ClockForward => "clock-forward",
            Self::ClockBack => "clock-back",
        }
    }

    /// The kind of this name.
    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

    /// Whether it is a matter of links, so that it can go along with one of processes.
    pub(crate) fn is_of_links(self) -> bool {
        use Kind::{Halves, Latency, LeaderDeaf, LeaderUnheard, Loss, MinorityCutOff, Narrow};
        matches!(self, Latency | Loss | Narrow | MinorityCutOff | Halves | LeaderUnheard | LeaderDeaf)
    }

    /// How many operators it befalls, of `operators` that tolerate `faults`; none: the links of all.
    pub(crate) fn victims(self, operators: u8, faults: u8) -> u8 {
        match self {
            Self::Latency | Self::Loss | Self::Narrow => 0,
            Self::MinorityCutOff => faults,
            Self::Halves => operators / 2,
            Self::TwoKilled => 2,
            Self::AllKilled => operators,
            _ => 1,
        }
    }

    /// Whether those that it leaves alone are no quorum.
    pub(crate) fn takes_the_quorum(self, operators: u8, faults: u8) -> bool {
        self.victims(operators, faults) > faults
    }

    /// Why it cannot be injected here, if it cannot.
    pub(crate) fn obstacle(self, faults: u8, tools: &Tools) -> Option<&'static str> {
        match self {
            Self::TwoKilled if faults < 2 => Some("two killed are more than this cluster tolerates: see all-killed"),
            Self::SlowDisk | Self::FailingDisk if tools.strace.is_none() => Some("strace is missing"),
            Self::ClockForward | Self::ClockBack if tools.faketime.is_none() => Some("libfaketime is missing"),
            _ => None,
        }
    }

    /// How long it lasts in the script.
    pub(crate) fn lasts(self) -> Duration {
        match self {
            // A step is noticed within a second; a victim's term comes up.
            Self::ClockForward | Self::ClockBack => Duration::from_secs(10),
            Self::LeaderDeaf | Self::LeaderUnheard => Duration::from_secs(5),
            Self::LeaderKilled | Self::TwoKilled => Duration::from_secs(2),
            Self::AllKilled => Duration::from_secs(1),
            _ => Duration::from_secs(4),
        }
    }
}

#[test]
fn every_kind_has_a_name_of_its_own() {
    for kind in Kind::ALL {
        assert_eq!(Kind::named(kind.name()), Some(kind));
    }
    assert_eq!(Kind::named("nothing"), None);
}

#[test]
fn a_quorum_is_left_unless_the_kind_is_about_losing_it() {
    for (operators, faults) in [(4, 1), (7, 2)] {
        let quorumless = Kind::ALL.into_iter().filter(|kind| kind.takes_the_quorum(operators, faults));
        let quorumless: Vec<_> = quorumless.filter(|kind| *kind != Kind::TwoKilled).collect();
        assert_eq!(quorumless, [Kind::Halves, Kind::AllKilled]);
    }
    assert!(Kind::TwoKilled.takes_the_quorum(4, 1) && !Kind::TwoKilled.takes_the_quorum(7, 2));
}
