//! Whether this operator lives, is ready, or must stop, and why.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use tokio::sync::Notify;

/// Shared by all parts of the operator.
#[derive(Debug, Default)]
pub(crate) struct Health {
    ready: AtomicBool,
    fatal: OnceLock<String>,
    stopping: Notify,
    stopped: Arc<AtomicBool>,
}

impl Health {
    /// Caught up, and able to vote.
    pub(crate) fn set_ready(&self, ready: bool) {
        self.ready.store(ready, Ordering::Relaxed);
    }

    pub(crate) fn is_ready(&self) -> bool {
        self.ready.load(Ordering::Relaxed) && self.fatal.get().is_none()
    }

    /// Something happened after which this operator must not go on. The first reason is kept.
    pub(crate) fn fatal(&self, reason: String) {
        tracing::error!(reason, "this operator stops");
        let _ = self.fatal.set(reason);
        self.stop();
    }

    pub(crate) fn fatal_reason(&self) -> Option<&str> {
        self.fatal.get().map(String::as_str)
    }

    /// Asks everything to end.
    pub(crate) fn stop(&self) {
        self.stopped.store(true, Ordering::SeqCst);
        self.stopping.notify_waiters();
        self.stopping.notify_one();
    }

    /// The flag that stage threads look at.
    pub(crate) fn stop_flag(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.stopped)
    }

    /// Until [`Health::stop`] or [`Health::fatal`] is called.
    pub(crate) async fn stopped(&self) {
        while !self.stopped.load(Ordering::SeqCst) {
            self.stopping.notified().await;
        }
    }
}
