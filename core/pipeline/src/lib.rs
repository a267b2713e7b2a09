//! From a decoded message to a vote on the wire: rings, batching and signing order.
//!
//! ```text
//!            Ingress          verified          intents            outbound
//!  network ─▶ 2 rings/peer ─▶ VerifyStage ─▶ EngineStage ─▶ SignStage ─▶ network
//!                               ▲   results ─▶ │   │ work ─▶ driver │
//!                               │              ▼   └ certificates ──┼─▶ outbound
//!                               │           Snapshot                │
//!                               └───────── own partials ────────────┘
//! ```
//!
//! Each stage owns its state and does one bounded [`Stage::turn`] at a time; a thread for each (the node)
//! or one after another (the simulator, [`Turn::run`]): the same code.
//!
//! Invariants:
//! - nothing reaches the engine whose signature was not checked: its inputs hold `Verified<T>`;
//! - nothing leaves before it is durable: votes and proposals are signed, journalled with others in one
//!   commit, then sent; when the journal fails, nothing leaves any more;
//! - no vote is signed that contradicts a journalled one, whatever the engine says;
//! - each ring is bounded by a named `*_MAX`. A full ring stops the stage that fills it, and loses
//!   nothing; only [`Ingress`] drops, what its own peer sent too fast;
//! - the stages cannot block each other in a circle: own partials are always taken in, and the driver must
//!   keep taking [`Work`] and [`Outbound`] while [`Results`] is full.
//!
//! The first invariant is the compiler's to check:
//!
//! ```compile_fail,E0308
//! # use phalanx_types::Certificate;
//! fn believe(unchecked: Certificate) -> phalanx_consensus::Input {
//!     phalanx_consensus::Input::Certificate(unchecked)
//! }
//! ```
//!
//! Left to others: sockets, threads, clocks, files, execution (the node's driver), transactions
//! (`phalanx-mempool`), catch-up requests (`phalanx-sync`).
#![forbid(unsafe_code)]

mod counters;
mod engine;
mod error;
mod ingress;
mod restore;
mod ring;
mod sign;
mod snapshot;
mod stage;
#[cfg(test)]
mod testing;
mod turn;
mod verify;

pub use counters::{Counter, Counters, DropReason};
pub use engine::{EngineStage, INPUTS_PER_TURN_MAX, Outcome, RESULTS_RING_MAX, Results, WORK_RING_MAX, Work};
pub use error::RestoreError;
pub use ingress::{BLOCKS_RING_BYTES_MAX, BLOCKS_RING_MAX, FETCHED_RING_MAX, Ingress, VOTES_RING_MAX};
pub use restore::restore;
pub use ring::{Depth, NoWake, Outlet, Wake};
pub use sign::{
    CommitObserver, FatalError, GROUP_INTENTS_MAX, INTENTS_RING_MAX, NoObserver, OUTBOUND_RING_MAX, Outbound, SignStage,
};
pub use snapshot::{Snapshot, Snapshots};
pub use stage::{Progress, Stage};
pub use turn::{Gauges, Handles, PipelineConfig, Turn, Wakes};
pub use verify::{OWN_RING_MAX, VERIFIED_RING_MAX, VerifyStage};
