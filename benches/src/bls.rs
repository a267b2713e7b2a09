//! BLS in batches, held against blst: every line measures two sides in turn, in one run, on the same items.
//!
//! Three tables: the fastest backend on one core; the same on two cores, against itself on one; and our blst
//! backend against plain blst, which shows that the dispatcher costs nothing. The other side is [`plain`], the best
//! use of blst that we know. Where what is compared is an algorithm of ours (certificates under one key, recovery),
//! it is our own code on the blst backend, which is faster than [`plain`].

pub mod plain;
pub mod work;

use anyhow::Context;
use phalanx_bls::Backend;
use rayon::{ThreadPool, ThreadPoolBuilder};
use std::time::{Duration, Instant};
use work::{Recovery, Work};

/// One line.
#[derive(Clone, Debug, serde::Serialize)]
pub struct Row {
    /// Which table it belongs to.
    pub table: &'static str,
    /// What is measured, and how much of it.
    pub name: String,
    /// The median of our side, for all of it. Unit: nanoseconds.
    pub ours_ns: f64,
    /// The median of the other side. Unit: nanoseconds.
    pub theirs_ns: f64,
    /// The median over the pairs of runs of theirs by ours.
    pub ratio: f64,
    /// What the ratio must reach; nothing where there is no bar.
    pub bar: Option<f64>,
    /// Whether it does, and an absolute bar that the line may have.
    pub met: Option<bool>,
}

/// The tables' names, in their order.
pub const TABLES: [&str; 3] = ["one core", "two cores", "blst backend"];

/// How long one line is measured, about.
const LINE_DURATION: Duration = Duration::from_secs(2);
/// The fewest and the most pairs of runs of one line.
const PAIRS: (usize, usize) = (7, 101);

/// What a certificate of 1,024 under one key may take. Unit: nanoseconds.
const CERTIFICATE_NS_MAX: f64 = 55_000.0;

/// Measures every line whose name contains `only`.
///
/// # Errors
/// A pool of threads cannot be started, or there is no such line.
pub fn measure(only: &str, progress: impl Fn(&str)) -> anyhow::Result<Vec<Row>> {
    let one = pool(1)?;
    let two = pool(2)?;
    let mut works = Work::all();
    works.retain(|work| work.name().contains(only));
    let mut recoveries = vec![Recovery::new(100), Recovery::new(1_000)];
    recoveries.retain(|recovery| recovery.name().contains(only));
    anyhow::ensure!(works.len() + recoveries.len() > 0, "no line's name contains {only:?}");
    let mut rows = Vec::new();
    progress("one core");
    let fastest = Backend::detect();
    for work in &works {
        rows.push(one.install(|| {
            let ours = || work.ours(fastest);
            if work.compares_with_our_blst() {
                let theirs = || work.ours(Backend::Blst);
                paired(TABLES[0], work.name(), work.bar(), work.items(), ours, theirs)
            } else {
                paired(TABLES[0], work.name(), work.bar(), work.items(), ours, || work.theirs())
            }
        }));
    }
    for recovery in &recoveries {
        let (ours, theirs) = (|| recovery.ours(fastest), || recovery.ours(Backend::Blst));
        rows.push(one.install(|| paired(TABLES[0], recovery.name(), recovery.bar(), 1, ours, theirs)));
    }
    progress("two cores");
    for work in works.iter().filter(|work| work.is_batch()) {
        let (ours, theirs) = (|| two.install(|| work.ours(fastest)), || one.install(|| work.ours(fastest)));
        rows.push(paired(TABLES[1], work.name(), None, work.items(), ours, theirs));
    }
    for recovery in &recoveries {
        let (ours, theirs) = (|| two.install(|| recovery.ours(fastest)), || one.install(|| recovery.ours(fastest)));
        rows.push(paired(TABLES[1], recovery.name(), None, 1, ours, theirs));
    }
    progress("the blst backend");
    for work in works.iter().filter(|work| work.is_batch()) {
        let (ours, theirs) = (|| work.ours(Backend::Blst), || work.theirs());
        rows.push(one.install(|| paired(TABLES[2], work.name(), Some(1.0), work.items(), ours, theirs)));
    }
    for recovery in &recoveries {
        let (ours, theirs) = (|| recovery.ours(Backend::Blst), || recovery.theirs());
        rows.push(one.install(|| paired(TABLES[2], recovery.name(), Some(1.0), 1, ours, theirs)));
    }
    Ok(rows)
}

fn pool(threads: usize) -> anyhow::Result<ThreadPool> {
    ThreadPoolBuilder::new().num_threads(threads).build().context("a pool of threads")
}

/// Runs both sides in turn and compares each run with its neighbour, so that what else the machine does falls on
/// both. Which goes first alternates.
fn paired(table: &'static str, name: &str, bar: Option<f64>, items: usize, ours: impl Fn(), theirs: impl Fn()) -> Row {
    let once = seconds(&ours) + seconds(&theirs);
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "clamped")]
    let pairs = ((LINE_DURATION.as_secs_f64() / once) as usize).clamp(PAIRS.0, PAIRS.1);
    let runs: Vec<(f64, f64)> = (0..pairs)
        .map(|pair| {
            if pair % 2 == 0 {
                let ours = seconds(&ours);
                (ours, seconds(&theirs))
            } else {
                let theirs = seconds(&theirs);
                (seconds(&ours), theirs)
            }
        })
        .collect();
    let ours_ns = 1e9 * median(runs.iter().map(|(ours, _)| *ours));
    let theirs_ns = 1e9 * median(runs.iter().map(|(_, theirs)| *theirs));
    let ratio = median(runs.iter().map(|(ours, theirs)| theirs / ours));
    #[expect(clippy::cast_precision_loss, reason = "thousands")]
    let absolute = table != TABLES[0] || name != work::CERTIFICATES || ours_ns / items as f64 <= CERTIFICATE_NS_MAX;
    let met = bar.map(|bar| ratio >= bar && absolute);
    Row { table, name: name.to_owned(), ours_ns, theirs_ns, ratio, bar, met }
}

fn seconds(work: &impl Fn()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_secs_f64()
}

/// # Panics
/// When there are none.
fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_unstable_by(f64::total_cmp);
    values[values.len() / 2]
}
