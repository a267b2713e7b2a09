//! An operator's clocks: a monotonic one that starts anywhere and drifts, and a wall clock that is wrong by
//! some skew. The simulation's own time is the true one.

use phalanx_types::Time;

/// The wall clock's time at the start of every simulation. Unit: seconds since the Unix epoch.
pub const EPOCH_S: u64 = 1_700_000_000;
/// The largest drift, in either direction. Unit: parts per million.
pub const DRIFT_PPM_MAX: i64 = 100_000;
const MILLION: i128 = 1_000_000;

/// The clocks of one operator.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Clock {
    start_us: u64,
    drift_ppm: i64,
    wall_skew_us: i64,
}

impl Clock {
    /// A monotonic clock that shows `start_us` microseconds at the start and runs faster by `drift_ppm`, and
    /// a wall clock ahead by `wall_skew_us`.
    #[must_use]
    pub fn new(start_us: u64, drift_ppm: i64, wall_skew_us: i64) -> Self {
        Self { start_us, drift_ppm: drift_ppm.clamp(-DRIFT_PPM_MAX, DRIFT_PPM_MAX), wall_skew_us }
    }

    /// What the monotonic clock shows at the true time `at`.
    #[must_use]
    pub fn local(&self, at: Time) -> Time {
        let elapsed = i128::from(at.as_micros()) * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        Time::from_micros(self.start_us.saturating_add(u64::try_from(elapsed).unwrap_or(u64::MAX)))
    }

    /// The first true time at which the monotonic clock shows `local` or more.
    #[must_use]
    pub fn true_time(&self, local: Time) -> Time {
        let elapsed = i128::from(local.as_micros().saturating_sub(self.start_us));
        let rate = MILLION + i128::from(self.drift_ppm);
        let at = (elapsed * MILLION + rate - 1) / rate;
        Time::from_micros(u64::try_from(at).unwrap_or(u64::MAX))
    }

    /// What the wall clock shows at the true time `at`. Unit: seconds since the Unix epoch.
    #[must_use]
    pub fn wall_s(&self, at: Time) -> u64 {
        let micros = at.as_micros().saturating_add_signed(self.wall_skew_us);
        EPOCH_S + micros / 1_000_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_deadline_is_reached_at_its_true_time_and_not_before() {
        for drift in [-DRIFT_PPM_MAX, -317, 0, 11, DRIFT_PPM_MAX] {
            let clock = Clock::new(77, drift, 0);
            for deadline in [77, 78, 1_000_077, 987_654_321] {
                let deadline = Time::from_micros(deadline);
                let at = clock.true_time(deadline);
                assert!(clock.local(at) >= deadline, "drift {drift}: {at} is too early for {deadline}");
                let before = Time::from_micros(at.as_micros().saturating_sub(2));
                assert!(at == Time::ZERO || clock.local(before) < deadline, "drift {drift}: {at} is too late");
            }
        }
    }

    #[test]
    fn the_wall_clock_is_skewed() {
        let at = Time::from_micros(10_000_000);
        assert_eq!(Clock::new(5, 0, 0).wall_s(at), EPOCH_S + 10);
        assert_eq!(Clock::new(5, 0, -3_000_000).wall_s(at), EPOCH_S + 7);
    }
}
