//! One round: faults are injected, last for a while, are taken away, and the cluster must be well again.
//!
//! A round of the script that proves nothing is an error: each fault leaves a trace (an operator that fell
//! behind, ended, does not answer or tells another time), and the round looks for it.

use crate::kind::Kind;
use crate::suite::{CLOCK_STEP_S, SYNC_DELAY, Suite};
use anyhow::{Context, bail, ensure};
use std::time::{Duration, Instant};

/// How long finality may pause while a quorum is up and can talk. Generous: builds may be unoptimised and the
/// machine busy. It is there to find a cluster that stands still, not to measure one that is slow.
const GAP_MAX: Duration = Duration::from_secs(20);
/// How long after the fault everybody may take to finalize again, in step.
const RECOVERY_MAX: Duration = Duration::from_secs(60);
/// How long an operator may go on after its disk began to refuse.
const DISK_FAILURE_MAX: Duration = Duration::from_secs(120);
/// How long what was on its way before a cut may still finalize something.
const IN_FLIGHT_MAX: Duration = Duration::from_millis(500);
/// How long a fault may take to show.
const TRACE_MAX: Duration = Duration::from_secs(20);
/// How far a clock may be read wrong. Unit: seconds.
const CLOCK_SLACK_S: i64 = 15;
const POLL: Duration = Duration::from_millis(20);

/// A fault and whom it befalls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    pub(crate) kind: Kind,
    pub(crate) victims: Vec<u8>,
}

/// What a round showed.
#[derive(Clone, Debug)]
pub(crate) struct Outcome {
    pub(crate) kinds: Vec<Kind>,
    /// The longest time without a new final block, from the fault until everybody was well again.
    pub(crate) gap: Duration,
    /// From the end of the fault until everybody was well again.
    pub(crate) recovery: Duration,
    /// What should not have been.
    pub(crate) violations: Vec<String>,
}

/// Runs a round. The victims of all faults together, when there are several, may be more than are tolerated; of
/// one that is `scripted` the trace is looked for.
///
/// # Errors
/// When the suite itself does not work; what the cluster does wrong is in the outcome.
pub(crate) async fn run(
    suite: &mut Suite,
    faults: &[Fault],
    lasts: Duration,
    scripted: bool,
) -> anyhow::Result<Outcome> {
    for fault in faults {
        suite.prepare(fault.kind, &fault.victims).await?;
    }
    let start = Instant::now();
    for fault in faults {
        suite.inject(fault.kind, &fault.victims)?;
    }
    let mut violations = hold(suite, faults, start, lasts).await?;
    if scripted {
        for fault in faults {
            until_traced(suite, fault, lasts).await?;
        }
    }
    let lasted = start.elapsed();
    for fault in faults {
        suite.heal(fault.kind, &fault.victims)?;
    }
    let healed = Instant::now();
    if let Err(error) = suite.until_well(RECOVERY_MAX).await {
        violations.push(error.to_string());
    }
    violations.extend(suite.all_run().err().map(|error| error.to_string()));
    let now = Instant::now();
    let gap = suite.heights.longest_gap(start, now);
    let most = gap_max(suite, faults, lasted);
    if gap > most {
        violations.push(format!("nothing became final for {gap:?}, at most {most:?} are allowed"));
    }
    let kinds = faults.iter().map(|fault| fault.kind).collect();
    Ok(Outcome { kinds, gap, recovery: now - healed, violations })
}

/// The longest pause in finality that is not a violation.
fn gap_max(suite: &Suite, faults: &[Fault], lasted: Duration) -> Duration {
    let tolerated = match faults {
        [] => true,
        [only] => !only.kind.takes_the_quorum(suite.size(), suite.faults),
        // Together they may take what each alone leaves.
        _ => false,
    };
    if tolerated { GAP_MAX } else { lasted + RECOVERY_MAX }
}

/// Lets the faults last. Without a quorum nothing may become final meanwhile.
async fn hold(suite: &mut Suite, faults: &[Fault], start: Instant, lasts: Duration) -> anyhow::Result<Vec<String>> {
    tokio::time::sleep(IN_FLIGHT_MAX).await;
    let height = suite.heights.highest();
    tokio::time::sleep((start + lasts).saturating_duration_since(Instant::now())).await;
    let grew = suite.heights.highest().saturating_sub(height);
    let quorum = !faults.iter().any(|fault| fault.kind.takes_the_quorum(suite.size(), suite.faults));
    let violation = (!quorum && grew > 0).then(|| format!("{grew} blocks became final without a quorum"));
    for fault in faults {
        if matches!(fault.kind, Kind::FullDisk | Kind::FailingDisk) {
            // Whoever is cut off has nothing to write, and does not meet its disk's failure.
            if let Some(links) = faults.iter().find(|fault| fault.kind.is_of_links()) {
                suite.heal(links.kind, &links.victims)?;
            }
            until_ended(suite, &fault.victims).await?;
        }
    }
    Ok(violation.into_iter().collect())
}

/// Waits until every victim of a fault shows its trace.
async fn until_traced(suite: &Suite, fault: &Fault, lasts: Duration) -> anyhow::Result<()> {
    let deadline = Instant::now() + TRACE_MAX;
    for victim in &fault.victims {
        while let Err(error) = look(suite, fault.kind, *victim, lasts).await {
            if Instant::now() >= deadline {
                return Err(error.context(format!("{} left no trace", fault.kind.name())));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// An operator whose disk refuses ends by itself and says why.
async fn until_ended(suite: &mut Suite, victims: &[u8]) -> anyhow::Result<()> {
    let deadline = Instant::now() + DISK_FAILURE_MAX;
    for victim in victims {
        let operator = &mut suite.operators[usize::from(*victim)];
        loop {
            if let Some(status) = operator.ended()? {
                let failed = status.is_some_and(|status| !status.success());
                ensure!(failed, "operator {victim} ends with {status:?}, although its disk failed");
                break;
            }
            if Instant::now() >= deadline {
                bail!("operator {victim} goes on, although its disk fails\n{}", operator.log_tail(5));
            }
            tokio::time::sleep(POLL).await;
        }
    }
    Ok(())
}

/// Looks for the trace of a fault.
async fn look(suite: &Suite, kind: Kind, victim: u8, lasts: Duration) -> anyhow::Result<()> {
    let operator = &suite.operators[usize::from(victim)];
    match kind {
        Kind::MinorityCutOff | Kind::LeaderDeaf => {
            let (shown, highest) = (suite.heights.shown()[usize::from(victim)], suite.heights.highest());
            ensure!(shown.is_none_or(|shown| shown < highest), "operator {victim} hears nothing and finalized all");
        }
        Kind::LeaderUnheard => {
            let other = &suite.operators[usize::from((victim + 1) % suite.size())];
            let status = other.status().await.context("an operator that hears everybody does not answer")?;
            let seen = status.operators[usize::from(victim)].last_vote_seen_ms_ago.map(Duration::from_millis);
            ensure!(
                seen.is_none_or(|seen| seen >= lasts / 2),
                "a vote of operator {victim} came through: {seen:?} ago"
            );
        }
        Kind::LeaderKilled | Kind::TwoKilled | Kind::AllKilled | Kind::LeaderStopped => {
            ensure!(operator.status().await.is_none(), "operator {victim} answers");
        }
        Kind::FullDisk => {
            let log = operator.log_tail(20);
            ensure!(log.contains("disk is full"), "operator {victim} does not say that its disk is full:\n{log}");
        }
        Kind::FailingDisk => {
            let log = operator.log_tail(20);
            ensure!(log.contains("Input/output error"), "operator {victim} does not say what failed:\n{log}");
        }
        Kind::SlowDisk => {
            let status = operator.status().await.context("an operator with a slow disk does not answer")?;
            let sync = Duration::from_micros(status.fsync.p50_us);
            ensure!(sync >= SYNC_DELAY, "operator {victim} says that its syncs take {sync:?}");
        }
        Kind::ClockForward | Kind::ClockBack => {
            let expected = if kind == Kind::ClockForward { CLOCK_STEP_S } else { -CLOCK_STEP_S };
            let off = operator.clock_off()?;
            ensure!((off - expected).abs() <= CLOCK_SLACK_S, "the clock of operator {victim} is off by {off} s");
        }
        Kind::Latency | Kind::Loss | Kind::Narrow | Kind::Halves => {}
    }
    Ok(())
}
