//! The Phalanx operator: the only home of sockets, files, threads and the clock.

pub mod ceremony;
pub mod cli;
pub mod config;
pub mod driver;
pub mod execution;
pub mod keys;
pub mod net;
pub mod rpc;
pub mod store;
