//! The walk over all states of the cluster, breadth first, and what must hold in each.
//!
//! A state is what each honest operator is. Everything that any of them ever said may reach anyone at any
//! time, any number of times, or never: the network has no state. The Byzantine operator has none either: its
//! partial is there for every certificate, so two honest votes make one; all proposals of its terms exist.

use crate::instance::{HONEST, Instance};
use crate::seen::{NONE, Seen};
use crate::table::{Edge, OPERATOR_STATES_MAX, Requires, Table};
use crate::tree;
use crate::universe::{Set, Universe, members};
use core::fmt;
use phalanx_consensus::Rule;
use phalanx_types::VoteKind;

/// How many bits an operator's state takes.
const BITS: u32 = OPERATOR_STATES_MAX.trailing_zeros();

/// How far an exploration came.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Explored {
    /// Distinct states of the cluster, up to the symmetries.
    pub states: u64,
    /// Those whose successors were all looked at.
    pub expanded: u64,
    /// Successors looked at.
    pub transitions: u64,
    /// Events from the start to the furthest state.
    pub depth: u64,
    /// Distinct states of single operators.
    pub operator_states: u64,
    /// States in which some block may be final.
    pub with_finalization: u64,
    /// States in which some term may be nullified.
    pub with_nullification: u64,
    /// Certificates that can be made in some state, of all that are well-formed.
    pub certificates: u32,
    /// Arms of the engine's rules that were taken.
    pub rule_arms: usize,
    /// Whether there is nothing left to explore.
    pub complete: bool,
}

/// How a rule was broken.
#[derive(Clone, Debug, thiserror::Error)]
pub struct Counterexample {
    /// What happened, in order.
    pub events: Vec<String>,
    /// What is wrong now.
    pub broken: String,
    /// How far the exploration had come.
    pub explored: Explored,
}

impl fmt::Display for Counterexample {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for event in &self.events {
            writeln!(f, "  {event}")?;
        }
        write!(f, "BROKEN: {}", self.broken)
    }
}

/// A cluster's state taken apart, and what follows from it.
struct View {
    operators: [u32; HONEST],
    /// Certificates that the adversary can make.
    possible: Set,
    /// Proposals that exist.
    proposed: Set,
    /// Blocks that anybody knows of.
    blocks: u64,
}

/// Explores one instance.
#[derive(Debug)]
pub struct Explorer {
    table: Table,
    seen: Seen,
    /// From this place on operators act alike.
    alike_from: usize,
    reached: Set,
    explored: Explored,
}

impl Explorer {
    /// Stands at the initial state.
    #[must_use]
    pub fn new(instance: &Instance) -> Self {
        let mut table = Table::new(Universe::new(instance));
        let starts = table.starts();
        let stand_ins = instance.stand_ins();
        let alike_from = stand_ins.iter().position(|place| *place == HONEST - 1).unwrap_or(HONEST);
        let mut explorer = Self { table, seen: Seen::new(), alike_from, reached: 0, explored: Explored::default() };
        let start = explorer.pack(starts);
        explorer.seen.insert(start, NONE);
        explorer
    }

    /// Explores until everything was seen, `states_max` states were, or `go_on` (asked now and then) says no.
    ///
    /// # Errors
    /// The [`Counterexample`] that breaks a rule in the fewest events.
    pub fn explore(
        &mut self,
        states_max: u64,
        mut go_on: impl FnMut(&Explored) -> bool,
    ) -> Result<Explored, Box<Counterexample>> {
        let mut level_end = self.seen.len();
        let mut index = usize::try_from(self.explored.expanded).expect("an index of a state");
        while index < self.seen.len() {
            if index == level_end {
                self.explored.depth += 1;
                level_end = self.seen.len();
            }
            if self.seen.len() as u64 >= states_max || (index.is_multiple_of(1 << 14) && !go_on(&self.count())) {
                return Ok(self.count());
            }
            self.expand(index)?;
            index += 1;
            self.explored.expanded += 1;
        }
        self.explored.complete = true;
        Ok(self.count())
    }

    fn count(&mut self) -> Explored {
        self.explored.states = self.seen.len() as u64;
        self.explored.operator_states = self.table.entries.len() as u64;
        self.explored.certificates = self.reached.count_ones();
        self.explored.rule_arms = self.table.arms.len();
        self.explored
    }

    /// The arms of the engine's rules that some operator took.
    pub fn arms(&self) -> impl Iterator<Item = Rule> + '_ {
        self.table.arms.iter().copied()
    }

    /// How many states there are to pick from.
    #[must_use]
    pub fn states(&self) -> usize {
        self.seen.len()
    }

    /// Whether every operator still takes part in a state. Those that left the explored terms are told apart by
    /// what they said only, so that a run cannot go on from there.
    #[must_use]
    pub fn is_within(&self, state: usize) -> bool {
        self.operators(state).iter().all(|operator| !operator.is_over(&self.table.universe))
    }

    fn expand(&mut self, index: usize) -> Result<(), Box<Counterexample>> {
        let view = self.view(self.seen.state(index));
        self.note(&view);
        let parent = u32::try_from(index).expect("an index of a state");
        for place in 0..HONEST {
            if self.is_repeated(&view, place) {
                continue;
            }
            let state = view.operators[place];
            self.table.complete(state, view.possible, view.proposed);
            for number in 0..self.table.entries[state as usize].edges.len() {
                let edge = self.table.entries[state as usize].edges[number];
                if !self.may_happen(&view, &edge) {
                    continue;
                }
                self.explored.transitions += 1;
                if let Some(broken) = self.table.broken(edge.to) {
                    return Err(self.counterexample(index, Some((place, edge)), broken.to_owned()));
                }
                let next = self.pack_with(&view, place, edge.to);
                if self.seen.insert(next, parent)
                    && let Some(broken) = self.broken(next)
                {
                    return Err(self.counterexample(self.seen.len() - 1, None, broken));
                }
            }
        }
        Ok(())
    }

    fn note(&mut self, view: &View) {
        let kinds = |kind| self.table.universe.votes_in(view.possible).any(|vote| vote.kind == kind);
        let (finalized, nullified) = (kinds(VoteKind::Finalize), kinds(VoteKind::Nullify));
        self.reached |= view.possible;
        self.explored.with_finalization += u64::from(finalized);
        self.explored.with_nullification += u64::from(nullified);
    }

    /// Invariants 1 to 3 over all certificates that can be made.
    fn broken(&self, state: u64) -> Option<String> {
        let possible = self.view(state).possible;
        let universe = &self.table.universe;
        let first = members(possible).find(|number| universe.conflicts[usize::from(*number)] & possible != 0)?;
        let others = universe.votes_in(universe.conflicts[usize::from(first)] & possible);
        let others: Vec<String> = others.map(|vote| vote.to_string()).collect();
        Some(format!("certificates can be made of {} and of {}", universe.votes[usize::from(first)], others.join(", ")))
    }

    fn view(&self, state: u64) -> View {
        let operators = unpack(state);
        let [one, two, three] = operators.map(|operator| &self.table.entries[operator as usize]);
        View {
            operators,
            possible: (one.said & two.said) | (one.said & three.said) | (two.said & three.said),
            proposed: one.proposed | two.proposed | three.proposed | self.table.universe.byzantine_proposals,
            blocks: one.blocks | two.blocks | three.blocks,
        }
    }

    /// Whether the operator before is alike and in the same state: its successors are the same.
    fn is_repeated(&self, view: &View, place: usize) -> bool {
        place > self.alike_from && view.operators[place] == view.operators[place - 1]
    }

    fn may_happen(&self, view: &View, edge: &Edge) -> bool {
        let required = match edge.requires {
            Requires::Nothing => true,
            Requires::Certificate(number) => view.possible >> number & 1 == 1,
            Requires::Proposal(number) => view.proposed >> number & 1 == 1,
            Requires::Said { place, vote } => self.table.entries[view.operators[place] as usize].said >> vote & 1 == 1,
        };
        required && is_named_in_order(edge.block, view.blocks)
    }

    fn pack_with(&self, view: &View, place: usize, operator: u32) -> u64 {
        let mut operators = view.operators;
        operators[place] = operator;
        self.pack(operators)
    }

    fn pack(&self, mut operators: [u32; HONEST]) -> u64 {
        operators[self.alike_from.min(HONEST)..].sort_unstable();
        operators.iter().rev().fold(0, |state, operator| state << BITS | u64::from(*operator))
    }

    fn counterexample(&self, index: usize, last: Option<(usize, Edge)>, broken: String) -> Box<Counterexample> {
        let mut events = self.events(index);
        events.extend(last.map(|(place, edge)| self.table.describe(edge.event, place)));
        Box::new(Counterexample { events, broken, explored: self.explored })
    }

    fn events(&self, index: usize) -> Vec<String> {
        let mut path: Vec<usize> = core::iter::successors(Some(index), |index| self.seen.parent(*index)).collect();
        path.reverse();
        path.windows(2).map(|pair| self.between(self.seen.state(pair[0]), self.seen.state(pair[1]))).collect()
    }

    /// In words, what led to a state, one event a line.
    #[must_use]
    pub fn path(&self, state: usize) -> String {
        self.events(state).iter().map(|event| format!("  {event}\n")).collect()
    }

    /// In words, what led from one state to the next.
    fn between(&self, from: u64, to: u64) -> String {
        let view = self.view(from);
        for place in 0..HONEST {
            for edge in &self.table.entries[view.operators[place] as usize].edges {
                let leads = self.table.broken(edge.to).is_none() && self.pack_with(&view, place, edge.to) == to;
                if leads && self.may_happen(&view, edge) {
                    return self.table.describe(edge.event, place);
                }
            }
        }
        unreachable!("a state was reached from its parent")
    }

    /// The initial state, for other walkers over the same states.
    #[must_use]
    pub fn initial(&self) -> u64 {
        self.seen.state(0)
    }

    /// The successors of a state that was expanded.
    #[must_use]
    pub fn successors(&self, state: u64) -> Vec<u64> {
        let view = self.view(state);
        let edges = |place: usize| self.table.entries[view.operators[place] as usize].edges.iter();
        let enabled = (0..HONEST).flat_map(|place| edges(place).map(move |edge| (place, edge)));
        let enabled = enabled.filter(|(_, edge)| self.may_happen(&view, edge));
        enabled.map(|(place, edge)| self.pack_with(&view, place, edge.to)).collect()
    }

    /// Whether nothing is broken in a state.
    #[must_use]
    pub fn is_sound(&self, state: u64) -> bool {
        self.broken(state).is_none()
    }

    pub(crate) fn operators(&self, index: usize) -> [&crate::operator::Operator; HONEST] {
        unpack(self.seen.state(index)).map(|operator| &self.table.entries[operator as usize].operator)
    }

    pub(crate) fn universe(&self) -> &Universe {
        &self.table.universe
    }
}

/// Siblings differ in name only: the second one of a pair comes into play only after one of the two did, at
/// each height of the path.
fn is_named_in_order(block: tree::Id, blocks: u64) -> bool {
    tree::path(block).all(|id| !tree::is_second(id) || blocks & (1 << id | 1 << tree::sibling(id)) != 0)
}

fn unpack(state: u64) -> [u32; HONEST] {
    let mask = (1_u64 << BITS) - 1;
    let mut rest = state;
    [(); HONEST].map(|()| {
        let operator = u32::try_from(rest & mask).expect("masked");
        rest >>= BITS;
        operator
    })
}
