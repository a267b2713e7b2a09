//! What is explored: how many terms and slots, which operator is Byzantine, and what may happen.

use core::time::Duration;
use phalanx_consensus::{Collectors, Config};
use phalanx_types::{B256, BlockRef, ClusterSize, OperatorIndex};

/// How many operators there are. One is Byzantine, the others run the engine.
pub const OPERATORS: usize = 4;
/// How many of them run the engine.
pub const HONEST: usize = OPERATORS - 1;
/// The most slots of all terms together: their blocks form a binary tree of this depth.
pub const SLOTS_MAX: u32 = 4;

/// When an operator may crash. Each crash is followed by a restart from the journal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum Crashes {
    /// Never.
    Never,
    /// Between two inputs.
    Between,
    /// Between two inputs, and after every record of the journal, also of a restart itself.
    Anywhere,
}

/// The bounds of one exploration.
#[derive(Clone, Debug, PartialEq, Eq, clap::Args)]
pub struct Instance {
    /// How many terms; an operator that enters the one after them takes no part any more.
    #[arg(long, default_value_t = 1)]
    pub terms: u64,
    /// `W`, the slots of a term.
    #[arg(long, default_value_t = 3)]
    pub slots: u32,
    /// `D`, the depth of the pipeline.
    #[arg(long, default_value_t = 2)]
    pub depth: u32,
    /// Which operator is Byzantine; operator `i` leads term `i`.
    #[arg(long, default_value_t = 0)]
    pub byzantine: u16,
    /// When operators may crash.
    #[arg(long, value_enum, default_value_t = Crashes::Anywhere)]
    pub crashes: Crashes,
    /// How many different blocks can stand on one parent: 1 or 2.
    #[arg(long, default_value_t = 2)]
    pub siblings: u8,
    /// Proposals also arrive when they are of no use yet (otherwise: only when they lead to a vote at once).
    #[arg(long)]
    pub early: bool,
    /// Each `Nullify` is also heard as such, one by one; without symmetry between operators.
    #[arg(long)]
    pub heard: bool,
    /// Evidence of equivocation may be shown.
    #[arg(long)]
    pub evidence: bool,
    /// Honest leaders may hand their term over.
    #[arg(long)]
    pub hand_over: bool,
    /// Votes go to collectors: the leader and the operator after it.
    #[arg(long)]
    pub collectors: bool,
}

/// Bounds that cannot be explored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{what} is {actual}, it must lie between {min} and {max}")]
pub struct OutOfBounds {
    /// Which bound.
    pub what: &'static str,
    /// What was asked for.
    pub actual: u64,
    /// The least.
    pub min: u64,
    /// The most.
    pub max: u64,
}

impl Instance {
    /// Whether these bounds can be explored.
    ///
    /// # Errors
    /// [`OutOfBounds`], the first one that cannot.
    pub fn check(&self) -> Result<(), OutOfBounds> {
        let slots = self.terms.saturating_mul(self.slots.into());
        let bounds = [
            ("--terms", self.terms, 1, u64::from(SLOTS_MAX)),
            ("--slots", self.slots.into(), 1, u64::from(SLOTS_MAX)),
            ("--terms times --slots", slots, 1, u64::from(SLOTS_MAX)),
            ("--depth", self.depth.into(), 1, u64::from(SLOTS_MAX)),
            ("--byzantine", self.byzantine.into(), 0, OPERATORS as u64 - 1),
            ("--siblings", self.siblings.into(), 1, 2),
        ];
        let wrong = bounds.into_iter().find(|(_, actual, min, max)| !(*min..=*max).contains(actual));
        wrong.map_or(Ok(()), |(what, actual, min, max)| Err(OutOfBounds { what, actual, min, max }))
    }

    /// `terms` terms of `slots` slots with one Byzantine operator, which may do all there is except that
    /// proposals arrive when they are of use, and neither is heard what leaving by itself covers.
    #[must_use]
    pub fn new(terms: u64, slots: u32, byzantine: u16) -> Self {
        Self {
            terms,
            slots,
            depth: 2,
            byzantine,
            crashes: Crashes::Anywhere,
            siblings: 2,
            early: false,
            heard: false,
            evidence: false,
            hand_over: false,
            collectors: false,
        }
    }

    /// The engine's settings in the model. Every duration is one microsecond, and steps lie further apart, so
    /// that each deadline has always passed: a tick is "the timer ran out", and no tick is "it did not".
    #[must_use]
    pub fn config(&self, me: OperatorIndex) -> Config {
        let instant = Duration::from_micros(1);
        Config {
            me,
            size: ClusterSize::new(OPERATORS).expect("four operators are a cluster"),
            epoch: 0,
            genesis: genesis(),
            slots_per_term: self.slots,
            block_time: instant,
            pipeline_depth: self.depth,
            progress_timeout_min: instant,
            progress_timeout_max: instant,
            finality_lag_min: instant,
            finality_lag_max: instant,
            resend_interval_min: instant,
            resend_interval_max: instant,
            jitter_seed: u64::from(me.0) + 1,
            collectors: self.collecting(),
        }
    }

    /// To whom votes go. It makes no difference to what may happen, where anything may reach anyone at any time; it
    /// does to a fair run.
    pub(crate) fn collecting(&self) -> Collectors {
        if self.collectors { Collectors { above: 0, count: 1 } } else { Collectors::default() }
    }

    /// The seats of the honest operators, those that act alike next to each other.
    #[must_use]
    pub fn seats(&self) -> [OperatorIndex; HONEST] {
        let honest = (0_u16..).filter(|seat| *seat != self.byzantine).map(OperatorIndex);
        let mut seats = [OperatorIndex::default(); HONEST];
        seats.iter_mut().zip(honest).for_each(|(seat, operator)| *seat = operator);
        seats
    }

    /// For each honest operator, by its place in [`Self::seats`], who stands for it: operators that lead none
    /// of the explored terms act alike, and the last of them stands for all.
    #[must_use]
    pub fn stand_ins(&self) -> [usize; HONEST] {
        let seats = self.seats();
        let leads = |place: usize| u64::from(seats[place].0) < self.terms;
        core::array::from_fn(|place| if self.heard || leads(place) { place } else { HONEST - 1 })
    }
}

/// The block that every exploration starts from.
#[must_use]
pub(crate) fn genesis() -> BlockRef {
    BlockRef::new(0, B256::repeat_byte(0xee))
}
