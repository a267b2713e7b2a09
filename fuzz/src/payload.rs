//! Payloads of blocks, before they are executed: what a leader may send.

use phalanx_node::execution::EmbeddedInspector;
use phalanx_types::{BlockInspector, Bytes};

/// A payload of the embedded execution engine.
///
/// # Panics
/// When a payload that was taken does not come back.
pub fn payload(data: &[u8]) {
    match EmbeddedInspector.inspect(Bytes::copy_from_slice(data)) {
        Ok(block) => {
            assert_eq!(block.payload[..], *data);
            assert_eq!(EmbeddedInspector.inspect(block.payload.clone()).as_ref().ok(), Some(&block));
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
