//! The port through which a mesh hands over what arrives.

use crate::net::Lane;
use bytes::Bytes;
use phalanx_types::OperatorIndex;

/// Takes what arrives. `from` is always the authenticated sender.
pub trait Handler: Send + Sync + 'static {
    /// Takes one frame. Never blocks: it runs on the tokio task that reads the lane. False when there was
    /// no room and the frame was dropped (the mesh counts it).
    fn frame(&self, from: OperatorIndex, lane: Lane, frame: Bytes) -> bool;

    /// Answers one request; `None` refuses it. Runs on a blocking thread, and may read the disk.
    fn request(&self, from: OperatorIndex, request: Bytes) -> Option<Bytes>;

    /// There is a new connection to `peer`. Comes again, without [`Handler::disconnected`] in between,
    /// when the peer restarted and its new connection replaced the old one. Never blocks; must not call
    /// back into the mesh's `shutdown`.
    fn connected(&self, peer: OperatorIndex);

    /// There is no connection to `peer` any more. Never blocks.
    fn disconnected(&self, peer: OperatorIndex);
}
