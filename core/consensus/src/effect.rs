//! Everything that an engine asks for. Effects are carried out in the order in which they were emitted.

use phalanx_threshold::Verified;
use phalanx_types::{
    B256, Block, BlockRef, Certificate, Equivocation, OperatorIndex, Position, Time, UnsignedProposal, Vote,
};
use std::sync::Arc;

/// Who gets a message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    /// Every other operator.
    Everyone,
    /// These; oneself is not among them.
    Only(Arc<[OperatorIndex]>),
}

/// What must be fetched from other operators (rule 9).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Missing {
    /// A block that is notarized or finalized, or the parent of one.
    Block(BlockRef),
    /// The certificates by which the terms `from..=to` of the epoch were left.
    Terms {
        /// The epoch.
        epoch: u64,
        /// First term.
        from: u64,
        /// Last term, inclusive.
        to: u64,
    },
}

/// Why an engine stops for good: continuing would be unsafe. People must look.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum HaltReason {
    /// A block that a quorum notarized is invalid here: this operator's execution, or more than `f`
    /// operators, are wrong.
    NotarizedBlockInvalid {
        /// Where.
        position: Position,
        /// Which.
        block: BlockRef,
        /// What execution said.
        reason: String,
    },
    /// Two certificates that cannot both exist with at most `f` Byzantine operators.
    ConflictingCertificates {
        /// One.
        first: Box<Certificate>,
        /// The other.
        second: Box<Certificate>,
    },
}

/// What to do.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Journal this certificate (durable before any vote emitted after it leaves) and keep serving it.
    Keep(Verified<Certificate>),
    /// Sign, journal, then send; afterwards the own partial counts.
    Vote {
        /// What is said.
        vote: Vote,
        /// To whom.
        recipients: Recipients,
    },
    /// Sign the header with the identity key, journal, then send with the block's payload to everyone.
    Propose {
        /// The header.
        header: UnsignedProposal,
        /// What justifies it (slot 0), at most `JUSTIFICATION_CERTIFICATES_MAX`.
        justification: Vec<Certificate>,
        /// Its block.
        block: Arc<Block>,
    },
    /// Send this own vote again, from the journal, to everyone; already durable. After a restart the own
    /// partial counts again.
    ResendVote(Vote),
    /// Send an own proposal again, from the journal.
    ResendProposal {
        /// Its position.
        position: Position,
        /// Its block.
        block: Arc<Block>,
    },
    /// Send a certificate to everyone: once when it is learnt, again by rule 8.
    Forward(Verified<Certificate>),
    /// Send a certificate to one operator that was heard to lack it.
    Tell {
        /// To whom.
        to: OperatorIndex,
        /// What.
        certificate: Verified<Certificate>,
    },
    /// Send the evidence to everyone, once.
    ForwardEquivocation(Box<Verified<Equivocation>>),
    /// Build a block for `position` on `parent`; answered by `Input::Built`.
    Build {
        /// The position.
        position: Position,
        /// The parent, executed here already or soon.
        parent: BlockRef,
    },
    /// Store and execute a block; answered by `Input::Validated`, once for each time that it is asked.
    /// Blocks are asked about in an order in which parents come first; a child may be asked about while
    /// its parent's answer is still awaited.
    Validate(Arc<Block>),
    /// This block and all its ancestors are final: commit them in order. Heights of successive commits
    /// grow. Blocks that are missing are fetched by catch-up, which starts from this certificate.
    Commit(Verified<Certificate>),
    /// Ask others.
    Fetch(Missing),
    /// The newest notarized block of the chain that this operator follows changed, for `pending`.
    Notarized(Verified<Certificate>),
    /// Wake the engine with `Input::Tick` at this time; replaces the timer set before.
    SetTimer(Time),
    /// A term was entered.
    EnteredTerm {
        /// Its first position.
        position: Position,
        /// Its leader.
        leader: OperatorIndex,
    },
    /// An unfinalized block that no longer can become final was let go of.
    Discard(B256),
    /// Stop for good.
    Halt(HaltReason),
}

/// Where effects go, in order.
#[derive(Debug, Default)]
pub struct Outbox {
    effects: Vec<Effect>,
}

impl Outbox {
    /// An empty one.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an effect at the end.
    pub fn push(&mut self, effect: Effect) {
        self.effects.push(effect);
    }

    /// Takes all effects out, in order; keeps the allocation.
    pub fn drain(&mut self) -> impl Iterator<Item = Effect> + '_ {
        self.effects.drain(..)
    }

    /// Whether there is nothing to do.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.effects.is_empty()
    }
}
