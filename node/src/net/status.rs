//! What can be seen of a mesh.

use crate::net::{LANES, Lane};
use phalanx_types::OperatorIndex;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

/// Counts of one lane to and from one peer, since the mesh was started.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LaneStatus {
    /// Frames written to a connection.
    pub sent_frames: u64,
    /// Their bytes.
    pub sent_bytes: u64,
    /// Frames read and handed over.
    pub received_frames: u64,
    /// Their bytes.
    pub received_bytes: u64,
    /// Frames that `send` dropped: no connection, or no room.
    pub send_dropped: u64,
    /// Frames that the handler had no room for.
    pub receive_dropped: u64,
    /// Frames that wait to be sent now.
    pub queued_frames: usize,
}

/// One peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PeerStatus {
    /// Its seat.
    pub index: OperatorIndex,
    /// Its name.
    pub name: String,
    /// Whether there is a connection.
    pub connected: bool,
    /// Since when, by the wall clock.
    pub since: Option<SystemTime>,
    /// Where the connection comes from or goes to.
    pub remote: Option<SocketAddr>,
    /// The connection's smoothed round-trip time.
    pub rtt: Option<Duration>,
    /// Of each lane, in the order of [`Lane::ALL`].
    pub lanes: [LaneStatus; LANES],
}

impl PeerStatus {
    /// Of one lane.
    #[must_use]
    pub fn lane(&self, lane: Lane) -> &LaneStatus {
        &self.lanes[lane.as_usize()]
    }

    /// Frames dropped in either direction, on all lanes.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.lanes.iter().map(|lane| lane.send_dropped + lane.receive_dropped).sum()
    }
}
