//! What arrives from other operators: decoded, bounded, and handed to the pipeline, the mempool or the
//! chain store. No cryptography and no waiting happens here.

use crate::driver::clock::Clock;
use crate::driver::coordinator::{Event, Events};
use crate::driver::transactions::Transactions;
use crate::net::{Handler, Lane};
use crate::store::{Reader, StoreError, View};
use phalanx_pipeline::Ingress;
use phalanx_sync::{BlockSource, respond};
use phalanx_types::{
    B256, Bytes, Certificate, ClusterSize, DecodeError, Message, OperatorIndex, SyncRequest, Time, Wire,
};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// When each operator's last vote was seen.
#[derive(Debug)]
pub(crate) struct LastVotes(Vec<AtomicU64>);

const NEVER: u64 = u64::MAX;

impl LastVotes {
    pub(crate) fn new(size: ClusterSize) -> Self {
        Self(size.operators().map(|_| AtomicU64::new(NEVER)).collect())
    }

    pub(crate) fn seen(&self, operator: OperatorIndex, now: Time) {
        if let Some(last) = self.0.get(operator.as_usize()) {
            last.store(now.as_micros(), Ordering::Relaxed);
        }
    }

    pub(crate) fn last(&self, operator: OperatorIndex) -> Option<Time> {
        let micros = self.0.get(operator.as_usize())?.load(Ordering::Relaxed);
        (micros != NEVER).then(|| Time::from_micros(micros))
    }
}

/// The mesh's handler.
pub(crate) struct MeshHandler {
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) transactions: Transactions,
    pub(crate) reader: Reader,
    pub(crate) last_votes: Arc<LastVotes>,
    pub(crate) events: Events,
    pub(crate) clock: Clock,
}

impl MeshHandler {
    fn take(&self, from: OperatorIndex, lane: Lane, frame: &[u8]) -> Result<bool, DecodeError> {
        let message = Message::from_wire(frame)?;
        match (lane, message) {
            (Lane::Transactions, Message::Transactions(transactions)) => {
                Ok(self.transactions.gossiped(from, transactions))
            }
            (Lane::Votes, message @ Message::Vote(_)) => {
                self.last_votes.seen(from, self.clock.now());
                Ok(self.ingress.push(from, message))
            }
            (Lane::Votes, message @ (Message::Certificate(_) | Message::Equivocation(_)))
            | (Lane::Blocks, message @ Message::Proposal { .. }) => Ok(self.ingress.push(from, message)),
            _ => Err(DecodeError::PeerInconsistent("a message on the wrong lane")),
        }
    }
}

impl Handler for MeshHandler {
    fn frame(&self, from: OperatorIndex, lane: Lane, frame: bytes::Bytes) -> bool {
        match self.take(from, lane, &frame) {
            Ok(taken) => taken,
            Err(error) => {
                metrics::counter!("phalanx_frames_malformed_total", "peer" => from.to_string()).increment(1);
                tracing::debug!(peer = %from, %lane, %error, "a malformed frame was dropped");
                false
            }
        }
    }

    fn request(&self, from: OperatorIndex, request: bytes::Bytes) -> Option<bytes::Bytes> {
        let request = match SyncRequest::from_wire(&request) {
            Ok(request) => request,
            Err(error) => {
                tracing::debug!(peer = %from, %error, "a malformed request was refused");
                return None;
            }
        };
        match self.reader.view() {
            Ok(view) => Some(respond(&StoredBlocks(view), request).to_wire().into()),
            Err(error) => {
                tracing::warn!(%error, "the chain store cannot be read to answer a request");
                None
            }
        }
    }

    fn connected(&self, peer: OperatorIndex) {
        self.events.send(Event::PeerConnected(peer));
    }

    fn disconnected(&self, peer: OperatorIndex) {
        self.events.send(Event::PeerDisconnected(peer));
    }
}

/// The chain store, as catch-up's answers read it. A block that cannot be read is not offered.
struct StoredBlocks(View);

fn readable<T>(result: Result<Option<T>, StoreError>) -> Option<T> {
    result.unwrap_or_else(|error| {
        tracing::warn!(%error, "the chain store cannot be read to answer a request");
        None
    })
}

impl BlockSource for StoredBlocks {
    fn finalized_payload(&self, number: u64) -> Option<Bytes> {
        readable(self.0.block_by_number(number)).map(|stored| stored.block.payload)
    }

    fn finalization(&self, number: u64) -> Option<Certificate> {
        readable(self.0.finalization(number))
    }

    fn highest_finalization(&self) -> Option<Certificate> {
        readable(self.0.highest_finalization())
    }

    fn block(&self, hash: B256) -> Option<(Bytes, Option<Certificate>)> {
        let stored = readable(self.0.block_by_hash(hash))?;
        let certificate = readable(self.0.certificate_of(stored.block.reference));
        Some((stored.block.payload, certificate))
    }

    fn terms(&self, epoch: u64, from: u64, to: u64, max: usize) -> Vec<Certificate> {
        readable(self.0.terms(epoch, from..=to, max).map(Some)).unwrap_or_default()
    }
}
