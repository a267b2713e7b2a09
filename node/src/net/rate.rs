//! A token bucket: how fast a lane is read.

use std::time::Duration;
use tokio::time::Instant;

/// Fills at a steady rate up to one second's worth. May go into debt, which is waited off: so one frame of
/// any size passes, and the sustained rate holds all the same.
#[derive(Debug)]
pub(super) struct TokenBucket {
    per_second: f64,
    level: f64,
    filled: Instant,
}

impl TokenBucket {
    pub(super) fn new(per_second: u64, now: Instant) -> Self {
        #[allow(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let per_second = per_second as f64;
        Self { per_second, level: per_second, filled: now }
    }

    /// Takes `amount`; how long to wait before taking more.
    pub(super) fn take(&mut self, amount: usize, now: Instant) -> Duration {
        #[allow(clippy::cast_precision_loss, reason = "a rate need not be exact")]
        let amount = amount as f64;
        let gained = now.saturating_duration_since(self.filled).as_secs_f64() * self.per_second;
        self.level = (self.level + gained).min(self.per_second) - amount;
        self.filled = now;
        if self.level >= 0.0 { Duration::ZERO } else { Duration::from_secs_f64(-self.level / self.per_second) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_free_then_the_rate_holds() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100, start);
        assert_eq!(bucket.take(100, start), Duration::ZERO);
        assert_eq!(bucket.take(50, start), Duration::from_millis(500));
        assert_eq!(bucket.take(0, start + Duration::from_millis(500)), Duration::ZERO);
        assert_eq!(bucket.take(1_000, start + Duration::from_millis(500)), Duration::from_secs(10));
    }

    #[test]
    fn it_never_holds_more_than_a_second() {
        let start = Instant::now();
        let mut bucket = TokenBucket::new(100, start);
        assert_eq!(bucket.take(100, start + Duration::from_secs(3_600)), Duration::ZERO);
        assert_eq!(bucket.take(10, start + Duration::from_secs(3_600)), Duration::from_millis(100));
    }
}
