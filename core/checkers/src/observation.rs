//! What a checker is fed: who was seen to do what, and when. Plain data, so that the simulator, a test of
//! the node and a reader of stores can all make it.

use phalanx_types::{B256, BlockRef, Certificate, OperatorIndex, Position, Record, Time, UnsignedProposal, Vote};

/// One thing that one operator was seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// When. Observations come in the order of their times.
    pub at: Time,
    /// Who.
    pub operator: OperatorIndex,
    /// What.
    pub event: Event,
}

/// What an operator can be seen to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event {
    /// A record of the vote journal became durable. Records come in the order in which they were written;
    /// what a crash lost before it was durable never comes.
    Durable(Record),
    /// A vote left the operator, for the first time or again.
    Sent(Vote),
    /// A proposal left the operator, for the first time or again.
    SentProposal(UnsignedProposal),
    /// The operator holds this certificate and has checked it.
    Certificate(Certificate),
    /// The operator committed a block.
    Committed(CommittedBlock),
    /// The operator entered the term of this position.
    EnteredTerm(Position),
    /// The operator starts again with this block as the newest that it has committed.
    Restarted {
        /// The newest committed block in its store.
        committed: BlockRef,
    },
    /// The operator showed others evidence against a leader.
    Convicted {
        /// Who signed two proposals for one position.
        leader: OperatorIndex,
        /// Which.
        position: Position,
    },
    /// The operator told a client that it accepted this transaction.
    Accepted(B256),
    /// A structure's length, beside the bound that its owner states for it.
    Length {
        /// Which structure.
        what: &'static str,
        /// How many items, or bytes, it holds.
        length: usize,
        /// How many it may hold.
        max: usize,
    },
}

/// A committed block, as far as the invariants speak of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommittedBlock {
    /// Height and hash.
    pub reference: BlockRef,
    /// The block's own parent link.
    pub parent_hash: B256,
    /// The transactions in it, by hash, in order.
    pub transactions: Vec<B256>,
}
