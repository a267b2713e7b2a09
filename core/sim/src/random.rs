//! All randomness of a simulation, from its one seed.
//!
//! Invariant: each use draws from a stream of its own, so that one more draw in one place changes nothing
//! in another.

use core::time::Duration;
use rand::{Rng, RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// What a stream of random numbers is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// Keys and identities.
    Keys,
    /// Latency, loss, duplication.
    Network,
    /// Crashes, and what they leave of unsynced writes.
    Faults,
    /// How long execution and disks take.
    Delays,
    /// Transactions.
    Workload,
    /// What a scenario leaves to chance.
    Scenario,
    /// What an operator's verify stage needs.
    Operator(u16),
    /// What a Byzantine operator leaves to chance.
    Byzantine(u16),
}

impl Stream {
    fn number(self) -> u64 {
        match self {
            Self::Keys => 1,
            Self::Network => 2,
            Self::Faults => 3,
            Self::Delays => 4,
            Self::Workload => 5,
            Self::Scenario => 6,
            Self::Operator(index) => 0x1_0000 + u64::from(index),
            Self::Byzantine(index) => 0x2_0000 + u64::from(index),
        }
    }
}

/// One stream of random numbers.
#[derive(Clone, Debug)]
pub struct Random(ChaCha8Rng);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64, stream: Stream) -> Self {
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        rng.set_stream(stream.number());
        Self(rng)
    }

    /// The generator itself, for those that want one.
    pub fn rng(&mut self) -> &mut ChaCha8Rng {
        &mut self.0
    }

    /// Any number.
    pub fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// From `low` to `high`, both included.
    pub fn between(&mut self, low: u64, high: u64) -> u64 {
        if low >= high { low } else { self.0.random_range(low..=high) }
    }

    /// An index below `length`, which is not zero.
    pub fn index(&mut self, length: usize) -> usize {
        self.0.random_range(0..length)
    }

    /// Any time up to `longest`, to the microsecond.
    pub fn duration(&mut self, longest: Duration) -> Duration {
        Duration::from_micros(self.between(0, micros(longest)))
    }

    /// True in `parts_per_million` of a million cases.
    pub fn chance(&mut self, parts_per_million: u32) -> bool {
        parts_per_million > 0 && self.0.random_range(0..1_000_000) < parts_per_million
    }
}

/// Whole microseconds of a duration.
#[must_use]
pub fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_is_fixed_by_its_seed_and_apart_from_others() {
        let draw = |seed, stream| Random::new(seed, stream).number();
        assert_eq!(draw(1, Stream::Network), draw(1, Stream::Network));
        assert_ne!(draw(1, Stream::Network), draw(2, Stream::Network));
        assert_ne!(draw(1, Stream::Network), draw(1, Stream::Faults));
        assert_ne!(draw(1, Stream::Operator(0)), draw(1, Stream::Byzantine(0)));
    }

    #[test]
    fn chances_are_about_right() {
        let mut random = Random::new(1, Stream::Network);
        assert!((0..1_000).all(|_| !random.chance(0) && random.chance(1_000_000)));
        let hits = (0..10_000).filter(|_| random.chance(100_000)).count();
        assert!((800..1_200).contains(&hits), "a tenth of 10,000, not {hits}");
    }
}
