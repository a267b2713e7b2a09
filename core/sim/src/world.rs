//! What all operators of a simulation share: time, the network between them, the checkers that watch them.

use crate::failure::Failure;
use crate::filter::{Filter, Passing};
use crate::network::Network;
use crate::packet::Packet;
use crate::queue::Queue;
use crate::random::Random;
use crate::timeline::Timeline;
use crate::trace::Trace;
use crate::workload::Senders;
use core::time::Duration;
use phalanx_checkers::{Checkers, Event as Observed, Observation};
use phalanx_types::{Message, OperatorIndex, Time};
use std::sync::Arc;

/// What happens at some time. `incarnation` counts the starts of an operator: what was meant for an
/// earlier one is void.
#[derive(Debug)]
pub enum Event {
    /// A packet arrives.
    Deliver {
        /// The machine that sent it.
        from: OperatorIndex,
        /// The machine where it arrives.
        to: OperatorIndex,
        /// What.
        packet: Arc<Packet>,
    },
    /// What an operator made durable leaves it.
    Transmit {
        /// Who.
        operator: OperatorIndex,
        /// Of which start.
        incarnation: u64,
        /// To whom, and what.
        messages: Vec<(Vec<OperatorIndex>, Message)>,
    },
    /// Execution has finished its current job.
    JobDone {
        /// Whose.
        operator: OperatorIndex,
        /// Of which start.
        incarnation: u64,
    },
    /// A deadline of an operator has passed.
    Wake {
        /// Whose.
        operator: OperatorIndex,
        /// Of which start.
        incarnation: u64,
    },
    /// It is time for an operator to offer its transactions again.
    Housekeep {
        /// Whose.
        operator: OperatorIndex,
        /// Of which start.
        incarnation: u64,
    },
    /// It is time for a Byzantine operator to do something.
    Misbehave {
        /// Who.
        operator: OperatorIndex,
    },
    /// A client sends a transaction.
    Submit,
    /// An operator that crashed starts again.
    Restart {
        /// Who.
        operator: OperatorIndex,
    },
}

/// How long things take that take time.
#[derive(Clone, Copy, Debug)]
pub struct Delays {
    /// The most that a journal's commit takes.
    pub sync_max: Duration,
    /// The most that building, executing or committing a block takes.
    pub execution_max: Duration,
}

/// What all operators share.
#[derive(Debug)]
pub struct World {
    /// Who sits at each machine: an operator that has a twin sits at two.
    pub seats: Vec<OperatorIndex>,
    /// Virtual time.
    pub queue: Queue<Event>,
    /// The network.
    pub network: Network,
    /// The invariants.
    pub checkers: Checkers,
    /// All that happens.
    pub trace: Trace,
    /// Recovered senders.
    pub senders: Senders,
    /// How long things take.
    pub delays: Delays,
    /// Draws those times.
    pub delay_random: Random,
    /// What a script lets pass.
    pub filter: Option<Filter>,
    /// What happened when, where that is asked for.
    pub timeline: Option<Box<Timeline>>,
    /// The first thing that went wrong.
    pub failure: Option<Failure>,
}

impl World {
    /// The true time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.queue.now()
    }

    /// Shows the checkers what an operator did.
    pub fn observe(&mut self, operator: OperatorIndex, event: Observed) {
        if let Some(timeline) = &mut self.timeline {
            timeline.observe(self.queue.now(), operator, &event);
        }
        let observation = Observation { at: self.now(), operator, event };
        if let Err(violation) = self.checkers.observe(&observation) {
            self.fail(Failure::Violation(violation));
        }
    }

    /// Keeps the first failure.
    pub fn fail(&mut self, failure: Failure) {
        let at = self.now();
        self.trace.line(at, || format!("FAILURE {failure}"));
        self.failure.get_or_insert(failure);
    }

    /// Who sits at a machine.
    #[must_use]
    pub fn seat(&self, machine: OperatorIndex) -> OperatorIndex {
        self.seats[machine.as_usize()]
    }

    /// Puts a packet of the machine `from` on the network, to every machine of the operator `to`.
    pub fn send(&mut self, from: OperatorIndex, to: OperatorIndex, packet: &Arc<Packet>) {
        let now = self.now();
        let machines = (0_u16..).map(OperatorIndex).zip(&self.seats).filter(|(_, seat)| **seat == to);
        for (machine, _) in machines {
            let passing = Passing { at: now, from, to: machine, content: &packet.content };
            if self.filter.as_mut().is_some_and(|filter| !filter.passes(&passing)) {
                continue;
            }
            let arrivals = self.network.send(now, from, machine, packet.lane, packet.bytes);
            for at in [arrivals.first, arrivals.second].into_iter().flatten() {
                self.queue.push(at, Event::Deliver { from, to: machine, packet: Arc::clone(packet) });
            }
        }
    }

    /// How long the next sync of a journal takes.
    pub fn sync_delay(&mut self) -> Duration {
        self.delay_random.duration(self.delays.sync_max)
    }

    /// How long the next job of an execution takes.
    pub fn execution_delay(&mut self) -> Duration {
        self.delay_random.duration(self.delays.execution_max)
    }
}
