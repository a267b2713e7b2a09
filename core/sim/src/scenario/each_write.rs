//! A crash at every single write of a journal: a seed is the number of one operator, or all of them, and of one of
//! its first writes and syncs, so that a range of seeds leaves none out. Meanwhile blocks are agreed on, then nobody
//! hears anybody, so that terms are left, and then the network is good again.

use super::silence::at_least_four;
use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use core::time::Duration;
use phalanx_types::OperatorIndex;

/// Writes and syncs of the schedule. There are more only where a crash makes more.
const WRITES: u64 = 100;
/// One of four operators, or all of them.
const VICTIMS: u64 = 5;
/// Slots of a term.
const TERMS: [u32; 4] = [1, 2, 4, 50];

/// How many schedules there are; what else is left to chance differs from seed to seed.
#[must_use]
pub fn schedules() -> u64 {
    WRITES * VICTIMS * TERMS.len() as u64
}

fn operators(number: u64) -> Vec<OperatorIndex> {
    let victim = u16::try_from(number / WRITES % VICTIMS).expect("small");
    let all = 0..4;
    all.filter(|operator| victim == 4 || victim == *operator).map(OperatorIndex).collect()
}

pub(super) fn configure(config: &mut ClusterConfig) {
    at_least_four(config);
    config.size = phalanx_types::ClusterSize::new(4).expect("four operators");
    config.slots_per_term = TERMS[usize::try_from(config.seed / (WRITES * VICTIMS) % 4).expect("below four")];
    config.block_time = Duration::from_millis(50);
    config.progress_timeout = Duration::from_millis(300);
    config.liveness_bound = Duration::from_secs(10);
    // Met within the schedule, for some.
    config.compaction_bytes = 20_000;
}

/// Agreement, silence, agreement.
fn disturb(cluster: &mut Cluster) -> Result<(), Failure> {
    cluster.run_for(Duration::from_millis(600))?;
    cluster.world.network.partition(&[]);
    cluster.run_for(Duration::from_millis(500))?;
    cluster.world.network.heal();
    cluster.run_for(Duration::from_millis(700))
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let write = cluster.config().seed % WRITES;
    for victim in operators(cluster.config().seed) {
        cluster.inflict(Fault::CrashAtWrite(victim, write));
    }
    disturb(cluster)?;
    // Whoever did not write so much goes on without a crash.
    cluster.repair_disks();
    cluster.run_until_reached(Duration::from_secs(5), "everyone restarts", |cluster| {
        cluster.operators().iter().all(crate::operator::Operator::is_up)
    })?;
    let height = cluster.height();
    cluster.watch_all();
    cluster.run_until_reached(Duration::from_secs(8), "everyone goes on", |cluster| {
        cluster.height_of_the_last() > height + 2
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::Scenario;

    /// The number of the schedule in which one operator crashes at one write, with terms of one length.
    fn number(write: u64, victim: u64, terms: u64) -> u64 {
        write + WRITES * (victim + VICTIMS * terms)
    }

    #[test]
    fn every_number_is_another_write_of_somebody() {
        assert_eq!(schedules(), 2_000);
        assert_eq!(operators(number(7, 2, 0)), [OperatorIndex(2)]);
        assert_eq!(operators(number(7, 4, 1)).len(), 4);
        assert_eq!(Scenario::CrashAtEachWrite.config(number(7, 4, 3)).slots_per_term, 50);
    }

    #[test]
    fn the_writes_are_those_that_an_undisturbed_operator_makes() {
        let mut cluster = Cluster::new(Scenario::CrashAtEachWrite.config(number(0, 0, 2)));
        disturb(&mut cluster).expect("nothing crashes");
        let writes = cluster.operator_mut(OperatorIndex(0)).disk_operations();
        assert!((WRITES * 3 / 4..WRITES * 3 / 2).contains(&writes), "{writes} writes and syncs, not about {WRITES}");
    }
}
