//! How long this operator waits: the progress timeout and the finality bound, which double with each
//! consecutive nullified term and halve with each completed one, between their bounds; and the cap of a
//! term that follows from them.

use crate::Config;
use core::time::Duration;

/// The most doublings: at this one every bound that fits in a day is reached.
const STEPS_MAX: u32 = 26;

/// The timeouts in force.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Timeouts {
    step: u32,
}

impl Timeouts {
    pub(crate) fn new() -> Self {
        Self { step: 0 }
    }

    /// A term was nullified. Stops growing where both bounds are reached, so that shrinking shows at once.
    pub(crate) fn grow(&mut self, config: &Config) {
        let bounded = self.progress(config) == config.progress_timeout_max
            && self.finality_lag(config) == config.finality_lag_max;
        if !bounded && self.step < STEPS_MAX {
            self.step += 1;
        }
    }

    /// A term was completed.
    pub(crate) fn shrink(&mut self) {
        self.step = self.step.saturating_sub(1);
    }

    /// `T`: how long to wait for progress.
    pub(crate) fn progress(&self, config: &Config) -> Duration {
        self.grown(config.progress_timeout_min, config.progress_timeout_max)
    }

    /// How long a notarized slot may stay unfinalized.
    pub(crate) fn finality_lag(&self, config: &Config) -> Duration {
        self.grown(config.finality_lag_min, config.finality_lag_max)
    }

    /// How long a term may last: `T + 1.5·W·block_time`.
    pub(crate) fn term_cap(&self, config: &Config) -> Duration {
        let slots = config.block_time.saturating_mul(config.slots_per_term);
        self.progress(config).saturating_add(slots).saturating_add(slots / 2)
    }

    fn grown(&self, min: Duration, max: Duration) -> Duration {
        min.saturating_mul(1 << self.step).min(max)
    }
}
