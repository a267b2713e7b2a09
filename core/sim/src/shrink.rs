//! Makes a failure smaller: fewer operators, fewer Byzantine ones, fewer faults, shorter pauses, no load, for as long
//! as what remains fails in the same way.
//!
//! Faults are taken away in halves, quarters and so on, as in Zeller and Hildebrandt, "Simplifying and Isolating
//! Failure-Inducing Input" (2002). The result is small, not the smallest; and it is a failure of its own: what it shows
//! happened in it, not in the seed that it came from.

use crate::plan::Plan;
use crate::scenario::Outcome;
use std::collections::BTreeSet;

/// The most attempts to make one failure smaller.
pub const ATTEMPTS_MAX: usize = 300;
const SIZES: [usize; 6] = [2, 3, 4, 5, 7, 10];
const PAUSES_PERCENT: [u32; 5] = [10, 25, 50, 75, 90];

/// A failure that is being made smaller.
struct Shrinking<'a> {
    run: &'a dyn Fn(&Plan) -> Outcome,
    kind: String,
    smallest: Outcome,
    attempts: usize,
}

/// Makes the failure of `outcome` smaller. `run` plays what a plan leaves. `None` where it did not fail, or does not
/// fail again.
#[must_use]
pub fn shrink(outcome: &Outcome, run: &dyn Fn(&Plan) -> Outcome) -> Option<Outcome> {
    let kind = outcome.failure.as_ref()?.kind();
    let smallest = run(&outcome.cluster.plan);
    if smallest.failure.as_ref()?.kind() != kind {
        return None;
    }
    let mut shrinking = Shrinking { run, kind, smallest, attempts: 0 };
    while shrinking.round() {}
    Some(shrinking.smallest)
}

impl Shrinking<'_> {
    /// Tries everything once; whether anything helped and there are attempts left.
    fn round(&mut self) -> bool {
        let helped = [self.fewer_operators(), self.fewer_byzantine(), self.fewer_faults(), self.shorter()];
        helped.contains(&true) && self.attempts < ATTEMPTS_MAX
    }

    fn plan(&self) -> &Plan {
        &self.smallest.cluster.plan
    }

    /// Whether what another plan leaves fails in the same way; it is then the smallest so far.
    fn attempt(&mut self, plan: &Plan) -> bool {
        if self.attempts >= ATTEMPTS_MAX || plan == self.plan() {
            return false;
        }
        self.attempts += 1;
        let outcome = (self.run)(plan);
        let same = outcome.failure.as_ref().is_some_and(|failure| failure.kind() == self.kind);
        if same {
            self.smallest = outcome;
        }
        same
    }

    fn fewer_operators(&mut self) -> bool {
        let n = self.smallest.cluster.size.n();
        let smaller = SIZES.into_iter().take_while(|size| *size < n);
        let plans: Vec<Plan> = smaller.map(|size| Plan { operators: Some(size), ..self.plan().clone() }).collect();
        plans.iter().any(|plan| self.attempt(plan))
    }

    fn fewer_byzantine(&mut self) -> bool {
        let byzantine: Vec<_> = self.smallest.cluster.byzantine.iter().map(|(operator, _)| *operator).collect();
        let mut helped = false;
        for operator in byzantine {
            let mut plan = self.plan().clone();
            plan.honest.insert(operator);
            helped |= self.attempt(&plan);
        }
        helped
    }

    fn fewer_faults(&mut self) -> bool {
        let mut helped = false;
        let mut parts = 1;
        loop {
            let faults: Vec<u32> = self.smallest.schedule.iter().map(|inflicted| inflicted.number).collect();
            if faults.is_empty() || self.attempts >= ATTEMPTS_MAX {
                return helped;
            }
            let length = faults.len().div_ceil(parts);
            let without = |part: &[u32]| {
                let without: BTreeSet<u32> = self.plan().without.iter().chain(part).copied().collect();
                Plan { without, ..self.plan().clone() }
            };
            let plans: Vec<Plan> = faults.chunks(length).map(without).collect();
            if plans.iter().any(|plan| self.attempt(plan)) {
                helped = true;
                parts = parts.saturating_sub(1).max(1);
            } else if length == 1 {
                return helped;
            } else {
                parts = (parts * 2).min(faults.len());
            }
        }
    }

    fn shorter(&mut self) -> bool {
        let percent = self.plan().pauses_percent;
        let shorter = PAUSES_PERCENT.into_iter().take_while(|less| *less < percent);
        let mut plans: Vec<Plan> = shorter.map(|less| Plan { pauses_percent: less, ..self.plan().clone() }).collect();
        // What was never paused for needs no shorter pause; what fails sooner is smaller.
        let at = self.smallest.at;
        plans.retain(|_| !self.smallest.schedule.is_empty() || percent == 100);
        let mut helped = false;
        for plan in plans {
            let before = self.smallest.clone();
            if self.attempt(&plan) {
                if self.smallest.at < at {
                    helped = true;
                    break;
                }
                self.smallest = before;
            }
        }
        helped | (!self.plan().no_load && self.attempt(&Plan { no_load: true, ..self.plan().clone() }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byzantine::BehaviourKind;
    use crate::cluster::{Cluster, ClusterConfig, Fault};
    use crate::scenario::{Scenario, play};
    use core::time::Duration;
    use phalanx_types::OperatorIndex;

    /// Seven operators, one of them Byzantine; many faults, of which three crashes take the quorum away.
    fn run(plan: &Plan) -> Outcome {
        let mut config = ClusterConfig::new(11, 7);
        config.byzantine = vec![(OperatorIndex(6), BehaviourKind::LateVotes)];
        plan.apply(&mut config);
        play(Scenario::Chaos, config, |cluster: &mut Cluster| {
            cluster.watch_all();
            cluster.set_load(Some(Duration::from_millis(100)));
            for step in 0..12_u16 {
                let last = cluster.config().size.n() - 1;
                let operator = OperatorIndex(step % u16::try_from(last).expect("few"));
                let fault = match step {
                    1 | 4 | 8 => Fault::Crash(operator),
                    _ => Fault::Links(crate::network::Link::GOOD),
                };
                cluster.inflict(fault);
                cluster.pause(Duration::from_millis(400))?;
            }
            cluster.run_for(Duration::from_secs(6))
        })
    }

    #[test]
    fn what_does_not_matter_is_left_out() {
        let outcome = run(&Plan::default());
        let failure = outcome.failure.clone().expect("three of seven are down");
        assert_eq!(outcome.schedule.len(), 12);
        let smallest = shrink(&outcome, &run).expect("it fails again");
        assert_eq!(smallest.failure.as_ref().map(crate::failure::Failure::kind), Some(failure.kind()));
        assert!(smallest.cluster.size.n() < 7, "{:?}", smallest.cluster.plan);
        assert!(smallest.cluster.byzantine.is_empty() && smallest.cluster.plan.no_load);
        let crashes = smallest.schedule.iter().filter(|one| matches!(one.fault, Fault::Crash(_))).count();
        assert_eq!(crashes, smallest.schedule.len(), "links that do not change are left out");
        assert!(crashes <= 2, "{:?}", smallest.schedule);
        assert!(smallest.at < outcome.at, "and it fails sooner");
        let again = run(&smallest.cluster.plan);
        assert_eq!((again.at, again.schedule.len()), (smallest.at, smallest.schedule.len()), "the plan says it all");
    }

    #[test]
    fn what_does_not_fail_is_not_made_smaller() {
        let mut outcome = run(&Plan::default());
        outcome.failure = None;
        assert!(shrink(&outcome, &run).is_none());
    }
}
