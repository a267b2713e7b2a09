//! The running operator: opens what is on disk, starts the threads, wires them, and ends them.
//!
//! ```text
//!  mesh ─▶ ingress ─▶ verify ─▶ engine ─▶ sign ─▶ egress ─▶ mesh      one thread each; parked when idle
//!                                │ ▲
//!                                ▼ │
//!                            coordinator ─▶ executor ─▶ chain view ─▶ RPC
//!                                │  ▲           │
//!                                ▼  │           ▼
//!                            chain writer   mempool ◀─ recovery ◀─ RPC, mesh
//! ```
//!
//! Nothing of consensus is decided here: effects are carried out, results are brought back. Whoever finds
//! that this operator must not go on calls `Health::fatal`; everything then ends, in order.

mod backend;
mod chain_view;
mod chain_writer;
pub mod clock;
mod coordinator;
mod egress;
mod executed;
mod executor;
mod fetcher;
mod health;
mod ingress;
mod latency;
mod open;
mod payload_writer;
mod report;
pub mod stage_thread;
mod status;
mod transactions;

use crate::config::{ClusterFile, OperatorConfig};
use crate::keys::{self, OperatorKeys};
use crate::net::{IdentitySeed, Limits, Mesh, MeshConfig, PeerConfig};
use crate::rpc::events::EventFeed;
use crate::rpc::{self, ops};
use crate::store::{DirLock, FileDisk};
use alloy_primitives::Bytes;
use anyhow::Context;
use chain_view::{ChainView, SharedChainView};
use chain_writer::ChainWriter;
use clock::Clock;
use coordinator::{Coordinator, Events, Progress};
use egress::{Egress, Outlet as MeshOutlet};
use executor::{BuildSettings, Executor};
use fetcher::Fetcher;
use health::Health;
use ingress::{LastVotes, MeshHandler};
use latency::LatencyMeter;
use open::Opened;
use payload_writer::PayloadWriter;
use phalanx_bls::{Backend, MinSig};
use phalanx_consensus::{Collectors, Config as EngineConfig};
use phalanx_pipeline::{Handles, PipelineConfig, Stage, Turn as Pipeline, Wakes};
use phalanx_sync::{CatchUp, CatchUpConfig};
use phalanx_threshold::{BlsMinSig, BlsSigner, Domain, Verifier};
use phalanx_types::{BlockRef, OperatorIndex};
use stage_thread::{Turn, Waker};
use status::{Identification, StatusSource};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use transactions::{Transactions, TransactionsConfig};

/// What is done to stop a build that does not end: a share of the block time, within these bounds.
const BUILD_TIME_MIN: Duration = Duration::from_millis(5);
const BUILD_TIME_MAX: Duration = Duration::from_secs(1);
/// How long the mesh and the servers may take to close.
const CLOSE_TIME_MAX: Duration = Duration::from_secs(2);
/// Threads of the async runtime: sockets and the RPC.
const RUNTIME_THREADS_MAX: usize = 4;
/// Threads for reads of the disk and for calls.
const BLOCKING_THREADS_MAX: usize = 32;

/// Runs one operator until `stop` resolves, or something happens after which it must not go on.
///
/// # Errors
/// What could not be opened or bound at the start, or why the operator had to stop.
pub fn run<S>(
    config: &OperatorConfig,
    cluster: &ClusterFile,
    keys: OperatorKeys,
    stop: impl FnOnce() -> std::io::Result<S>,
) -> anyhow::Result<()>
where
    S: Future<Output = &'static str> + Send + 'static,
{
    let cores = std::thread::available_parallelism().map_or(2, usize::from);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(cores.min(RUNTIME_THREADS_MAX))
        .max_blocking_threads(BLOCKING_THREADS_MAX)
        .thread_name("async")
        .enable_all()
        .build()
        .context("cannot start the async runtime")?;
    let recorder = report::install_recorder()?;
    let health = Arc::new(Health::default());
    let operator = Operator::start(config, cluster, keys, &runtime, &health)?;
    let served = runtime.block_on(async {
        let stop = stop().context("cannot listen for signals")?;
        let servers = operator.serve(config, recorder).await?;
        tokio::select! {
            reason = stop => tracing::info!(reason, "this operator ends"),
            () = health.stopped() => {}
        }
        anyhow::Ok(servers)
    });
    health.stop();
    let served = served.map(|servers| runtime.block_on(servers.close()));
    runtime.block_on(operator.close());
    runtime.shutdown_timeout(CLOSE_TIME_MAX);
    served?;
    match health.fatal_reason() {
        Some(reason) => anyhow::bail!("{reason}"),
        None => Ok(()),
    }
}

/// Everything that runs.
struct Operator {
    backend: Arc<backend::OperatorBackend>,
    health: Arc<Health>,
    mesh: MeshOutlet,
    wakers: Wakers,
    stages: Vec<JoinHandle<()>>,
    workers: Vec<JoinHandle<()>>,
    /// One process uses one share.
    _lock: DirLock,
}

/// Of each stage thread.
#[derive(Clone, Debug, Default)]
struct Wakers {
    verify: Waker,
    engine: Waker,
    sign: Waker,
    coordinator: Waker,
    egress: Waker,
}

impl Wakers {
    fn wakes(&self) -> Wakes {
        Wakes {
            verify: Arc::new(self.verify.clone()),
            engine: Arc::new(self.engine.clone()),
            sign: Arc::new(self.sign.clone()),
            work: Arc::new(self.coordinator.clone()),
            outbound: Arc::new(self.egress.clone()),
            results: Arc::new(self.coordinator.clone()),
        }
    }

    fn wake_all(&self) {
        for waker in [&self.verify, &self.engine, &self.sign, &self.coordinator, &self.egress] {
            waker.wake();
        }
    }
}

/// The servers for clients and for operations.
struct Servers {
    rpc: rpc::RpcServer,
    ops: ops::OpsServer,
}

impl Servers {
    async fn close(self) {
        let close = async {
            self.rpc.stop().await;
            self.ops.stop().await;
        };
        if tokio::time::timeout(CLOSE_TIME_MAX, close).await.is_err() {
            tracing::warn!("connections of clients were cut off");
        }
    }
}

impl Operator {
    #[allow(clippy::too_many_lines, reason = "the wiring of the whole operator, in one place and in order")]
    fn start(
        config: &OperatorConfig,
        cluster: &ClusterFile,
        keys: OperatorKeys,
        runtime: &tokio::runtime::Runtime,
        health: &Arc<Health>,
    ) -> anyhow::Result<Self> {
        let clock = Clock::starting_now();
        let size = cluster.size();
        let domain = Domain::new(cluster.definition.chain_id, cluster.cluster_id);
        let verifier = Arc::new(verifier(config.bls_backend.backend()?, cluster, domain)?);
        let opened = Opened::open(config, cluster, &keys, &verifier)?;
        let Opened { lock, embedded, genesis, inspector, writer, payloads, reader, journal, restored, pooled, newest } =
            opened;
        let finalized = newest.reference();
        let fsync = Arc::new(LatencyMeter::default());
        let proposal_to_final = Arc::new(LatencyMeter::default());
        let identity = Arc::new(keys.identity);
        let wakers = Wakers::default();
        let (pipeline, handles) = Pipeline::new(PipelineConfig {
            engine: engine_config(config, cluster, keys.index, genesis),
            verifier: Arc::clone(&verifier),
            signer: Arc::new(BlsSigner::<MinSig>::new(keys.share)),
            identity: Arc::clone(&identity),
            inspector: Arc::clone(&inspector),
            journal,
            restored,
            rng_seed: rand::random(),
            wakes: wakers.wakes(),
            observer: Box::new(latency::TimedCommits::new(Arc::clone(&fsync))),
            now: clock.now(),
        })?;
        let Handles { ingress, results, work, outbound, snapshots, counters, gauges } = handles;

        let feed = EventFeed::new();
        let mesh = MeshOutlet::default();
        let view = Arc::new(SharedChainView::new(ChainView::new(newest)));
        let state = embedded.reader();
        let (events, event_receiver) = Events::new(wakers.coordinator.clone());
        let (chain_writer, writer_thread) = ChainWriter::spawn(writer, Arc::clone(health))?;
        let (payloads, payloads_thread) = PayloadWriter::spawn(payloads, Arc::clone(health))?;
        let rules = open::rules(config, cluster);
        let (transactions, mempool_threads) = Transactions::spawn(TransactionsConfig {
            rules,
            limits: open::mempool_limits(config),
            clock,
            reader: state.clone(),
            writer: chain_writer.clone(),
            outlet: mesh.clone(),
            feed: feed.clone(),
            restored: pooled,
            health: Arc::clone(health),
        })?;
        let (executor, executor_thread) = Executor {
            reader: state.clone(),
            engine: embedded,
            clock,
            settings: build_settings(config, cluster),
            transactions: transactions.clone(),
            writer: chain_writer.clone(),
            payloads: payloads.clone(),
            events: events.clone(),
            view: Arc::clone(&view),
            feed: feed.clone(),
            health: Arc::clone(health),
        }
        .spawn()?;
        let progress = Progress::default();
        let coordinator = Coordinator {
            work,
            results,
            events: event_receiver,
            own_events: events.clone(),
            catch_up: CatchUp::new(CatchUpConfig {
                me: keys.index,
                committed: finalized,
                request_timeout: fetcher::REQUEST_TIMEOUT + Duration::from_secs(1),
            }),
            executor: executor.clone(),
            writer: chain_writer.clone(),
            payloads: payloads.clone(),
            fetcher: Fetcher {
                runtime: runtime.handle().clone(),
                outlet: mesh.clone(),
                ingress: Arc::clone(&ingress),
                verifier: Arc::clone(&verifier),
                inspector,
                events: events.clone(),
            },
            size,
            health: Arc::clone(health),
            progress: progress.clone(),
            proposal_to_final: Arc::clone(&proposal_to_final),
            state: coordinator::State::default(),
        };
        let last_votes = Arc::new(LastVotes::new(size));
        let status = Arc::new(StatusSource {
            identification: identification(cluster, keys.index, &verifier),
            clock,
            snapshots: snapshots.clone(),
            outlet: mesh.clone(),
            last_votes: Arc::clone(&last_votes),
            target: Arc::clone(&progress.target),
            committed: Arc::clone(&progress.committed),
        });
        progress.committed.store(finalized.number, std::sync::atomic::Ordering::Relaxed);

        // The mesh before the stages: what they send first has somewhere to go.
        let handler = MeshHandler {
            ingress: Arc::clone(&ingress),
            transactions: transactions.clone(),
            reader: reader.clone(),
            last_votes: Arc::clone(&last_votes),
            events: events.clone(),
            clock,
        };
        let mesh_config = mesh_config(config, cluster, keys.index, IdentitySeed::new(*identity.to_seed()));
        mesh.open(runtime.block_on(Mesh::start(mesh_config, Arc::new(handler)))?);

        let egress =
            Egress { outbound, outlet: mesh.clone(), last_votes: Arc::clone(&last_votes), health: Arc::clone(health) };
        let stages = spawn_stages(clock, health, &wakers, pipeline, coordinator, egress)?;
        runtime.spawn(report::report(report::Sources {
            counters,
            gauges,
            mesh: mesh.clone(),
            executor,
            writer: chain_writer,
            payloads,
            status: Arc::clone(&status),
            health: Arc::clone(health),
        }));
        let backend = Arc::new(backend::OperatorBackend {
            chain_id: cluster.definition.chain_id,
            tip_min: open::mempool_limits(config).tip_min,
            view,
            state,
            reader,
            transactions,
            feed,
            status,
            fsync,
            proposal_to_final,
        });
        let mut workers = mempool_threads;
        workers.push(executor_thread);
        workers.push(writer_thread);
        workers.push(payloads_thread);
        Ok(Self { backend, health: Arc::clone(health), mesh, wakers, stages, workers, _lock: lock })
    }
}

impl Operator {
    /// Starts the servers. From now on clients are answered.
    async fn serve(
        &self,
        config: &OperatorConfig,
        recorder: metrics_exporter_prometheus::PrometheusHandle,
    ) -> anyhow::Result<Servers> {
        let backend = Arc::clone(&self.backend) as Arc<dyn rpc::backend::Backend>;
        let rpc = rpc::serve(config.rpc_address, backend)
            .await
            .with_context(|| format!("cannot serve JSON-RPC on {}: choose another rpc_address", config.rpc_address))?;
        let health = Arc::new(report::OperatorHealth {
            health: Arc::clone(&self.health),
            status: Arc::clone(&self.backend.status),
        });
        let ops = ops::serve(config.metrics_address, health, recorder).await.with_context(|| {
            format!("cannot serve metrics on {}: choose another metrics_address", config.metrics_address)
        })?;
        tracing::info!(rpc = %rpc.address(), metrics = %ops.address(), "clients are served");
        Ok(Servers { rpc, ops })
    }

    /// Ends the threads, in the order in which they feed each other, so that nothing accepted is dropped on
    /// the way to the disk.
    async fn close(self) {
        self.wakers.wake_all();
        if let Some(mesh) = self.mesh.mesh()
            && tokio::time::timeout(CLOSE_TIME_MAX, mesh.shutdown()).await.is_err()
        {
            tracing::warn!("peers were cut off");
        }
        for stage in self.stages {
            if stage.join().is_err() {
                tracing::error!("a stage ended in a panic");
            }
        }
        // The workers end when the last handle to their queues is gone; these hold some.
        self.backend.transactions.stop();
        drop(self.backend);
        drop(self.mesh);
        let deadline = std::time::Instant::now() + CLOSE_TIME_MAX;
        for worker in self.workers {
            while !worker.is_finished() && std::time::Instant::now() < deadline {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        }
    }
}

fn verifier(bls: Backend, cluster: &ClusterFile, domain: Domain) -> anyhow::Result<Verifier> {
    let size = cluster.size();
    let scheme = BlsMinSig::new(bls, size, keys::public_key(cluster)?, keys::share_keys(cluster)?)?;
    Ok(Verifier::new(domain, size, Arc::new(scheme), keys::identity_keys(cluster)?)?)
}

fn engine_config(config: &OperatorConfig, cluster: &ClusterFile, me: OperatorIndex, genesis: BlockRef) -> EngineConfig {
    let timeouts = config.timeouts(cluster.block_time());
    EngineConfig {
        me,
        size: cluster.size(),
        epoch: 0,
        genesis,
        slots_per_term: cluster.definition.slots_per_term,
        block_time: cluster.block_time(),
        pipeline_depth: config.pipeline_depth,
        progress_timeout_min: timeouts.progress_min,
        progress_timeout_max: timeouts.progress_max,
        finality_lag_min: timeouts.finality_min,
        finality_lag_max: timeouts.finality_max,
        resend_interval_min: timeouts.resend_min,
        resend_interval_max: timeouts.resend_max,
        jitter_seed: rand::random(),
        collectors: Collectors { above: config.collectors_above, count: config.collectors_count },
    }
}

fn build_settings(config: &OperatorConfig, cluster: &ClusterFile) -> BuildSettings {
    BuildSettings {
        beneficiary: config.beneficiary,
        gas_limit: config.gas_limit,
        extra_data: Bytes::new(),
        payload_bytes_max: config.block_bytes_max,
        time_max: (cluster.block_time() / 2).clamp(BUILD_TIME_MIN, BUILD_TIME_MAX),
    }
}

fn identification(cluster: &ClusterFile, me: OperatorIndex, verifier: &Verifier) -> Identification {
    let definition = &cluster.definition;
    Identification {
        cluster_id: cluster.cluster_id,
        chain_id: definition.chain_id,
        public_key: Bytes::copy_from_slice(&definition.public_key[..]),
        scheme: verifier.scheme().name().to_owned(),
        size: cluster.size(),
        me,
        names: definition.operators.iter().map(|operator| operator.name.clone()).collect(),
    }
}

fn mesh_config(
    config: &OperatorConfig,
    cluster: &ClusterFile,
    me: OperatorIndex,
    identity: IdentitySeed,
) -> MeshConfig {
    let others = cluster.definition.operators.iter().filter(|operator| operator.index != me);
    let peers = others.map(|operator| PeerConfig {
        index: operator.index,
        name: operator.name.clone(),
        identity_public_key: operator.identity.0,
        address: operator.address.clone(),
    });
    MeshConfig {
        identity,
        index: me,
        cluster: cluster.cluster_id,
        peers: peers.collect(),
        bind: config.listen_address,
        limits: Limits::default(),
    }
}

/// A stage of the pipeline as a stage thread runs it.
fn run_stage(mut stage: impl Stage) -> impl FnMut(phalanx_types::Time) -> Turn {
    move |now| {
        let progress = stage.turn(now);
        Turn { busy: progress.did_work, wake_at: progress.wake_at }
    }
}

fn spawn_stages(
    clock: Clock,
    health: &Arc<Health>,
    wakers: &Wakers,
    pipeline: Pipeline<FileDisk>,
    mut coordinator: Coordinator,
    egress: Egress,
) -> std::io::Result<Vec<JoinHandle<()>>> {
    let stop = health.stop_flag();
    let Pipeline { verify, engine, sign } = pipeline;
    let mut threads = Vec::new();
    let mut start = |name: &str, waker: &Waker, mut turn: Box<dyn FnMut(phalanx_types::Time) -> Turn + Send>| {
        let watch = health.watch(name);
        let turn = move |now| {
            // Goes with the closure: when a turn panics, while it unwinds.
            let _ = &watch;
            turn(now)
        };
        threads.push(stage_thread::spawn(name, clock, waker.clone(), Arc::clone(&stop), turn)?);
        std::io::Result::Ok(())
    };
    start("verify", &wakers.verify, Box::new(run_stage(verify)))?;
    start("engine", &wakers.engine, Box::new(run_stage(engine)))?;
    start("sign", &wakers.sign, Box::new(run_stage(sign)))?;
    start("coordinator", &wakers.coordinator, Box::new(move |now| coordinator.turn(now)))?;
    start("egress", &wakers.egress, Box::new(move |now| egress.turn(now)))?;
    Ok(threads)
}
