//! Dialling: for every peer with a higher index, again and again.

use crate::net::Shared;
use crate::net::link::{self, LinkEnd};
use crate::net::peer::Peer;
use crate::net::tls::SERVER_NAME;
use quinn::{ClientConfig, ConnectionError};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, sleep, timeout};

/// The longest wait before the first new dial after a connection ended.
pub(super) const RECONNECT_FIRST: Duration = Duration::from_millis(50);
/// The longest wait before any dial.
pub(super) const RECONNECT_MAX: Duration = Duration::from_millis(500);
/// A connection that lasted this long starts the waits over.
const RECONNECT_STEADY: Duration = Duration::from_secs(1);
/// How long one dial may take, until the peer has let this operator in.
const DIAL_TIMEOUT: Duration = Duration::from_millis(1_500);
/// How long a peer's name may take to resolve.
const RESOLVE_TIMEOUT: Duration = Duration::from_secs(5);
/// The most addresses of one name that are tried, one each dial.
const ADDRESSES_MAX: usize = 8;

/// Doubling waits with jitter: each between half and all of its bound.
#[derive(Debug)]
struct Backoff {
    bound: Duration,
}

impl Backoff {
    fn new() -> Self {
        Self { bound: RECONNECT_FIRST }
    }

    fn next(&mut self) -> Duration {
        let wait = self.bound.mul_f64(rand::random_range(0.5..=1.0));
        self.bound = (self.bound * 2).min(RECONNECT_MAX);
        wait
    }
}

/// Why a dial did not become a connection.
#[derive(Debug, thiserror::Error)]
enum DialError {
    #[error("{0} does not resolve: {1}")]
    Resolve(String, String),
    #[error("cannot dial {0}: {1}")]
    Connect(SocketAddr, quinn::ConnectError),
    #[error("{0} did not let this operator in: {1}")]
    Refused(SocketAddr, String),
    #[error("{0} did not answer within {DIAL_TIMEOUT:?}")]
    Timeout(SocketAddr),
}

/// Keeps a connection to `peer` until the mesh closes.
pub(super) async fn keep_dialling(shared: Arc<Shared>, peer: Arc<Peer>, config: ClientConfig) {
    let mut closing = shared.closing.subscribe();
    tokio::select! {
        _ = closing.wait_for(|closing| *closing) => {}
        () = dial_forever(&shared, &peer, config) => {}
    }
}

async fn dial_forever(shared: &Shared, peer: &Arc<Peer>, config: ClientConfig) {
    let mut backoff = Backoff::new();
    let mut last_fault = String::new();
    for attempt in 0_usize.. {
        match dial(shared, peer, config.clone(), attempt).await {
            Ok(dialled) => {
                last_fault.clear();
                let (operator, remote) = (peer.config.index, dialled.connection.remote_address());
                tracing::info!(%operator, name = peer.config.name, %remote, "connected");
                let started = Instant::now();
                let handler = &shared.handler;
                let Dialled { connection, outwards, first } = dialled;
                let end = link::run(peer, handler, shared.limits, connection, outwards, Some(first)).await;
                tracing::info!(%operator, name = peer.config.name, reason = %end, "disconnected");
                warn_of_twin(&end);
                if started.elapsed() >= RECONNECT_STEADY {
                    backoff = Backoff::new();
                }
            }
            Err(error) => {
                let (operator, fault) = (peer.config.index, error.to_string());
                if fault == last_fault {
                    tracing::debug!(%operator, name = peer.config.name, error = fault, "still not connected");
                } else {
                    tracing::warn!(%operator, name = peer.config.name, error = fault, "not connected; dialling on");
                    last_fault = fault;
                }
            }
        }
        sleep(backoff.next()).await;
    }
}

/// Only this operator dials this peer: a connection that replaced ours came from a second process.
fn warn_of_twin(end: &LinkEnd) {
    let replaced = u64::from(crate::net::peer::Close::Replaced.code());
    if let LinkEnd::Connection(ConnectionError::ApplicationClosed(close)) = end
        && u64::from(close.error_code) == replaced
    {
        tracing::error!("a second process uses this operator's identity: two processes must never use one share");
    }
}

/// A connection on which the peer has opened a lane: it let this operator in.
struct Dialled {
    connection: quinn::Connection,
    outwards: [quinn::SendStream; crate::net::LANES],
    first: quinn::RecvStream,
}

async fn dial(shared: &Shared, peer: &Peer, config: ClientConfig, attempt: usize) -> Result<Dialled, DialError> {
    let addresses = resolve(&peer.config.address, shared.address.is_ipv4()).await?;
    let address = addresses[attempt % addresses.len()];
    let connecting = shared
        .endpoint
        .connect_with(config, address, SERVER_NAME)
        .map_err(|error| DialError::Connect(address, error))?;
    let refused = |error: String| DialError::Refused(address, error);
    let opening = async {
        let connection = connecting.await.map_err(|error| refused(error.to_string()))?;
        let outwards = link::open_lanes(&connection).await.map_err(|error| refused(error.to_string()))?;
        let first = connection.accept_uni().await.map_err(|error| refused(error.to_string()))?;
        Ok(Dialled { connection, outwards, first })
    };
    timeout(DIAL_TIMEOUT, opening).await.unwrap_or(Err(DialError::Timeout(address)))
}

async fn resolve(address: &str, only_ipv4: bool) -> Result<Vec<SocketAddr>, DialError> {
    let failed = |reason: &str| DialError::Resolve(address.to_owned(), reason.to_owned());
    let found = timeout(RESOLVE_TIMEOUT, tokio::net::lookup_host(address))
        .await
        .map_err(|_| failed("no answer"))?
        .map_err(|error| failed(&error.to_string()))?;
    let usable: Vec<_> = found.filter(|found| found.is_ipv4() || !only_ipv4).take(ADDRESSES_MAX).collect();
    if usable.is_empty() { Err(failed("no address that this socket can reach")) } else { Ok(usable) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_from_fast_to_their_bound() {
        for _ in 0..50 {
            let mut backoff = Backoff::new();
            let first = backoff.next();
            assert!((RECONNECT_FIRST / 2..=RECONNECT_FIRST).contains(&first), "{first:?}");
            let last = (0..20).map(|_| backoff.next()).last().unwrap();
            assert!((RECONNECT_MAX / 2..=RECONNECT_MAX).contains(&last), "{last:?}");
        }
    }
}
