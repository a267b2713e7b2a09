//! The consensus engine: Simplex with leader terms, as a pure state machine.
//!
//! `Engine::step(now, input, &mut outbox)` is all there is: no signature is made or checked, no clock
//! read, no IO done here. See `docs/PROTOCOL.md` for the rules that each arm cites and for the proof.
//!
//! How it is laid out: `engine` owns the state and the one match over inputs; `rules/` holds one file for
//! each rule or input; `certificates`, `blocks`, `proposals`, `own`, `peers`, `term`, `timeouts`, `pace`
//! and `fetches` are the parts of the state, each keeping its own invariants. `window` and `status` are
//! the copies that other threads read.
#![forbid(unsafe_code)]

mod config;
mod effect;
mod engine;
mod input;
mod rule;
mod status;
mod window;

pub use config::{Collectors, Config, ConfigError, PIPELINE_DEPTH_MAX, SLOTS_PER_TERM_MAX};
pub use effect::{Effect, HaltReason, Missing, Outbox, Recipients};
pub use engine::Engine;
pub use input::{BuildFailure, Input, Restored, Verdict};
pub use rule::{Rule, RuleCounts};
pub use status::Status;
pub use window::{PREVIOUS_TERMS_MAX, Window};
