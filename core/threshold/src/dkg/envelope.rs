//! What the operators of a ceremony send each other, signed so that whatever is wrong convicts its sender.
//!
//! Invariants: an envelope is signed for one ceremony, one sender and one step; decoding is strict, and its
//! length is known from the number of operators.

use crate::identity::{Identity, IdentityKey};
use alloy_primitives::{B256, keccak256};
use phalanx_types::{DecodeError, IdentitySignature, OPERATORS_MAX, OperatorIndex, SignatureBytes};

/// The version of ceremony messages that this release writes and reads.
pub const CEREMONY_VERSION: u8 = 1;
/// The longest message: a dealing to the largest cluster, and its envelope. Unit: bytes.
pub const CEREMONY_MESSAGE_BYTES_MAX: usize = crate::DEALING_BYTES_MAX + 128;

const SIGNATURE_BYTES: usize = 64;
const COMMIT_BYTES: usize = 32 + SIGNATURE_BYTES;
const STEP_DOMAIN: &[u8] = b"phalanx ceremony 1: step";
const ATTESTATION_DOMAIN: &[u8] = b"phalanx ceremony 1: attestation";

/// The steps of a ceremony, in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A hash of one's dealing.
    Commit,
    /// All hashes, as one has received them.
    Echo,
    /// The dealing.
    Deal,
    /// One's word for the outcome, under one's identity and one's new share.
    Confirm,
}

impl Step {
    /// Every step, in order.
    pub const ALL: [Self; 4] = [Self::Commit, Self::Echo, Self::Deal, Self::Confirm];

    /// Its place in [`Step::ALL`].
    #[must_use]
    pub const fn as_usize(self) -> usize {
        self as usize
    }

    /// What is waited for, for people.
    #[must_use]
    pub const fn what(self) -> &'static str {
        match self {
            Self::Commit => "a hash of its dealing",
            Self::Echo => "its echo of all hashes",
            Self::Deal => "its dealing",
            Self::Confirm => "its test signature",
        }
    }

    const fn tag(self) -> u8 {
        match self {
            Self::Commit => 1,
            Self::Echo => 2,
            Self::Deal => 3,
            Self::Confirm => 4,
        }
    }
}

/// What an envelope carries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    /// [`Step::Commit`]
    Commit(B256),
    /// [`Step::Echo`]: the commit of every operator and its signature.
    Echo(Vec<(B256, IdentitySignature)>),
    /// [`Step::Deal`]: the bytes of a [`Dealing`](crate::Dealing).
    Deal(Vec<u8>),
    /// [`Step::Confirm`]
    Confirm {
        /// What the ceremony made, as the caller hashes it.
        digest: B256,
        /// The digest, signed with the identity.
        attestation: IdentitySignature,
        /// The digest, signed with the new share.
        partial: SignatureBytes,
    },
}

impl Body {
    /// The step that it belongs to.
    #[must_use]
    pub const fn step(&self) -> Step {
        match self {
            Self::Commit(_) => Step::Commit,
            Self::Echo(_) => Step::Echo,
            Self::Deal(_) => Step::Deal,
            Self::Confirm { .. } => Step::Confirm,
        }
    }

    /// What is signed of it. Of a dealing it is what its commit says.
    pub(super) fn hash(&self) -> B256 {
        match self {
            Self::Commit(hash) => *hash,
            Self::Deal(bytes) => keccak256(bytes),
            Self::Echo(_) | Self::Confirm { .. } => keccak256(self.bytes()),
        }
    }

    /// How long it is. Unit: bytes.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Commit(_) => 32,
            Self::Echo(commits) => commits.len() * COMMIT_BYTES,
            Self::Deal(bytes) => bytes.len(),
            Self::Confirm { partial, .. } => 32 + SIGNATURE_BYTES + partial.as_slice().len(),
        }
    }

    fn bytes(&self) -> Vec<u8> {
        match self {
            Self::Commit(hash) => hash.to_vec(),
            Self::Deal(bytes) => bytes.clone(),
            Self::Echo(commits) => {
                commits.iter().flat_map(|(hash, signature)| [&hash.0[..], &signature.0.0].concat()).collect()
            }
            Self::Confirm { digest, attestation, partial } => {
                [digest.as_slice(), attestation.0.as_slice(), partial.as_slice()].concat()
            }
        }
    }
}

/// A signed step of one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Envelope {
    /// Whose step.
    pub from: OperatorIndex,
    /// The step.
    pub body: Body,
    /// By its identity.
    pub signature: IdentitySignature,
}

fn step_digest(ceremony: B256, from: OperatorIndex, step: Step, hash: B256) -> B256 {
    keccak256([STEP_DOMAIN, ceremony.as_slice(), &from.0.to_be_bytes(), &[step.tag()], hash.as_slice()].concat())
}

/// What every operator's identity signs of what a ceremony made. A third party needs no transcript to check it.
#[must_use]
pub fn attestation_digest(outcome: B256) -> B256 {
    keccak256([ATTESTATION_DOMAIN, outcome.as_slice()].concat())
}

impl Envelope {
    pub(super) fn sign(identity: &Identity, ceremony: B256, from: OperatorIndex, body: Body) -> Self {
        let signature = identity.sign_digest(&step_digest(ceremony, from, body.step(), body.hash()));
        Self { from, body, signature }
    }

    pub(super) fn is_signed_by(&self, key: &IdentityKey, ceremony: B256) -> bool {
        key.verifies_digest(&step_digest(ceremony, self.from, self.body.step(), self.body.hash()), &self.signature)
    }
}

/// What an operator has of every other: one bit for each operator and step.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Have {
    /// By step, then by operator.
    pub(super) steps: [Vec<bool>; 4],
    /// It needs nothing more.
    pub(super) finished: bool,
    /// It has stopped the ceremony, and can say why.
    pub(super) aborted: bool,
}

/// One message of a ceremony.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CeremonyMessage {
    /// What the sender has; the receiver sends what is missing.
    Have(Have),
    /// A step, of the sender or passed on.
    Envelope(Envelope),
}

const HAVE_TAG: u8 = 0;
const FINISHED: u8 = 1;
const ABORTED: u8 = 2;

impl CeremonyMessage {
    /// The bytes: a version, a tag, and fields of known length.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        match self {
            Self::Have(have) => {
                let flags = if have.finished { FINISHED } else { 0 } | if have.aborted { ABORTED } else { 0 };
                let mut out = vec![CEREMONY_VERSION, HAVE_TAG, flags];
                for step in &have.steps {
                    out.extend(
                        step.chunks(8).map(|bits| bits.iter().rev().fold(0, |byte, bit| byte << 1 | u8::from(*bit))),
                    );
                }
                out
            }
            Self::Envelope(envelope) => {
                let mut out = vec![CEREMONY_VERSION, envelope.body.step().tag()];
                out.extend(envelope.from.0.to_be_bytes());
                out.extend(envelope.signature.0);
                out.extend(envelope.body.bytes());
                out
            }
        }
    }

    /// Decodes a message of a ceremony of `n` operators, strictly.
    ///
    /// # Errors
    /// [`DecodeError`], which blames whoever sent the bytes.
    pub fn from_bytes(bytes: &[u8], n: usize) -> Result<Self, DecodeError> {
        let ([version, tag], rest) = bytes.split_first_chunk().ok_or(DecodeError::PeerEmpty)?;
        if *version != CEREMONY_VERSION {
            return Err(DecodeError::PeerVersion(*version));
        }
        if *tag == HAVE_TAG { have(rest, n).map(Self::Have) } else { envelope(*tag, rest, n).map(Self::Envelope) }
    }
}

fn have(bytes: &[u8], n: usize) -> Result<Have, DecodeError> {
    let width = n.div_ceil(8);
    let (&flags, maps) = bytes.split_first().ok_or(DecodeError::PeerEmpty)?;
    let beyond = |map: &[u8]| (n..8 * width).any(|operator| map[operator / 8] >> (operator % 8) & 1 == 1);
    if maps.len() != 4 * width || maps.chunks(width).any(beyond) || flags & !(FINISHED | ABORTED) != 0 {
        return Err(DecodeError::PeerInconsistent("not what an operator of this ceremony may have"));
    }
    let steps = core::array::from_fn(|step| {
        let map = &maps[step * width..(step + 1) * width];
        (0..n).map(|operator| map[operator / 8] >> (operator % 8) & 1 == 1).collect()
    });
    Ok(Have { steps, finished: flags & FINISHED != 0, aborted: flags & ABORTED != 0 })
}

fn envelope(tag: u8, bytes: &[u8], n: usize) -> Result<Envelope, DecodeError> {
    const SHORT: DecodeError = DecodeError::PeerInconsistent("a ceremony message of another length than its step has");
    let (from, rest) = bytes.split_first_chunk::<2>().ok_or(SHORT)?;
    let (signature, body) = rest.split_first_chunk::<SIGNATURE_BYTES>().ok_or(SHORT)?;
    let from = OperatorIndex(u16::from_be_bytes(*from));
    if from.as_usize() >= n {
        return Err(DecodeError::PeerBound {
            what: "operator",
            actual: from.as_usize(),
            max: n.min(OPERATORS_MAX) - 1,
        });
    }
    let body = match tag {
        1 => Body::Commit(B256::try_from(body).map_err(|_| SHORT)?),
        2 if body.len() == n * COMMIT_BYTES => Body::Echo(
            body.chunks(COMMIT_BYTES)
                .map(|commit| {
                    (B256::from_slice(&commit[..32]), IdentitySignature(commit[32..].try_into().expect("64 bytes")))
                })
                .collect(),
        ),
        3 if body.len() <= crate::DEALING_BYTES_MAX => Body::Deal(body.to_vec()),
        4 => {
            let (digest, rest) = body.split_first_chunk::<32>().ok_or(SHORT)?;
            let (attestation, partial) = rest.split_first_chunk::<SIGNATURE_BYTES>().ok_or(SHORT)?;
            Body::Confirm {
                digest: B256::from(*digest),
                attestation: IdentitySignature((*attestation).into()),
                partial: SignatureBytes::try_from(partial).map_err(|_| SHORT)?,
            }
        }
        _ => return Err(SHORT),
    };
    Ok(Envelope { from, body, signature: IdentitySignature((*signature).into()) })
}
