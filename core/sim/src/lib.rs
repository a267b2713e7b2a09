//! The whole cluster in virtual time on one seed.
//!
//! Every operator is the production code of `core/` (pipeline with engine, journal, mempool, catch-up),
//! unchanged; what the node does around it with sockets, files and clocks is done here by [`operator`],
//! [`network`], `phalanx_journal::memory` and [`clock`]. A [`cluster::Cluster`] lets virtual time pass,
//! event by event; a [`scenario::Scenario`] does something to it, and says what must come of it.
//!
//! Invariants:
//! - the same seed gives the same events in the same order ([`trace`]): no clock, no threads, no map in
//!   random order, and a stream of random numbers of its own for each purpose ([`random`]);
//! - the checkers of `phalanx_checkers` see every deed of an honest operator, and are asked after every
//!   event;
//! - a Byzantine operator can do all that its keys allow ([`byzantine`]), and nothing else.
//!
//! Left out: sockets and their repair of losses, time that computing takes (but for execution and syncs,
//! which take some), and threads: the stages of a pipeline run one after another.
#![forbid(unsafe_code)]

pub mod byzantine;
pub mod clock;
pub mod cluster;
pub mod disk;
pub mod executor;
pub mod failure;
pub mod filter;
pub mod keys;
pub mod measure;
pub mod network;
pub mod operator;
pub mod packet;
pub mod payload;
pub mod plan;
pub mod queue;
pub mod random;
pub mod scenario;
pub mod shrink;
pub mod store;
pub mod tally;
pub mod timeline;
pub mod trace;
pub mod workload;
pub mod world;
