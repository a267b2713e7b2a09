//! What goes wrong on purpose, and what is put right again.
//!
//! A fault that a scenario could do without is [`Cluster::inflict`]ed: it gets a number, so that a [`crate::plan::Plan`]
//! may leave it out. What an expectation of the scenario rests on is done directly, and is never left out.

use super::Cluster;
use crate::disk::any_unsynced;
use crate::network::Link;
use crate::operator::Operator;
use crate::world::Event;
use core::fmt;
use core::time::Duration;
use phalanx_journal::memory::Unsynced;
use phalanx_types::{OperatorIndex, Time};

/// Something that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// An operator loses its power.
    Crash(OperatorIndex),
    /// An operator's disk fails amid one of its next few writes; it starts again by itself.
    CrashWhileWriting(OperatorIndex),
    /// An operator's disk fails at one of its next writes and syncs, counted from zero; it starts again by itself.
    CrashAtWrite(OperatorIndex, u64),
    /// An operator's disk is full in a moment; it starts again by itself, with room.
    FillDisk(OperatorIndex),
    /// One direction between two operators changes.
    Link(OperatorIndex, OperatorIndex, Link),
    /// All links change.
    Links(Link),
    /// One direction between two operators is cut.
    Cut(OperatorIndex, OperatorIndex),
    /// An operator is cut off from everyone.
    Isolate(OperatorIndex),
    /// An operator hears nobody, and is heard.
    Deafen(OperatorIndex),
    /// Only members of one group can talk to each other.
    Partition(Vec<Vec<OperatorIndex>>),
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Crash(operator) => write!(f, "operator {operator} crashes"),
            Self::CrashWhileWriting(operator) => write!(f, "operator {operator} crashes amid one of its next writes"),
            Self::CrashAtWrite(operator, write) => write!(f, "operator {operator} crashes at its write {write}"),
            Self::FillDisk(operator) => write!(f, "operator {operator}'s disk is full after its next writes"),
            Self::Link(from, to, link) => write!(f, "the link from {from} to {to} becomes {link}"),
            Self::Links(link) => write!(f, "all links become {link}"),
            Self::Cut(from, to) => write!(f, "the link from {from} to {to} is cut"),
            Self::Isolate(operator) => write!(f, "operator {operator} is cut off"),
            Self::Deafen(operator) => write!(f, "operator {operator} hears nobody"),
            Self::Partition(groups) => {
                let group = |group: &Vec<OperatorIndex>| {
                    let members: Vec<String> = group.iter().map(ToString::to_string).collect();
                    format!("{{{}}}", members.join(" "))
                };
                let groups: Vec<String> = groups.iter().map(group).collect();
                write!(f, "the network splits into {}", groups.join(" "))
            }
        }
    }
}

/// A fault that was inflicted: part of a schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inflicted {
    /// Its number, which a plan leaves it out by.
    pub number: u32,
    /// When.
    pub at: Time,
    /// What.
    pub fault: Fault,
}

impl fmt::Display for Inflicted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} fault {}: {}", self.at, self.number, self.fault)
    }
}

impl Cluster {
    /// Lets something go wrong, unless the plan leaves it out. Whatever is left to chance is drawn either way.
    pub fn inflict(&mut self, fault: Fault) {
        let number = self.next_fault;
        self.next_fault += 1;
        let drawn = Drawn::new(self);
        if self.config.plan.leaves_out(number) {
            return;
        }
        let at = self.now();
        self.world.trace.line(at, || format!("fault {number}: {fault}"));
        self.inflicted.push(Inflicted { number, at, fault: fault.clone() });
        match fault {
            Fault::Crash(operator) => self.crash_so(operator, &drawn),
            Fault::CrashWhileWriting(operator) => {
                self.operators[operator.as_usize()].fail_disk_after(drawn.operations, drawn.done_bytes);
            }
            Fault::CrashAtWrite(operator, write) => {
                self.operators[operator.as_usize()].fail_disk_after(write, drawn.done_bytes);
            }
            Fault::FillDisk(operator) => self.operators[operator.as_usize()].fill_disk_after(drawn.room_bytes),
            Fault::Link(from, to, link) => self.world.network.set_link(from, to, link),
            Fault::Links(link) => self.world.network.set_all(link),
            Fault::Cut(from, to) => self.world.network.set_cut(from, to, true),
            Fault::Isolate(operator) => self.world.network.isolate(operator),
            Fault::Deafen(operator) => self.world.network.deafen(operator),
            Fault::Partition(groups) => self.world.network.partition(&groups),
        }
    }

    /// What was inflicted so far.
    #[must_use]
    pub fn inflicted(&self) -> &[Inflicted] {
        &self.inflicted
    }

    /// Lets time pass between two faults: as long as the plan lets it be.
    ///
    /// # Errors
    /// The first [`crate::failure::Failure`].
    pub fn pause(&mut self, duration: Duration) -> Result<(), crate::failure::Failure> {
        self.run_for(self.config.plan.pause(duration))
    }

    /// Takes an operator's power away. What its disk makes of unsynced writes, and how many of its newest
    /// commits are lost, is left to chance.
    pub fn crash(&mut self, operator: OperatorIndex) {
        let drawn = Drawn::new(self);
        self.crash_so(operator, &drawn);
    }

    fn crash_so(&mut self, operator: OperatorIndex, drawn: &Drawn) {
        let now = self.now();
        self.world.trace.line(now, || format!("{operator} crashes"));
        self.operators[operator.as_usize()].crash(drawn.unsynced, drawn.commits_lost);
        self.world.checkers.unwatch(operator);
    }

    /// Starts an operator, unless it runs.
    pub fn restart(&mut self, operator: OperatorIndex) {
        let now = self.now();
        self.world.trace.line(now, || format!("{operator} starts"));
        self.operators[operator.as_usize()].start(&mut self.world);
    }

    /// Starts an operator later.
    pub fn restart_after(&mut self, operator: OperatorIndex, delay: Duration) {
        self.world.queue.push(self.now() + delay, Event::Restart { operator });
    }

    /// Tells an operator to hand over the term that it leads.
    pub fn hand_over(&mut self, operator: OperatorIndex) {
        self.operators[operator.as_usize()].hand_over(&mut self.world);
    }

    /// From now on an operator's execution calls every new block invalid, and the operator may halt.
    pub fn refuse_all(&mut self, operator: OperatorIndex) {
        self.operators[operator.as_usize()].refuse_all();
    }

    /// From now on an operator's execution refuses to build: it is not synced, or sick.
    pub fn refuse_builds(&mut self, operator: OperatorIndex) {
        self.operators[operator.as_usize()].refuse_builds();
    }

    /// No disk fails any more.
    pub fn repair_disks(&mut self) {
        self.operators.iter_mut().for_each(Operator::repair_disk);
    }
}

/// What a fault leaves to chance.
struct Drawn {
    unsynced: Unsynced,
    commits_lost: usize,
    operations: u64,
    done_bytes: usize,
    room_bytes: usize,
}

impl Drawn {
    fn new(cluster: &mut Cluster) -> Self {
        let random = &mut cluster.faults;
        Self {
            unsynced: any_unsynced(random),
            commits_lost: random.index(4),
            operations: random.between(0, 12),
            done_bytes: random.index(600),
            room_bytes: random.index(4_000),
        }
    }
}
