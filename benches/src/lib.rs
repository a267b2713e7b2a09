//! What the suites and the comparisons share: a cluster's keys, what its operators would send, and one operator
//! on threads of its own that takes it.
#![deny(unsafe_code)]

pub mod bls;
pub mod catch_up;
pub mod cluster;
pub mod feed;
pub mod operator;
pub mod profile;
pub mod slots;
