//! Invariant 5: while the network is good, the finalized height of every watched operator grows within a
//! bound that the caller gives. Whether the network is good is for the caller to know.

use crate::{Broken, Violation};
use core::time::Duration;
use phalanx_types::{OperatorIndex, Time};
use std::collections::BTreeMap;

/// Where an operator stands, and since when.
#[derive(Clone, Copy, Debug)]
struct Standing {
    height: u64,
    since: Time,
}

/// Watches that finalized heights grow.
#[derive(Clone, Debug)]
pub struct LivenessChecker {
    bound: Duration,
    watched: BTreeMap<OperatorIndex, Standing>,
    /// No watched operator can have stalled before this time.
    not_before: Time,
    longest: Duration,
}

impl LivenessChecker {
    /// Watches nobody yet. Each watched operator must commit at least once within `bound`.
    #[must_use]
    pub fn new(bound: Duration) -> Self {
        Self { bound, watched: BTreeMap::new(), not_before: Time::ZERO, longest: Duration::ZERO }
    }

    /// From `at` on `operator`, whose committed height is `height`, must make progress.
    pub fn watch(&mut self, at: Time, operator: OperatorIndex, height: u64) {
        self.watched.entry(operator).or_insert(Standing { height, since: at });
        self.not_before = self.not_before.min(at + self.bound);
    }

    /// Nothing is asked of `operator` any more: it is down, cut off, or everything is.
    pub fn unwatch(&mut self, operator: OperatorIndex) {
        self.watched.remove(&operator);
    }

    /// The longest time that a watched operator went without a commit.
    #[must_use]
    pub fn longest(&self) -> Duration {
        self.longest
    }

    /// `operator` committed the block at `height`.
    pub fn committed(&mut self, at: Time, operator: OperatorIndex, height: u64) {
        if let Some(standing) = self.watched.get_mut(&operator)
            && height > standing.height
        {
            self.longest = self.longest.max(at - standing.since);
            *standing = Standing { height, since: at };
        }
    }

    /// Has everyone who is watched made progress? Cheap: looks only when somebody can have stalled.
    ///
    /// # Errors
    /// [`Broken::Stalled`].
    pub fn check(&mut self, now: Time) -> Result<(), Violation> {
        if now < self.not_before {
            return Ok(());
        }
        for (operator, Standing { height, since }) in &self.watched {
            if now - *since > self.bound {
                let broken = Broken::Stalled { height: *height, since: *since };
                return Err(Violation::new(now, *operator, broken));
            }
        }
        let oldest = self.watched.values().map(|standing| standing.since).min();
        self.not_before = oldest.map_or(Time::MAX, |since| since + self.bound);
        Ok(())
    }
}
