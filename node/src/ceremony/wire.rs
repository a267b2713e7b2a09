//! What goes over the mesh in a ceremony: a byte that says which, then its content.

use crate::config::Outline;
use alloy_primitives::{B256, FixedBytes};
use phalanx_threshold::dkg::{CEREMONY_MESSAGE_BYTES_MAX, CeremonyMessage};
use phalanx_types::DecodeError;

/// The longest outline: some hundred bytes for each operator of the largest cluster. Unit: bytes.
pub const OUTLINE_BYTES_MAX: usize = 1 << 20;
/// The longest frame: a lane of the mesh takes it. Unit: bytes.
pub const FRAME_BYTES_MAX: usize = 1 + CEREMONY_MESSAGE_BYTES_MAX;

const HELLO_TAG: u8 = 1;
const OUTLINE_TAG: u8 = 2;
const MESSAGE_TAG: u8 = 3;
const SIGNATURE_BYTES: usize = 64;

const _: () = assert!(OUTLINE_BYTES_MAX < FRAME_BYTES_MAX && FRAME_BYTES_MAX <= phalanx_types::BLOCK_MESSAGE_BYTES_MAX);

/// One frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// The hash of the sender's definition, and its signature that accepts it.
    Hello(B256, FixedBytes<SIGNATURE_BYTES>),
    /// The sender's definition, for whoever holds another.
    Outline(Outline),
    /// A message of the ceremony itself.
    Message(CeremonyMessage),
}

impl Frame {
    /// The bytes.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let (tag, content) = match self {
            Self::Hello(hash, acceptance) => (HELLO_TAG, [hash.as_slice(), acceptance.as_slice()].concat()),
            Self::Outline(outline) => {
                (OUTLINE_TAG, serde_json::to_vec(outline).expect("an outline has string keys only"))
            }
            Self::Message(message) => (MESSAGE_TAG, message.to_bytes()),
        };
        [&[tag], &content[..]].concat()
    }

    /// Decodes a frame of a ceremony of `n` operators, strictly.
    ///
    /// # Errors
    /// [`DecodeError`], which blames whoever sent the bytes.
    pub fn decode(bytes: &[u8], n: usize) -> Result<Self, DecodeError> {
        const NONE: DecodeError = DecodeError::PeerInconsistent("no frame of a ceremony");
        let (tag, content) = bytes.split_first().ok_or(DecodeError::PeerEmpty)?;
        match *tag {
            HELLO_TAG => {
                let (hash, acceptance) = content.split_first_chunk::<32>().ok_or(NONE)?;
                let acceptance = FixedBytes::try_from(acceptance).map_err(|_| NONE)?;
                Ok(Self::Hello(hash.into(), acceptance))
            }
            OUTLINE_TAG if content.len() <= OUTLINE_BYTES_MAX => {
                serde_json::from_slice(content).map(Self::Outline).map_err(|_| NONE)
            }
            MESSAGE_TAG => CeremonyMessage::from_bytes(content, n).map(Self::Message),
            _ => Err(NONE),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_read_back_and_nothing_else_does() {
        let outline = Outline::from([("name".to_owned(), "test".to_owned())]);
        for frame in [Frame::Hello(B256::repeat_byte(7), FixedBytes::repeat_byte(8)), Frame::Outline(outline)] {
            let bytes = frame.to_bytes();
            assert_eq!(Frame::decode(&bytes, 4), Ok(frame));
            assert!(Frame::decode(&bytes[..bytes.len() - 1], 4).is_err());
        }
        for bytes in [&[][..], &[9, 1], &[HELLO_TAG], &[OUTLINE_TAG, b'['], &[MESSAGE_TAG, 1, 0]] {
            assert!(Frame::decode(bytes, 4).is_err(), "{bytes:?}");
        }
        let long = [&[OUTLINE_TAG], &vec![b' '; OUTLINE_BYTES_MAX + 1][..]].concat();
        assert!(Frame::decode(&long, 4).is_err());
    }
}
