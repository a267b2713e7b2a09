//! What of a seed's scenario is left out: how a failure is made smaller without changing what remains.
//!
//! Invariant: the empty plan changes nothing, and a plan is part of what fixes a trace: the same seed, scenario and
//! plan give the same events.

use crate::cluster::ClusterConfig;
use core::fmt;
use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex};
use std::collections::BTreeSet;

/// What is left out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// How many operators; as many as the scenario says where there is no number.
    pub operators: Option<usize>,
    /// The numbers of the faults that are left out.
    pub without: BTreeSet<u32>,
    /// Operators that are honest whatever the scenario says.
    pub honest: BTreeSet<OperatorIndex>,
    /// How long the pauses between faults are. Unit: percent of what the scenario says.
    pub pauses_percent: u32,
    /// Whether clients send nothing.
    pub no_load: bool,
}

impl Default for Plan {
    fn default() -> Self {
        Self { operators: None, without: BTreeSet::new(), honest: BTreeSet::new(), pauses_percent: 100, no_load: false }
    }
}

impl Plan {
    /// Whether a fault is left out.
    #[must_use]
    pub fn leaves_out(&self, fault: u32) -> bool {
        self.without.contains(&fault)
    }

    /// How long a pause of `duration` lasts.
    #[must_use]
    pub fn pause(&self, duration: Duration) -> Duration {
        duration * self.pauses_percent / 100
    }

    /// Changes what a scenario has made of a cluster: fewer operators, fewer Byzantine ones. No more than the new
    /// cluster tolerates stay Byzantine, unless the old one did not tolerate its own.
    pub fn apply(&self, config: &mut ClusterConfig) {
        let tolerated = config.byzantine.len() <= config.size.f();
        if let Some(size) = self.operators.and_then(ClusterSize::new) {
            config.size = size;
            config.byzantine.retain(|(operator, _)| operator.as_usize() < size.n());
            config.loses_payloads.retain(|operator| operator.as_usize() < size.n());
        }
        config.byzantine.retain(|(operator, _)| !self.honest.contains(operator));
        if tolerated {
            config.byzantine.truncate(config.size.f());
        }
        config.plan = self.clone();
    }
}

/// As options of `phalanx-sim replay`, each after a space.
impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(operators) = self.operators {
            write!(f, " --operators {operators}")?;
        }
        if !self.honest.is_empty() {
            let honest: Vec<u64> = self.honest.iter().map(|operator| u64::from(operator.0)).collect();
            write!(f, " --honest {}", Numbers(honest))?;
        }
        if !self.without.is_empty() {
            let without: Vec<u64> = self.without.iter().copied().map(u64::from).collect();
            write!(f, " --without {}", Numbers(without))?;
        }
        if self.pauses_percent != 100 {
            write!(f, " --pauses-percent {}", self.pauses_percent)?;
        }
        if self.no_load {
            write!(f, " --no-load")?;
        }
        Ok(())
    }
}

/// Numbers in ascending order, as `1,4-7`.
struct Numbers(Vec<u64>);

impl fmt::Display for Numbers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut rest = self.0.as_slice();
        let mut separator = "";
        while let [first, ..] = rest {
            let run = (*first..).zip(rest).take_while(|(expected, number)| expected == *number).count();
            let last = rest[run - 1];
            if run > 2 {
                write!(f, "{separator}{first}-{last}")?
            } else {
                write!(f, "{separator}{first}")?
            }
            rest = &rest[if run > 2 { run } else { 1 }..];
            separator = ",";
        }
        Ok(())
    }
}

/// The most numbers in one list: more than any scenario has faults.
const NUMBERS_MAX: u64 = 100_000;

/// The numbers of a list such as `1,4-7`.
///
/// # Errors
/// What is wrong with it.
pub fn parse_numbers(text: &str) -> Result<BTreeSet<u32>, String> {
    let mut numbers = BTreeSet::new();
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let number = |text: &str| text.trim().parse::<u32>().map_err(|error| format!("{text:?} is no number: {error}"));
        let (first, last) = (number(first)?, number(last)?);
        if first > last || u64::from(last - first) + numbers.len() as u64 >= NUMBERS_MAX {
            return Err(format!("{part:?} is no range of at most {NUMBERS_MAX} numbers"));
        }
        numbers.extend(first..=last);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::byzantine::BehaviourKind;

    #[test]
    fn lists_of_numbers_survive_their_text() {
        for list in [vec![1], vec![1, 2], vec![1, 2, 3], vec![0, 4, 5, 6, 7, 9, 11, 12]] {
            let text = Numbers(list.clone()).to_string();
            let parsed: Vec<u64> = parse_numbers(&text).expect("a list").into_iter().map(u64::from).collect();
            assert_eq!(parsed, list, "{text}");
        }
        assert_eq!(Numbers(vec![0, 4, 5, 6, 7, 9, 11, 12]).to_string(), "0,4-7,9,11,12");
        for text in ["", "a", "3-1", "1-", "0-4000000000"] {
            assert!(parse_numbers(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_empty_plan_changes_nothing_and_a_smaller_cluster_keeps_what_it_tolerates() {
        let mut config = ClusterConfig::new(1, 7);
        config.byzantine =
            [5, 1].into_iter().map(|operator| (OperatorIndex(operator), BehaviourKind::Silent)).collect();
        let before = format!("{config:?}");
        Plan::default().apply(&mut config);
        assert_eq!(format!("{config:?}"), before);
        Plan { operators: Some(4), ..Plan::default() }.apply(&mut config);
        assert_eq!((config.size.n(), config.byzantine.len()), (4, 1));
        Plan { honest: [OperatorIndex(1)].into(), ..Plan::default() }.apply(&mut config);
        assert!(config.byzantine.is_empty());
    }
}
