//! What the model is relied on for: small instances complete with the numbers that docs/MODEL.md states, a walk
//! by another model checker over the same states sees as many, and fair runs from what was seen come to an end.
//!
//! Whether the checks can fail is shown by mutants of the engine: `docs/MUTATIONS.md`.

use core::time::Duration;
use phalanx_model::{Completion, Crashes, Explored, Explorer, Instance};
use stateright::{Checker, Model, Property};

/// The seat of a Byzantine operator that leads no explored term.
const FOLLOWER: u16 = 3;

fn explore(instance: &Instance, states_max: u64) -> (Explorer, Explored) {
    let mut explorer = Explorer::new(instance);
    let explored = explorer.explore(states_max, |_| true).unwrap_or_else(|broken| panic!("{broken}"));
    (explorer, explored)
}

#[test]
fn one_term_of_one_slot_is_complete() {
    let (_, explored) = explore(&Instance::new(1, 1, 0), u64::MAX);
    assert!(explored.complete);
    assert_eq!((explored.states, explored.operator_states), (1_064, 23));
    // Two blocks can be notarized or finalized, or the term nullified.
    assert_eq!(explored.certificates, 5);
    assert!(explored.with_finalization > 0 && explored.with_nullification > 0);
}

#[test]
fn one_term_of_two_slots_with_an_honest_leader_is_complete() {
    let (explorer, explored) = explore(&Instance::new(1, 2, FOLLOWER), u64::MAX);
    assert!(explored.complete);
    assert_eq!((explored.states, explored.operator_states), (89_162, 257));
    let mut completion = Completion::new();
    let mut runs = 0;
    for state in (0..explorer.states()).step_by(50).filter(|state| explorer.is_within(*state)) {
        let took = completion.run(&explorer, state);
        let took = took.unwrap_or_else(|stall| panic!("{}{stall}", explorer.path(state)));
        assert!(took <= Duration::from_secs(10), "{}took {took:?}", explorer.path(state));
        runs += 1;
    }
    assert!(runs > 300, "only {runs} of {} states are within the explored term", explorer.states());
}

#[test]
fn two_terms_of_one_slot_hold_as_far_as_a_test_can_go() {
    let mut instance = Instance::new(2, 1, 0);
    (instance.early, instance.evidence, instance.hand_over) = (true, true, true);
    let (_, explored) = explore(&instance, 100_000);
    assert!(explored.with_finalization > 0 && explored.with_nullification > 0);
    assert!(explored.rule_arms > 15, "arms taken: {}", explored.rule_arms);
}

#[test]
fn without_crashes_there_are_fewer_states() {
    let states = |crashes| explore(&Instance { crashes, ..Instance::new(1, 1, 0) }, u64::MAX).1.states;
    let counts = [Crashes::Never, Crashes::Between, Crashes::Anywhere].map(states);
    assert!(counts[0] < counts[1] && counts[1] <= counts[2], "{counts:?}");
}

#[test]
fn bounds_that_are_too_wide_are_refused() {
    let check = |terms, slots, byzantine| Instance::new(terms, slots, byzantine).check().map_err(|wrong| wrong.what);
    assert_eq!(check(2, 2, 3), Ok(()));
    assert_eq!(check(2, 3, 0), Err("--terms times --slots"));
    assert_eq!(check(0, 1, 0), Err("--terms"));
    assert_eq!(check(1, 1, 4), Err("--byzantine"));
}

/// The same states, walked by stateright.
struct Walk(Explorer);

impl Model for Walk {
    type State = u64;
    type Action = u64;

    fn init_states(&self) -> Vec<u64> {
        vec![self.0.initial()]
    }

    fn actions(&self, state: &u64, actions: &mut Vec<u64>) {
        actions.extend(self.0.successors(*state));
    }

    fn next_state(&self, _: &u64, action: u64) -> Option<u64> {
        Some(action)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![Property::always("no two certificates contradict each other", |walk: &Self, state| {
            walk.0.is_sound(*state)
        })]
    }
}

#[test]
fn stateright_sees_the_same_states() {
    for instance in [Instance::new(1, 1, 0), Instance::new(1, 2, FOLLOWER)] {
        let (explorer, explored) = explore(&instance, u64::MAX);
        let checker = Walk(explorer).checker().spawn_bfs().join();
        checker.assert_properties();
        assert_eq!(checker.unique_state_count() as u64, explored.states, "{instance:?}");
    }
}
