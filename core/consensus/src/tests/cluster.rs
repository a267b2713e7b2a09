//! Small clusters: the engine with itself.

use crate::testing::{BLOCK_TIME, Cluster, TIMEOUT, config};
use core::time::Duration;

#[test]
fn a_healthy_cluster_finalizes_a_block_each_block_time() {
    for n in [1_usize, 2, 3, 4, 5, 7, 10] {
        let mut cluster = Cluster::new(n, 7, |me| config(me, n, 8));
        cluster.run(BLOCK_TIME * 100);
        for (index, height) in cluster.heights().into_iter().enumerate() {
            assert!(height >= 95, "n = {n}: operator {index} has committed {height} of 100");
            let engine = cluster.engine(index);
            assert_eq!(engine.rule_counts().of(crate::Rule::LeaveProgress), 0, "nobody leaves a healthy term");
            assert_eq!(engine.rule_counts().of(crate::Rule::Resend), 0, "a healthy cluster says nothing twice");
        }
    }
}

#[test]
fn one_slot_terms_work_too() {
    let mut cluster = Cluster::new(4, 7, |me| config(me, 4, 1));
    cluster.run(BLOCK_TIME * 100);
    let heights = cluster.heights();
    assert!(heights.iter().all(|height| *height >= 80), "{heights:?}");
}

#[test]
fn a_dead_leader_costs_one_timeout() {
    let mut cluster = Cluster::new(4, 3, |me| config(me, 4, 8));
    cluster.run(Duration::from_millis(250));
    let before = cluster.height(1);
    cluster.crash(0);
    cluster.run(TIMEOUT + Duration::from_millis(400));
    assert!(cluster.height(1) > before, "{:?}", cluster.heights());
}
