//! Restarts on the same port, after a goodbye and after a kill: the mesh is whole again soon.

use super::{Cluster, Recorder, connected, eventually, pair};
use crate::net::transport::IDLE_TIMEOUT;
use crate::net::{Lane, Mesh};
use bytes::Bytes;
use phalanx_types::OperatorIndex;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio::time::Instant;

/// A restarted operator must vote again within 5 s. (On an idle machine it is back after 10 to 80 ms.)
const RESTART_MAX: Duration = Duration::from_secs(5);

/// A mesh in a runtime of its own, which can end without a word, as a killed process does.
struct Process {
    runtime: Runtime,
    mesh: Mesh,
}

impl Process {
    fn start(cluster: &mut Cluster, index: u16, recorder: &Arc<Recorder>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let mesh = runtime.block_on(cluster.start(index, recorder));
        Self { runtime, mesh }
    }

    /// No task runs after this, so nothing is sent; then the socket is closed.
    fn kill(self) {
        self.runtime.shutdown_timeout(Duration::from_secs(5));
        drop(self.mesh);
    }
}

async fn exchange(staying: &Mesh, staying_recorder: &Recorder, process: &Process, recorder: &Recorder, index: u16) {
    let other = 1 - index;
    let before = (staying_recorder.count(), recorder.count());
    eventually("frames pass both ways", || {
        staying.send(OperatorIndex(index), Lane::Votes, Bytes::from_static(b"there"));
        process.mesh.send(OperatorIndex(other), Lane::Votes, Bytes::from_static(b"back"));
        staying_recorder.count() > before.0 && recorder.count() > before.1
    })
    .await;
}

async fn killed_and_restarted(index: u16) {
    let mut cluster = Cluster::new(2);
    let (recorder, staying_recorder) = (Recorder::new(), Recorder::new());
    let staying = cluster.start(1 - index, &staying_recorder).await;
    for round in 0..3 {
        let started = Instant::now();
        let process = Process::start_blocking(&mut cluster, index, &recorder);
        exchange(&staying, &staying_recorder, &process, &recorder, index).await;
        if round > 0 {
            let took = started.elapsed();
            // Found out by a stateless reset or by a new connection, and not by silence.
            assert!(took < IDLE_TIMEOUT, "operator {index} was back only after {took:?}");
        }
        process.kill_blocking().await;
    }
}

impl Process {
    fn start_blocking(cluster: &mut Cluster, index: u16, recorder: &Arc<Recorder>) -> Self {
        tokio::task::block_in_place(|| Self::start(cluster, index, recorder))
    }

    async fn kill_blocking(self) {
        tokio::task::spawn_blocking(|| self.kill()).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_that_dials_is_back_soon() {
    killed_and_restarted(0).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_killed_operator_that_accepts_is_back_soon() {
    killed_and_restarted(1).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_operator_that_said_goodbye_is_back_soon() {
    let (low, high) = (Recorder::new(), Recorder::new());
    let mut cluster = Cluster::new(2);
    let (mesh, other) = pair(&mut cluster, [&low, &high]).await;
    other.shutdown().await;
    drop(other);
    eventually("it is gone", || !connected(&mesh, 1)).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    let started = Instant::now();
    let again = cluster.start(1, &high).await;
    eventually("it is back", || connected(&mesh, 1) && connected(&again, 0)).await;
    assert!(started.elapsed() <= RESTART_MAX, "back only after {:?}", started.elapsed());
}

/// A peer that falls silent (here: whose process is gone, and nobody takes its port) is noticed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_silent_peer_is_noticed() {
    let mut cluster = Cluster::new(2);
    let (recorder, staying_recorder) = (Recorder::new(), Recorder::new());
    let staying = cluster.start(0, &staying_recorder).await;
    let process = Process::start_blocking(&mut cluster, 1, &recorder);
    eventually("connected", || connected(&staying, 1)).await;
    process.kill_blocking().await;
    let killed = Instant::now();
    eventually("noticed", || !connected(&staying, 1)).await;
    assert!(killed.elapsed() <= IDLE_TIMEOUT + Duration::from_secs(1));
}
