//! What is done to a cluster, and what must come of it. One file for each kind of trouble.
//!
//! A scenario is a function of its seed alone: the seed fixes the size of the cluster (mostly four operators, which
//! cost least, where nothing else is said), the scheme (one seed in [`BLS_SEEDS`] signs with real BLS), whether votes go
//! to collectors (one seed in [`COLLECTORS_SEEDS`]), and everything that is left to chance. The invariants are asserted
//! after every event, whatever the scenario.

mod byzantine;
mod chaos;
mod collectors;
mod crashes;
mod each_write;
mod healthy;
mod leaving;
mod partitions;
mod silence;
mod too_many;
mod twins;

pub use each_write::schedules as each_write_schedules;
pub use twins::schedules as twin_schedules;

use crate::cluster::{Cluster, ClusterConfig, Inflicted, Report};
use crate::failure::Failure;
use crate::keys::Scheme;
use crate::plan::Plan;
use clap::ValueEnum;
use phalanx_consensus::Collectors;
use phalanx_types::Time;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// One seed in so many signs with real BLS.
pub const BLS_SEEDS: u64 = 64;
/// One seed in so many uses collectors however few operators there are.
pub const COLLECTORS_SEEDS: u64 = 3;
const SIZES: [usize; 16] = [4, 7, 4, 1, 4, 5, 4, 4, 4, 7, 4, 1, 10, 5, 4, 4];

/// The scenarios by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, ValueEnum)]
pub enum Scenario {
    /// Good links, load, nothing goes wrong: blocks come at their rate.
    Healthy,
    /// Long delays, loss, duplication, reordering.
    Lossy,
    /// An operator is dead from the start.
    DeadLeader,
    /// One operator hears nothing for longer than its timeout, amid a healthy term.
    TransientTimeout,
    /// Operators crash and restart, also amid journal writes; at most `f` at a time.
    Crashes,
    /// All operators crash at once, and restart.
    Blackout,
    /// Every operator crashes right after its journal took some vote, again and again.
    CrashAtEveryWrite,
    /// One operator, or everyone, crashes at one write of its journal: all writes, one a seed.
    CrashAtEachWrite,
    /// The leader is killed under load, again and again.
    LeaderKilled,
    /// The network splits so that nobody has a quorum, or so that few are left out; then it heals.
    Partition,
    /// More than `f` operators are down: nothing is final until they return.
    TooManySilent,
    /// Each leader hands its term over.
    HandOver,
    /// One operator calls every block invalid, and must halt.
    Refusal,
    /// `f` Byzantine operators, each with some behaviour.
    Byzantine,
    /// `f` operators never vote to finalize, and an honest one is away at times.
    Stalled,
    /// More than `f` Byzantine operators: it must be noticed.
    Broken,
    /// One of four operators sits at two machines, under all sequences of partitions of the five.
    Twins,
    /// More than 64 operators, whose collectors are dead, Byzantine or cut off.
    Collectors,
    /// Everything at once, then a good network.
    Chaos,
}

/// What came of one seed of a scenario.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// Which scenario.
    pub scenario: Scenario,
    /// Which seed.
    pub seed: u64,
    /// Figures; none where the code under test panicked.
    pub report: Option<Report>,
    /// What went wrong.
    pub failure: Option<Failure>,
    /// When it ended.
    pub at: Time,
    /// What was inflicted, in order.
    pub schedule: Vec<Inflicted>,
    /// The cluster that it was inflicted on.
    pub cluster: ClusterConfig,
    /// The newest lines of the trace, where text was asked for.
    pub lines: Vec<String>,
}

impl Outcome {
    /// The one command that shows this again.
    #[must_use]
    pub fn replay_command(&self) -> String {
        let name = self.scenario.to_possible_value().expect("no scenario is hidden");
        let (seed, name, plan) = (self.seed, name.get_name(), &self.cluster.plan);
        format!("cargo run -p phalanx-sim --release -- replay --seed {seed} --scenario {name}{plan}")
    }
}

impl Scenario {
    /// All scenarios, in order.
    #[must_use]
    pub fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// What a search plays with a seed: what finds most, and what takes the rarest arms of the rules, most often.
    #[must_use]
    pub fn of_search(seed: u64) -> Self {
        // `Collectors` takes as long as a hundred others; small clusters play it in all the rest.
        const TURNS: [(Scenario, u64); 18] = [
            (Scenario::Byzantine, 24),
            (Scenario::Twins, 16),
            (Scenario::Stalled, 15),
            (Scenario::Refusal, 10),
            (Scenario::Broken, 10),
            (Scenario::CrashAtEveryWrite, 10),
            (Scenario::Chaos, 6),
            (Scenario::LeaderKilled, 4),
            (Scenario::CrashAtEachWrite, 3),
            (Scenario::HandOver, 2),
            (Scenario::TransientTimeout, 1),
            (Scenario::Partition, 1),
            (Scenario::Crashes, 1),
            (Scenario::Healthy, 1),
            (Scenario::Lossy, 1),
            (Scenario::DeadLeader, 1),
            (Scenario::Blackout, 1),
            (Scenario::TooManySilent, 1),
        ];
        let all: u64 = TURNS.iter().map(|(_, turns)| turns).sum();
        // Neighbouring seeds differ in what they play; a scenario sees seeds of all residues.
        let mut turn = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 32;
        turn %= all;
        for (scenario, turns) in TURNS {
            if turn < turns {
                return scenario;
            }
            turn -= turns;
        }
        Self::Chaos
    }

    /// What the cluster of a seed is made of.
    #[must_use]
    pub fn config(self, seed: u64) -> ClusterConfig {
        // Seeds that sign with BLS are of all sizes, too.
        let turn = seed.wrapping_add(seed / BLS_SEEDS) % SIZES.len() as u64;
        let n = SIZES[usize::try_from(turn).expect("below sixteen")];
        let mut config = ClusterConfig::new(seed, n);
        if seed % BLS_SEEDS == BLS_SEEDS - 1 {
            config.scheme = Scheme::Bls;
        }
        if seed % COLLECTORS_SEEDS == COLLECTORS_SEEDS - 1 {
            let count = 1 + usize::try_from(seed / COLLECTORS_SEEDS % 3).expect("below three");
            config.collectors = Collectors { above: 3, count };
        }
        match self {
            Self::Healthy => healthy::configure(&mut config),
            Self::Lossy => healthy::configure_lossy(&mut config),
            Self::DeadLeader => silence::configure_dead(&mut config),
            Self::TransientTimeout => silence::configure_transient(&mut config),
            Self::Crashes | Self::Blackout | Self::CrashAtEveryWrite => crashes::configure(&mut config),
            Self::CrashAtEachWrite => each_write::configure(&mut config),
            Self::LeaderKilled => crashes::configure_leader_killed(&mut config),
            Self::Partition => partitions::configure(&mut config),
            Self::TooManySilent => silence::configure_too_many(&mut config),
            Self::HandOver => leaving::configure(&mut config),
            Self::Refusal => leaving::configure_refusal(&mut config),
            Self::Byzantine => byzantine::configure(&mut config),
            Self::Stalled => too_many::configure_stalled(&mut config),
            Self::Broken => too_many::configure_broken(&mut config),
            Self::Twins => twins::configure(&mut config),
            Self::Collectors => collectors::configure(&mut config),
            Self::Chaos => chaos::configure(&mut config),
        }
        config
    }

    fn play(self, cluster: &mut Cluster) -> Result<(), Failure> {
        match self {
            Self::Healthy => healthy::play(cluster),
            Self::Lossy => healthy::play_lossy(cluster),
            Self::DeadLeader => silence::play_dead(cluster),
            Self::TransientTimeout => silence::play_transient(cluster),
            Self::Crashes => crashes::play(cluster),
            Self::Blackout => crashes::play_blackout(cluster),
            Self::CrashAtEveryWrite => crashes::play_every_write(cluster),
            Self::CrashAtEachWrite => each_write::play(cluster),
            Self::LeaderKilled => crashes::play_leader_killed(cluster),
            Self::Partition => partitions::play(cluster),
            Self::TooManySilent => silence::play_too_many(cluster),
            Self::HandOver => leaving::play_hand_over(cluster),
            Self::Refusal => leaving::play_refusal(cluster),
            Self::Byzantine => byzantine::play(cluster),
            Self::Stalled => too_many::play_stalled(cluster),
            Self::Broken => too_many::play_broken(cluster),
            Self::Twins => twins::play(cluster),
            Self::Collectors => collectors::play(cluster),
            Self::Chaos => chaos::play(cluster),
        }
    }

    /// Plays one seed; `verbose` keeps the trace's text.
    #[must_use]
    pub fn run(self, seed: u64, verbose: bool) -> Outcome {
        self.run_planned(seed, &Plan::default(), verbose)
    }

    /// Plays what a plan leaves of one seed.
    #[must_use]
    pub fn run_planned(self, seed: u64, plan: &Plan, verbose: bool) -> Outcome {
        let mut config = self.config(seed);
        plan.apply(&mut config);
        config.verbose = verbose;
        play(self, config, |cluster| self.play(cluster))
    }
}

/// Plays something with a cluster, in the name of a scenario.
pub(crate) fn play(
    scenario: Scenario,
    config: ClusterConfig,
    act: impl FnOnce(&mut Cluster) -> Result<(), Failure>,
) -> Outcome {
    let seed = config.seed;
    let mut cluster = Cluster::new(config);
    let played = catch_unwind(AssertUnwindSafe(|| act(&mut cluster)));
    let (report, failure) = match played {
        Ok(result) => (Some(cluster.report()), result.err()),
        Err(panic) => (None, Some(Failure::Panicked(message_of(panic.as_ref())))),
    };
    Outcome {
        scenario,
        seed,
        report,
        failure,
        at: cluster.now(),
        schedule: cluster.inflicted().to_vec(),
        cluster: cluster.config().clone(),
        lines: cluster.world.trace.lines().map(str::to_owned).collect(),
    }
}

fn message_of(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().cloned();
    text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned())).unwrap_or_default()
}
