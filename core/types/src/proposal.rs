//! What a leader says: the header of a proposal, its identity signature, and what convicts it.

use crate::{BlockRef, Certificate, IdentitySignature, OperatorIndex, Position};
use alloy_primitives::B256;
use alloy_rlp::{RlpDecodable, RlpEncodable};
use serde::{Deserialize, Serialize};

/// The most certificates that a proposal carries as justification (`K`); receivers fetch the rest by
/// range.
pub const JUSTIFICATION_CERTIFICATES_MAX: usize = 16;

/// A proposal before the leader's identity signature. All of it is signed except the justification,
/// which proves itself.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable,
)]
pub struct UnsignedProposal {
    /// Where the block is proposed.
    pub position: Position,
    /// Where its parent stands: `(t, s−1)` at slot `s > 0`; genesis and the finalized block that starts
    /// an epoch stand at `(epoch, 0, 0)` of `parent_is_genesis`.
    pub parent_position: Position,
    /// Whether the parent is genesis (which stands before term 0); then `parent_position` is the default.
    pub parent_is_genesis: bool,
    /// The proposed block.
    pub block: BlockRef,
    /// The block's own parent link.
    pub parent_hash: B256,
}

impl UnsignedProposal {
    /// The parent block, whose number precedes the block's; `None` for a block numbered 0.
    #[must_use]
    pub fn parent(&self) -> Option<BlockRef> {
        self.block.number.checked_sub(1).map(|number| BlockRef::new(number, self.parent_hash))
    }
}

/// A leader's proposal for one position. Its payload travels beside it.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
pub struct Proposal {
    /// What is proposed.
    pub header: UnsignedProposal,
    /// Who proposes: the leader of the position's term.
    pub leader: OperatorIndex,
    /// The leader's identity signature of the header.
    pub signature: IdentitySignature,
    /// At slot 0, what justifies the parent; at most [`JUSTIFICATION_CERTIFICATES_MAX`].
    pub justification: Vec<Certificate>,
}

/// Two different headers that one leader signed for one position. Convicts it before a third party.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
pub struct Equivocation {
    /// Who signed both.
    pub leader: OperatorIndex,
    /// One header.
    pub first: UnsignedProposal,
    /// Its signature.
    pub first_signature: IdentitySignature,
    /// Another header for the same position.
    pub second: UnsignedProposal,
    /// Its signature.
    pub second_signature: IdentitySignature,
}
