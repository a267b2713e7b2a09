//! A thread of its own for each stage of the pipeline: runs turns while there is work, parks when there
//! is none, and is woken by whoever fills one of its rings.
//!
//! Invariant: no wake-up is lost. A ring is filled before [`Waker::wake`] is called, and `unpark` leaves a
//! token that the next `park` takes, so a turn that just missed an item runs again at once.

use crate::driver::clock::Clock;
use phalanx_pipeline::Wake;
use phalanx_types::Time;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread::{JoinHandle, Thread};
use std::time::{Duration, Instant};

/// The longest that a stage sleeps without looking around.
const PARK_MAX: Duration = Duration::from_millis(500);

/// Wakes one thread. Cloneable; may be made before the thread is.
#[derive(Clone, Debug, Default)]
pub struct Waker(Arc<WakerState>);

#[derive(Debug, Default)]
struct WakerState {
    thread: OnceLock<Thread>,
    /// Set while the thread is (about to be) parked, so that a wake-up of a running thread costs one load.
    parked: AtomicBool,
}

impl Waker {
    /// Wakes the thread if it sleeps.
    pub fn wake(&self) {
        // Pairs with the fence in `sleep`: either we see that it parks, or it sees what we pushed.
        std::sync::atomic::fence(Ordering::SeqCst);
        if self.0.parked.load(Ordering::Relaxed)
            && let Some(thread) = self.0.thread.get()
        {
            thread.unpark();
        }
    }

    /// Announces that the calling thread, which owns this waker, is about to look for the last time.
    fn prepare(&self) {
        self.0.thread.get_or_init(std::thread::current);
        self.0.parked.store(true, Ordering::Relaxed);
        std::sync::atomic::fence(Ordering::SeqCst);
    }

    fn done(&self) {
        self.0.parked.store(false, Ordering::Relaxed);
    }
}

impl Wake for Waker {
    fn wake(&self) {
        Self::wake(self);
    }
}

/// What one turn left behind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Turn {
    /// Whether there may be more to do at once.
    pub busy: bool,
    /// When there will be something to do without anybody's wake-up.
    pub wake_at: Option<Time>,
}

/// Starts a thread that calls `turn` until `stop` is set.
///
/// # Errors
/// The system has no thread to give.
pub fn spawn(
    name: &str,
    clock: Clock,
    waker: Waker,
    stop: Arc<AtomicBool>,
    mut turn: impl FnMut(Time) -> Turn + Send + 'static,
) -> std::io::Result<JoinHandle<()>> {
    std::thread::Builder::new().name(name.to_owned()).spawn(move || {
        while !stop.load(Ordering::Relaxed) {
            if turn(clock.now()).busy {
                continue;
            }
            // Look once more after announcing the sleep: what was pushed in between is found here, what is
            // pushed later finds the announcement.
            waker.prepare();
            let last = turn(clock.now());
            if !last.busy {
                park(&clock, last.wake_at);
            }
            waker.done();
        }
    })
}

fn park(clock: &Clock, wake_at: Option<Time>) {
    let limit = match wake_at {
        Some(time) => clock.instant(time).saturating_duration_since(Instant::now()).min(PARK_MAX),
        None => PARK_MAX,
    };
    if !limit.is_zero() {
        std::thread::park_timeout(limit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossbeam::queue::ArrayQueue;
    use std::sync::atomic::AtomicUsize;

    #[test]
    fn no_wake_up_is_lost() {
        const ITEMS: usize = 20_000;
        let ring = Arc::new(ArrayQueue::new(4));
        let taken = Arc::new(AtomicUsize::new(0));
        let stop = Arc::new(AtomicBool::new(false));
        let waker = Waker::default();
        let thread = {
            let (ring, taken) = (Arc::clone(&ring), Arc::clone(&taken));
            spawn("test-stage", Clock::starting_now(), waker.clone(), Arc::clone(&stop), move |_| {
                let busy = ring.pop().is_some();
                taken.fetch_add(usize::from(busy), Ordering::Relaxed);
                Turn { busy, wake_at: None }
            })
            .expect("a thread starts")
        };
        let begin = Instant::now();
        for item in 0..ITEMS {
            while ring.push(item).is_err() {
                waker.wake();
                std::thread::yield_now();
            }
            waker.wake();
            if item % 64 == 0 {
                std::thread::sleep(Duration::from_micros(50));
            }
        }
        while taken.load(Ordering::Relaxed) < ITEMS {
            std::thread::yield_now();
        }
        // A lost wake-up costs PARK_MAX each; a handful would already show.
        assert!(begin.elapsed() < Duration::from_secs(20), "took {:?}", begin.elapsed());
        stop.store(true, Ordering::Relaxed);
        waker.wake();
        thread.join().expect("the stage ends");
    }
}
