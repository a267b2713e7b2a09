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

    /// For a thread to hold while it runs: should it panic, this operator stops, and says so.
    pub(crate) fn watch(self: &Arc<Self>, thread: &str) -> Watch {
        Watch { health: Arc::clone(self), thread: thread.to_owned() }
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

/// See [`Health::watch`].
#[derive(Debug)]
pub(crate) struct Watch {
    health: Arc<Health>,
    thread: String,
}

impl Drop for Watch {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let thread = &self.thread;
            self.health.fatal(format!("the thread \"{thread}\" panicked; what it said stands above in the log"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_that_panics_stops_the_operator_and_one_that_ends_does_not() {
        let health = Arc::new(Health::default());
        let watch = health.watch("quiet");
        std::thread::spawn(move || drop(watch)).join().expect("it ends");
        assert_eq!(health.fatal_reason(), None);
        let watch = health.watch("engine");
        let panicked = std::thread::spawn(move || {
            let _watch = watch;
            panic!("on purpose");
        });
        assert!(panicked.join().is_err());
        assert!(health.fatal_reason().is_some_and(|reason| reason.contains("\"engine\" panicked")));
        assert!(health.stop_flag().load(Ordering::SeqCst), "everything ends");
    }
}
