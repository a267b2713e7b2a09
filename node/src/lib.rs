//! The Phalanx operator: the only home of sockets, files, threads and the clock.

#[cfg(feature = "wip-cli")]
pub mod cli;
#[cfg(feature = "wip-cli")]
pub mod config;
#[cfg(feature = "wip-driver")]
pub mod driver;
#[cfg(feature = "wip-execution")]
pub mod execution;
#[cfg(feature = "wip-cli")]
pub mod keys;
#[cfg(feature = "wip-net")]
pub mod net;
#[cfg(feature = "wip-rpc")]
pub mod rpc;
#[cfg(feature = "wip-store")]
pub mod store;
