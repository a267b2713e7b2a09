//! What rules that cost nothing when all goes well are for: links slower than every first timeout, and messages that
//! are lost once.

use crate::script::{cluster, ms, op, progress, run, vote_of};
use core::time::Duration;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::network::Link;
use phalanx_sim::packet::Content;
use phalanx_types::{Message, VoteKind};

/// Everything of a kind that is sent within a tenth of a second is lost, amid a long healthy term. It goes on.
fn lost_once(lost: impl Fn(&Content) -> bool + Send + 'static) {
    let mut cluster = cluster(4, 300, &[]);
    run(&mut cluster, ms(500));
    cluster.world.checkers.expect_term_kept(Some(0));
    cluster.set_filter(move |passing| !lost(passing.content));
    run(&mut cluster, ms(100));
    cluster.clear_filter();
    progress(&mut cluster, ms(2_000));
    assert_eq!(cluster.status(op(1)).expect("it runs").term, 0);
}

#[test]
fn votes_to_notarize_that_are_lost_are_sent_again_before_the_term_ends() {
    lost_once(|content| vote_of(content).is_some_and(|vote| vote.kind == VoteKind::Notarize));
}

#[test]
fn proposals_that_are_lost_are_sent_again_before_the_term_ends() {
    lost_once(|content| matches!(content, Content::Message(Message::Proposal { .. })));
}

#[test]
fn timeouts_grow_until_links_slower_than_the_first_of_them_suffice() {
    let mut config = ClusterConfig::new(1, 4);
    config.slots_per_term = 4;
    config.liveness_bound = Duration::from_secs(60);
    config.link = Link { latency: config.progress_timeout * 2, ..Link::GOOD };
    let mut cluster = Cluster::new(config);
    cluster.watch_all();
    run(&mut cluster, Duration::from_secs(60));
    assert!(cluster.height_of_the_last() > 8, "{}", cluster.height_of_the_last());
}
