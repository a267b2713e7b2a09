//! The vote journal: records and replay over a disk port.
#![forbid(unsafe_code)]

mod disk;

pub use disk::{Disk, DiskError, Segment};
