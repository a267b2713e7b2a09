//! What operators send each other while they make a key.

use phalanx_bls::{MinPk, MinSig, Variant};
use phalanx_threshold::Dealing;
use phalanx_threshold::dkg::CeremonyMessage;

/// The first byte is the number of operators and chooses the type, the rest is a message.
///
/// # Panics
/// When something decodes from two encodings.
pub fn ceremony(data: &[u8]) {
    let Some((&first, bytes)) = data.split_first() else { return };
    let n = usize::from(first / 3) + 1;
    match first % 3 {
        0 => {
            if let Ok(message) = CeremonyMessage::from_bytes(bytes, n) {
                assert_eq!(message.to_bytes(), bytes, "{message:?} has two encodings");
            }
        }
        1 => dealing::<MinSig>(bytes),
        _ => dealing::<MinPk>(bytes),
    }
}

fn dealing<V: Variant>(bytes: &[u8]) {
    match Dealing::<V>::from_bytes(bytes) {
        Ok(dealing) => assert_eq!(dealing.to_bytes(), bytes, "a dealing has two encodings"),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
