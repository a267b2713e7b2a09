//! The codec: a version byte, then canonical RLP, and nothing after it.
//!
//! Two adjacent releases interoperate: a decoder accepts [`WIRE_VERSION`] and, once there is one, its
//! predecessor; anything else is refused by name.

use alloy_rlp::{Decodable, Encodable};

/// The version that this release writes.
pub const WIRE_VERSION: u8 = 1;

/// Why bytes are not a value. Blames whoever sent them.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No bytes at all.
    #[error("an empty message")]
    PeerEmpty,
    /// A version that this release does not speak.
    #[error("version {0}, but this release speaks version {WIRE_VERSION}; upgrade the older of the two operators")]
    PeerVersion(u8),
    /// Not canonical RLP of the type.
    #[error("malformed: {0}")]
    PeerMalformed(alloy_rlp::Error),
    /// Well-formed, and more bytes after it.
    #[error("{0} bytes after the end of the message")]
    PeerTrailing(usize),
    /// Well-formed, but beyond a stated bound.
    #[error("{what}: {actual}, at most {max}")]
    PeerBound {
        /// What is bounded.
        what: &'static str,
        /// What was sent.
        actual: usize,
        /// The bound.
        max: usize,
    },
    /// Well-formed, but its parts contradict each other.
    #[error("{0}")]
    PeerInconsistent(&'static str),
}

/// Everything that is sent or stored goes through this.
pub trait Wire: Sized {
    /// The versioned encoding.
    fn to_wire(&self) -> Vec<u8>;

    /// Decodes all of `bytes`.
    ///
    /// # Errors
    /// [`DecodeError`] that says what is wrong with the bytes.
    fn from_wire(bytes: &[u8]) -> Result<Self, DecodeError>;
}

/// Encodes with the version in front.
pub(crate) fn encode_versioned<T: Encodable>(value: &T) -> Vec<u8> {
    let mut out = Vec::with_capacity(1 + value.length());
    out.push(WIRE_VERSION);
    value.encode(&mut out);
    out
}

/// Takes the version off, decodes, and refuses what is left over.
pub(crate) fn decode_versioned<T: Decodable>(bytes: &[u8]) -> Result<T, DecodeError> {
    let (&version, mut rest) = bytes.split_first().ok_or(DecodeError::PeerEmpty)?;
    if version != WIRE_VERSION {
        return Err(DecodeError::PeerVersion(version));
    }
    let value = T::decode(&mut rest).map_err(DecodeError::PeerMalformed)?;
    if rest.is_empty() { Ok(value) } else { Err(DecodeError::PeerTrailing(rest.len())) }
}

/// Refuses a count above its bound.
pub(crate) fn within(what: &'static str, actual: usize, max: usize) -> Result<(), DecodeError> {
    if actual <= max { Ok(()) } else { Err(DecodeError::PeerBound { what, actual, max }) }
}
