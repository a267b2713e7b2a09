//! What the protocol promises in figures: a dead leader costs one timeout, an absent one a message delay, a slow one
//! its term's cap; and finality all over the world takes what light and quorums take.

use core::time::Duration;
use phalanx_sim::measure::{GlobalFinality, dead_leader, global_finality, large_cluster, slow_leader_share};

fn ms(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

#[test]
fn a_dead_leader_costs_one_timeout_not_one_for_each_slot() {
    for (n, slots_per_term) in [(4, 1), (4, 30), (7, 8)] {
        let figures = dead_leader(n, slots_per_term).expect("the others go on");
        // Two message delays, two syncs, and the first block of the next leader.
        let rest = ms(25);
        assert!(figures.gap <= figures.timeout + rest, "n = {n}, W = {slots_per_term}: {figures:?}");
    }
}

#[test]
fn an_absent_leader_is_skipped_in_one_message_delay() {
    for (n, slots_per_term) in [(4, 1), (7, 8)] {
        let figures = dead_leader(n, slots_per_term).expect("the others go on");
        assert!(figures.skipped >= 2, "{figures:?}");
        // A message takes 1.2 ms, and what is said first becomes durable within 2 ms.
        assert!(figures.skipped_in <= ms(5), "n = {n}, W = {slots_per_term}: {figures:?}");
    }
}

#[test]
fn a_leader_as_slow_as_the_rules_allow_gets_its_terms_cap_and_no_more() {
    for slots_per_term in [1, 4, 30] {
        let figures = slow_leader_share(slots_per_term, 3).expect("the others go on");
        assert!(figures.longest_term <= figures.cap + ms(25), "{figures:?}");
        let (cap, honest) = (figures.cap.as_secs_f64(), 3.0 * figures.honest_term.as_secs_f64());
        assert!(figures.share_percent <= 100.0 * cap / (cap + honest) + 1.0, "{figures:?}");
        let fair = 25.0;
        assert!(figures.share_percent > fair, "it is slower than the others: {figures:?}");
    }
}

fn assert_finality(n: usize, block_time: Duration, length: Duration) {
    let figures = global_finality(n, block_time, length).expect("nothing goes wrong");
    let GlobalFinality { interval, bound, median, blocks, .. } = figures;
    assert!(blocks > 0 && median >= bound, "nothing is faster than light: {figures:?}");
    assert!(median <= bound + ms(10), "{figures:?}");
    assert!(interval.abs_diff(block_time) <= block_time / 20, "{figures:?}");
}

#[test]
fn finality_over_the_world_is_within_ten_milliseconds_of_what_latencies_allow() {
    assert_finality(10, ms(20), ms(1_500));
}

#[test]
#[ignore = "minutes: fifty operators at 5 to 100 ms blocks, as `phalanx-sim measure finality` prints them"]
fn finality_of_fifty_operators_over_the_world_at_every_block_time() {
    for block_time in [5, 10, 20, 50, 100] {
        assert_finality(50, ms(block_time), ms(5_000));
    }
}

#[test]
#[ignore = "a minute where nothing is optimised; `phalanx-sim measure scale` prints the time that it takes"]
fn a_hundred_operators_keep_their_pace() {
    let report = large_cluster(100, ms(5_000)).expect("nothing goes wrong");
    assert!(report.finalized >= 45, "{report:?}");
}
