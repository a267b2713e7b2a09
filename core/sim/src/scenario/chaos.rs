//! Everything at once: any size, any `W` and `D`, Byzantine operators, bad clocks, bad links, partitions,
//! crashes beyond `f`; then a good network, on which everyone must make progress.

use super::byzantine::any_byzantine;
use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use crate::network::Link;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex};

/// After the network has become good.
const RECOVERY: Duration = Duration::from_secs(20);

fn random_of(seed: u64, part: u128) -> Random {
    let mut random = Random::new(seed, Stream::Scenario);
    random.rng().set_word_pos(part << 24);
    random
}

pub(super) fn configure(config: &mut ClusterConfig) {
    let mut random = random_of(config.seed, 1);
    let n = [1, 2, 3, 4, 4, 4, 5, 6, 7, 7, 8, 9, 10][random.index(13)];
    config.size = ClusterSize::new(n).expect("a small cluster");
    config.slots_per_term = [1, 2, 3, 4, 5, 6, 7, 8, 50][random.index(9)];
    config.pipeline_depth = [1, 2, 4, 8][random.index(4)];
    config.block_time = Duration::from_millis([20, 100, 250][random.index(3)]);
    config.progress_timeout = Duration::from_millis([300, 500, 1_000][random.index(3)]);
    config.compaction_bytes = [4_000, 40_000, 16 << 20][random.index(3)];
    config.wall_skew_max = Duration::from_millis([0, 500, 3_000][random.index(3)]);
    config.drift_ppm_max = [0, 200, 20_000][random.index(3)];
    config.delays.sync_max = Duration::from_millis([1, 10, 40][random.index(3)]);
    config.delays.execution_max = Duration::from_millis([1, 10, 60][random.index(3)]);
    config.padding_bytes = [0, 0, 1_000, 30_000][random.index(4)];
    config.builds_refused_ppm = [0, 0, 100_000][random.index(3)];
    config.liveness_bound = RECOVERY;
    if random.chance(600_000) {
        config.byzantine = any_byzantine(config.size, &mut random);
    }
}

fn any_link(random: &mut Random) -> Link {
    Link {
        latency: Duration::from_micros(random.between(100, 150_000)),
        jitter: Duration::from_micros(random.between(0, 100_000)),
        loss_ppm: u32::try_from(random.between(0, 300_000)).expect("below a million"),
        duplicate_ppm: u32::try_from(random.between(0, 100_000)).expect("below a million"),
        straggler_ppm: u32::try_from(random.between(0, 50_000)).expect("below a million"),
        bandwidth_bytes_s: random.between(100_000, 100_000_000),
    }
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster.config().seed, 2);
    cluster.set_load(Some(Duration::from_millis(150)));
    let honest = cluster.honest();
    for _ in 0..random.between(5, 25) {
        trouble(cluster, &honest, &mut random);
        cluster.pause(Duration::from_millis(random.between(20, 1_500)))?;
    }
    calm(cluster);
    let height = cluster.height();
    cluster.run_until_reached(RECOVERY, "everyone makes progress on a good network", |cluster| {
        cluster.height_of_the_last() > height + 3
    })?;
    cluster.watch_all();
    cluster.run_for(Duration::from_secs(5))?;
    // Whoever was cut off offers its transactions again within a minute or so, or leads before that.
    cluster.expect_all_committed(Duration::from_secs(80))
}

/// One more thing goes wrong, or right.
fn trouble(cluster: &mut Cluster, honest: &[OperatorIndex], random: &mut Random) {
    let operators: Vec<_> = cluster.config().size.operators().collect();
    let any = operators[random.index(operators.len())];
    let other = operators[random.index(operators.len())];
    match random.between(0, 10) {
        0 => operators.iter().for_each(|operator| {
            cluster.inflict(Fault::Crash(*operator));
            cluster.restart_after(*operator, Duration::from_millis(random.between(1, 2_000)));
        }),
        1 => cluster.inflict(Fault::Crash(any)),
        2 => cluster.restart(any),
        3 => cluster.inflict(Fault::CrashWhileWriting(any)),
        4 => cluster.inflict(Fault::Link(any, other, any_link(random))),
        5 => {
            let link = any_link(random);
            cluster.inflict(Fault::Links(link));
        }
        6 => cluster.inflict(Fault::Cut(any, other)),
        7 => cluster.inflict(Fault::Isolate(any)),
        8 => cluster.world.network.heal(),
        9 => cluster.inflict(Fault::FillDisk(any)),
        _ => honest.iter().for_each(|operator| cluster.restart(*operator)),
    }
}

/// GST: the network is good, and everyone is up.
fn calm(cluster: &mut Cluster) {
    cluster.world.network.heal();
    cluster.world.network.set_all(Link::GOOD);
    cluster.repair_disks();
    let operators: Vec<_> = cluster.config().size.operators().collect();
    operators.into_iter().for_each(|operator| cluster.restart(operator));
}
