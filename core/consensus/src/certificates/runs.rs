//! Which terms are nullified from their first slot, as runs: thousands of them in a row (an outage) are
//! one entry, and asking for the ends of a run costs the same as for one term.

use std::collections::BTreeMap;

/// Disjoint runs of terms that do not touch: first term of each to the first one after it.
#[derive(Clone, Debug, Default, Hash)]
pub(super) struct Runs {
    runs: BTreeMap<u64, u64>,
}

impl Runs {
    /// Adds one term.
    pub(super) fn insert(&mut self, term: u64) {
        if self.containing(term).is_some() {
            return;
        }
        let mut first = term;
        let mut end = term + 1;
        if let Some(before) = term.checked_sub(1).and_then(|before| self.containing(before)) {
            first = before.0;
        }
        if let Some(after) = self.runs.remove(&end) {
            end = after;
        }
        self.runs.insert(first, end);
    }

    /// The run that holds a term: its first term, and the first one after it.
    pub(super) fn containing(&self, term: u64) -> Option<(u64, u64)> {
        self.runs.range(..=term).next_back().map(|(first, end)| (*first, *end)).filter(|(_, end)| term < *end)
    }

    /// The first term at or after `from` that is in no run.
    pub(super) fn first_missing(&self, from: u64) -> u64 {
        self.containing(from).map_or(from, |(_, end)| end)
    }

    /// How far down the terms just below `term` are in a run: the first of them, or `term` itself.
    pub(super) fn first_below(&self, term: u64) -> u64 {
        term.checked_sub(1).and_then(|before| self.containing(before)).map_or(term, |(first, _)| first)
    }

    /// Lets go of the terms at or below `term`.
    pub(super) fn prune(&mut self, term: u64) {
        let cut = self.containing(term).map(|(_, end)| end);
        self.runs = self.runs.split_off(&(term + 1));
        if let Some(end) = cut.filter(|end| *end > term + 1) {
            self.runs.insert(term + 1, end);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    proptest! {
        #[test]
        fn agree_with_a_set(terms in prop::collection::vec(0_u64..30, 0..60), cut in prop::option::of(0_u64..30)) {
            let mut runs = Runs::default();
            let mut set = BTreeSet::new();
            for term in terms {
                runs.insert(term);
                set.insert(term);
            }
            if let Some(cut) = cut {
                runs.prune(cut);
                set.retain(|term| *term > cut);
            }
            for term in 0..32_u64 {
                prop_assert_eq!(runs.containing(term).is_some(), set.contains(&term));
                prop_assert_eq!(runs.first_missing(term), (term..).find(|at| !set.contains(at)).unwrap());
                let below = (0..term).rev().find(|at| !set.contains(at)).map_or(0, |at| at + 1);
                prop_assert_eq!(runs.first_below(term), below);
            }
        }
    }
}
