//! What the protocol promises in figures, measured on whole clusters in virtual time. One file for each promise.
//!
//! Each figure is a function of its arguments alone: virtual time does not depend on the machine.

mod finality;
mod leaders;
mod scale;

pub use finality::{GlobalFinality, global_finality};
pub use leaders::{DeadLeader, SlowLeaderShare, dead_leader, slow_leader_share};
pub use scale::large_cluster;
