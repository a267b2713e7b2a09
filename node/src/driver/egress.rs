//! What leaves for other operators.
//!
//! [`Outlet`] is the one way to the mesh for everybody in the driver. It exists before the mesh does,
//! because the mesh's handler reaches what sends; until then nothing is connected, and nothing is sent.

use crate::driver::health::Health;
use crate::driver::ingress::LastVotes;
use crate::driver::stage_thread::Turn;
use crate::net::{Lane, Mesh, NetError, PeerStatus};
use phalanx_consensus::Recipients;
use phalanx_pipeline::Outbound;
use phalanx_types::{Message, OperatorIndex, Time, Wire};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

/// The most messages sent in one turn.
const SENT_PER_TURN_MAX: usize = 256;

/// The egress thread: takes what the pipeline wants sent.
pub(crate) struct Egress {
    pub(crate) outbound: phalanx_pipeline::Outlet<Outbound>,
    pub(crate) outlet: Outlet,
    pub(crate) last_votes: Arc<LastVotes>,
    pub(crate) health: Arc<Health>,
}

impl Egress {
    /// One turn of the stage thread.
    pub(crate) fn turn(&self, now: Time) -> Turn {
        let mut sent = 0;
        while sent < SENT_PER_TURN_MAX {
            match self.outbound.pop() {
                Some(Outbound::Send { recipients, message }) => {
                    if let Message::Vote(vote) = &message {
                        self.last_votes.seen(vote.signer, now);
                    }
                    self.outlet.send(&recipients, &message);
                }
                Some(Outbound::Fatal(error)) => self.health.fatal(error.to_string()),
                None => break,
            }
            sent += 1;
        }
        Turn { busy: sent > 0, wake_at: None }
    }
}

/// Cheap to clone.
#[derive(Clone, Debug, Default)]
pub(crate) struct Outlet(Arc<OnceLock<Mesh>>);

impl Outlet {
    /// From now on there is a mesh.
    pub(crate) fn open(&self, mesh: Mesh) {
        let already = self.0.set(mesh).is_err();
        assert!(!already, "an operator has one mesh");
    }

    pub(crate) fn mesh(&self) -> Option<&Mesh> {
        self.0.get()
    }

    pub(crate) fn status(&self) -> Vec<PeerStatus> {
        self.mesh().map(Mesh::status).unwrap_or_default()
    }

    pub(crate) fn broadcast(&self, lane: Lane, frame: Vec<u8>) {
        if let Some(mesh) = self.mesh() {
            mesh.broadcast(lane, &frame.into());
        }
    }

    /// Sends a message of the pipeline. What cannot be sent is counted by the mesh, and comes again by
    /// rule 8.
    pub(crate) fn send(&self, recipients: &Recipients, message: &Message) {
        let Some(mesh) = self.mesh() else { return };
        let lane = match message {
            Message::Vote(_) | Message::Certificate(_) | Message::Equivocation(_) => Lane::Votes,
            Message::Proposal { .. } => Lane::Blocks,
            Message::Transactions(_) => Lane::Transactions,
        };
        let frame = bytes::Bytes::from(message.to_wire());
        match recipients {
            Recipients::Everyone => {
                mesh.broadcast(lane, &frame);
            }
            Recipients::Only(operators) => {
                for operator in operators.iter() {
                    mesh.send(*operator, lane, frame.clone());
                }
            }
        }
    }

    /// Asks a peer and waits for its answer.
    pub(crate) async fn request(
        &self,
        to: OperatorIndex,
        request: Vec<u8>,
        timeout: Duration,
    ) -> Result<bytes::Bytes, NetError> {
        match self.mesh() {
            Some(mesh) => mesh.request(to, request.into(), timeout).await,
            None => Err(NetError::PeerNotConnected(to)),
        }
    }
}
