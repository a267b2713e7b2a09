//! What a process that holds secrets asks of the system: no core dumps, and no other process that looks into its
//! memory.

use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};

/// Asks for it. A system that refuses has no such thing to give; the log says so, and nothing depends on it.
pub(super) fn harden() {
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: Some(0) }) {
        tracing::warn!(%error, "core dumps of this process cannot be switched off: they would hold its keys");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!(%error, "other processes of this user may look into this one's memory");
    }
}
