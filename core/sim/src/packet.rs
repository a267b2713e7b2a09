//! What travels between operators: a message, or a request of catch-up and its answer, encoded once.

use crate::network::Lane;
use crate::trace::StableHasher;
use core::fmt;
use core::hash::{Hash, Hasher};
use phalanx_types::{Message, SyncRequest, SyncResponse, Wire};

/// The content of a packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Content {
    /// Sent without being asked for.
    Message(Message),
    /// A request.
    Request {
        /// Comes back with the answer.
        id: u64,
        /// What is asked.
        request: SyncRequest,
    },
    /// The answer to a request.
    Response {
        /// The request's.
        id: u64,
        /// The answer.
        response: SyncResponse,
    },
}

/// A packet on its way; shared by all copies.
#[derive(Clone, PartialEq, Eq)]
pub struct Packet {
    /// What it says.
    pub content: Content,
    /// With what it travels.
    pub lane: Lane,
    /// How long it is. Unit: bytes.
    pub bytes: usize,
    /// Stands for its content in traces.
    pub digest: u64,
}

impl Packet {
    /// Encodes, to learn the length, and sees that what was encoded can be decoded.
    #[must_use]
    pub fn new(content: Content) -> Self {
        let (bytes, lane) = match &content {
            Content::Message(message) => (encoded(message), lane_of(message)),
            Content::Request { request, .. } => (encoded(request), Lane::Bulk),
            Content::Response { response, .. } => (encoded(response), Lane::Bulk),
        };
        let mut hasher = StableHasher::default();
        hash_content(&content, &mut hasher);
        Self { content, lane, bytes, digest: hasher.finish() }
    }
}

fn encoded<T: Wire + PartialEq>(value: &T) -> usize {
    let wire = value.to_wire();
    debug_assert!(T::from_wire(&wire).is_ok_and(|decoded| decoded == *value), "what honest code sends decodes");
    wire.len()
}

fn lane_of(message: &Message) -> Lane {
    match message {
        Message::Vote(_) | Message::Certificate(_) | Message::Equivocation(_) => Lane::Vote,
        Message::Proposal { .. } => Lane::Block,
        Message::Transactions(_) => Lane::Bulk,
    }
}

fn hash_content(content: &Content, hasher: &mut StableHasher) {
    core::mem::discriminant(content).hash(hasher);
    match content {
        Content::Message(message) => hash_message(message, hasher),
        Content::Request { id, request } => (id, request).hash(hasher),
        Content::Response { id, response } => {
            id.hash(hasher);
            match response {
                SyncResponse::Blocks { payloads, finalization } => (payloads, finalization).hash(hasher),
                SyncResponse::Block { payload, certificate } => (payload, certificate).hash(hasher),
                SyncResponse::Certificates(certificates) => certificates.hash(hasher),
            }
        }
    }
}

fn hash_message(message: &Message, hasher: &mut StableHasher) {
    core::mem::discriminant(message).hash(hasher);
    match message {
        Message::Vote(vote) => vote.hash(hasher),
        Message::Certificate(certificate) => certificate.hash(hasher),
        Message::Equivocation(evidence) => evidence.hash(hasher),
        // The block's hash, which the header names, binds the payload.
        Message::Proposal { proposal, payload } => (proposal, payload.len()).hash(hasher),
        Message::Transactions(transactions) => transactions.hash(hasher),
    }
}

impl fmt::Debug for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Packet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.content {
            Content::Message(Message::Vote(vote)) => write!(f, "{} by {}", vote.vote, vote.signer),
            Content::Message(Message::Certificate(certificate)) => write!(f, "{certificate}"),
            Content::Message(Message::Equivocation(evidence)) => {
                write!(f, "evidence against {} at {}", evidence.leader, evidence.first.position)
            }
            Content::Message(Message::Proposal { proposal, .. }) => {
                write!(f, "proposal of block {} at {}", proposal.header.block, proposal.header.position)
            }
            Content::Message(Message::Transactions(transactions)) => write!(f, "{} transactions", transactions.len()),
            Content::Request { id, request } => write!(f, "request {id}: {request:?}"),
            Content::Response { id, response } => match response {
                SyncResponse::Blocks { payloads, .. } => write!(f, "answer {id}: {} blocks", payloads.len()),
                SyncResponse::Block { payload, .. } => write!(f, "answer {id}: block of {} bytes", payload.len()),
                SyncResponse::Certificates(held) => write!(f, "answer {id}: {} certificates", held.len()),
            },
        }
    }
}
