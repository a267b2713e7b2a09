//! What the vote journal holds, in the order in which it was written.

use crate::{Certificate, Proposal, SignedVote};
use alloy_rlp::{Decodable, Encodable};

/// One record of the vote journal. A vote or proposal is durable before it leaves, after the
/// certificates that it relies on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Record {
    /// A certificate that a vote relies on, or that must be kept and served.
    Certificate(Certificate),
    /// One's own vote, with its partial.
    Vote(SignedVote),
    /// One's own proposal.
    Proposal(Proposal),
}

impl Record {
    const CERTIFICATE: u8 = 1;
    const VOTE: u8 = 2;
    const PROPOSAL: u8 = 3;
}

impl Encodable for Record {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Certificate(certificate) => {
                out.put_u8(Self::CERTIFICATE);
                certificate.encode(out);
            }
            Self::Vote(vote) => {
                out.put_u8(Self::VOTE);
                vote.encode(out);
            }
            Self::Proposal(proposal) => {
                out.put_u8(Self::PROPOSAL);
                proposal.encode(out);
            }
        }
    }
}

impl Decodable for Record {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let (&tag, rest) = buf.split_first().ok_or(alloy_rlp::Error::InputTooShort)?;
        *buf = rest;
        match tag {
            Self::CERTIFICATE => Certificate::decode(buf).map(Self::Certificate),
            Self::VOTE => SignedVote::decode(buf).map(Self::Vote),
            Self::PROPOSAL => Proposal::decode(buf).map(Self::Proposal),
            _ => Err(alloy_rlp::Error::Custom("a record's tag is 1, 2 or 3")),
        }
    }
}
