//! The driver: runs the pipeline until it has nothing to do, carries its work out, and brings results in.

use super::Operator;
use crate::failure::Failure;
use crate::world::{Event, World};
use phalanx_checkers::{CommittedBlock, Event as Observed};
use phalanx_consensus::{Missing, Recipients, Verdict};
use phalanx_journal::memory::Unsynced;
use phalanx_pipeline::{FatalError, Outbound, Outcome, Work};
use phalanx_threshold::Verified;
use phalanx_types::{Block, BlockRef, Certificate, Message, OperatorIndex, Position};
use std::sync::Arc;

/// A pipeline that is busy for so many turns in a row, at one moment, will never rest.
const TURNS_MAX: usize = 100_000;

/// What execution does, one after the other.
#[derive(Clone, Debug)]
pub(crate) enum Job {
    Build { position: Position, parent: BlockRef },
    Validate(Arc<Block>),
    Commit { blocks: Vec<Arc<Block>>, finalization: Verified<Certificate> },
}

impl Operator {
    /// Runs until there is nothing to do now, and asks to be woken for what comes later.
    pub fn run(&mut self, world: &mut World) {
        let local = self.config.clock.local(world.now());
        let mut leaving = Vec::new();
        for turn in 0.. {
            assert!(turn < TURNS_MAX, "operator {} is busy for ever at {}", self.index(), world.now());
            let Some(running) = &mut self.running else { return };
            let progress = running.turn.run(local);
            let mut did_work = progress.did_work;
            running.wake_at = progress.wake_at;
            did_work |= self.take_work(world);
            self.observe_journal(world);
            did_work |= self.take_outbound(world, &mut leaving);
            did_work |= self.take_catch_up(world);
            did_work |= self.flush_results();
            if !did_work || world.failure.is_some() {
                break;
            }
        }
        self.observe_memory(world);
        self.schedule(world, leaving);
    }

    fn schedule(&mut self, world: &mut World, leaving: Vec<(Vec<OperatorIndex>, Message)>) {
        let (operator, incarnation) = (self.machine(), self.incarnation);
        if !leaving.is_empty() {
            let at = world.now() + world.sync_delay();
            world.queue.push(at, Event::Transmit { operator, incarnation, messages: leaving });
        }
        let Some(running) = &mut self.running else { return };
        let wakes = [running.wake_at, running.catch_up.wake_at()];
        let Some(local) = wakes.into_iter().flatten().min() else { return };
        let at = self.config.clock.true_time(local).max(world.now() + core::time::Duration::from_micros(1));
        if running.scheduled.is_none_or(|scheduled| scheduled > at || scheduled <= world.now()) {
            running.scheduled = Some(at);
            world.queue.push(at, Event::Wake { operator, incarnation });
        }
    }

    fn observe_journal(&mut self, world: &mut World) {
        let Some(running) = &mut self.running else { return };
        for record in running.watch.durable() {
            let at = world.now();
            world.trace.line(at, || format!("{} journalled {}", self.config.engine.me, describe(&record)));
            world.observe(self.config.engine.me, Observed::Durable(record));
        }
    }

    fn take_outbound(&mut self, world: &mut World, leaving: &mut Vec<(Vec<OperatorIndex>, Message)>) -> bool {
        let mut did_work = false;
        while let Some(outbound) = self.running.as_ref().and_then(|running| running.handles.outbound.pop()) {
            did_work = true;
            match outbound {
                Outbound::Send { recipients, message } => leaving.push((self.addressees(recipients), message)),
                Outbound::Fatal(error) => self.died(world, &error),
            }
        }
        did_work
    }

    fn addressees(&self, recipients: Recipients) -> Vec<OperatorIndex> {
        match recipients {
            Recipients::Everyone => self.others(),
            Recipients::Only(operators) => operators.to_vec(),
        }
    }

    /// The sign stage gave up. Where the disk was told to fail that is a crash; else a failure.
    fn died(&mut self, world: &mut World, error: &FatalError) {
        match error {
            FatalError::IoJournal(_) => {
                let (at, operator) = (world.now(), self.index());
                world.trace.line(at, || format!("{operator} loses its journal's disk"));
                let unsynced = crate::disk::any_unsynced(&mut world.delay_random);
                self.crash(unsynced, 0);
                world.checkers.unwatch(operator);
                let at = world.now() + core::time::Duration::from_millis(world.delay_random.between(10, 2_000));
                world.queue.push(at, Event::Restart { operator });
            }
            FatalError::Contradiction(_) => self.halted(world, error.to_string()),
        }
    }

    fn halted(&mut self, world: &mut World, reason: String) {
        let (at, operator) = (world.now(), self.index());
        world.trace.line(at, || format!("{operator} halts: {reason}"));
        if self.refuses_all {
            return self.crash(Unsynced::Kept, 0);
        }
        if self.is_honest() {
            world.fail(Failure::Halted { at, operator, reason });
        }
    }

    /// Tells the engine to hand over.
    pub fn hand_over(&mut self, world: &mut World) {
        if let Some(running) = &mut self.running {
            running.outcomes.push_back(Outcome::HandOver);
            self.run(world);
        }
    }

    /// From now on execution calls every new block invalid; halting because of that is no failure.
    pub fn refuse_all(&mut self) {
        self.refuses_all = true;
        if let Some(running) = &mut self.running {
            running.executor.set_refuses_all(true);
        }
    }

    /// From now on execution refuses to build.
    pub fn refuse_builds(&mut self) {
        self.config.builds_refused_ppm = 1_000_000;
        if let Some(running) = &mut self.running {
            running.executor.set_builds_refused(self.config.builds_refused_ppm);
        }
    }

    fn take_work(&mut self, world: &mut World) -> bool {
        let mut did_work = false;
        while let Some(work) = self.running.as_ref().and_then(|running| running.handles.work.pop()) {
            did_work = true;
            self.work(world, work);
        }
        did_work
    }

    fn work(&mut self, world: &mut World, work: Work) {
        let me = self.index();
        let local = self.config.clock.local(world.now());
        let Some(running) = &mut self.running else { return };
        match work {
            Work::Build { position, parent } => self.enqueue(world, Job::Build { position, parent }),
            Work::Validate(block) => {
                running.catch_up.block(Arc::clone(&block), local);
                self.enqueue(world, Job::Validate(block));
            }
            Work::Commit(certificate) => {
                self.store.put_certificate(*certificate);
                world.observe(me, Observed::Certificate(*certificate));
                running.catch_up.finalized(certificate, local);
            }
            Work::Fetch(Missing::Block(block)) => match self.store.block_by_hash(block.hash) {
                Some(block) => running.outcomes.push_back(Outcome::Fetched(Arc::clone(block))),
                None => running.catch_up.want_block(block, local),
            },
            Work::Fetch(Missing::Terms { epoch, from, to }) => running.catch_up.want_terms(epoch, from, to, local),
            Work::Keep(certificate) => {
                self.store.put_certificate(*certificate);
                world.observe(me, Observed::Certificate(*certificate));
            }
            Work::Notarized(certificate) => world.observe(me, Observed::Certificate(*certificate)),
            Work::EnteredTerm { position, .. } => {
                let at = world.now();
                world.trace.line(at, || format!("{me} enters the term of {position}"));
                world.observe(me, Observed::EnteredTerm(position));
            }
            Work::Discard(hash) => running.executor.discard(hash),
            Work::Halt(reason) => self.halted(world, format!("{reason:?}")),
        }
    }

    pub(super) fn enqueue(&mut self, world: &mut World, job: Job) {
        let (operator, incarnation) = (self.machine(), self.incarnation);
        let running = self.running.as_mut().expect("jobs come from a running operator");
        running.jobs.push_back(job);
        if running.jobs.len() == 1 {
            let at = world.now() + world.execution_delay();
            world.queue.push(at, Event::JobDone { operator, incarnation });
        }
    }

    /// Execution has finished what it was at.
    pub fn job_done(&mut self, world: &mut World) {
        let (operator, incarnation) = (self.machine(), self.incarnation);
        let running = self.running.as_mut().expect("jobs are done by a running operator");
        let job = running.jobs.pop_front().expect("a job was under way");
        if !running.jobs.is_empty() {
            let at = world.now() + world.execution_delay();
            world.queue.push(at, Event::JobDone { operator, incarnation });
        }
        match job {
            Job::Build { position, parent } => self.build(world, position, parent),
            Job::Validate(block) => self.validate(world, &block),
            Job::Commit { blocks, finalization } => self.commit(world, &blocks, &finalization),
        }
        self.run(world);
    }

    fn build(&mut self, world: &mut World, position: Position, parent: BlockRef) {
        let wall_s = self.config.clock.wall_s(world.now());
        let local = self.config.clock.local(world.now());
        let running = self.running.as_mut().expect("it runs");
        let salt = position.term << 32 | u64::from(position.slot);
        let result = running.executor.build(parent, &running.pool, wall_s, salt).map(Arc::new);
        if let Ok(block) = &result {
            self.store.put_payload(block);
            running.catch_up.block(Arc::clone(block), local);
        }
        running.outcomes.push_back(Outcome::Built { position, result });
    }

    fn validate(&mut self, world: &mut World, block: &Arc<Block>) {
        let wall_s = self.config.clock.wall_s(world.now());
        let running = self.running.as_mut().expect("it runs");
        let committed = running.executor.committed().number >= block.reference.number;
        let verdict = if committed {
            let on_chain = self.store.block_by_hash(block.reference.hash).is_some();
            if on_chain { Verdict::Valid } else { Verdict::Invalid("another block is final there".to_owned()) }
        } else {
            running.executor.validate(block, &mut world.senders, wall_s)
        };
        if verdict == Verdict::Valid {
            self.store.put_payload(block);
        }
        running.outcomes.push_back(Outcome::Validated { block: block.reference, verdict });
    }

    fn commit(&mut self, world: &mut World, blocks: &[Arc<Block>], finalization: &Certificate) {
        self.store.put_certificate(*finalization);
        for block in blocks {
            let running = self.running.as_mut().expect("it runs");
            let outcome = match running.executor.commit(block, &mut world.senders) {
                Ok(outcome) => outcome,
                Err(reason) => return self.halted(world, format!("cannot commit: {reason}")),
            };
            self.store.commit(block);
            let local = self.config.clock.local(world.now());
            let (pool, executor) = (&mut running.pool, &running.executor);
            pool.committed(outcome.senders, 0, |sender| executor.account(sender), local);
            outcome.transactions.iter().for_each(|hash| self.store.remove_accepted(hash));
            let (reference, parent_hash) = (block.reference, block.parent_hash);
            let at = world.now();
            world.trace.line(at, || format!("{} commits block {reference}", self.config.engine.me));
            let committed = CommittedBlock { reference, parent_hash, transactions: outcome.transactions };
            world.observe(self.index(), Observed::Committed(committed));
        }
        let Some(last) = blocks.last() else { return };
        let local = self.config.clock.local(world.now());
        let running = self.running.as_mut().expect("it runs");
        running.outcomes.push_back(Outcome::Committed(last.reference));
        running.catch_up.committed(last.reference, local);
    }

    /// Hands results in as far as there is room.
    fn flush_results(&mut self) -> bool {
        let Some(running) = &mut self.running else { return false };
        let mut did_work = false;
        while let Some(outcome) = running.outcomes.pop_front() {
            if let Err(outcome) = running.handles.results.push(outcome) {
                running.outcomes.push_front(outcome);
                break;
            }
            did_work = true;
        }
        while let Some((from, certificates)) = running.fetched.pop_front() {
            if !running.handles.ingress.push_fetched(from, certificates.clone()) {
                running.fetched.push_front((from, certificates));
                break;
            }
            did_work = true;
        }
        did_work
    }
}

fn describe(record: &phalanx_types::Record) -> String {
    match record {
        phalanx_types::Record::Certificate(certificate) => certificate.to_string(),
        phalanx_types::Record::Vote(vote) => vote.vote.to_string(),
        phalanx_types::Record::Proposal(proposal) => {
            format!("proposal of block {} at {}", proposal.header.block, proposal.header.position)
        }
    }
}
