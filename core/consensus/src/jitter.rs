//! The engine's only randomness: a small generator that spreads re-sends, seeded by the configuration, so
//! that one seed gives one trace. Nothing that matters for safety is drawn from it.

use core::time::Duration;

/// SplitMix64 (Steele, Lea and Flood, 2014).
#[derive(Clone, Debug)]
pub(crate) struct Jitter(u64);

impl Jitter {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Between one and one and a half times `duration`.
    pub(crate) fn spread(&mut self, duration: Duration) -> Duration {
        let thousandths = u32::try_from(self.next() % 501).expect("a remainder of 501 fits in a u32");
        duration + duration * thousandths / 1_000
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spreads_within_its_bounds_and_repeats_by_seed() {
        let (mut one, mut two) = (Jitter::new(7), Jitter::new(7));
        let base = Duration::from_millis(100);
        let drawn: Vec<_> = (0..1_000).map(|_| one.spread(base)).collect();
        assert!(drawn.iter().all(|spread| (base..=base * 3 / 2).contains(spread)));
        assert!(drawn.iter().any(|spread| *spread > base * 14 / 10), "the bounds are used");
        assert!(drawn.iter().all(|spread| *spread == two.spread(base)), "one seed, one trace");
    }
}
