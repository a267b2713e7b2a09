//! Accepting: connections of peers with a lower index.

use crate::net::Shared;
use crate::net::link;
use crate::net::tls::proved_key;
use quinn::{Connection, Incoming, SendStream};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// The most handshakes at once; more are refused.
const HANDSHAKES_MAX: usize = 64;
/// While this many are under way, a newcomer must first prove its address.
const HANDSHAKES_UNPROVED_MAX: usize = 16;
/// How long a handshake may take.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(3);

/// Accepts until the endpoint closes.
pub(super) async fn keep_accepting(shared: Arc<Shared>) {
    let handshakes = Arc::new(Semaphore::new(HANDSHAKES_MAX));
    let mut links = JoinSet::new();
    while let Some(incoming) = shared.endpoint.accept().await {
        while links.try_join_next().is_some() {}
        let under_way = HANDSHAKES_MAX - handshakes.available_permits();
        if under_way >= HANDSHAKES_UNPROVED_MAX && incoming.may_retry() {
            // Fails only when it may not be retried, which was just asked.
            let _ = incoming.retry();
            continue;
        }
        let Ok(permit) = Arc::clone(&handshakes).try_acquire_owned() else {
            incoming.refuse();
            continue;
        };
        let shared = Arc::clone(&shared);
        links.spawn(async move {
            let remote = incoming.remote_address();
            let shaken = timeout(HANDSHAKE_TIMEOUT, shake(incoming)).await;
            drop(permit);
            match shaken.unwrap_or_else(|_| Err("the handshake took too long".to_owned())) {
                Ok((connection, outwards)) => carry(&shared, connection, outwards).await,
                Err(error) => tracing::warn!(%remote, error, "refused a connection"),
            }
        });
    }
}

async fn shake(incoming: Incoming) -> Result<(Connection, [SendStream; crate::net::LANES]), String> {
    let connecting = incoming.accept().map_err(|error| error.to_string())?;
    let connection = connecting.await.map_err(|error| error.to_string())?;
    let outwards = link::open_lanes(&connection).await.map_err(|error| error.to_string())?;
    Ok((connection, outwards))
}

async fn carry(shared: &Shared, connection: Connection, outwards: [SendStream; crate::net::LANES]) {
    let peer = proved_key(&connection)
        .and_then(|key| shared.peers.iter().find(|peer| peer.spki() == key))
        .expect("the handshake let a pinned key in");
    let (operator, remote) = (peer.config.index, connection.remote_address());
    tracing::info!(%operator, name = peer.config.name, %remote, "connected");
    let end = link::run(peer, &shared.handler, shared.limits, connection, outwards, None).await;
    tracing::info!(%operator, name = peer.config.name, reason = %end, "disconnected");
}
