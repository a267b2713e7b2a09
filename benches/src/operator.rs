//! One operator's whole vote path on real threads: encoded messages in, votes journalled on a real disk, encoded
//! messages out. Execution says yes at once; the network is a function call.

use crate::cluster::Cluster;
use crate::feed::{ME, PlainInspector, genesis};
use anyhow::Context;
use crossbeam::channel::{Receiver, Sender, unbounded};
use phalanx_consensus::{Collectors, Config, Restored, Verdict};
use phalanx_journal::{Journal, JournalHeader};
use phalanx_node::driver::clock::Clock;
use phalanx_node::driver::stage_thread::{Turn as ThreadTurn, Waker, spawn};
use phalanx_node::store::FileDisk;
use phalanx_pipeline::{
    Counters, Handles, Ingress, NoObserver, Outbound, Outcome, PipelineConfig, Progress, Stage, Turn, Wakes, Work,
};
use phalanx_types::{BlockRef, Bytes, Certificate, Message, OperatorIndex, Vote, VoteKind, Wire};
use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// What leaves, or is done, with the time at which it was seen.
#[derive(Clone, Copy, Debug)]
pub enum Seen {
    /// An own vote left.
    Voted(Vote),
    /// A certificate was recovered or received, and left.
    Certified(Certificate),
    /// Everything up to this block is final.
    Committed(BlockRef),
}

/// An operator that runs.
#[derive(Debug)]
pub struct Operator {
    ingress: Arc<Ingress>,
    /// What was counted.
    pub counters: Arc<Counters>,
    /// What it did, in order.
    pub seen: Receiver<(Instant, Seen)>,
    stop: Arc<AtomicBool>,
    wakers: [Waker; 4],
    threads: Vec<JoinHandle<()>>,
}

impl Operator {
    /// Starts one whose journal lies in `directory`.
    ///
    /// # Errors
    /// The journal cannot be made, or a thread not be started.
    pub fn start(cluster: &Cluster, directory: &Path) -> anyhow::Result<Self> {
        let clock = Clock::starting_now();
        let wakers: [Waker; 4] = core::array::from_fn(|_| Waker::default());
        let [verify, engine, sign, sink] = &wakers;
        let wake = |waker: &Waker| -> Arc<dyn phalanx_pipeline::Wake> { Arc::new(waker.clone()) };
        let owner = JournalHeader {
            cluster: cluster.verifier.domain().cluster_id(),
            operator: ME,
            share_public_key: Bytes::from_static(b"share"),
        };
        let disk = FileDisk::open(directory)?;
        let (journal, _) = Journal::open(disk, owner).context("the journal")?;
        let signer = Arc::clone(&cluster.signers[ME.as_usize()]);
        let config = PipelineConfig {
            engine: engine_config(cluster),
            verifier: Arc::clone(&cluster.verifier),
            signer,
            identity: Arc::clone(&cluster.identities[ME.as_usize()]),
            inspector: Arc::new(PlainInspector),
            journal,
            restored: Restored { records: Vec::new(), certificates: Vec::new(), blocks: Vec::new(), committed: None },
            rng_seed: [3; 32],
            wakes: Wakes {
                verify: wake(verify),
                engine: wake(engine),
                sign: wake(sign),
                work: wake(sink),
                outbound: wake(sink),
                results: wake(sink),
            },
            observer: Box::new(NoObserver),
            now: clock.now(),
        };
        let (Turn { verify: first, engine: second, sign: third }, handles) = Turn::new(config)?;
        let (ingress, counters) = (Arc::clone(&handles.ingress), Arc::clone(&handles.counters));
        let stop = Arc::new(AtomicBool::new(false));
        let (sender, seen) = unbounded();
        let sink_stage = Sink { handles, sender, results: VecDeque::new(), bytes_out: 0 };
        let threads = vec![
            run(clock, verify, &stop, first)?,
            run(clock, engine, &stop, second)?,
            run(clock, sign, &stop, third)?,
            run(clock, sink, &stop, sink_stage)?,
        ];
        Ok(Self { ingress, counters, seen, stop, wakers, threads })
    }

    /// Decodes what `from` sent and hands it in, waiting for room where there is none.
    ///
    /// # Panics
    /// When it does not decode.
    pub fn receive(&self, from: OperatorIndex, bytes: &[u8]) {
        let message = Message::from_wire(bytes).expect("a feed's messages decode");
        while !self.ingress.push(from, message.clone()) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }

    /// Hands in certificates that were asked for, waiting for room where there is none.
    pub fn receive_fetched(&self, from: OperatorIndex, certificates: Vec<Certificate>) {
        while !self.ingress.push_fetched(from, certificates.clone()) {
            std::thread::sleep(Duration::from_micros(50));
        }
    }
}

impl Drop for Operator {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        self.wakers.iter().for_each(Waker::wake);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so.
            let _ = thread.join();
        }
    }
}

/// Timeouts that no measurement meets.
fn engine_config(cluster: &Cluster) -> Config {
    let long = Duration::from_hours(1);
    Config {
        me: ME,
        size: cluster.size(),
        epoch: 0,
        genesis: genesis(),
        slots_per_term: phalanx_consensus::SLOTS_PER_TERM_MAX,
        block_time: Duration::from_millis(100),
        pipeline_depth: 8,
        progress_timeout_min: long,
        progress_timeout_max: long,
        finality_lag_min: long,
        finality_lag_max: long,
        resend_interval_min: long,
        resend_interval_max: long,
        jitter_seed: 1,
        collectors: Collectors::default(),
    }
}

fn run(
    clock: Clock,
    waker: &Waker,
    stop: &Arc<AtomicBool>,
    mut stage: impl Stage + Send + 'static,
) -> anyhow::Result<JoinHandle<()>> {
    let name = stage.name();
    let turn = move |now| {
        let Progress { did_work, wake_at } = stage.turn(now);
        ThreadTurn { busy: did_work, wake_at }
    };
    spawn(name, clock, waker.clone(), Arc::clone(stop), turn).with_context(|| format!("the thread of stage {name}"))
}

/// Carries work out and encodes what leaves.
struct Sink {
    handles: Handles,
    sender: Sender<(Instant, Seen)>,
    results: VecDeque<Outcome>,
    bytes_out: usize,
}

impl Sink {
    fn see(&self, seen: Seen) {
        // Nobody listens any more when a measurement has ended.
        let _ = self.sender.send((Instant::now(), seen));
    }

    fn work(&mut self, work: Work) {
        match work {
            Work::Validate(block) => {
                let outcome = Outcome::Validated { block: block.reference, verdict: Verdict::Valid };
                self.results.push_back(outcome);
            }
            Work::Commit(certificate) => {
                let block = certificate.vote.block;
                self.results.push_back(Outcome::Committed(block));
                self.see(Seen::Committed(block));
            }
            Work::Halt(reason) => panic!("the operator under measurement stops: {reason:?}"),
            Work::Build { .. }
            | Work::Fetch(_)
            | Work::Keep(_)
            | Work::Notarized(_)
            | Work::EnteredTerm { .. }
            | Work::Discard(_) => {}
        }
    }

    fn leave(&mut self, outbound: Outbound) {
        let Outbound::Send { message, .. } = outbound else { panic!("the journal under measurement fails") };
        self.bytes_out += message.to_wire().len();
        match message {
            Message::Vote(signed) if signed.vote.kind != VoteKind::Nullify => self.see(Seen::Voted(signed.vote)),
            Message::Certificate(certificate) => self.see(Seen::Certified(certificate)),
            _ => {}
        }
    }
}

impl Stage for Sink {
    fn name(&self) -> &'static str {
        "sink"
    }

    fn turn(&mut self, _now: phalanx_types::Time) -> Progress {
        let mut did_work = false;
        while let Some(outbound) = self.handles.outbound.pop() {
            did_work = true;
            self.leave(outbound);
        }
        while let Some(work) = self.handles.work.pop() {
            did_work = true;
            self.work(work);
        }
        while let Some(outcome) = self.results.pop_front() {
            if let Err(outcome) = self.handles.results.push(outcome) {
                self.results.push_front(outcome);
                break;
            }
        }
        Progress { did_work, wake_at: None }
    }
}
