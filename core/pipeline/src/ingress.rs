//! Where decoded messages come in: for each peer one ring for votes and one for blocks, so that a peer can
//! crowd out only itself, and a big block does not delay a vote.
//!
//! Invariants: what is in a peer's rings is signed in that peer's name; nothing here costs more than a
//! comparison and a push. Whoever calls has authenticated the sender and decoded the message.

use crate::counters::{Counters, DropReason};
use crate::ring::{Depth, Wake};
use core::sync::atomic::{AtomicUsize, Ordering};
use crossbeam::queue::ArrayQueue;
use phalanx_types::{BLOCK_MESSAGE_BYTES_MAX, Certificate, ClusterSize, Message, OperatorIndex, Proposal};
use std::sync::Arc;

/// Messages of the vote lane (votes, certificates, evidence) that wait, for each peer.
pub const VOTES_RING_MAX: usize = 512;
/// Proposals that wait, for each peer.
pub const BLOCKS_RING_MAX: usize = 16;
/// Payload bytes of proposals that wait, for each peer. Unit: bytes.
pub const BLOCKS_RING_BYTES_MAX: usize = 3 * BLOCK_MESSAGE_BYTES_MAX;
/// Lists of fetched certificates that wait.
pub const FETCHED_RING_MAX: usize = 16;

#[derive(Debug)]
struct PeerRings {
    votes: ArrayQueue<Message>,
    blocks: ArrayQueue<(Box<Proposal>, phalanx_types::Bytes)>,
    block_bytes: AtomicUsize,
}

/// The way in, shared by all connections.
#[derive(Debug)]
pub struct Ingress {
    me: OperatorIndex,
    peers: Vec<PeerRings>,
    fetched: ArrayQueue<(OperatorIndex, Vec<Certificate>)>,
    wake: Arc<dyn Wake>,
    counters: Arc<Counters>,
}

impl Ingress {
    pub(crate) fn new(me: OperatorIndex, size: ClusterSize, wake: &Arc<dyn Wake>, counters: &Arc<Counters>) -> Self {
        let rings = |operator: OperatorIndex| PeerRings {
            // Nothing is ever put into one's own rings.
            votes: ArrayQueue::new(if operator == me { 1 } else { VOTES_RING_MAX }),
            blocks: ArrayQueue::new(if operator == me { 1 } else { BLOCKS_RING_MAX }),
            block_bytes: AtomicUsize::new(0),
        };
        Self {
            me,
            peers: size.operators().map(rings).collect(),
            fetched: ArrayQueue::new(FETCHED_RING_MAX),
            wake: Arc::clone(wake),
            counters: Arc::clone(counters),
        }
    }

    /// Takes a message that `from`, authenticated by its connection, sent. `false`: it was dropped, and
    /// counted. Transactions do not go through here.
    pub fn push(&self, from: OperatorIndex, message: Message) -> bool {
        self.counters.messages.increment();
        match self.admit(from, message) {
            Ok(()) => {
                self.wake.wake();
                true
            }
            Err(reason) => {
                self.counters.drop_one(reason);
                false
            }
        }
    }

    /// Takes certificates that `from` sent as the answer to a request of ours (catch-up). Each comes out as
    /// an input of the engine if it verifies, also if it was seen before. `false`: try again later.
    pub fn push_fetched(&self, from: OperatorIndex, certificates: Vec<Certificate>) -> bool {
        let known = from != self.me && from.as_usize() < self.peers.len();
        if !known {
            self.counters.drop_one(DropReason::UnknownSender);
            return false;
        }
        let taken = self.fetched.push((from, certificates)).is_ok();
        self.wake.wake();
        taken
    }

    fn admit(&self, from: OperatorIndex, message: Message) -> Result<(), DropReason> {
        let rings = self.peers.get(from.as_usize()).filter(|_| from != self.me).ok_or(DropReason::UnknownSender)?;
        match message {
            Message::Vote(vote) if vote.signer != from => Err(DropReason::SignerNotSender),
            Message::Proposal { proposal, .. } if proposal.leader != from => Err(DropReason::SignerNotSender),
            Message::Transactions(_) => Err(DropReason::Misrouted),
            Message::Proposal { proposal, payload } => rings.push_block(proposal, payload),
            message => rings.votes.push(message).map_err(|_| DropReason::RingFull),
        }
    }

    pub(crate) fn pop_vote(&self, from: OperatorIndex) -> Option<Message> {
        self.peers[from.as_usize()].votes.pop()
    }

    pub(crate) fn pop_block(&self, from: OperatorIndex) -> Option<(Box<Proposal>, phalanx_types::Bytes)> {
        let rings = &self.peers[from.as_usize()];
        let (proposal, payload) = rings.blocks.pop()?;
        rings.block_bytes.fetch_sub(payload.len(), Ordering::Relaxed);
        Some((proposal, payload))
    }

    pub(crate) fn pop_fetched(&self) -> Option<(OperatorIndex, Vec<Certificate>)> {
        self.fetched.pop()
    }

    /// The fullest of the peers' rings, votes and blocks.
    #[must_use]
    pub fn depths(&self) -> [Depth; 2] {
        let fullest = |length: fn(&PeerRings) -> usize| self.peers.iter().map(length).max().unwrap_or(0);
        [
            Depth { ring: "ingress_votes", length: fullest(|peer| peer.votes.len()), capacity: VOTES_RING_MAX },
            Depth { ring: "ingress_blocks", length: fullest(|peer| peer.blocks.len()), capacity: BLOCKS_RING_MAX },
        ]
    }
}

impl PeerRings {
    fn push_block(&self, proposal: Box<Proposal>, payload: phalanx_types::Bytes) -> Result<(), DropReason> {
        let length = payload.len();
        let before = self.block_bytes.fetch_add(length, Ordering::Relaxed);
        let fits = before + length <= BLOCKS_RING_BYTES_MAX && self.blocks.push((proposal, payload)).is_ok();
        if !fits {
            self.block_bytes.fetch_sub(length, Ordering::Relaxed);
            return Err(DropReason::RingFull);
        }
        Ok(())
    }
}
