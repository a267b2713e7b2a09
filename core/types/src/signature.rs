//! Signatures as bytes: threshold ones (partials and recovered) and identity ones.

use alloy_primitives::hex;
use alloy_rlp::{Decodable, Encodable};
use core::fmt;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

const LENGTH_MIN_SIG: usize = 48;
const LENGTH_MIN_PK: usize = 96;

/// A compressed BLS12-381 signature, partial or recovered: 48 bytes of G1 (`min-sig`) or 96 of G2
/// (`min-pk`). Only its length is checked here.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SignatureBytes {
    length: u8,
    bytes: [u8; LENGTH_MIN_PK],
}

/// A signature that is neither 48 nor 96 bytes long.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a signature has 48 bytes (min-sig) or 96 bytes (min-pk), not {0}")]
pub struct SignatureLengthError(pub usize);

impl SignatureBytes {
    /// The bytes, 48 or 96 of them.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }
}

impl TryFrom<&[u8]> for SignatureBytes {
    type Error = SignatureLengthError;

    fn try_from(slice: &[u8]) -> Result<Self, Self::Error> {
        if slice.len() != LENGTH_MIN_SIG && slice.len() != LENGTH_MIN_PK {
            return Err(SignatureLengthError(slice.len()));
        }
        let mut bytes = [0; LENGTH_MIN_PK];
        bytes[..slice.len()].copy_from_slice(slice);
        let length = if slice.len() == LENGTH_MIN_SIG { 48 } else { 96 };
        Ok(Self { length, bytes })
    }
}

impl From<[u8; LENGTH_MIN_SIG]> for SignatureBytes {
    fn from(array: [u8; LENGTH_MIN_SIG]) -> Self {
        let mut bytes = [0; LENGTH_MIN_PK];
        bytes[..LENGTH_MIN_SIG].copy_from_slice(&array);
        Self { length: 48, bytes }
    }
}

impl From<[u8; LENGTH_MIN_PK]> for SignatureBytes {
    fn from(bytes: [u8; LENGTH_MIN_PK]) -> Self {
        Self { length: 96, bytes }
    }
}

impl fmt::Debug for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "0x{}", hex::encode(self.as_slice()))
    }
}

impl fmt::Display for SignatureBytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl Encodable for SignatureBytes {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        self.as_slice().encode(out);
    }

    fn length(&self) -> usize {
        self.as_slice().length()
    }
}

impl Decodable for SignatureBytes {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        let slice = alloy_rlp::Header::decode_bytes(buf, false)?;
        Self::try_from(slice).map_err(|_| alloy_rlp::Error::Custom("a signature has 48 or 96 bytes"))
    }
}

impl Serialize for SignatureBytes {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode_prefixed(self.as_slice()))
    }
}

impl<'de> Deserialize<'de> for SignatureBytes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = hex::decode(&text).map_err(de::Error::custom)?;
        Self::try_from(bytes.as_slice()).map_err(de::Error::custom)
    }
}

/// An Ed25519 signature by an operator's identity key (RFC 8032): what convicts an operator before a
/// third party.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct IdentitySignature(pub alloy_primitives::B512);

impl fmt::Debug for IdentitySignature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Encodable for IdentitySignature {
    fn encode(&self, out: &mut dyn alloy_rlp::BufMut) {
        self.0.encode(out);
    }

    fn length(&self) -> usize {
        self.0.length()
    }
}

impl Decodable for IdentitySignature {
    fn decode(buf: &mut &[u8]) -> alloy_rlp::Result<Self> {
        alloy_primitives::B512::decode(buf).map(Self)
    }
}
