//! The vote path as a whole: how many slots a second one operator takes in, what a slot costs, and how long after
//! the last vote that was needed its certificate is there.

use crate::cluster::Cluster;
use crate::feed::{LEADER, SlotFeed, feed};
use crate::operator::{Operator, Seen};
use anyhow::{Context, ensure};
use phalanx_types::{BlockRef, Vote, VoteKind};
use rustix::time::{ClockId, clock_gettime};
use std::time::{Duration, Instant};

/// Slots that are fed ahead of the newest notarized one.
const AHEAD: usize = 8;
/// The longest that one thing is waited for.
const WAIT_MAX: Duration = Duration::from_secs(120);
/// How long an operator is left alone before the last vote, so that what it can do ahead is done.
const SETTLE: Duration = Duration::from_millis(2);

/// What feeding slots as fast as they are taken came to.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub struct Throughput {
    /// How many operators.
    pub n: usize,
    /// How many of them lie.
    pub liars: usize,
    /// How many slots were fed.
    pub slots: u32,
    /// From the first byte in to the last block final. Unit: slots a second.
    pub slots_per_second: f64,
    /// Of all threads, decoding included. Unit: ms of one core for each slot.
    pub cpu_ms_per_slot: f64,
}

/// Feeds slots as fast as they are taken, a few at a time, until all are final: both certificates of each are
/// recovered from the votes, and checked.
///
/// # Errors
/// The operator cannot be started, or does not finish.
pub fn throughput(cluster: &Cluster, slots: u32, liars: usize) -> anyhow::Result<Throughput> {
    let feed = feed(cluster, slots, 256, liars);
    let directory = tempfile::tempdir().context("a directory for the journal")?;
    let operator = Operator::start(cluster, directory.path())?;
    let (begin, cpu) = (Instant::now(), cpu_time());
    let (mut fed, mut notarized) = (0, 0);
    let last = feed.last().context("at least one slot")?.block;
    loop {
        while fed < feed.len() && fed < notarized + AHEAD {
            let slot = &feed[fed];
            operator.receive(LEADER, &slot.proposal);
            slot.notarize.iter().chain(&slot.finalize).for_each(|(from, bytes)| operator.receive(*from, bytes));
            fed += 1;
        }
        match next(&operator)?.1 {
            Seen::Certified(certificate) if certificate.kind() == VoteKind::Notarize => notarized += 1,
            Seen::Committed(block) if block == last => break,
            _ => {}
        }
    }
    let (elapsed, cpu) = (begin.elapsed(), cpu_time().saturating_sub(cpu));
    let per_slot = cpu.as_secs_f64() * 1e3 / f64::from(slots);
    Ok(Throughput {
        n: cluster.size().n(),
        liars,
        slots,
        slots_per_second: f64::from(slots) / elapsed.as_secs_f64(),
        cpu_ms_per_slot: per_slot,
    })
}

/// From the last vote that was needed to the certificate, for each slot, in the order of slots.
///
/// All other votes are there before, and the operator is left alone for a moment; then the one that completes the
/// quorum comes.
///
/// # Errors
/// The operator cannot be started, or does not finish.
pub fn latencies(cluster: &Cluster, slots: u32) -> anyhow::Result<Vec<Duration>> {
    let feed = feed(cluster, slots, 256, 0);
    let directory = tempfile::tempdir().context("a directory for the journal")?;
    let operator = Operator::start(cluster, directory.path())?;
    // With its own vote.
    let needed = cluster.size().q() - 1;
    feed.iter()
        .map(|slot| {
            operator.receive(LEADER, &slot.proposal);
            wait(&operator, |seen| matches!(seen, Seen::Voted(vote) if is_for(vote, slot.block, VoteKind::Notarize)))?;
            let (last, first) = slot.notarize[..needed].split_last().context("a quorum of more than one")?;
            first.iter().for_each(|(from, bytes)| operator.receive(*from, bytes));
            std::thread::sleep(SETTLE);
            let begin = Instant::now();
            operator.receive(last.0, &last.1);
            let at = wait(&operator, |seen| is_certified(seen, slot.block, VoteKind::Notarize))?;
            finish(&operator, slot)?;
            Ok(at.saturating_duration_since(begin))
        })
        .collect()
}

/// From the first vote to the certificate where `liars` operators send wrong partials before the others' votes
/// come, for each slot, in the order of slots.
///
/// # Errors
/// The operator cannot be started, or does not finish.
pub fn with_liars(cluster: &Cluster, slots: u32, liars: usize) -> anyhow::Result<Vec<Duration>> {
    let feed = feed(cluster, slots, 256, liars);
    let directory = tempfile::tempdir().context("a directory for the journal")?;
    let operator = Operator::start(cluster, directory.path())?;
    feed.iter()
        .map(|slot| {
            operator.receive(LEADER, &slot.proposal);
            wait(&operator, |seen| matches!(seen, Seen::Voted(vote) if is_for(vote, slot.block, VoteKind::Notarize)))?;
            let begin = Instant::now();
            slot.notarize.iter().for_each(|(from, bytes)| operator.receive(*from, bytes));
            let at = wait(&operator, |seen| is_certified(seen, slot.block, VoteKind::Notarize))?;
            finish(&operator, slot)?;
            Ok(at.saturating_duration_since(begin))
        })
        .collect()
}

fn finish(operator: &Operator, slot: &SlotFeed) -> anyhow::Result<()> {
    slot.finalize.iter().for_each(|(from, bytes)| operator.receive(*from, bytes));
    wait(operator, |seen| matches!(seen, Seen::Committed(block) if *block == slot.block)).map(|_| ())
}

fn is_for(vote: &Vote, block: BlockRef, kind: VoteKind) -> bool {
    vote.block == block && vote.kind == kind
}

fn is_certified(seen: &Seen, block: BlockRef, kind: VoteKind) -> bool {
    matches!(seen, Seen::Certified(certificate) if is_for(&certificate.vote, block, kind))
}

fn wait(operator: &Operator, wanted: impl Fn(&Seen) -> bool) -> anyhow::Result<Instant> {
    loop {
        let (at, seen) = next(operator)?;
        if wanted(&seen) {
            return Ok(at);
        }
    }
}

fn next(operator: &Operator) -> anyhow::Result<(Instant, Seen)> {
    let seen = operator.seen.recv_timeout(WAIT_MAX);
    ensure!(seen.is_ok(), "the operator did nothing for {WAIT_MAX:?}");
    Ok(seen?)
}

/// The processor time of this process so far.
#[must_use]
pub fn cpu_time() -> Duration {
    let time = clock_gettime(ClockId::ProcessCPUTime);
    let (seconds, nanos) = (u64::try_from(time.tv_sec), u32::try_from(time.tv_nsec));
    Duration::new(seconds.unwrap_or(0), nanos.unwrap_or(0))
}

/// The value below which `share` of them lie.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn quantile(durations: &[Duration], share: f64) -> Duration {
    let mut sorted = durations.to_vec();
    sorted.sort_unstable();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss, reason = "few")]
    let index = ((sorted.len() as f64 * share).ceil() as usize).clamp(1, sorted.len()) - 1;
    sorted[index]
}
