//! The clock: the only place where the node reads time for `core/`.

use phalanx_types::Time;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// Monotonic time since the process started, and the wall clock for block timestamps. Cheap to copy.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    start: Instant,
}

impl Clock {
    /// Starts at zero now.
    #[must_use]
    pub fn starting_now() -> Self {
        Self { start: Instant::now() }
    }

    /// Time for `core/`.
    pub fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.start.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    /// The instant at which [`Clock::now`] will say `time`.
    pub fn instant(&self, time: Time) -> Instant {
        self.start + time.saturating_since(Time::ZERO)
    }

    /// The wall clock. Unit: seconds since the Unix epoch.
    pub fn wall_s(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
    }
}
