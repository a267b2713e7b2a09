//! The consensus engine: Simplex with leader terms, as a pure state machine.
//!
//! `Engine::step(now, input, &mut outbox)` is all there is: no signature is made or checked, no clock
//! read, no IO done here. See `docs/PROTOCOL.md` for the rules that each arm cites and for the proof.
//!
//! How it is laid out: `engine` owns the state and the one match over inputs; `rules/` holds one file for
//! each rule or input; `certificates`, `blocks`, `proposals`, `own`, `peers`, `term`, `collectors`, `timeouts`,
//! `pace` and `fetches` are the parts of the state, each keeping its own invariants. `window` and `status` are
//! the copies that other threads read.
#![forbid(unsafe_code)]

mod blocks;
mod certificates;
mod collectors;
mod config;
mod effect;
mod engine;
mod fetches;
mod input;
mod jitter;
mod own;
mod pace;
mod peers;
mod proposals;
mod rule;
mod rules;
mod status;
mod term;
mod timeouts;
mod window;

#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;

pub use blocks::{HELD_PAYLOAD_BYTES_MAX, UNFINALIZED_BLOCKS_MAX};
pub use certificates::UNFINALIZED_TERMS_MAX;
pub use collectors::CollectorSeats;
pub use config::{Collectors, Config, ConfigError, PIPELINE_DEPTH_MAX, SLOTS_PER_TERM_MAX};
pub use effect::{Effect, HaltReason, Missing, Outbox, Recipients};
pub use engine::Engine;
pub use fetches::MISSING_BLOCKS_MAX;
pub use input::{BuildFailure, Input, Restored, Verdict};
pub use proposals::PROPOSALS_HELD_MAX;
pub use rule::{Rule, RuleCounts};
pub use status::Status;
pub use window::{PREVIOUS_TERMS_MAX, Window};
