//! One operator of the cluster: the production pipeline, mempool and catch-up, driven in virtual time.
//!
//! What survives a crash is here ([`Operator`]); what does not is in [`Running`], which is dropped. The
//! driver's part (what the node does with tokio and files) is in `driver`, catch-up in `catching_up`,
//! transactions in `pool`, starting and crashing in `lifecycle`.

mod catching_up;
mod driver;
mod lifecycle;
mod memory;
mod pool;

use crate::byzantine::{Behaviour, Powers, Sending};
use crate::clock::Clock;
use crate::disk::JournalWatch;
use crate::executor::Executor;
use crate::keys::Keys;
use crate::packet::{Content, Packet};
use crate::random::{Random, Stream};
use crate::store::Store;
use crate::world::World;
use driver::Job;
use phalanx_checkers::Event as Observed;
use phalanx_consensus::{Config, Engine, RuleCounts};
use phalanx_journal::memory::MemoryDisk;
use phalanx_mempool::Mempool;
use phalanx_pipeline::{Handles, Outcome, Turn};
use phalanx_sync::{CatchUp, RequestId};
use phalanx_types::{BlockRef, Bytes, Certificate, Message, OperatorIndex, Record, Time, Wire};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// What an operator is made of.
#[derive(Clone, Debug)]
pub struct OperatorConfig {
    /// The engine's.
    pub engine: Config,
    /// Which of the cluster's machines it runs on: its seat, or one above all seats where it is a twin.
    pub machine: OperatorIndex,
    /// Its clocks.
    pub clock: Clock,
    /// The simulation's seed.
    pub seed: u64,
    /// Where its journal is compacted. Unit: bytes.
    pub compaction_bytes: u64,
    /// By how much it pads the blocks that it builds. Unit: bytes.
    pub padding_bytes: u32,
    /// How many builds its execution refuses. Unit: parts per million.
    pub builds_refused_ppm: u32,
    /// Whether a crash takes payloads that are not final away: its disk does not keep what it said it would.
    pub loses_payloads: bool,
}

/// What a Byzantine operator has besides.
#[derive(Debug)]
pub(crate) struct Byzantine {
    pub(crate) behaviour: Box<dyn Behaviour>,
    pub(crate) colluders: Vec<OperatorIndex>,
    random: Random,
    deeds: u64,
}

/// One operator, up or down.
#[derive(Debug)]
pub struct Operator {
    pub(crate) config: OperatorConfig,
    pub(crate) keys: Arc<Keys>,
    pub(crate) byzantine: Option<Byzantine>,
    pub(crate) store: Store,
    pub(crate) incarnation: u64,
    /// Here while it is down.
    disk: Option<MemoryDisk>,
    /// Written by the last incarnation, and perhaps durable.
    pending: Vec<Record>,
    rules: RuleCounts,
    pub(crate) running: Option<Running>,
    pub(crate) refuses_all: bool,
}

/// What a crash takes away.
#[derive(Debug)]
pub(crate) struct Running {
    pub(crate) turn: Turn<MemoryDisk>,
    pub(crate) handles: Handles,
    pub(crate) watch: JournalWatch,
    pub(crate) executor: Executor,
    pub(crate) pool: Mempool,
    pub(crate) catch_up: CatchUp,
    pub(crate) jobs: VecDeque<Job>,
    pub(crate) outcomes: VecDeque<Outcome>,
    /// Fetched certificates for which there was no room yet.
    pub(crate) fetched: VecDeque<(OperatorIndex, Vec<Certificate>)>,
    pub(crate) wake_at: Option<Time>,
    /// The true time of the wake-up that was asked for last.
    pub(crate) scheduled: Option<Time>,
    pub(crate) requests: BTreeMap<u64, RequestId>,
    pub(crate) next_request: u64,
    pub(crate) rng: Random,
}

impl Operator {
    /// An operator that was never started.
    #[must_use]
    pub fn new(config: OperatorConfig, keys: &Arc<Keys>) -> Self {
        let Config { genesis, slots_per_term, .. } = config.engine;
        Self {
            config,
            keys: Arc::clone(keys),
            byzantine: None,
            store: Store::new(genesis, slots_per_term),
            incarnation: 0,
            disk: Some(MemoryDisk::new()),
            pending: Vec::new(),
            rules: RuleCounts::default(),
            running: None,
            refuses_all: false,
        }
    }

    /// Makes it Byzantine.
    pub fn corrupt(&mut self, behaviour: Box<dyn Behaviour>, colluders: Vec<OperatorIndex>) {
        let random = Random::new(self.config.seed, Stream::Byzantine(self.config.engine.me.0));
        self.byzantine = Some(Byzantine { behaviour, colluders, random, deeds: 0 });
    }

    /// Its seat.
    #[must_use]
    pub fn index(&self) -> OperatorIndex {
        self.config.engine.me
    }

    /// The machine that it runs on.
    #[must_use]
    pub fn machine(&self) -> OperatorIndex {
        self.config.machine
    }

    /// Whether it runs.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.running.is_some()
    }

    /// Whether its deeds count.
    #[must_use]
    pub fn is_honest(&self) -> bool {
        self.byzantine.is_none()
    }

    /// How often it did what an honest operator would not have: said something else, or nothing, or something
    /// unasked for.
    #[must_use]
    pub fn deeds(&self) -> u64 {
        self.byzantine.as_ref().map_or(0, |byzantine| byzantine.deeds)
    }

    /// The newest block in its store.
    #[must_use]
    pub fn committed(&self) -> BlockRef {
        self.store.committed()
    }

    /// Its store.
    #[must_use]
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Its engine, while it runs.
    #[must_use]
    pub fn engine(&self) -> Option<&Engine> {
        self.running.as_ref().map(|running| running.turn.engine.engine())
    }

    /// How often each arm of the protocol was taken, over its whole life.
    #[must_use]
    pub fn rules(&self) -> RuleCounts {
        let mut rules = self.rules;
        if let Some(engine) = self.engine() {
            rules.add(engine.rule_counts());
        }
        rules
    }

    fn others(&self) -> Vec<OperatorIndex> {
        let me = self.index();
        self.config.engine.size.operators().filter(|operator| *operator != me).collect()
    }

    /// A packet arrived.
    pub fn deliver(&mut self, world: &mut World, from: OperatorIndex, packet: &Packet) {
        if self.running.is_none() {
            return;
        }
        if let Content::Message(message) = &packet.content {
            self.misbehave(world, &[], |behaviour, powers, out| behaviour.receive(powers, from, message, out));
        }
        match &packet.content {
            Content::Message(Message::Transactions(transactions)) => self.offered(world, from, transactions),
            Content::Message(message) => {
                let running = self.running.as_mut().expect("it runs");
                running.handles.ingress.push(from, message.clone());
            }
            Content::Request { id, request } => self.requested(world, from, *id, *request),
            Content::Response { id, response } => self.responded(world, from, *id, response),
        }
        self.run(world);
    }

    /// What was made durable leaves.
    pub fn transmit(&mut self, world: &mut World, messages: &[(Vec<OperatorIndex>, Message)]) {
        for (to, message) in messages {
            match message {
                Message::Vote(vote) => world.observe(self.index(), Observed::Sent(vote.vote)),
                Message::Proposal { proposal, .. } => {
                    world.observe(self.index(), Observed::SentProposal(proposal.header));
                }
                Message::Equivocation(evidence) => {
                    let (leader, position) = (evidence.leader, evidence.first.position);
                    world.observe(self.index(), Observed::Convicted { leader, position });
                }
                Message::Certificate(_) | Message::Transactions(_) => {}
            }
            self.send_message(world, to, message);
        }
    }

    /// Sends a message, or what a Byzantine operator makes of it.
    pub(crate) fn send_message(&mut self, world: &mut World, to: &[OperatorIndex], message: &Message) {
        if self.byzantine.is_some() {
            let honest: Vec<Sending> = to.iter().map(|to| Sending { to: *to, message: message.clone() }).collect();
            self.misbehave(world, &honest, |behaviour, powers, out| behaviour.send(powers, to, message, out));
            return;
        }
        let packet = Arc::new(Packet::new(Content::Message(message.clone())));
        for to in to {
            world.send(self.machine(), *to, &packet);
        }
    }

    /// Some time has passed for a Byzantine operator.
    pub fn tick_byzantine(&mut self, world: &mut World) {
        if self.is_up() {
            let mut frames = Vec::new();
            self.misbehave(world, &[], |behaviour, powers, out| {
                behaviour.tick(powers, out);
                behaviour.frames(powers, &mut frames);
            });
            self.send_frames(world, frames);
        }
    }

    /// Bytes on the wire: what decodes is a message, and the rest its receivers refuse.
    fn send_frames(&mut self, world: &mut World, frames: Vec<(OperatorIndex, Bytes)>) {
        let Some(byzantine) = &mut self.byzantine else { return };
        byzantine.deeds += frames.len() as u64;
        for (to, bytes) in frames {
            if let Ok(message) = Message::from_wire(&bytes) {
                world.send(self.machine(), to, &Arc::new(Packet::new(Content::Message(message))));
            }
        }
    }

    /// Lets a Byzantine operator act, and sends what it says. `honest` is what an honest one would have said.
    fn misbehave(
        &mut self,
        world: &mut World,
        honest: &[Sending],
        act: impl FnOnce(&mut dyn Behaviour, &mut Powers<'_>, &mut Vec<Sending>),
    ) {
        let (me, machine, size) = (self.index(), self.machine(), self.config.engine.size);
        let term = self.engine().map_or(0, |engine| engine.status().term);
        let engine = &self.config.engine;
        let Some(Byzantine { behaviour, colluders, random, deeds }) = &mut self.byzantine else { return };
        let now = world.now();
        let mut powers = Powers { now, me, size, keys: &self.keys, colluders, term, engine, random };
        let mut out = Vec::new();
        act(behaviour.as_mut(), &mut powers, &mut out);
        *deeds += u64::from(out != honest);
        for Sending { to, message } in out {
            world.send(machine, to, &Arc::new(Packet::new(Content::Message(message))));
        }
    }
}
