//! Everything that operators send each other or store: a decoder takes the one encoding of a value, or says why not.

use core::fmt::Debug;
use phalanx_types::{Certificate, Message, Record, SyncRequest, SyncResponse, Wire};

/// The first byte chooses the type, the rest is its encoding.
///
/// # Panics
/// When something decodes from two encodings, or not from its own.
pub fn wire(data: &[u8]) {
    let Some((which, bytes)) = data.split_first() else { return };
    match which % 5 {
        0 => strict::<Message>(bytes),
        1 => strict::<SyncRequest>(bytes),
        2 => strict::<SyncResponse>(bytes),
        3 => strict::<Record>(bytes),
        _ => strict::<Certificate>(bytes),
    }
}

fn strict<T: Wire + PartialEq + Debug>(bytes: &[u8]) {
    match T::from_wire(bytes) {
        Ok(value) => {
            let encoded = value.to_wire();
            assert_eq!(encoded, bytes, "{value:?} has two encodings");
            assert_eq!(T::from_wire(&encoded).as_ref(), Ok(&value), "it does not come back");
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
