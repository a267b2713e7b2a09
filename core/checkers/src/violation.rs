//! What went wrong, where and when: one type for every way to break an invariant.

use phalanx_types::{B256, BlockRef, OperatorIndex, Position, Time, UnsignedProposal, Vote, VoteKind};

/// The invariants by their numbers in the protocol, and those that the simulator adds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Invariant {
    /// 1: two honest operators never finalize different blocks at one height.
    Agreement,
    /// 2: no nullification coexists with a finalization at or above it in its term.
    NullifiedOrFinalized,
    /// (a): at most one block is notarized at a position.
    OneNotarization,
    /// 3: an honest operator never signs two blocks at one position, and obeys what it signed before.
    HonestVotes,
    /// Durable before sent, together with what it relies on.
    DurableBeforeSent,
    /// 4: heights are gapless, and each block's parent is the block committed before it.
    LinkedCommits,
    /// 5: finalized height grows in bounded time.
    Liveness,
    /// 6: without a quorum nothing is finalized.
    Standstill,
    /// 7: a transient timeout does not end a term.
    Healing,
    /// Evidence convicts only who is Byzantine.
    Evidence,
    /// An accepted transaction is committed exactly once.
    Transactions,
    /// Memory stays within its stated bound.
    Bounds,
}

/// How an invariant was broken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Broken {
    /// Two blocks are final at one height.
    #[error("block {second} is final, but operator {first_by} had block {first} final at that height since {first_at}")]
    ConflictingBlocks {
        /// The block that was final first.
        first: BlockRef,
        /// Who had it.
        first_by: OperatorIndex,
        /// Since when.
        first_at: Time,
        /// The other block.
        second: BlockRef,
    },
    /// A term was left at a slot at or below one that is final.
    #[error("{nullified} can be nullified, but {finalized} can be finalized")]
    NullifiedAndFinalized {
        /// The lowest slot of the term that is nullified.
        nullified: Position,
        /// The highest slot of the term that is finalized.
        finalized: Position,
    },
    /// Two blocks can be proved notarized at one position.
    #[error("at {position} both block {first} and block {second} can be notarized")]
    TwoNotarizations {
        /// Where.
        position: Position,
        /// One block.
        first: BlockRef,
        /// The other.
        second: BlockRef,
    },
    /// An honest operator voted for two blocks at one position.
    #[error("signed {second}, after {kind:?} for block {first} there", kind = second.kind)]
    VotedTwice {
        /// The block voted for first.
        first: BlockRef,
        /// The vote for another.
        second: Vote,
    },
    /// An honest leader proposed two blocks at one position.
    #[error("proposed block {} at {}, after block {} there", second.block, second.position, first.block)]
    ProposedTwice {
        /// What was proposed first.
        first: UnsignedProposal,
        /// What was proposed after it.
        second: UnsignedProposal,
    },
    /// An honest operator proposed in a term that it had left, or that another leads.
    #[error("proposed at {position}, {why}")]
    ProposedOutOfTurn {
        /// Where.
        position: Position,
        /// Why that is wrong.
        why: &'static str,
    },
    /// An honest operator voted in a term that it had left and that no finalization had healed.
    #[error("signed {vote}, after leaving its term at {left} with nothing final at or above that")]
    VotedAfterLeaving {
        /// The vote.
        vote: Vote,
        /// Its highest `Nullify` in the term.
        left: Position,
    },
    /// An honest operator went on in a term whose leader it knew to have equivocated.
    #[error("signed {vote}, although it has had evidence against the leader of that term since {since}")]
    VotedAfterConviction {
        /// The vote.
        vote: Vote,
        /// Since when it showed others the evidence.
        since: Time,
    },
    /// An honest operator left a term at or below a slot that it had finalized or knew notarized.
    #[error("signed {vote}, although it {knew} at {above}")]
    NullifiedBelow {
        /// The vote.
        vote: Vote,
        /// What it had done at the higher slot.
        knew: &'static str,
        /// The higher slot.
        above: Position,
    },
    /// A vote without what it relies on in the journal before it.
    #[error("signed {vote} without {lacking} in its journal")]
    Unsupported {
        /// The vote.
        vote: Vote,
        /// What should have been durable before it.
        lacking: &'static str,
    },
    /// A vote left before it was durable.
    #[error("sent {0} before it was durable")]
    SentVoteNotDurable(Vote),
    /// A proposal left before it was durable.
    #[error("sent its proposal at {0} before it was durable")]
    SentProposalNotDurable(Position),
    /// A commit left out heights, or repeated one.
    #[error("committed block {committed} when height {expected} was next")]
    Gap {
        /// The height that was next.
        expected: u64,
        /// What was committed.
        committed: BlockRef,
    },
    /// A committed block does not build on the block committed before it.
    #[error("committed block {committed} with parent {parent_hash}, but the block before it is {previous}")]
    Unlinked {
        /// What was committed.
        committed: BlockRef,
        /// The parent that it names.
        parent_hash: B256,
        /// What had been committed before.
        previous: BlockRef,
    },
    /// A store begins above what was ever committed.
    #[error("restarted with block {restored} committed, but had committed only block {known}")]
    RestoredUnknown {
        /// The newest block in the store.
        restored: BlockRef,
        /// The newest that it had been seen to commit.
        known: BlockRef,
    },
    /// Finalized height did not grow within the bound.
    #[error("finalized nothing above height {height} since {since}")]
    Stalled {
        /// The height at which it stands.
        height: u64,
        /// Since when.
        since: Time,
    },
    /// Finalized height grew without a quorum.
    #[error("committed block {0} although no quorum was up")]
    GrewWithoutQuorum(BlockRef),
    /// A term ended that should have healed.
    #[error("entered the term of {entered}, but term {expected} should have gone on")]
    TermEnded {
        /// The term that should have gone on.
        expected: u64,
        /// What was entered instead.
        entered: Position,
    },
    /// An honest leader was convicted.
    #[error("showed evidence against operator {leader}, which is honest")]
    HonestConvicted {
        /// Who is said to have signed two proposals for one position.
        leader: OperatorIndex,
    },
    /// A transaction was committed twice.
    #[error("transaction {transaction} was committed at heights {first} and {second}")]
    CommittedTwice {
        /// Its hash.
        transaction: B256,
        /// One height.
        first: u64,
        /// The other.
        second: u64,
    },
    /// An accepted transaction was not committed.
    #[error("transaction {transaction}, accepted at {accepted}, was never committed ({lost} such)")]
    Lost {
        /// The hash of the first such.
        transaction: B256,
        /// When it was accepted.
        accepted: Time,
        /// How many there are.
        lost: usize,
    },
    /// A structure outgrew its bound.
    #[error("{what} holds {length}, at most {max}")]
    OutOfBounds {
        /// Which structure.
        what: &'static str,
        /// What it holds.
        length: usize,
        /// What it may hold.
        max: usize,
    },
}

impl Broken {
    /// Which invariant this breaks.
    #[must_use]
    pub fn invariant(&self) -> Invariant {
        match self {
            Self::ConflictingBlocks { .. } => Invariant::Agreement,
            Self::NullifiedAndFinalized { .. } => Invariant::NullifiedOrFinalized,
            Self::TwoNotarizations { .. } => Invariant::OneNotarization,
            Self::VotedTwice { .. }
            | Self::ProposedTwice { .. }
            | Self::ProposedOutOfTurn { .. }
            | Self::VotedAfterLeaving { .. }
            | Self::VotedAfterConviction { .. }
            | Self::NullifiedBelow { .. } => Invariant::HonestVotes,
            Self::Unsupported { .. } | Self::SentVoteNotDurable(_) | Self::SentProposalNotDurable(_) => {
                Invariant::DurableBeforeSent
            }
            Self::Gap { .. } | Self::Unlinked { .. } | Self::RestoredUnknown { .. } => Invariant::LinkedCommits,
            Self::Stalled { .. } => Invariant::Liveness,
            Self::GrewWithoutQuorum(_) => Invariant::Standstill,
            Self::TermEnded { .. } => Invariant::Healing,
            Self::HonestConvicted { .. } => Invariant::Evidence,
            Self::CommittedTwice { .. } | Self::Lost { .. } => Invariant::Transactions,
            Self::OutOfBounds { .. } => Invariant::Bounds,
        }
    }
}

/// A broken invariant: what, where and when.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{invariant:?} broken at {at} by operator {operator}: {broken}", invariant = broken.invariant())]
pub struct Violation {
    /// When it was seen.
    pub at: Time,
    /// Whose deed showed it; not always who is to blame.
    pub operator: OperatorIndex,
    /// What was broken, and how.
    pub broken: Box<Broken>,
}

impl Violation {
    /// What `operator` broke at `at`.
    #[must_use]
    pub fn new(at: Time, operator: OperatorIndex, broken: Broken) -> Self {
        Self { at, operator, broken: Box::new(broken) }
    }
}

/// The name of a vote's kind in sentences of what an operator had done.
pub(crate) fn had_signed(kind: VoteKind) -> &'static str {
    match kind {
        VoteKind::Notarize => "knew a block notarized",
        VoteKind::Nullify => "had signed Nullify",
        VoteKind::Finalize => "had signed Finalize",
    }
}
