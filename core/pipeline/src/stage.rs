//! What every stage is: something that does one bounded turn at a time.

use phalanx_types::Time;

/// What a turn left behind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Progress {
    /// Something was done, so there may be more to do at once.
    pub did_work: bool,
    /// When there is something to do without anybody's wake-up.
    pub wake_at: Option<Time>,
}

impl Progress {
    /// Both together.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let wake_at = match (self.wake_at, other.wake_at) {
            (Some(first), Some(second)) => Some(first.min(second)),
            (first, second) => first.or(second),
        };
        Self { did_work: self.did_work || other.did_work, wake_at }
    }
}

/// A stage of the pipeline. One thread owns it; it never waits, except for a disk in the sign stage.
pub trait Stage {
    /// For thread names and gauges.
    fn name(&self) -> &'static str;

    /// Does a bounded amount of work.
    fn turn(&mut self, now: Time) -> Progress;
}
