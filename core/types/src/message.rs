//! What operators send each other, and the bound of each message.

use crate::codec::{decode_versioned, encode_versioned, within};
use crate::{
    Certificate, DecodeError, Equivocation, JUSTIFICATION_CERTIFICATES_MAX, Proposal, Record, SignedVote, Wire,
};
use alloy_primitives::{B256, Bytes};
use alloy_rlp::{Decodable, Encodable, Header};

/// The largest payload. Unit: bytes.
pub const PAYLOAD_BYTES_MAX: usize = 8 << 20;
/// The largest message on the vote lane (votes, certificates, evidence). Unit: bytes.
pub const VOTE_MESSAGE_BYTES_MAX: usize = 4 << 10;
/// The largest message on the block lane (proposals with their payload). Unit: bytes.
pub const BLOCK_MESSAGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX + (16 << 10);
/// The largest single transaction. Unit: bytes.
pub const TRANSACTION_BYTES_MAX: usize = 128 << 10;
/// The most transactions in one message.
pub const TRANSACTIONS_PER_MESSAGE_MAX: usize = 4_096;
/// The most blocks in one response.
pub const BLOCKS_PER_RESPONSE_MAX: usize = 1_024;
/// The most certificates in one response.
pub const CERTIFICATES_PER_RESPONSE_MAX: usize = 4_096;
/// The largest response; a responder stops before it. Unit: bytes.
pub const RESPONSE_BYTES_MAX: usize = 16 << 20;

/// What is sent without being asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// One operator's vote. Vote lane.
    Vote(SignedVote),
    /// A certificate. Vote lane.
    Certificate(Certificate),
    /// A leader caught with two proposals for one position. Vote lane.
    Equivocation(Box<Equivocation>),
    /// A proposal and its payload. Block lane.
    Proposal {
        /// The header, signature and justification.
        proposal: Box<Proposal>,
        /// The execution block.
        payload: Bytes,
    },
    /// EIP-2718 encoded transactions that the sender admitted to its mempool. Transaction lane.
    Transactions(Vec<Bytes>),
}

impl Message {
    const VOTE: u8 = 1;
    const CERTIFICATE: u8 = 2;
    const EQUIVOCATION: u8 = 3;
    const PROPOSAL: u8 = 4;
    const TRANSACTIONS: u8 = 5;

    fn check(self) -> Result<Self, DecodeError> {
        match &self {
            Self::Vote(vote) if !vote.vote.is_well_formed() => Err(VOTE_MALFORMED),
            Self::Certificate(certificate) => check_certificate(certificate).map(|()| self),
            Self::Proposal { proposal, payload } => {
                within("payload bytes", payload.len(), PAYLOAD_BYTES_MAX)?;
                check_proposal(proposal)?;
                Ok(self)
            }
            Self::Transactions(transactions) => {
                within("transactions", transactions.len(), TRANSACTIONS_PER_MESSAGE_MAX)?;
                for transaction in transactions {
                    within("transaction bytes", transaction.len(), TRANSACTION_BYTES_MAX)?;
                }
                Ok(self)
            }
            Self::Vote(_) | Self::Equivocation(_) => Ok(self),
        }
    }
}

const VOTE_MALFORMED: DecodeError =
    DecodeError::PeerInconsistent("a Nullify names no block, a Notarize or Finalize names one");

fn check_certificate(certificate: &Certificate) -> Result<(), DecodeError> {
    if certificate.vote.is_well_formed() { Ok(()) } else { Err(VOTE_MALFORMED) }
}

fn check_proposal(proposal: &Proposal) -> Result<(), DecodeError> {
    within("justification certificates", proposal.justification.len(), JUSTIFICATION_CERTIFICATES_MAX)?;
    proposal.justification.iter().try_for_each(check_certificate)
}

impl Encodable for Message {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Vote(vote) => {
                out.put_u8(Self::VOTE);
                vote.encode(out);
            }
            Self::Certificate(certificate) => {
                out.put_u8(Self::CERTIFICATE);
                certificate.encode(out);
            }
            Self::Equivocation(equivocation) => {
                out.put_u8(Self::EQUIVOCATION);
                equivocation.encode(out);
            }
            Self::Proposal { proposal, payload } => {
                out.put_u8(Self::PROPOSAL);
                proposal.encode(out);
                payload.encode(out);
            }
            Self::Transactions(transactions) => {
                out.put_u8(Self::TRANSACTIONS);
                transactions.encode(out);
            }
        }
    }

    fn length(&self) -> usize {
        1 + match self {
            Self::Vote(vote) => vote.length(),
            Self::Certificate(certificate) => certificate.length(),
            Self::Equivocation(equivocation) => equivocation.length(),
            Self::Proposal { proposal, payload } => proposal.length() + payload.length(),
            Self::Transactions(transactions) => transactions.length(),
        }
    }
}

fn take_tag(buf: &mut &[u8]) -> alloy_rlp::Result<u8> {
    let (&tag, rest) = buf.split_first().ok_or(alloy_rlp::Error::InputTooShort)?;
    *buf = rest;
    Ok(tag)
}

impl Decodable for Message {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        match take_tag(buf)? {
            Self::VOTE => SignedVote::decode(buf).map(Self::Vote),
            Self::CERTIFICATE => Certificate::decode(buf).map(Self::Certificate),
            Self::EQUIVOCATION => Equivocation::decode(buf).map(|found| Self::Equivocation(Box::new(found))),
            Self::PROPOSAL => {
                let proposal = Box::new(Proposal::decode(buf)?);
                Ok(Self::Proposal { proposal, payload: Bytes::decode(buf)? })
            }
            Self::TRANSACTIONS => decode_bounded(buf, TRANSACTIONS_PER_MESSAGE_MAX).map(Self::Transactions),
            _ => Err(alloy_rlp::Error::Custom("an unknown kind of message")),
        }
    }
}

/// Decodes a list, refusing it as soon as it holds more than `max` items.
fn decode_bounded<T: Decodable>(buf: &mut &[u8], max: usize) -> alloy_rlp::Result<Vec<T>> {
    let mut body = Header::decode_bytes(buf, true)?;
    let mut items = Vec::new();
    while !body.is_empty() {
        if items.len() == max {
            return Err(alloy_rlp::Error::Custom("more items than this message may hold"));
        }
        items.push(T::decode(&mut body)?);
    }
    Ok(items)
}

/// What one operator asks of another (catch-up). Answered by exactly one [`SyncResponse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum SyncRequest {
    /// Finalized blocks `from..=to`, in order; as many as fit, ending at a block whose finalization the
    /// responder holds where it can.
    Blocks {
        /// First height.
        from: u64,
        /// Last height, inclusive.
        to: u64,
    },
    /// One block by hash, final or not.
    Block {
        /// Its hash.
        hash: B256,
    },
    /// The certificates that justify moving from term `from` to term `to` of `epoch`: the nullifications
    /// and last-slot notarizations of terms `from..=to` that are held, and the highest finalization.
    Terms {
        /// The epoch.
        epoch: u64,
        /// First term.
        from: u64,
        /// Last term, inclusive.
        to: u64,
    },
}

/// The answer to a [`SyncRequest`]. Everything in it is checked by its receiver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SyncResponse {
    /// Payloads in ascending order of height without gaps, and a finalization of the last of them or of
    /// a later block. Both may be empty: the responder has nothing to offer.
    Blocks {
        /// The payloads.
        payloads: Vec<Bytes>,
        /// A finalization of the last of them, or of a later block.
        finalization: Option<Certificate>,
    },
    /// The block asked for, if it is held, with a certificate of it where one is held.
    Block {
        /// The payload; empty when it is not held.
        payload: Bytes,
        /// A notarization or finalization of it.
        certificate: Option<Certificate>,
    },
    /// Certificates in ascending order of position.
    Certificates(Vec<Certificate>),
}

impl SyncRequest {
    const BLOCKS: u8 = 1;
    const BLOCK: u8 = 2;
    const TERMS: u8 = 3;
}

impl Encodable for SyncRequest {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Blocks { from, to } => {
                out.put_u8(Self::BLOCKS);
                from.encode(out);
                to.encode(out);
            }
            Self::Block { hash } => {
                out.put_u8(Self::BLOCK);
                hash.encode(out);
            }
            Self::Terms { epoch, from, to } => {
                out.put_u8(Self::TERMS);
                epoch.encode(out);
                from.encode(out);
                to.encode(out);
            }
        }
    }
}

impl Decodable for SyncRequest {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        match take_tag(buf)? {
            Self::BLOCKS => Ok(Self::Blocks { from: u64::decode(buf)?, to: u64::decode(buf)? }),
            Self::BLOCK => Ok(Self::Block { hash: B256::decode(buf)? }),
            Self::TERMS => Ok(Self::Terms { epoch: u64::decode(buf)?, from: u64::decode(buf)?, to: u64::decode(buf)? }),
            _ => Err(alloy_rlp::Error::Custom("an unknown kind of request")),
        }
    }
}

impl SyncResponse {
    const BLOCKS: u8 = 1;
    const BLOCK: u8 = 2;
    const CERTIFICATES: u8 = 3;

    fn check(self) -> Result<Self, DecodeError> {
        let held: &[Certificate] = match &self {
            Self::Blocks { payloads, finalization } => {
                for payload in payloads {
                    within("payload bytes", payload.len(), PAYLOAD_BYTES_MAX)?;
                }
                finalization.as_slice()
            }
            Self::Block { payload, certificate } => {
                within("payload bytes", payload.len(), PAYLOAD_BYTES_MAX)?;
                certificate.as_slice()
            }
            Self::Certificates(certificates) => certificates,
        };
        held.iter().try_for_each(check_certificate)?;
        Ok(self)
    }
}

fn encode_optional(certificate: Option<&Certificate>, out: &mut dyn alloy_rlp::BufMut) {
    let held: Vec<Certificate> = certificate.copied().into_iter().collect();
    held.encode(out);
}

fn decode_optional(buf: &mut &[u8]) -> alloy_rlp::Result<Option<Certificate>> {
    decode_bounded(buf, 1).map(|mut held| held.pop())
}

impl Encodable for SyncResponse {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        match self {
            Self::Blocks { payloads, finalization } => {
                out.put_u8(Self::BLOCKS);
                payloads.encode(out);
                encode_optional(finalization.as_ref(), out);
            }
            Self::Block { payload, certificate } => {
                out.put_u8(Self::BLOCK);
                payload.encode(out);
                encode_optional(certificate.as_ref(), out);
            }
            Self::Certificates(certificates) => {
                out.put_u8(Self::CERTIFICATES);
                certificates.encode(out);
            }
        }
    }
}

impl Decodable for SyncResponse {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        match take_tag(buf)? {
            Self::BLOCKS => {
                let payloads = decode_bounded(buf, BLOCKS_PER_RESPONSE_MAX)?;
                Ok(Self::Blocks { payloads, finalization: decode_optional(buf)? })
            }
            Self::BLOCK => Ok(Self::Block { payload: Bytes::decode(buf)?, certificate: decode_optional(buf)? }),
            Self::CERTIFICATES => decode_bounded(buf, CERTIFICATES_PER_RESPONSE_MAX).map(Self::Certificates),
            _ => Err(alloy_rlp::Error::Custom("an unknown kind of response")),
        }
    }
}

impl Wire for Message {
    fn to_wire(&self) -> Vec<u8> {
        encode_versioned(self)
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_versioned::<Self>(bytes)?.check()
    }
}

impl Wire for SyncRequest {
    fn to_wire(&self) -> Vec<u8> {
        encode_versioned(self)
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_versioned(bytes)
    }
}

impl Wire for SyncResponse {
    fn to_wire(&self) -> Vec<u8> {
        encode_versioned(self)
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        decode_versioned::<Self>(bytes)?.check()
    }
}

impl Wire for Record {
    fn to_wire(&self) -> Vec<u8> {
        encode_versioned(self)
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        let record = decode_versioned::<Self>(bytes)?;
        match &record {
            Self::Certificate(certificate) => check_certificate(certificate)?,
            Self::Vote(vote) if !vote.vote.is_well_formed() => return Err(VOTE_MALFORMED),
            Self::Proposal(proposal) => check_proposal(proposal)?,
            Self::Vote(_) => {}
        }
        Ok(record)
    }
}

impl Wire for Certificate {
    fn to_wire(&self) -> Vec<u8> {
        encode_versioned(self)
    }

    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError> {
        let certificate = decode_versioned(bytes)?;
        check_certificate(&certificate)?;
        Ok(certificate)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BlockRef, IdentitySignature, OperatorIndex, Position, SignatureBytes, UnsignedProposal, Vote};
    use proptest::prelude::*;

    fn position() -> impl Strategy<Value = Position> {
        (any::<u64>(), any::<u64>(), any::<u32>()).prop_map(|(epoch, term, slot)| Position::new(epoch, term, slot))
    }

    fn block() -> impl Strategy<Value = BlockRef> {
        (any::<u64>(), any::<[u8; 32]>()).prop_map(|(number, hash)| BlockRef::new(number, B256::from(hash)))
    }

    fn vote() -> impl Strategy<Value = Vote> {
        (0..3, position(), block()).prop_map(|(kind, position, block)| match kind {
            0 => Vote::notarize(position, block),
            1 => Vote::nullify(position),
            _ => Vote::finalize(position, block),
        })
    }

    fn signature() -> impl Strategy<Value = SignatureBytes> {
        (any::<bool>(), prop::collection::vec(any::<u8>(), 96)).prop_map(|(short, bytes)| {
            let length = if short { 48 } else { 96 };
            SignatureBytes::try_from(&bytes[..length]).expect("48 or 96 bytes")
        })
    }

    fn certificate() -> impl Strategy<Value = Certificate> {
        (vote(), signature()).prop_map(|(vote, signature)| Certificate { vote, signature })
    }

    fn header() -> impl Strategy<Value = UnsignedProposal> {
        (position(), position(), any::<bool>(), block(), any::<[u8; 32]>()).prop_map(
            |(position, parent_position, parent_is_genesis, block, parent_hash)| UnsignedProposal {
                position,
                parent_position,
                parent_is_genesis,
                block,
                parent_hash: B256::from(parent_hash),
            },
        )
    }

    fn identity() -> impl Strategy<Value = IdentitySignature> {
        prop::collection::vec(any::<u8>(), 64)
            .prop_map(|bytes| IdentitySignature(alloy_primitives::B512::from_slice(&bytes)))
    }

    fn proposal() -> impl Strategy<Value = Proposal> {
        (header(), any::<u16>(), identity(), prop::collection::vec(certificate(), 0..4)).prop_map(
            |(header, leader, signature, justification)| Proposal {
                header,
                leader: OperatorIndex(leader),
                signature,
                justification,
            },
        )
    }

    fn payload() -> impl Strategy<Value = Bytes> {
        prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
    }

    fn signed_vote() -> impl Strategy<Value = SignedVote> {
        (vote(), any::<u16>(), signature()).prop_map(|(vote, signer, partial)| SignedVote {
            vote,
            signer: OperatorIndex(signer),
            partial,
        })
    }

    fn message() -> impl Strategy<Value = Message> {
        prop_oneof![
            signed_vote().prop_map(Message::Vote),
            certificate().prop_map(Message::Certificate),
            (header(), header(), identity(), identity(), any::<u16>()).prop_map(|(first, second, a, b, leader)| {
                Message::Equivocation(Box::new(Equivocation {
                    leader: OperatorIndex(leader),
                    first,
                    first_signature: a,
                    second,
                    second_signature: b,
                }))
            }),
            (proposal(), payload())
                .prop_map(|(proposal, payload)| Message::Proposal { proposal: Box::new(proposal), payload }),
            prop::collection::vec(payload(), 0..5).prop_map(Message::Transactions),
        ]
    }

    fn response() -> impl Strategy<Value = SyncResponse> {
        prop_oneof![
            (prop::collection::vec(payload(), 0..4), prop::option::of(certificate()))
                .prop_map(|(payloads, finalization)| SyncResponse::Blocks { payloads, finalization }),
            (payload(), prop::option::of(certificate()))
                .prop_map(|(payload, certificate)| SyncResponse::Block { payload, certificate }),
            prop::collection::vec(certificate(), 0..5).prop_map(SyncResponse::Certificates),
        ]
    }

    fn survives<T: Wire + PartialEq + std::fmt::Debug>(value: &T) {
        let wire = value.to_wire();
        assert_eq!(T::from_wire(&wire).as_ref(), Ok(value), "a value survives its encoding");
        let mut longer = wire.clone();
        longer.push(0);
        assert!(T::from_wire(&longer).is_err(), "nothing may follow a message");
        for length in 0..wire.len().min(64) {
            assert!(T::from_wire(&wire[..length]).is_err(), "a truncated message is refused");
        }
    }

    proptest! {
        #[test]
        fn messages_survive(message in message()) {
            survives(&message);
            prop_assert_eq!(message.to_wire().len(), 1 + message.length());
        }

        #[test]
        fn responses_survive(response in response()) {
            survives(&response);
        }

        #[test]
        fn records_survive(vote in signed_vote(), proposal in proposal(), certificate in certificate()) {
            survives(&Record::Vote(vote));
            survives(&Record::Proposal(proposal));
            survives(&Record::Certificate(certificate));
            survives(&certificate);
        }

        #[test]
        fn requests_survive(a in any::<u64>(), b in any::<u64>(), hash in any::<[u8; 32]>()) {
            survives(&SyncRequest::Blocks { from: a, to: b });
            survives(&SyncRequest::Block { hash: B256::from(hash) });
            survives(&SyncRequest::Terms { epoch: 0, from: a, to: b });
        }

        #[test]
        fn decoding_is_canonical(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            let mut versioned = vec![crate::WIRE_VERSION];
            versioned.extend(bytes);
            if let Ok(message) = Message::from_wire(&versioned) {
                prop_assert_eq!(message.to_wire(), versioned);
            }
        }
    }

    #[test]
    fn other_versions_are_refused_by_name() {
        assert_eq!(Message::from_wire(&[9, 1]), Err(DecodeError::PeerVersion(9)));
        assert_eq!(Message::from_wire(&[]), Err(DecodeError::PeerEmpty));
    }

    #[test]
    fn bounds_are_enforced() {
        let transactions = vec![Bytes::new(); TRANSACTIONS_PER_MESSAGE_MAX + 1];
        assert!(Message::from_wire(&Message::Transactions(transactions).to_wire()).is_err());
        let large = Message::Transactions(vec![vec![0; TRANSACTION_BYTES_MAX + 1].into()]);
        assert!(matches!(Message::from_wire(&large.to_wire()), Err(DecodeError::PeerBound { .. })));
    }

    #[test]
    fn a_nullify_that_names_a_block_is_refused() {
        let mut vote = Vote::nullify(Position::new(0, 1, 2));
        vote.block = BlockRef::new(1, B256::repeat_byte(7));
        let message = Message::Certificate(Certificate { vote, signature: [0; 48].into() });
        assert!(matches!(Message::from_wire(&message.to_wire()), Err(DecodeError::PeerInconsistent(_))));
    }
}
