//! Catch-up by certificates (rule 9): which blocks and certificates to ask whom for, and in which order
//! finalized blocks are handed to execution.
//!
//! [`CatchUp`] is a pure state machine: time comes in as an argument, requests go out as [`Action`]s.
//! It trusts nobody: a block is handed on only when a chain of parent hashes links it from a certified
//! block back to what is committed. It leaves to its caller to check signatures (`Verified`), to bind
//! payloads to hashes (`BlockInspector`), to move bytes, and to execute.
#![forbid(unsafe_code)]

mod catch_up;
mod pool;
mod respond;
#[cfg(test)]
mod tests;
mod wants;

pub use catch_up::{Action, Answer, CatchUp, CatchUpConfig, RequestId};
pub use pool::{POOL_BLOCKS_MAX, POOL_BYTES_MAX};
pub use respond::{BlockSource, respond};
pub use wants::WANTS_MAX;
