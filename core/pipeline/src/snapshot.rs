//! What readers see of the engine: an immutable copy, swapped atomically.

use arc_swap::ArcSwap;
use phalanx_consensus::{Status, Window};
use std::sync::Arc;

/// The engine as it stood after a turn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// What it has use for.
    pub window: Window,
    /// Where it stands.
    pub status: Status,
}

/// The newest snapshot. Cloneable; readers never wait.
#[derive(Clone, Debug)]
pub struct Snapshots(Arc<ArcSwap<Snapshot>>);

impl Snapshots {
    pub(crate) fn new(first: Snapshot) -> Self {
        Self(Arc::new(ArcSwap::from_pointee(first)))
    }

    /// The newest one.
    #[must_use]
    pub fn load(&self) -> Arc<Snapshot> {
        self.0.load_full()
    }

    pub(crate) fn publish(&self, snapshot: Snapshot) {
        self.0.store(Arc::new(snapshot));
    }
}
