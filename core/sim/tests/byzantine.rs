//! Each Byzantine behaviour does what its name says, and changes nothing for the honest: under the toy scheme with
//! every size of term, and with real signatures.

use phalanx_sim::byzantine::BehaviourKind;
use phalanx_sim::cluster::{Cluster, ClusterConfig};
use phalanx_sim::failure::Failure;
use phalanx_sim::keys::Scheme;
use phalanx_types::OperatorIndex;
use std::time::Duration;

/// How often an honest operator is away: often enough that it asks a Byzantine one, too.
const ABSENCES: usize = 6;

/// `f` operators with one behaviour among `n`; an honest one is down for a while, so that it has to catch up. How
/// often they did what an honest operator would not have.
fn deeds(kind: BehaviourKind, n: usize, slots_per_term: u32, scheme: Scheme) -> Result<u64, Failure> {
    let mut config = ClusterConfig::new(u64::from(slots_per_term), n);
    config.slots_per_term = slots_per_term;
    config.scheme = scheme;
    config.liveness_bound = Duration::from_secs(20);
    let f = u16::try_from(config.size.f()).expect("few");
    config.byzantine = (0..f).map(|index| (OperatorIndex(index), kind)).collect();
    let mut cluster = Cluster::new(config);
    let away = OperatorIndex(u16::try_from(n - 1).expect("few"));
    cluster.set_load(Some(Duration::from_millis(200)));
    cluster.watch_all();
    for _ in 0..ABSENCES {
        cluster.run_for(Duration::from_secs(1))?;
        cluster.crash(away);
        cluster.run_for(Duration::from_secs(2))?;
        let height = cluster.height();
        cluster.restart(away);
        cluster.watch_all();
        cluster.run_until_reached(Duration::from_secs(20), "the returned operator catches up", |cluster| {
            cluster.height_of_the_last() > height
        })?;
    }
    cluster.expect_all_committed(Duration::from_secs(60))?;
    Ok((0..f).map(|index| cluster.operator(OperatorIndex(index)).deeds()).sum())
}

fn each_does(n: usize, slots_per_term: u32, scheme: Scheme) {
    for kind in BehaviourKind::ALL {
        match deeds(kind, n, slots_per_term, scheme) {
            Ok(deeds) => assert!(deeds > 0, "{kind:?} with W = {slots_per_term} was as honest as the others"),
            Err(failure) => panic!("{kind:?} with W = {slots_per_term} among {n}: {failure}"),
        }
    }
}

#[test]
fn one_of_four_with_terms_of_one_slot() {
    each_does(4, 1, Scheme::Toy);
}

#[test]
fn one_of_four_with_terms_of_six() {
    each_does(4, 6, Scheme::Toy);
}

#[test]
fn two_of_seven_together() {
    each_does(7, 3, Scheme::Toy);
}

#[test]
fn one_of_six() {
    each_does(6, 8, Scheme::Toy);
}

#[test]
fn errors_that_cancel_in_a_sum_are_found_with_real_signatures() {
    let deeds = deeds(BehaviourKind::ColludingPartials, 7, 4, Scheme::Bls).expect("the others finalize");
    assert!(deeds > 0);
}
