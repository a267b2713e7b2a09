//! Large clusters, in which a few operators collect the votes of each term: nothing goes wrong, they are dead, or they
//! are Byzantine, every one of them or some; or the network splits between them and the rest.

use crate::byzantine::BehaviourKind;
use crate::cluster::{Cluster, ClusterConfig};
use crate::failure::Failure;
use crate::random::{Random, Stream};
use core::time::Duration;
use phalanx_consensus::Collectors;
use phalanx_types::{ClusterSize, OperatorIndex};

/// Above what collectors are used unless a scenario says otherwise.
const SIZES: [usize; 5] = [65, 67, 72, 85, 100];
/// How long the trouble lasts: about a term that is as slow as the rules allow, and the next one.
const LENGTH: Duration = Duration::from_secs(4);
const RECOVERY: Duration = Duration::from_secs(10);

/// What a seed is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trouble {
    /// Nothing.
    None,
    /// All collectors of term 0, its leader among them, are Byzantine: they keep certificates to themselves.
    Withheld,
    /// They tell just enough operators to go on, always the same.
    Selective,
    /// They say nothing at all.
    Silent,
    /// They forge certificates.
    Forged,
    /// They sign nonsense, each by itself or so that errors cancel.
    Lying,
    /// Some of them crash, the leader or not.
    Dead,
    /// The leader and its collectors, or some of them, are cut off.
    Partition,
    /// `f` operators, with any behaviour each.
    Any,
}

const TROUBLES: [Trouble; 9] = [
    Trouble::None,
    Trouble::Withheld,
    Trouble::Selective,
    Trouble::Silent,
    Trouble::Forged,
    Trouble::Lying,
    Trouble::Dead,
    Trouble::Partition,
    Trouble::Any,
];

fn trouble(seed: u64) -> Trouble {
    TROUBLES[usize::try_from(seed % TROUBLES.len() as u64).expect("below nine")]
}

fn random_of(seed: u64, part: u128) -> Random {
    let mut random = Random::new(seed, Stream::Scenario);
    random.rng().set_word_pos(part << 24);
    random
}

/// The collectors of term 0, its leader first.
fn collectors(config: &ClusterConfig) -> Vec<OperatorIndex> {
    config.size.operators().take(config.collectors.count + 1).collect()
}

/// The collectors of term 0 lead it and the terms after it. Where they lead nowhere, each of these takes a timeout, twice
/// as long as the one before up to the longest; what they do else passes by re-sending.
fn all_their_terms(config: &ClusterConfig) -> Duration {
    let timeout = |term: u32| config.progress_timeout * (1 << term.min(3));
    let terms = 0..=u32::try_from(config.collectors.count).expect("few");
    terms.map(timeout).sum::<Duration>() + Duration::from_secs(4)
}

pub(super) fn configure(config: &mut ClusterConfig) {
    let mut random = random_of(config.seed, 4);
    config.size = ClusterSize::new(SIZES[random.index(SIZES.len())]).expect("within range");
    config.scheme = crate::keys::Scheme::Toy;
    config.slots_per_term = [4, 8, 30][random.index(3)];
    config.collectors = Collectors { count: [1, 4, 8][random.index(3)], ..Collectors::default() };
    config.liveness_bound = all_their_terms(config);
    let kinds: &[BehaviourKind] = match trouble(config.seed) {
        Trouble::None => {
            config.liveness_bound = Duration::from_millis(300);
            &[]
        }
        Trouble::Withheld => &[BehaviourKind::WithholdingCollector],
        Trouble::Selective => &[BehaviourKind::SelectiveCollector],
        Trouble::Silent => &[BehaviourKind::Silent],
        Trouble::Forged => &[BehaviourKind::ForgedCertificates, BehaviourKind::WithholdingCollector],
        Trouble::Lying => &[BehaviourKind::InvalidPartials, BehaviourKind::ColludingPartials],
        Trouble::Dead | Trouble::Partition => &[],
        Trouble::Any => {
            config.byzantine = super::byzantine::any_byzantine(config.size, &mut random);
            config.liveness_bound = Duration::from_secs(20);
            return;
        }
    };
    config.byzantine = collectors(config).into_iter().zip(kinds.iter().copied().cycle()).collect();
}

pub(super) fn play(cluster: &mut Cluster) -> Result<(), Failure> {
    let mut random = random_of(cluster.config().seed, 5);
    cluster.set_load(Some(Duration::from_millis(200)));
    match trouble(cluster.config().seed) {
        Trouble::None => {
            cluster.watch_all();
            cluster.run_for(LENGTH)?;
            let due = LENGTH.as_millis() / cluster.config().block_time.as_millis();
            if u128::from(cluster.height_of_the_last()) * 10 < due * 8 {
                return Err(cluster.expected("eight blocks in ten come at their time"));
            }
        }
        Trouble::Dead => {
            cluster.watch_all();
            cluster.run_for(Duration::from_millis(random.between(100, 600)))?;
            let mut dying = collectors(cluster.config());
            let survives = random.index(dying.len());
            dying.remove(survives);
            cluster.serve_from(cluster.honest().into_iter().filter(|operator| !dying.contains(operator)).collect());
            dying.iter().for_each(|operator| cluster.crash(*operator));
            cluster.run_for(LENGTH)?;
            dying.iter().for_each(|operator| cluster.restart(*operator));
            cluster.run_for(Duration::from_secs(1))?;
        }
        Trouble::Partition => {
            let cut_off: Vec<OperatorIndex> =
                collectors(cluster.config()).into_iter().filter(|_| random.chance(700_000)).collect();
            let rest = cluster.config().size.operators().filter(|operator| !cut_off.contains(operator)).collect();
            cluster.run_for(Duration::from_millis(random.between(100, 600)))?;
            cluster.world.network.partition(&[cut_off, rest]);
            cluster.run_for(LENGTH)?;
            cluster.world.network.heal();
            let height = cluster.height();
            cluster.run_until_reached(RECOVERY, "everyone goes on when the network heals", |cluster| {
                cluster.height_of_the_last() > height + 2
            })?;
        }
        _ => {
            cluster.watch_all();
            cluster.run_for(LENGTH)?;
        }
    }
    cluster.expect_all_committed(Duration::from_secs(60))
}
