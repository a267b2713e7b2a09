//! What an operator says about a position, and the partial signature under it.

use crate::{BlockRef, OperatorIndex, Position, SignatureBytes};
use alloy_rlp::{Decodable, Encodable, RlpDecodable, RlpEncodable};
use core::fmt;
use serde::{Deserialize, Serialize};

/// The three votes. Each kind signs under its own domain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum VoteKind {
    /// I hold this block, it is valid, it is my only vote at this position.
    Notarize,
    /// I leave this term; the slot is above every slot of it that I know notarized or have signed
    /// `Finalize` for.
    Nullify,
    /// I saw this block notarized while I had not left its term.
    Finalize,
}

impl VoteKind {
    /// The number that stands for the kind on the wire and in digests.
    #[must_use]
    pub const fn as_u8(self) -> u8 {
        match self {
            Self::Notarize => 1,
            Self::Nullify => 2,
            Self::Finalize => 3,
        }
    }

    /// What `q` votes of this kind make.
    #[must_use]
    pub const fn certificate_name(self) -> &'static str {
        match self {
            Self::Notarize => "notarization",
            Self::Nullify => "nullification",
            Self::Finalize => "finalization",
        }
    }
}

impl Encodable for VoteKind {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        self.as_u8().encode(out);
    }

    fn length(&self) -> usize {
        self.as_u8().length()
    }
}

impl Decodable for VoteKind {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        match u8::decode(buf)? {
            1 => Ok(Self::Notarize),
            2 => Ok(Self::Nullify),
            3 => Ok(Self::Finalize),
            _ => Err(alloy_rlp::Error::Custom("a vote's kind is 1, 2 or 3")),
        }
    }
}

/// A vote, before any signature. A `Nullify` names no block: its `block` is the default.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable,
)]
pub struct Vote {
    /// Which of the three.
    pub kind: VoteKind,
    /// About which position.
    pub position: Position,
    /// For which block; `BlockRef::NONE` in a `Nullify`.
    pub block: BlockRef,
}

impl Vote {
    /// `Notarize(position, block)`.
    #[must_use]
    pub const fn notarize(position: Position, block: BlockRef) -> Self {
        Self { kind: VoteKind::Notarize, position, block }
    }

    /// `Nullify(position)`.
    #[must_use]
    pub const fn nullify(position: Position) -> Self {
        Self { kind: VoteKind::Nullify, position, block: BlockRef::NONE }
    }

    /// `Finalize(position, block)`.
    #[must_use]
    pub const fn finalize(position: Position, block: BlockRef) -> Self {
        Self { kind: VoteKind::Finalize, position, block }
    }

    /// Whether the block is named exactly when the kind names one.
    #[must_use]
    pub fn is_well_formed(&self) -> bool {
        (self.kind == VoteKind::Nullify) == (self.block == BlockRef::NONE)
    }
}

impl fmt::Display for Vote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.kind {
            VoteKind::Nullify => write!(f, "Nullify{}", self.position),
            kind => write!(f, "{kind:?}{} for block {}", self.position, self.block),
        }
    }
}

/// A vote with one operator's partial signature.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
pub struct SignedVote {
    /// What is said.
    pub vote: Vote,
    /// Who says it: must equal the authenticated sender.
    pub signer: OperatorIndex,
    /// The partial signature of the vote's digest.
    pub partial: SignatureBytes,
}
