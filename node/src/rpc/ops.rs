//! What operations tooling reads, on a listener of its own: `/metrics` (Prometheus), `/livez`, `/readyz`.
//!
//! Liveness fails only when a restart would help (a stage died, the disk is gone); readiness fails while
//! the operator should get no traffic (it is catching up, or sees no quorum).

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use metrics_exporter_prometheus::PrometheusHandle;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

/// How often histograms are folded where nobody reads `/metrics`. Unit: seconds.
const UPKEEP_S: u64 = 5;
/// The exposition format of Prometheus.
const METRICS_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Whether the operator is well. Answered at once, from what is already known.
pub trait Health: Send + Sync + 'static {
    /// Whether the process works.
    ///
    /// # Errors
    /// Why it does not, for people.
    fn live(&self) -> Result<(), String>;

    /// Whether it should get traffic.
    ///
    /// # Errors
    /// Why it should not, for people.
    fn ready(&self) -> Result<(), String>;
}

/// A running server. [`OpsServer::stop`] stops it; dropping it does too.
#[derive(Debug)]
pub struct OpsServer {
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    serving: JoinHandle<()>,
}

impl OpsServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and waits until its connections are closed.
    pub async fn stop(mut self) {
        self.stop.take();
        // An error says that it has died already.
        let _ = self.serving.await;
    }
}

#[derive(Clone)]
struct Shared {
    health: Arc<dyn Health>,
    metrics: PrometheusHandle,
}

/// Starts the server. Must be called within a tokio runtime.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(address: SocketAddr, health: Arc<dyn Health>, metrics: PrometheusHandle) -> io::Result<OpsServer> {
    let listener = TcpListener::bind(address).await?;
    let address = listener.local_addr()?;
    let (stop, stopped) = oneshot::channel::<()>();
    let router = Router::new()
        .route("/metrics", get(render))
        .route("/livez", get(live))
        .route("/readyz", get(ready))
        .with_state(Shared { health, metrics: metrics.clone() });
    let serving = tokio::spawn(async move {
        let upkeep = async {
            loop {
                tokio::time::sleep(Duration::from_secs(UPKEEP_S)).await;
                metrics.run_upkeep();
            }
        };
        let served = axum::serve(listener, router).with_graceful_shutdown(async {
            // Dropping the sender stops the server too.
            let _ = stopped.await;
        });
        tokio::select! {
            outcome = served => if let Err(error) = outcome {
                tracing::error!(%error, "the operations endpoints stopped");
            },
            () = upkeep => {}
        }
    });
    Ok(OpsServer { address, stop: Some(stop), serving })
}

async fn render(State(shared): State<Shared>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, METRICS_TYPE)], shared.metrics.render())
}

async fn live(State(shared): State<Shared>) -> impl IntoResponse {
    answer(shared.health.live())
}

async fn ready(State(shared): State<Shared>) -> impl IntoResponse {
    answer(shared.health.ready())
}

fn answer(health: Result<(), String>) -> (StatusCode, String) {
    match health {
        Ok(()) => (StatusCode::OK, "ok\n".into()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("{reason}\n")),
    }
}
