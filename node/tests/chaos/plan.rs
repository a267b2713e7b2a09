//! Which faults, in which order, for how long, and whom they befall: from the script, or drawn from a seed.

use crate::kind::Kind;
use crate::round::Fault;
use rand::RngExt;
use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;
use std::ops::RangeInclusive;
use std::time::Duration;

/// How long a fault that was drawn lasts. Unit: milliseconds.
const LASTS_MS: RangeInclusive<u64> = 300..=4_000;
/// How often a fault of links goes along with one of processes.
const BOTH_SHARE: f64 = 0.4;

/// A round before it is known whom it befalls.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Draw {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) lasts: Duration,
    /// Whether it lasts long enough for its trace to be demanded.
    pub(crate) scripted: bool,
}

impl Draw {
    /// A round of the script.
    pub(crate) fn scripted(kinds: &[Kind], lasts: Duration) -> Self {
        Self { kinds: kinds.to_vec(), lasts, scripted: true }
    }
}

/// Draws the next round among the kinds that are possible.
pub(crate) fn draw(random: &mut ChaCha8Rng, possible: &[Kind]) -> Option<Draw> {
    let first = *possible.choose(random)?;
    let mut kinds = vec![first];
    if random.random_bool(BOTH_SHARE) {
        let others: Vec<Kind> =
            possible.iter().copied().filter(|kind| kind.is_of_links() != first.is_of_links()).collect();
        kinds.extend(others.choose(random));
    }
    Some(Draw { kinds, lasts: Duration::from_millis(random.random_range(LASTS_MS)), scripted: false })
}

/// Chooses the victims: the leader first where there is one to hit, others by chance.
pub(crate) fn aim(random: &mut ChaCha8Rng, kind: Kind, operators: u8, faults: u8, leader: u8) -> Fault {
    let mut others: Vec<u8> = (0..operators).filter(|index| *index != leader).collect();
    others.shuffle(random);
    let count = usize::from(kind.victims(operators, faults));
    let victims = [leader].into_iter().chain(others).take(count).collect();
    Fault { kind, victims }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;
    use std::collections::BTreeSet;

    #[test]
    fn one_seed_draws_one_plan() {
        let plan = |seed| {
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            (0..50).map(|_| draw(&mut random, &Kind::ALL).expect("kinds")).collect::<Vec<_>>()
        };
        assert_eq!(plan(1), plan(1));
        assert_ne!(plan(1), plan(2));
        let drawn: BTreeSet<Kind> = plan(1).into_iter().flat_map(|draw| draw.kinds).collect();
        assert!(drawn.len() > Kind::ALL.len() / 2, "a plan of fifty rounds has only {drawn:?}");
        assert_eq!(draw(&mut ChaCha8Rng::seed_from_u64(1), &[]), None);
    }

    #[test]
    fn the_leader_is_among_the_victims_and_nobody_twice() {
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for kind in Kind::ALL {
            let fault = aim(&mut random, kind, 7, 2, 5);
            let victims: BTreeSet<u8> = fault.victims.iter().copied().collect();
            assert_eq!(victims.len(), usize::from(kind.victims(7, 2)), "{kind:?}");
            assert!(victims.is_empty() || victims.contains(&5), "{kind:?} spares the leader");
        }
    }
}
