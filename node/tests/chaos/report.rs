//! What a run showed: a table for people, and one line of JSON for everything else.

use crate::audit::{Audit, VIOLATIONS_SHOWN_MAX};
use crate::load::Ledger;
use crate::options::Options;
use crate::round::Outcome;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// Of rounds with several faults at once.
const COMBINED: &str = "combined";

/// Of the round in which nothing is done.
const QUIET: &str = "nothing";

/// What is known of one kind of fault.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct Row {
    injected: u32,
    gap: Duration,
    recovery: Duration,
}

/// Everything that a run showed.
#[derive(Debug)]
pub(crate) struct Report {
    pub(crate) options: Options,
    pub(crate) shaper: &'static str,
    pub(crate) outcomes: Vec<Outcome>,
    pub(crate) skipped: Vec<String>,
    pub(crate) took: Duration,
    pub(crate) ledger: Ledger,
    pub(crate) audit: Audit,
}

impl Report {
    /// Everything that was wrong.
    pub(crate) fn violations(&self) -> Vec<String> {
        let rounds = self.outcomes.iter().flat_map(|outcome| {
            let name = name(outcome);
            outcome.violations.iter().map(move |violation| format!("{name}: {violation}"))
        });
        let refused = self.ledger.refused.iter().map(|refusal| format!("a good transaction was refused: {refusal}"));
        let lost = self.audit.lost.iter().map(|hash| format!("transaction {hash} was accepted and is lost"));
        rounds.chain(refused).chain(lost).chain(self.audit.violations.iter().cloned()).collect()
    }

    /// How many faults were injected.
    fn faults(&self) -> usize {
        self.outcomes.iter().map(|outcome| outcome.kinds.len()).sum()
    }

    fn rows(&self) -> BTreeMap<&'static str, Row> {
        let mut rows: BTreeMap<&str, Row> = BTreeMap::new();
        for outcome in &self.outcomes {
            let row = rows.entry(name(outcome)).or_default();
            row.injected += 1;
            row.gap = row.gap.max(outcome.gap);
            row.recovery = row.recovery.max(outcome.recovery);
        }
        rows
    }

    /// Prints the table, what is wrong, and last the line of JSON.
    pub(crate) fn print(&self) {
        println!("\n{:<18} {:>6} {:>20} {:>20}", "fault", "rounds", "longest gap, ms", "all well after, ms");
        for (name, row) in self.rows() {
            let (gap, recovery) = (row.gap.as_millis(), row.recovery.as_millis());
            println!("{name:<18} {:>6} {gap:>20} {recovery:>20}", row.injected);
        }
        self.skipped.iter().for_each(|skipped| println!("SKIPPED: {skipped}"));
        let violations = self.violations();
        violations.iter().take(VIOLATIONS_SHOWN_MAX).for_each(|violation| println!("VIOLATION: {violation}"));
        println!("{}", self.json());
    }

    fn json(&self) -> Value {
        let figures = |figure: fn(&Row) -> Duration| -> Map<String, Value> {
            self.rows().iter().map(|(name, row)| ((*name).to_owned(), milliseconds(figure(row)))).collect()
        };
        json!({
            "seed": self.options.seed,
            "operators": self.options.operators,
            "links": self.shaper,
            "seconds": self.took.as_secs(),
            "faultsInjected": self.faults(),
            "blocksFinalized": self.audit.blocks,
            "longestGapMs": figures(|row| row.gap),
            "recoveryMsMax": figures(|row| row.recovery),
            "transactionsSent": self.ledger.sent,
            "transactionsAccepted": self.ledger.accepted.len(),
            "transactionsCommitted": self.audit.transactions,
            "transactionsLost": self.audit.lost.len(),
            "certificatesChecked": self.audit.certificates,
            "journalRecords": self.audit.journal_records,
            "journalSegments": self.audit.journal_segments,
            "skipped": self.skipped.len(),
            "violations": self.violations().len(),
        })
    }
}

fn name(outcome: &Outcome) -> &'static str {
    match &outcome.kinds[..] {
        [] => QUIET,
        [only] => only.name(),
        _ => COMBINED,
    }
}

fn milliseconds(duration: Duration) -> Value {
    json!(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}
