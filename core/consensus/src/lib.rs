//! The consensus engine: Simplex with leader terms, as a pure state machine.
//!
//! `Engine::step(now, input, &mut outbox)` is all there is: no signature is made or checked, no clock
//! read, no IO done here. See `docs/PROTOCOL.md` for the rules that each arm cites and for the proof.
#![forbid(unsafe_code)]

mod config;
mod effect;
mod input;

pub use config::Config;
pub use effect::{Effect, HaltReason, Missing, Outbox, Recipients};
pub use input::{BuildFailure, Input, Restored, Verdict};
