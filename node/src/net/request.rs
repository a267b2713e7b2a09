//! Requests and their answers: one bidirectional stream each.

use crate::net::link::LinkEnd;
use crate::net::peer::{Link, Peer};
use crate::net::{Handler, Limits, NetError};
use bytes::Bytes;
use phalanx_types::OperatorIndex;
use quinn::{Connection, ReadError, ReadToEndError, RecvStream, SendStream, VarInt};
use std::sync::Arc;
use std::time::Duration;
use tokio::task::{JoinSet, spawn_blocking};
use tokio::time::timeout;

/// How long a peer may take to send a request that it began.
const REQUEST_READ_TIMEOUT: Duration = Duration::from_secs(5);
/// How long a peer may take to read its answer.
const RESPONSE_WRITE_TIMEOUT: Duration = Duration::from_secs(30);
/// Requests are small, and often wanted at once: like blocks.
const REQUEST_PRIORITY: i32 = 2;
/// Answers share what votes and blocks leave with transactions.
const RESPONSE_PRIORITY: i32 = 1;

/// How a stream is broken off, as the other end sees it.
#[derive(Clone, Copy, Debug)]
enum Refusal {
    /// The handler did not answer.
    Refused = 1,
    /// The request is above the bound.
    TooLarge = 2,
}

impl Refusal {
    fn code(self) -> VarInt {
        VarInt::from_u32(self as u32)
    }
}

/// Asks over `link`, and waits for the whole answer.
pub(super) async fn ask(
    peer: OperatorIndex,
    link: &Link,
    request: Bytes,
    limits: &Limits,
    patience: Duration,
) -> Result<Bytes, NetError> {
    let max = limits.response_bytes_max;
    let lost = |reason: String| NetError::PeerLost { peer, reason };
    let exchange = async {
        let (mut send, mut receive) = link.connection.open_bi().await.map_err(|error| lost(error.to_string()))?;
        // Fails only on a stream that was closed; then so does the write.
        let _ = send.set_priority(REQUEST_PRIORITY);
        // A peer that refuses stops reading: what it says on the other half counts.
        let written = send.write_chunk(request).await;
        let _ = send.finish();
        match receive.read_to_end(max).await {
            Ok(answer) => Ok(Bytes::from(answer)),
            Err(ReadToEndError::TooLong) => Err(NetError::PeerResponseTooLarge { peer, max }),
            Err(ReadToEndError::Read(ReadError::Reset(_))) => Err(NetError::PeerRefused(peer)),
            Err(ReadToEndError::Read(error)) => {
                Err(lost(written.err().map_or_else(|| error.to_string(), |error| error.to_string())))
            }
        }
    };
    timeout(patience, exchange).await.unwrap_or(Err(NetError::PeerTimeout { peer, timeout: patience }))
}

/// Answers the peer's requests. QUIC lets it have `REQUESTS_PER_PEER_MAX` open at once.
pub(super) async fn serve(
    peer: Arc<Peer>,
    handler: Arc<dyn Handler>,
    limits: Limits,
    connection: Connection,
) -> LinkEnd {
    let mut serving = JoinSet::new();
    loop {
        match connection.accept_bi().await {
            Ok((send, receive)) => {
                serving.spawn(answer(peer.config.index, Arc::clone(&handler), limits, send, receive));
            }
            Err(error) => return error.into(),
        }
        while serving.try_join_next().is_some() {}
    }
}

async fn answer(
    peer: OperatorIndex,
    handler: Arc<dyn Handler>,
    limits: Limits,
    mut send: SendStream,
    mut receive: RecvStream,
) {
    // Each of these fails only on a stream that the peer has given up already.
    let _ = send.set_priority(RESPONSE_PRIORITY);
    let request = match timeout(REQUEST_READ_TIMEOUT, receive.read_to_end(limits.request_bytes_max)).await {
        Ok(Ok(request)) => Bytes::from(request),
        Ok(Err(ReadToEndError::TooLong)) => {
            tracing::warn!(%peer, max = limits.request_bytes_max, "refused a request that is too large");
            let _ = receive.stop(Refusal::TooLarge.code());
            let _ = send.reset(Refusal::TooLarge.code());
            return;
        }
        Ok(Err(ReadToEndError::Read(_))) | Err(_) => {
            let _ = receive.stop(Refusal::Refused.code());
            let _ = send.reset(Refusal::Refused.code());
            return;
        }
    };
    let answered = spawn_blocking(move || handler.request(peer, request)).await.ok().flatten();
    let Some(answered) = answered.filter(|answered| answered.len() <= limits.response_bytes_max) else {
        let _ = send.reset(Refusal::Refused.code());
        return;
    };
    let written = timeout(RESPONSE_WRITE_TIMEOUT, async {
        send.write_chunk(answered).await.ok()?;
        send.finish().ok()?;
        send.stopped().await.ok()
    });
    if written.await.is_err() {
        let _ = send.reset(Refusal::Refused.code());
    }
}
