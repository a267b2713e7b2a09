//! Who was caught with a wrong signature: remembered for a while, and granted few checks meanwhile, so that
//! it cannot spoil batches or burn time that belongs to others.

use core::time::Duration;
use phalanx_types::{OperatorIndex, Time};
use std::collections::BTreeMap;

/// How long a culprit is remembered after it was last caught.
const MEMORY: Duration = Duration::from_secs(60);
/// Checks granted to a culprit in each [`GRANT_INTERVAL`]: more than an honest operator needs, should the
/// fault have been a passing one.
const CHECKS_PER_INTERVAL_MAX: u32 = 256;
const GRANT_INTERVAL: Duration = Duration::from_secs(1);

#[derive(Debug)]
struct Culprit {
    until: Time,
    interval_start: Time,
    checks: u32,
}

/// At most one entry for each operator.
#[derive(Debug, Default)]
pub(super) struct Culprits {
    by_operator: BTreeMap<OperatorIndex, Culprit>,
}

impl Culprits {
    pub(super) fn contains(&self, operator: OperatorIndex, now: Time) -> bool {
        self.by_operator.get(&operator).is_some_and(|culprit| now < culprit.until)
    }

    pub(super) fn add(&mut self, operator: OperatorIndex, now: Time) {
        let until = now + MEMORY;
        let culprit = self.by_operator.entry(operator).or_insert(Culprit { until, interval_start: now, checks: 0 });
        culprit.until = until;
    }

    /// Whether a culprit gets one more check.
    pub(super) fn grant(&mut self, operator: OperatorIndex, now: Time) -> bool {
        let Some(culprit) = self.by_operator.get_mut(&operator) else { return true };
        if now.saturating_since(culprit.interval_start) >= GRANT_INTERVAL {
            culprit.interval_start = now;
            culprit.checks = 0;
        }
        culprit.checks += 1;
        culprit.checks <= CHECKS_PER_INTERVAL_MAX
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn culprits_are_remembered_and_forgotten() {
        let mut culprits = Culprits::default();
        let (one, other) = (OperatorIndex(1), OperatorIndex(2));
        culprits.add(one, Time::ZERO);
        assert!(culprits.contains(one, Time::from_micros(59_999_999)));
        assert!(!culprits.contains(one, Time::from_micros(60_000_000)));
        assert!(!culprits.contains(other, Time::ZERO));
    }

    #[test]
    fn checks_are_granted_by_the_second() {
        let mut culprits = Culprits::default();
        let one = OperatorIndex(1);
        culprits.add(one, Time::ZERO);
        let granted = |culprits: &mut Culprits, now| (0..1_000).filter(|_| culprits.grant(one, now)).count();
        assert_eq!(granted(&mut culprits, Time::ZERO), 256);
        assert_eq!(granted(&mut culprits, Time::from_micros(999_999)), 0);
        assert_eq!(granted(&mut culprits, Time::from_micros(1_000_000)), 256);
    }
}
