//! Starting, and crashing.

use super::{Operator, Running};
use crate::disk::JournalWatch;
use crate::executor::Executor;
use crate::failure::Failure;
use crate::payload::Inspector;
use crate::random::{Random, Stream};
use crate::world::{Event, World};
use core::time::Duration;
use phalanx_checkers::Event as Observed;
use phalanx_consensus::RuleCounts;
use phalanx_journal::memory::{Fault, MemoryDisk, Unsynced};
use phalanx_journal::{Journal, JournalHeader, Segment};
use phalanx_mempool::{Limits, Mempool};
use phalanx_pipeline::{PipelineConfig, Turn, Wakes, restore};
use phalanx_sync::{CatchUp, CatchUpConfig};
use phalanx_types::{Bytes, Record};
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

/// How long catch-up waits for an answer.
const REQUEST_TIMEOUT: Duration = Duration::from_millis(300);
/// How often transactions are offered again.
pub(super) const HOUSEKEEP_INTERVAL: Duration = Duration::from_millis(500);

fn seed_of(rng: &mut Random) -> [u8; 32] {
    let mut seed = [0; 32];
    seed.chunks_mut(8).for_each(|chunk| chunk.copy_from_slice(&rng.number().to_be_bytes()));
    seed
}

impl Operator {
    /// Starts, for the first time or again. Does nothing while it runs.
    pub fn start(&mut self, world: &mut World) {
        if self.is_up() {
            return;
        }
        self.incarnation += 1;
        match self.try_start(world) {
            Ok(running) => {
                self.running = Some(running);
                self.started(world);
            }
            Err(reason) => {
                let (at, operator) = (world.now(), self.index());
                world.fail(Failure::Halted { at, operator, reason });
            }
        }
    }

    fn try_start(&mut self, world: &mut World) -> Result<Running, String> {
        let (journal, records) = self.open_journal()?;
        self.observe_pending(world, &records);
        let committed = self.store.committed();
        if self.incarnation > 1 {
            world.observe(self.index(), Observed::Restarted { committed });
        }
        let stream = u16::try_from(self.incarnation % 64).expect("below 64") * 1_024 + self.machine().0;
        let mut rng = Random::new(self.config.seed, Stream::Operator(stream));
        let restored = (self.store.committed() != self.config.engine.genesis).then_some(committed);
        let restored = restore(records, self.store.unfinalized(), restored, &self.keys.verifier, rng.rng())
            .map_err(|error| error.to_string())?;
        let (observer, watch) = JournalWatch::new();
        let config = PipelineConfig {
            engine: self.config.engine.clone(),
            verifier: Arc::clone(&self.keys.verifier),
            signer: Arc::clone(&self.keys.signers[self.index().as_usize()]),
            identity: Arc::new(self.keys.identity(self.index())),
            inspector: Arc::new(Inspector),
            journal,
            restored,
            rng_seed: seed_of(&mut rng),
            wakes: Wakes::default(),
            observer,
            now: self.config.clock.local(world.now()),
        };
        let (turn, handles) = Turn::new(config).map_err(|error| error.to_string())?;
        let executor = self.replay(world)?;
        let catch_up = CatchUp::new(CatchUpConfig { me: self.index(), committed, request_timeout: REQUEST_TIMEOUT });
        Ok(Running {
            turn,
            handles,
            watch,
            executor,
            pool: Mempool::new(Limits::default(), 0),
            catch_up,
            jobs: VecDeque::new(),
            outcomes: VecDeque::new(),
            fetched: VecDeque::new(),
            wake_at: None,
            scheduled: None,
            requests: BTreeMap::new(),
            next_request: 0,
            rng,
        })
    }

    fn open_journal(&mut self) -> Result<(Journal<MemoryDisk>, Vec<Record>), String> {
        let owner = JournalHeader {
            cluster: self.keys.domain.cluster_id(),
            operator: self.index(),
            share_public_key: Bytes::from_static(b"simulated"),
        };
        let disk = self.disk.take().expect("the disk is here while the operator is down");
        let (journal, records) = Journal::open(disk, owner).map_err(|error| error.to_string())?;
        if self.incarnation > 1 && journal.is_new() {
            return Err("its journal is gone".to_owned());
        }
        Ok((journal.with_compaction_bytes(self.config.compaction_bytes), records))
    }

    /// A group that was written but not reported durable before the crash is there as a whole, or not at
    /// all; if it is, it counts.
    fn observe_pending(&mut self, world: &mut World, records: &[Record]) {
        let pending = core::mem::take(&mut self.pending);
        if !pending.is_empty() && records.ends_with(&pending) {
            for record in pending {
                world.observe(self.index(), Observed::Durable(record));
            }
        }
    }

    /// The state of the committed chain, made again.
    fn replay(&self, world: &mut World) -> Result<Executor, String> {
        let mut executor = Executor::new(self.config.engine.genesis);
        for block in self.store.chain() {
            executor.commit(block, &mut world.senders)?;
        }
        executor.set_refuses_all(self.refuses_all);
        executor.set_padding(self.config.padding_bytes);
        executor.set_builds_refused(self.config.builds_refused_ppm);
        Ok(executor)
    }

    fn started(&mut self, world: &mut World) {
        let local = self.config.clock.local(world.now());
        let (peers, unfinalized) = (self.others(), self.store.unfinalized());
        let running = self.running.as_mut().expect("it was started just now");
        running.catch_up.set_peers(peers, local);
        for block in unfinalized {
            running.catch_up.block(block, local);
        }
        self.readmit(world);
        let event = Event::Housekeep { operator: self.machine(), incarnation: self.incarnation };
        world.queue.push(world.now() + HOUSEKEEP_INTERVAL, event);
        self.run(world);
    }

    /// Loses everything that is not durable: `unsynced` decides about the journal's last write, and
    /// `commits_lost` of the newest commits are undone.
    pub fn crash(&mut self, unsynced: Unsynced, commits_lost: usize) {
        let Some(running) = self.running.take() else { return };
        self.rules.add(running.turn.engine.engine().rule_counts());
        self.pending = running.watch.into_pending();
        let mut disk = running.turn.sign.into_journal().into_disk();
        disk.crash(unsynced);
        disk.set_capacity(None);
        self.disk = Some(disk);
        self.store.crash(commits_lost);
        if self.config.loses_payloads {
            self.store.lose_payloads();
        }
    }

    /// Lets the journal's disk fail at its `operations`-th change from now, of which the first
    /// `done_bytes` bytes are done.
    pub fn fail_disk_after(&mut self, operations: u64, done_bytes: usize) {
        if let Some(running) = &mut self.running {
            running.turn.sign.journal_mut().disk_mut().fail_after(operations, Fault::Io, done_bytes);
        }
    }

    /// How many writes and syncs its journal's disk was asked for since it was made; none while it is down.
    #[must_use]
    pub fn disk_operations(&mut self) -> u64 {
        self.running.as_mut().map_or(0, |running| running.turn.sign.journal_mut().disk_mut().operations())
    }

    /// Leaves room for so many more bytes on the journal's disk. After a crash there is room again.
    pub fn fill_disk_after(&mut self, room_bytes: usize) {
        if let Some(running) = &mut self.running {
            let disk = running.turn.sign.journal_mut().disk_mut();
            let used: usize = Segment::ALL.into_iter().map(|segment| disk.durable(segment).len()).sum();
            disk.set_capacity(Some(used + room_bytes));
        }
    }

    /// The disk works again, and has room.
    pub fn repair_disk(&mut self) {
        if let Some(running) = &mut self.running {
            let disk = running.turn.sign.journal_mut().disk_mut();
            disk.repair();
            disk.set_capacity(None);
        }
    }

    /// Forgets how often rules were taken: for figures of a part of a run.
    pub fn reset_rules(&mut self) {
        self.rules = RuleCounts::default();
    }
}
