//! Twins: four operators, one of which sits at two machines, under partitions that change from round to round. All
//! ways to split the five machines in two are played, for each seat, so that a seed is a number of one such schedule.

use crate::byzantine::BehaviourKind;
use crate::cluster::{Cluster, ClusterConfig, Fault};
use crate::failure::Failure;
use crate::network::Link;
use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex};

const SEATS: u64 = 4;
const MACHINES: u16 = 5;
/// Rounds of a schedule.
const ROUNDS: u32 = 3;
/// How long a partition lasts: long enough for a term to be left, and for the next one to finalize.
const ROUND: Duration = Duration::from_millis(1_700);
/// Slots of a term.
const TERMS: [u32; 3] = [1, 2, 4];

/// All splits of the five machines in two, the whole one among them: a bit for each machine that is not with the last
/// one. Splits that differ only by which of the two twins is where are one.
fn splits(seat: u64) -> Vec<u8> {
    let twin = MACHINES - 1;
    (0..1_u8 << twin)
        .filter(|split| {
            // The last machine, a twin, is on the side of the zeros: its other half is on either.
            let others = *split & !(1 << seat);
            let apart = split >> seat & 1 == 1;
            // Apart, exchanging the halves exchanges the sides: the one with fewer others stands for both.
            !apart || others.count_ones() * 2 < u32::from(MACHINES - 2)
        })
        .collect()
}

/// How many schedules there are.
#[must_use]
pub fn schedules() -> u64 {
    let of_seat = |seat| (splits(seat).len() as u64).pow(ROUNDS);
    (0..SEATS).map(of_seat).sum::<u64>() * TERMS.len() as u64
}

/// The seat with a twin, the slots of a term, and the split of each round.
fn schedule(number: u64) -> (OperatorIndex, u32, Vec<u8>) {
    let mut rest = number % schedules();
    let slots = TERMS[usize::try_from(rest % TERMS.len() as u64).expect("small")];
    rest /= TERMS.len() as u64;
    let seat = rest % SEATS;
    rest /= SEATS;
    let splits = splits(seat);
    let count = splits.len() as u64;
    let rounds = (0..ROUNDS).map(|_| {
        let split = splits[usize::try_from(rest % count).expect("small")];
        rest /= count;
        split
    });
    let rounds = rounds.collect();
    (OperatorIndex(u16::try_from(seat).expect("small")), slots, rounds)
}

pub(super) fn configure(config: &mut ClusterConfig) {
    let (seat, slots, _) = schedule(config.seed);
    config.size = ClusterSize::new(4).expect("four operators");
    config.slots_per_term = slots;
    config.link = Link::GOOD;
    config.liveness_bound = Duration::from_secs(20);
    config.byzantine = vec![(seat, BehaviourKind::Twin)];
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let (_, _, rounds) = schedule(cluster.config().seed);
    for split in rounds {
        let machines = (0..MACHINES).map(OperatorIndex);
        let (first, second) = machines.partition(|machine| split >> machine.0 & 1 == 1);
        cluster.inflict(Fault::Partition(vec![first, second]));
        cluster.pause(ROUND)?;
    }
    cluster.world.network.heal();
    let height = cluster.height();
    cluster.watch_all();
    cluster.run_until_reached(
        Duration::from_secs(20),
        "everyone makes progress when all machines are joined",
        |cluster| cluster.height_of_the_last() > height + 3,
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn splits_are_all_of_them_but_for_which_twin_is_which() {
        for seat in 0..SEATS {
            // As sides without names, with the twins exchanged or not.
            let sides = |split: u8| {
                let all = (1_u8 << MACHINES) - 1;
                let (low, high) = (split.min(all ^ split), split.max(all ^ split));
                (low, high)
            };
            let exchange = |split: u8| {
                let twin = u64::from(MACHINES - 1);
                let (one, other) = (split >> seat & 1, split >> twin & 1);
                (split & !(1 << seat) & !(1 << twin)) | (other << seat) | (one << twin)
            };
            let canonical = |split: u8| sides(split).min(sides(exchange(split)));
            let expected: BTreeSet<_> = (0..1_u8 << MACHINES).map(canonical).collect();
            let found: Vec<_> = splits(seat).into_iter().map(canonical).collect();
            let distinct: BTreeSet<_> = found.iter().copied().collect();
            assert_eq!(distinct, expected, "seat {seat}");
            assert_eq!(found.len(), distinct.len(), "seat {seat}: none twice");
        }
    }

    #[test]
    fn every_number_below_their_count_is_a_schedule_of_its_own() {
        let all: BTreeSet<_> = (0..schedules()).map(schedule).collect();
        assert_eq!(all.len() as u64, schedules());
    }
}
