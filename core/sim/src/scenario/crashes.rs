//! Operators crash, at any point, and restart from what was durable.

use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use crate::network::Link;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::OperatorIndex;

const LOAD_INTERVAL: Duration = Duration::from_millis(50);
/// How long recovery may take.
const RECOVERY: Duration = Duration::from_secs(8);

pub(super) fn configure(config: &mut ClusterConfig) {
    config.slots_per_term = [1, 2, 8, 50][usize::try_from(config.seed / 4 % 4).expect("below four")];
    config.liveness_bound = RECOVERY;
    // Small, so that compaction and its crashes are met.
    config.compaction_bytes = 20_000;
}

/// In every second seed, disks forget payloads that they were to keep: a leader then cannot account for its term, and
/// leaves it.
pub(super) fn configure_leader_killed(config: &mut ClusterConfig) {
    configure(config);
    if config.seed / 16 % 2 == 1 && config.size.f() > 0 {
        // One at a time is away, so that somebody always has them.
        config.loses_payloads = config.size.operators().collect();
        // Far apart and with long terms, so that a leader always has some that are not final, and comes back in time.
        config.link = Link { latency: Duration::from_millis(40), jitter: Duration::from_millis(10), ..Link::GOOD };
        config.slots_per_term = config.slots_per_term.max(8);
    }
}

fn random_of(cluster: &Cluster) -> Random {
    let mut random = Random::new(cluster.config().seed, Stream::Scenario);
    random.rng().set_word_pos(1 << 20);
    random
}

fn down(cluster: &Cluster) -> usize {
    cluster.operators().iter().filter(|operator| !operator.is_up()).count()
}

/// Asks for progress where a quorum is up, and only there.
fn watch_if_quorum(cluster: &mut Cluster) {
    if down(cluster) <= cluster.config().size.f() { cluster.watch_all() } else { cluster.unwatch_all() }
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster);
    cluster.inflict(Fault::Links(Link { loss_ppm: 20_000, duplicate_ppm: 10_000, ..Link::GOOD }));
    cluster.set_load(Some(LOAD_INTERVAL));
    let down_max = cluster.config().size.f().max(1);
    for _ in 0..30 {
        cluster.pause(Duration::from_millis(random.between(50, 1_000)))?;
        watch_if_quorum(cluster);
        if down(cluster) >= down_max {
            continue;
        }
        let victim = any_operator(cluster, &mut random);
        if random.chance(300_000) {
            cluster.inflict(Fault::CrashWhileWriting(victim));
        } else if random.chance(150_000) {
            cluster.inflict(Fault::FillDisk(victim));
        } else {
            cluster.inflict(Fault::Crash(victim));
            cluster.restart_after(victim, Duration::from_millis(random.between(1, 3_000)));
        }
        watch_if_quorum(cluster);
    }
    recover(cluster)
}

/// All are up again: everyone makes progress, and nothing accepted is lost.
fn recover(cluster: &mut Cluster) -> Result<(), Failure> {
    cluster.run_until_reached(Duration::from_secs(5), "everyone restarts", |cluster| down(cluster) == 0)?;
    cluster.watch_all();
    let height = cluster.height();
    cluster.run_until_reached(RECOVERY, "everyone catches up and goes on", |cluster| {
        cluster.height_of_the_last() > height + 3
    })?;
    cluster.expect_all_committed(Duration::from_secs(10))
}

fn any_operator(cluster: &Cluster, random: &mut Random) -> OperatorIndex {
    let operators: Vec<_> = cluster.config().size.operators().collect();
    operators[random.index(operators.len())]
}

/// Invariant 6, the other half.
pub(super) fn play_blackout(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster);
    cluster.set_load(Some(LOAD_INTERVAL));
    for _ in 0..4 {
        cluster.pause(Duration::from_millis(random.between(200, 3_000)))?;
        cluster.unwatch_all();
        let operators: Vec<_> = cluster.config().size.operators().collect();
        operators.iter().for_each(|operator| cluster.inflict(Fault::Crash(*operator)));
        for operator in operators {
            cluster.restart_after(operator, Duration::from_millis(random.between(100, 1_500)));
        }
        cluster.run_for(Duration::from_millis(1_600))?;
        cluster.watch_all();
    }
    recover(cluster)
}

/// Disks fail amid one of the next few writes, everywhere, over and over.
pub(super) fn play_every_write(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster);
    cluster.set_load(Some(LOAD_INTERVAL));
    for _ in 0..25 {
        let operators: Vec<_> = cluster.config().size.operators().collect();
        for operator in operators {
            if random.chance(500_000) {
                cluster.inflict(Fault::CrashWhileWriting(operator));
            }
        }
        cluster.pause(Duration::from_millis(random.between(100, 900)))?;
    }
    cluster.repair_disks();
    recover(cluster)
}

pub(super) fn play_leader_killed(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster);
    cluster.set_load(Some(LOAD_INTERVAL / 2));
    for _ in 0..6 {
        cluster.watch_all();
        cluster.pause(Duration::from_millis(random.between(500, 2_500)))?;
        let leader = cluster.config().size.leader(cluster.term());
        cluster.inflict(Fault::Crash(leader));
        watch_if_quorum(cluster);
        // One that has lost its payloads comes back while its term goes on.
        let away_max = if cluster.config().loses_payloads.is_empty() { 4_000 } else { 200 };
        let away = Duration::from_millis(random.between(10, away_max));
        cluster.restart_after(leader, away);
        cluster.run_for(away)?;
    }
    recover(cluster)
}
