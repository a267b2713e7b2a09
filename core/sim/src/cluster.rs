//! A whole cluster on one seed: makes it, lets time pass, and does to it what a scenario says.

mod config;
mod faults;

pub use config::ClusterConfig;
pub use faults::{Fault, Inflicted};

use crate::byzantine::BehaviourKind;
use crate::clock::Clock;
use crate::failure::Failure;
use crate::filter::{Filter, Passing};
use crate::keys::Keys;
use crate::network::Network;
use crate::operator::{Operator, OperatorConfig};
use crate::packet::{Content, Packet};
use crate::queue::Queue;
use crate::random::{Random, Stream, micros};
use crate::trace::Trace;
use crate::workload::{Senders, Workload};
use crate::world::{Event, World};
use core::time::Duration;
use phalanx_checkers::{Checkers, Setting};
use phalanx_consensus::{RuleCounts, Status};
use phalanx_types::{Bytes, Message, OperatorIndex, Time};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

/// How often a Byzantine operator does something of its own accord.
pub const BYZANTINE_TICK: Duration = Duration::from_millis(50);
/// Transactions that clients hold back because nobody took them; beyond it they make no new ones.
const CLIENT_BACKLOG_MAX: usize = 1_000;
/// When clients try again after the load has ended.
const RETRY_INTERVAL: Duration = Duration::from_millis(200);

/// What came of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Report {
    /// The hash of all events.
    pub trace_hash: u64,
    /// How many there were.
    pub events: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
    /// The highest finalized height.
    pub finalized: u64,
    /// How many terms were left.
    pub term_changes: u64,
    /// The longest time that a watched operator went without a commit.
    pub longest_gap: Duration,
    /// How many transactions were committed.
    pub transactions: u64,
    /// How often each arm of the protocol was taken, by all honest operators together.
    pub rules: RuleCounts,
}

/// A cluster, and its virtual time.
#[derive(Debug)]
pub struct Cluster {
    config: ClusterConfig,
    /// What the operators share.
    pub world: World,
    operators: Vec<Operator>,
    faults: Random,
    /// The number of the next fault.
    next_fault: u32,
    inflicted: Vec<Inflicted>,
    workload: Workload,
    load_interval: Option<Duration>,
    /// Whether an [`Event::Submit`] is on its way.
    submitting: bool,
    backlog: VecDeque<Bytes>,
    /// Clients send to these.
    served: Vec<OperatorIndex>,
    keys: Arc<Keys>,
}

impl Cluster {
    /// Makes the operators and starts them all.
    #[must_use]
    pub fn new(config: ClusterConfig) -> Self {
        let mut cluster = Self::unstarted(config);
        for machine in 0..cluster.operators.len() {
            cluster.restart(OperatorIndex(u16::try_from(machine).expect("a small cluster")));
        }
        cluster
    }

    /// Makes the operators; none runs.
    #[must_use]
    pub fn unstarted(config: ClusterConfig) -> Self {
        let seed = config.seed;
        let byzantine: BTreeSet<OperatorIndex> = config.byzantine.iter().map(|(operator, _)| *operator).collect();
        let setting = Setting {
            size: config.size,
            slots_per_term: config.slots_per_term,
            genesis: config.genesis(),
            byzantine: byzantine.clone(),
            liveness_bound: config.liveness_bound,
        };
        let seats = seats(&config);
        let mut network = Network::new(seats.len(), config.link, Random::new(seed, Stream::Network));
        if config.regions {
            network.spread();
        }
        let world = World {
            queue: Queue::default(),
            network,
            seats,
            checkers: Checkers::new(&setting),
            trace: Trace::new(config.verbose),
            senders: Senders::default(),
            delays: config.delays,
            delay_random: Random::new(seed, Stream::Delays),
            filter: None,
            timeline: None,
            failure: None,
        };
        let keys = Arc::new(Keys::new(config.seed, config.size, config.scheme));
        let operators = operators(&config, &keys, &byzantine);
        let served = config.size.operators().filter(|operator| !byzantine.contains(operator)).collect();
        let mut cluster = Self {
            world,
            operators,
            faults: Random::new(seed, Stream::Faults),
            next_fault: 0,
            inflicted: Vec::new(),
            workload: Workload::new(seed),
            load_interval: None,
            submitting: false,
            backlog: VecDeque::new(),
            served,
            keys,
            config,
        };
        for operator in byzantine {
            cluster.world.queue.push(Time::ZERO + BYZANTINE_TICK, Event::Misbehave { operator });
        }
        cluster
    }

    /// What it was made of.
    #[must_use]
    pub fn config(&self) -> &ClusterConfig {
        &self.config
    }

    /// The true time.
    #[must_use]
    pub fn now(&self) -> Time {
        self.world.now()
    }

    /// All operators, by machine: first by seat, then their twins in the order of seats.
    #[must_use]
    pub fn operators(&self) -> &[Operator] {
        &self.operators
    }

    /// One operator.
    #[must_use]
    pub fn operator(&self, operator: OperatorIndex) -> &Operator {
        &self.operators[operator.as_usize()]
    }

    /// One operator, to do something to it.
    pub fn operator_mut(&mut self, operator: OperatorIndex) -> &mut Operator {
        &mut self.operators[operator.as_usize()]
    }

    /// The indexes of the honest operators.
    #[must_use]
    pub fn honest(&self) -> Vec<OperatorIndex> {
        self.operators.iter().filter(|operator| operator.is_honest()).map(Operator::index).collect()
    }

    /// All keys, as an adversary that holds some of them needs them.
    #[must_use]
    pub fn keys(&self) -> &Keys {
        &self.keys
    }

    /// Where an operator's engine stands; `None` while it is down.
    #[must_use]
    pub fn status(&self, operator: OperatorIndex) -> Option<Status> {
        self.operator(operator).engine().map(phalanx_consensus::Engine::status)
    }

    /// From now on only what `passes` says so of gets through the network.
    pub fn set_filter(&mut self, passes: impl FnMut(&Passing<'_>) -> bool + Send + 'static) {
        self.world.filter = Some(Filter::new(passes));
    }

    /// Everything passes again.
    pub fn clear_filter(&mut self) {
        self.world.filter = None;
    }

    /// Sends a message in the name of an operator, past whatever it would say itself.
    pub fn say(&mut self, from: OperatorIndex, to: OperatorIndex, message: Message) {
        self.world.send(from, to, &Arc::new(Packet::new(Content::Message(message))));
    }

    /// The highest height that anyone has final.
    #[must_use]
    pub fn height(&self) -> u64 {
        self.world.checkers.agreement().height()
    }

    /// The lowest committed height of the honest operators that run.
    #[must_use]
    pub fn height_of_the_last(&self) -> u64 {
        let up = self.operators.iter().filter(|operator| operator.is_honest() && operator.is_up());
        up.map(|operator| operator.committed().number).min().unwrap_or(0)
    }

    /// The highest term that an honest operator that runs is in.
    #[must_use]
    pub fn term(&self) -> u64 {
        let up = self.operators.iter().filter(|operator| operator.is_honest());
        up.filter_map(|operator| operator.engine().map(|engine| engine.status().term)).max().unwrap_or(0)
    }

    /// Lets time pass.
    ///
    /// # Errors
    /// The first [`Failure`].
    pub fn run_for(&mut self, duration: Duration) -> Result<(), Failure> {
        self.run_until(self.now() + duration)
    }

    /// Lets time pass until `end`.
    ///
    /// # Errors
    /// The first [`Failure`].
    pub fn run_until(&mut self, end: Time) -> Result<(), Failure> {
        while let Some(event) = self.world.queue.pop(end) {
            self.happen(event);
            let now = self.now();
            if let Err(violation) = self.world.checkers.check_liveness(now) {
                self.world.fail(Failure::Violation(violation));
            }
            if let Some(failure) = &self.world.failure {
                return Err(failure.clone());
            }
        }
        self.world.queue.advance(end);
        Ok(())
    }

    /// Lets time pass until `reached` says so, for `limit` at most.
    ///
    /// # Errors
    /// The first [`Failure`], or that `what` did not come about.
    pub fn run_until_reached(
        &mut self,
        limit: Duration,
        what: &str,
        reached: impl Fn(&Self) -> bool,
    ) -> Result<(), Failure> {
        let end = self.now() + limit;
        while !reached(self) {
            if self.now() >= end {
                return Err(self.expected(what));
            }
            let step = (self.now() + Duration::from_millis(20)).min(end);
            self.run_until(step)?;
        }
        Ok(())
    }

    /// That something expected is not so.
    #[must_use]
    pub fn expected(&mut self, what: &str) -> Failure {
        let failure = Failure::Expectation { at: self.now(), what: what.to_owned() };
        self.world.fail(failure.clone());
        failure
    }

    fn happen(&mut self, event: Event) {
        let now = self.now();
        let trace = &mut self.world.trace;
        match event {
            Event::Deliver { from, to, packet } => {
                trace.event(now, &(1_u8, from, to, packet.digest));
                trace.line(now, || format!("{from} → {to}: {packet}"));
                let sender = self.world.seat(from);
                self.operators[to.as_usize()].deliver(&mut self.world, sender, &packet);
            }
            Event::Transmit { operator, incarnation, messages } => {
                trace.event(now, &(2_u8, operator, incarnation, messages.len()));
                if let Some(found) = self.current(operator, incarnation) {
                    found.0.transmit(found.1, &messages);
                }
            }
            Event::JobDone { operator, incarnation } => {
                trace.event(now, &(3_u8, operator, incarnation));
                if let Some(found) = self.current(operator, incarnation) {
                    found.0.job_done(found.1);
                }
            }
            Event::Wake { operator, incarnation } => {
                trace.event(now, &(4_u8, operator, incarnation));
                if let Some(found) = self.current(operator, incarnation) {
                    found.0.run(found.1);
                }
            }
            Event::Housekeep { operator, incarnation } => {
                trace.event(now, &(5_u8, operator, incarnation));
                if let Some(found) = self.current(operator, incarnation) {
                    found.0.housekeep(found.1);
                }
            }
            Event::Misbehave { operator } => {
                trace.event(now, &(6_u8, operator));
                self.operators[operator.as_usize()].tick_byzantine(&mut self.world);
                self.world.queue.push(now + BYZANTINE_TICK, Event::Misbehave { operator });
            }
            Event::Submit => {
                trace.event(now, &7_u8);
                self.submit();
            }
            Event::Restart { operator } => {
                trace.event(now, &(8_u8, operator));
                self.restart(operator);
            }
        }
    }

    /// An operator, unless it was started anew or is down.
    fn current(&mut self, operator: OperatorIndex, incarnation: u64) -> Option<(&mut Operator, &mut World)> {
        let found = &mut self.operators[operator.as_usize()];
        (found.is_up() && found.incarnation == incarnation).then_some((found, &mut self.world))
    }

    /// From now on every honest operator that runs must make progress.
    pub fn watch_all(&mut self) {
        let now = self.now();
        for operator in &self.operators {
            if operator.is_up() {
                self.world.checkers.watch(now, operator.index());
            }
        }
    }

    /// Nobody must make progress any more.
    pub fn unwatch_all(&mut self) {
        self.operators.iter().for_each(|operator| self.world.checkers.unwatch(operator.index()));
    }

    /// Clients send a transaction each `interval`, to any of `served`; `None`: they stop.
    pub fn set_load(&mut self, interval: Option<Duration>) {
        self.load_interval = interval.filter(|_| !self.config.plan.no_load);
        if self.load_interval.is_some() && !self.submitting {
            self.submitting = true;
            self.world.queue.push(self.now(), Event::Submit);
        }
    }

    /// Clients send to these from now on.
    pub fn serve_from(&mut self, served: Vec<OperatorIndex>) {
        self.served = served;
    }

    /// A client makes a transaction, or tries again with one that was not taken. It does the latter also when the load
    /// has ended: what follows in the order of the sender's nonces waits for it.
    fn submit(&mut self) {
        if self.load_interval.is_none() && self.backlog.is_empty() {
            self.submitting = false;
            return;
        }
        let again = Duration::from_micros(micros(self.load_interval.unwrap_or(RETRY_INTERVAL)).max(1));
        self.world.queue.push(self.now() + again, Event::Submit);
        if self.load_interval.is_some() && self.backlog.len() < CLIENT_BACKLOG_MAX {
            self.backlog.push_back(self.workload.transaction());
        }
        let attempts = self.backlog.len();
        for _ in 0..attempts {
            let Some(transaction) = self.backlog.pop_front() else { break };
            let to = self.served[self.faults.index(self.served.len())];
            if !self.operators[to.as_usize()].submit(&mut self.world, &transaction) {
                self.backlog.push_back(transaction);
            }
        }
    }

    /// Sees that all accepted transactions become final within `limit`.
    ///
    /// # Errors
    /// The first [`Failure`]; a lost transaction is one.
    pub fn expect_all_committed(&mut self, limit: Duration) -> Result<(), Failure> {
        self.set_load(None);
        let end = self.now() + limit;
        while self.now() < end && self.world.checkers.transactions().waiting_count() > 0 {
            self.run_for(Duration::from_millis(50))?;
        }
        let now = self.now();
        let lost = self.world.checkers.transactions().expect_committed(now, Time::MAX);
        lost.map_err(|violation| {
            self.world.fail(Failure::Violation(violation.clone()));
            Failure::Violation(violation)
        })
    }

    /// What came of it.
    #[must_use]
    pub fn report(&self) -> Report {
        let mut rules = RuleCounts::default();
        for operator in self.operators.iter().filter(|operator| operator.is_honest()) {
            rules.add(&operator.rules());
        }
        Report {
            trace_hash: self.world.trace.hash(),
            events: self.world.trace.events(),
            elapsed: self.now() - Time::ZERO,
            finalized: self.height(),
            term_changes: self.term(),
            longest_gap: self.world.checkers.liveness().longest(),
            transactions: self.world.checkers.transactions().committed_count() as u64,
            rules,
        }
    }
}

fn operators(config: &ClusterConfig, keys: &Arc<Keys>, byzantine: &BTreeSet<OperatorIndex>) -> Vec<Operator> {
    let mut random = Random::new(config.seed, Stream::Scenario);
    let mut make = |(machine, me): (usize, OperatorIndex)| {
        let machine = OperatorIndex(u16::try_from(machine).expect("a small cluster"));
        let start_us = random.between(0, 1 << 40);
        let drift = i64::from(config.drift_ppm_max);
        let drift_ppm = random.between(0, 2 * drift.unsigned_abs()).cast_signed() - drift;
        let skew = micros(config.wall_skew_max).cast_signed();
        let wall_skew_us = random.between(0, 2 * skew.unsigned_abs()).cast_signed() - skew;
        let clock = Clock::new(start_us, drift_ppm, wall_skew_us);
        let engine = config.engine(me);
        let ClusterConfig { seed, compaction_bytes, padding_bytes, builds_refused_ppm, .. } = *config;
        let loses_payloads = config.loses_payloads.contains(&me);
        let settings = OperatorConfig {
            engine,
            machine,
            clock,
            seed,
            compaction_bytes,
            padding_bytes,
            builds_refused_ppm,
            loses_payloads,
        };
        let mut operator = Operator::new(settings, keys);
        if let Some((_, kind)) = config.byzantine.iter().find(|(index, _)| *index == me) {
            operator.corrupt(kind.instance(), byzantine.iter().copied().collect());
        }
        operator
    };
    seats(config).into_iter().enumerate().map(&mut make).collect()
}

/// Who sits at each machine.
fn seats(config: &ClusterConfig) -> Vec<OperatorIndex> {
    let twins = config.byzantine.iter().filter(|(_, kind)| *kind == BehaviourKind::Twin).map(|(seat, _)| *seat);
    let mut twins: Vec<OperatorIndex> = twins.collect();
    twins.sort_unstable();
    config.size.operators().chain(twins).collect()
}
