//! What `q` votes make: one constant-size signature under the cluster's one key.

use crate::{BlockRef, Position, SignatureBytes, Vote, VoteKind};
use alloy_rlp::{RlpDecodable, RlpEncodable};
use core::fmt;
use serde::{Deserialize, Serialize};

/// A notarization, nullification or finalization. Well-formed, not checked: what is checked is
/// `phalanx_threshold::Verified<Certificate>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, RlpEncodable, RlpDecodable)]
pub struct Certificate {
    /// The vote that a quorum cast.
    pub vote: Vote,
    /// The threshold signature of the vote's digest.
    pub signature: SignatureBytes,
}

impl Certificate {
    /// The kind of vote that it holds.
    #[must_use]
    pub fn kind(&self) -> VoteKind {
        self.vote.kind
    }

    /// The position that it speaks about.
    #[must_use]
    pub fn position(&self) -> Position {
        self.vote.position
    }

    /// The block that it speaks about; `BlockRef::NONE` for a nullification.
    #[must_use]
    pub fn block(&self) -> BlockRef {
        self.vote.block
    }

    /// Whether it proves its block notarized: a finalization counts as a notarization everywhere.
    #[must_use]
    pub fn notarizes(&self) -> bool {
        matches!(self.vote.kind, VoteKind::Notarize | VoteKind::Finalize)
    }
}

impl fmt::Display for Certificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.kind().certificate_name();
        match self.kind() {
            VoteKind::Nullify => write!(f, "{name} of {}", self.position()),
            _ => write!(f, "{name} of block {} at {}", self.block(), self.position()),
        }
    }
}
