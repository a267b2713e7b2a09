//! How QUIC is tuned, and what that may cost.
//!
//! Windows: any one stream may have [`STREAM_WINDOW_BYTES`] in flight (20 MB/s across 100 ms of round trip;
//! on a LAN the network is the limit), and the connection's windows are the sum over all its streams, so
//! that a full stream (a block, a response) never takes the room of another (the votes). Memory that a peer
//! can make this operator hold: at most [`CONNECTION_WINDOW_BYTES`] received and not read (22 MiB, and
//! only if it floods every stream while the limits hold reading back), one frame in assembly on each lane
//! (about 9.2 MiB), its requests and responses (`REQUESTS_PER_PEER_MAX` of each), and the queues towards it
//! (`LaneLimits::queue_bytes_max`; frames that go to several peers are shared). An idle peer costs some tens
//! of kilobytes.

use crate::net::{IdentitySeed, LANES, REQUESTS_PER_PEER_MAX};
use quinn::congestion::CubicConfig;
use quinn::{ConnectionId, ConnectionIdGenerator, EndpointConfig, IdleTimeout, TransportConfig, VarInt};
use ring::hmac;
use std::sync::Arc;
use std::time::Duration;

/// Streams that carry a peer's lanes.
#[allow(clippy::cast_possible_truncation, reason = "there are three")]
const LANE_STREAMS: u32 = LANES as u32;
/// How much of one stream may be in flight. Unit: bytes.
pub(super) const STREAM_WINDOW_BYTES: u32 = 2 << 20;
/// How much of one connection may be in flight: every lane, and requests in both directions. Unit: bytes.
pub(super) const CONNECTION_WINDOW_BYTES: u32 = STREAM_WINDOW_BYTES * (LANE_STREAMS + 2 * REQUESTS_PER_PEER_MAX);
/// How often a silent connection is probed.
pub(super) const KEEP_ALIVE: Duration = Duration::from_millis(500);
/// After how much silence a peer is taken for dead. (A restarted one is noticed sooner: its socket answers
/// packets of the old connection with a stateless reset.)
pub(super) const IDLE_TIMEOUT: Duration = Duration::from_secs(3);
/// The round trip that is assumed before one was measured: unanswered handshakes are repeated after three.
const INITIAL_RTT: Duration = Duration::from_millis(100);
/// The congestion window of a new connection: the peers are known, so a small block goes out at once. Unit:
/// bytes.
const INITIAL_CONGESTION_WINDOW_BYTES: u64 = 128 << 10;
/// Handshakes that wait to be looked at; more are refused.
const INCOMING_MAX: usize = 256;
/// What is buffered for one of them, and for all of them. Unit: bytes.
const INCOMING_BUFFER_BYTES_MAX: u64 = 16 << 10;
const INCOMING_BUFFERS_BYTES_MAX: u64 = 1 << 20;

/// The tuning of every connection.
pub(super) fn transport() -> Arc<TransportConfig> {
    let mut congestion = CubicConfig::default();
    congestion.initial_window(INITIAL_CONGESTION_WINDOW_BYTES);
    let idle = IdleTimeout::try_from(IDLE_TIMEOUT).expect("a few seconds fit in a variable-length integer");
    let mut transport = TransportConfig::default();
    transport
        .max_concurrent_uni_streams(VarInt::from_u32(LANE_STREAMS))
        .max_concurrent_bidi_streams(VarInt::from_u32(REQUESTS_PER_PEER_MAX))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW_BYTES))
        .receive_window(VarInt::from_u32(CONNECTION_WINDOW_BYTES))
        .send_window(2 * u64::from(CONNECTION_WINDOW_BYTES))
        .max_idle_timeout(Some(idle))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .initial_rtt(INITIAL_RTT)
        .datagram_receive_buffer_size(None)
        .congestion_controller_factory(Arc::new(congestion));
    Arc::new(transport)
}

/// The bounds on handshakes.
pub(super) fn bound_incoming(config: &mut quinn::ServerConfig) {
    config
        .max_incoming(INCOMING_MAX)
        .incoming_buffer_size(INCOMING_BUFFER_BYTES_MAX)
        .incoming_buffer_size_total(INCOMING_BUFFERS_BYTES_MAX);
}

/// The socket's configuration. The key of stateless resets follows from the identity, so that an operator
/// that was killed and restarted can still reset the connections that it no longer knows.
pub(super) fn endpoint(seed: &IdentitySeed) -> EndpointConfig {
    let identity = hmac::Key::new(hmac::HMAC_SHA256, seed.as_bytes());
    let reset = hmac::sign(&identity, b"phalanx stateless reset 1");
    let mut config = EndpointConfig::new(Arc::new(hmac::Key::new(hmac::HMAC_SHA256, reset.as_ref())));
    config.cid_generator(|| Box::new(AnyConnectionId));
    config
}

/// Random connection ids, none of which looks foreign: one that is not known is answered with a reset.
#[derive(Debug)]
struct AnyConnectionId;

/// Unit: bytes.
const CONNECTION_ID_BYTES: usize = 8;

impl ConnectionIdGenerator for AnyConnectionId {
    fn generate_cid(&mut self) -> ConnectionId {
        ConnectionId::new(&rand::random::<[u8; CONNECTION_ID_BYTES]>())
    }

    fn cid_len(&self) -> usize {
        CONNECTION_ID_BYTES
    }

    fn cid_lifetime(&self) -> Option<Duration> {
        None
    }
}
