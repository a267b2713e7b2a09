//! Sums over many seeds: for the table of scenarios, the counts of the rules' arms, and the last line of a search.

use crate::scenario::{Outcome, Scenario};
use clap::ValueEnum;
use core::fmt;
use core::time::Duration;
use phalanx_consensus::RuleCounts;
use std::collections::BTreeMap;

/// Sums over some seeds.
#[derive(Clone, Debug, Default)]
pub struct Sums {
    /// Seeds played.
    pub seeds: u64,
    /// Those with Byzantine operators.
    pub byzantine_seeds: u64,
    /// Those that signed with real BLS.
    pub bls_seeds: u64,
    /// Blocks finalized.
    pub finalized: u64,
    /// Those of seeds with Byzantine operators.
    pub byzantine_finalized: u64,
    /// Terms left.
    pub term_changes: u64,
    /// Those of seeds with Byzantine operators.
    pub byzantine_term_changes: u64,
    /// Faults inflicted.
    pub faults: u64,
    /// Transactions committed.
    pub transactions: u64,
    /// Events.
    pub events: u64,
    /// Virtual time.
    pub elapsed: Duration,
    /// The longest time that a watched operator went without a commit, and the seed where it did.
    pub longest_gap: (Duration, u64),
    /// Seeds that failed.
    pub violations: u64,
}

impl Sums {
    fn add(&mut self, outcome: &Outcome) {
        self.seeds += 1;
        let byzantine = !outcome.cluster.byzantine.is_empty();
        self.byzantine_seeds += u64::from(byzantine);
        self.bls_seeds += u64::from(outcome.cluster.scheme == crate::keys::Scheme::Bls);
        self.faults += outcome.schedule.len() as u64;
        self.violations += u64::from(outcome.failure.is_some());
        let Some(report) = &outcome.report else { return };
        self.finalized += report.finalized;
        self.term_changes += report.term_changes;
        if byzantine {
            self.byzantine_finalized += report.finalized;
            self.byzantine_term_changes += report.term_changes;
        }
        self.transactions += report.transactions;
        self.events += report.events;
        self.elapsed += report.elapsed;
        self.longest_gap = self.longest_gap.max((report.longest_gap, outcome.seed));
    }
}

/// Sums over all seeds, and for each scenario.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    /// Over all.
    pub all: Sums,
    /// For each scenario.
    pub scenarios: BTreeMap<Scenario, Sums>,
    /// Blocks finalized with Byzantine operators, by the slots of a term.
    pub byzantine_blocks: BTreeMap<u32, u64>,
    /// How often each arm of the protocol was taken by honest operators.
    pub rules: RuleCounts,
}

/// The last line of a search, as JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Seeds played.
    pub seeds: u64,
    /// Blocks finalized.
    pub finalized: u64,
    /// Terms left.
    pub term_changes: u64,
    /// Seeds that failed.
    pub violations: u64,
    /// How often the rarest arm of the protocol was taken.
    pub rule_arms_min: u64,
}

impl Tally {
    /// Adds what came of one seed.
    pub fn add(&mut self, outcome: &Outcome) {
        self.all.add(outcome);
        self.scenarios.entry(outcome.scenario).or_default().add(outcome);
        if let Some(report) = &outcome.report {
            self.rules.add(&report.rules);
            if !outcome.cluster.byzantine.is_empty() {
                *self.byzantine_blocks.entry(outcome.cluster.slots_per_term).or_default() += report.finalized;
            }
        }
    }

    /// The last line of a search.
    #[must_use]
    pub fn summary(&self) -> Summary {
        let Sums { seeds, finalized, term_changes, violations, .. } = self.all;
        let rule_arms_min = self.rules.iter().map(|(_, count)| count).min().unwrap_or(0);
        Summary { seeds, finalized, term_changes, violations, rule_arms_min }
    }
}

/// A row for each scenario, the counts of all arms, and the sums.
impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let head = ["seeds", "byzantine", "bls", "blocks", "terms", "faults", "failed"];
        writeln!(f, "{:<22}{}  longest gap", "scenario", head.map(|name| format!("{name:>11}")).concat())?;
        for (scenario, sums) in &self.scenarios {
            let name = scenario.to_possible_value().expect("no scenario is hidden");
            let Sums { seeds, byzantine_seeds, bls_seeds, finalized, term_changes, faults, violations, .. } = sums;
            let figures = [seeds, byzantine_seeds, bls_seeds, finalized, term_changes, faults, violations];
            let figures = figures.map(|figure| format!("{figure:>11}")).concat();
            let (gap, seed) = sums.longest_gap;
            writeln!(f, "{:<22}{figures}  {:.3} s with seed {seed}", name.get_name(), gap.as_secs_f64())?;
        }
        writeln!(f, "\nrule arms taken:")?;
        for (rule, count) in self.rules.iter() {
            writeln!(f, "  {count:>12}  {rule:?}")?;
        }
        let Sums { byzantine_seeds, byzantine_finalized, byzantine_term_changes, .. } = self.all;
        writeln!(
            f,
            "\nwith Byzantine operators: {byzantine_seeds} seeds, {byzantine_finalized} blocks, \
             {byzantine_term_changes} terms left"
        )?;
        let blocks = |(slots, blocks): (&u32, &u64)| format!("{slots}: {blocks}");
        let blocks: Vec<String> = self.byzantine_blocks.iter().map(blocks).collect();
        writeln!(f, "these blocks, by the slots of a term: {}", blocks.join(", "))?;
        let Sums { events, transactions, faults, elapsed, .. } = self.all;
        let elapsed = elapsed.as_secs_f64();
        write!(f, "{events} events, {transactions} transactions, {faults} faults, {elapsed:.0} s of virtual time")
    }
}
