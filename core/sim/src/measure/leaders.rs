//! What a dead, an absent and a slow leader cost.

use crate::byzantine::BehaviourKind;
use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use core::time::Duration;
use phalanx_types::OperatorIndex;

/// Someone whose clock and commits are looked at; it neither dies nor is Byzantine.
const WITNESS: OperatorIndex = OperatorIndex(0);

/// What a dead leader cost.
#[derive(Clone, Copy, Debug)]
pub struct DeadLeader {
    /// The progress timeout at rest.
    pub timeout: Duration,
    /// The longest time without a commit when the leader died amid its term.
    pub gap: Duration,
    /// The longest that a term of it lasted once it was known absent.
    pub skipped_in: Duration,
    /// How many terms were skipped so.
    pub skipped: u64,
}

/// The leader of `n` operators dies amid a term of `slots_per_term`, and stays dead for some of its terms.
///
/// # Errors
/// What went wrong; nothing should.
pub fn dead_leader(n: usize, slots_per_term: u32) -> Result<DeadLeader, Failure> {
    let mut config = ClusterConfig::new(1, n);
    config.slots_per_term = slots_per_term;
    config.liveness_bound = Duration::from_secs(5);
    let (size, block_time, timeout) = (config.size, config.block_time, config.progress_timeout);
    let mut cluster = Cluster::new(config);
    cluster.world.timeline = Some(Box::default());
    cluster.watch_all();
    let dead = OperatorIndex(1);
    let one_term = block_time * slots_per_term;
    let operators = u32::try_from(n).expect("few");
    // Half of its second term is over.
    cluster.run_until_reached(one_term * operators * 3, "its second term", |cluster| {
        cluster.term() >= u64::from(operators) && size.leader(cluster.term()) == dead
    })?;
    cluster.run_for(one_term / 2)?;
    let (died_at, died_in) = (cluster.now(), cluster.term());
    cluster.crash(dead);
    let rounds = 4 * u64::from(operators);
    cluster.run_until_reached(one_term * 8 * operators + timeout * 16, "four rounds of leaders", |cluster| {
        cluster.term() > died_in + rounds
    })?;
    let timeline = cluster.world.timeline.as_ref().expect("it was asked for");
    // The first of its terms after the death is where it is found to be absent.
    let known = |(term, _): &(u64, Duration)| size.leader(*term) == dead && *term > died_in + u64::from(operators);
    let skips: Vec<Duration> = timeline.terms(WITNESS).into_iter().filter(known).map(|(_, took)| took).collect();
    let (skipped, skipped_in) = (skips.len() as u64, skips.into_iter().max().unwrap_or_default());
    Ok(DeadLeader { timeout, gap: timeline.longest_gap(WITNESS, died_at), skipped_in, skipped })
}

/// What a leader got that was as slow as the rules allow.
#[derive(Clone, Copy, Debug)]
pub struct SlowLeaderShare {
    /// `W`.
    pub slots_per_term: u32,
    /// The part of the time in which it led. Unit: per cent.
    pub share_percent: f64,
    /// The longest of its terms.
    pub longest_term: Duration,
    /// The cap of a term.
    pub cap: Duration,
    /// An honest leader's term.
    pub honest_term: Duration,
}

/// One of four operators is, as a leader, as slow as the rules allow in all its terms.
///
/// # Errors
/// What went wrong; nothing should.
pub fn slow_leader_share(slots_per_term: u32, rounds: u32) -> Result<SlowLeaderShare, Failure> {
    let slow = OperatorIndex(3);
    let mut config = ClusterConfig::new(1, 4);
    config.slots_per_term = slots_per_term;
    config.byzantine = vec![(slow, BehaviourKind::SlowLeader)];
    config.liveness_bound = Duration::from_secs(5);
    let (size, timeout) = (config.size, config.progress_timeout);
    let honest_term = config.block_time * slots_per_term;
    let cap = timeout + honest_term + honest_term / 2;
    let mut cluster = Cluster::new(config);
    cluster.world.timeline = Some(Box::default());
    cluster.watch_all();
    // Whole rounds of leaders, from term 1 on, whose beginning was seen.
    let last = u64::from(rounds) * 4;
    cluster.run_until_reached((honest_term * 4 + cap + timeout) * (rounds + 1), "all its terms", |cluster| {
        cluster.term() > last + 1
    })?;
    let timeline = cluster.world.timeline.as_ref().expect("it was asked for");
    let terms: Vec<_> = timeline.terms(WITNESS).into_iter().filter(|(term, _)| *term <= last).collect();
    let of_slow = || terms.iter().filter(|(term, _)| size.leader(*term) == slow).map(|(_, took)| *took);
    let all: Duration = terms.iter().map(|(_, took)| *took).sum();
    let longest_term = of_slow().max().unwrap_or_default();
    let share_percent = 100.0 * of_slow().sum::<Duration>().as_secs_f64() / all.as_secs_f64().max(f64::EPSILON);
    Ok(SlowLeaderShare { slots_per_term, share_percent, longest_term, cap, honest_term })
}
