//! What each operator can be, and what each event makes of it: every state of one operator is kept once, and
//! every event is put to the engine once for each. The cluster's state is then one number for each operator,
//! and walking the cluster is looking up.

use crate::instance::{Crashes, HONEST};
use crate::operator::{Operator, Outcome};
use crate::tree;
use crate::universe::{Set, Universe};
use core::fmt;
use phalanx_consensus::{Input, Rule};
use phalanx_types::{OperatorIndex, VoteKind};
use std::collections::{BTreeMap, BTreeSet};
use std::panic::{AssertUnwindSafe, catch_unwind};

/// The most states of single operators: what fits three times in 63 bits.
pub(crate) const OPERATOR_STATES_MAX: usize = 1 << 21;
/// The numbers from here on stand for what is broken.
const BROKEN: u32 = 1 << 24;

/// Something that happens to one operator.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Event {
    Certificate(u8),
    Proposal(u8),
    Heard { from: OperatorIndex, vote: u8 },
    Built { block: tree::Id },
    Timeout,
    HandOver,
    Evidence { term: u64 },
    Crash,
}

/// What must be so in the cluster for an event to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Requires {
    Nothing,
    /// Enough honest operators said it for a certificate.
    Certificate(u8),
    /// It was proposed, or is the Byzantine leader's to propose.
    Proposal(u8),
    /// One operator said it.
    Said {
        place: usize,
        vote: u8,
    },
}

/// Where an event leads.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    pub(crate) event: Event,
    pub(crate) requires: Requires,
    /// The block that it brings into play, if any.
    pub(crate) block: tree::Id,
    pub(crate) to: u32,
}

/// One state of one operator.
#[derive(Debug)]
pub(crate) struct Entry {
    place: usize,
    pub(crate) operator: Operator,
    pub(crate) said: Set,
    pub(crate) proposed: Set,
    pub(crate) blocks: u64,
    over: bool,
    /// Certificates and proposals that were put to it.
    known: (Set, Set),
    /// Whether all else was.
    complete: bool,
    pub(crate) edges: Vec<Edge>,
}

/// All of them.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) universe: Universe,
    pub(crate) entries: Vec<Entry>,
    numbers: BTreeMap<(usize, Vec<u8>), u32>,
    broken: Vec<String>,
    /// Every arm of a rule that any engine took.
    pub(crate) arms: BTreeSet<Rule>,
}

impl Table {
    pub(crate) fn new(universe: Universe) -> Self {
        Self { universe, entries: Vec::new(), numbers: BTreeMap::new(), broken: Vec::new(), arms: BTreeSet::new() }
    }

    /// The state in which an operator of a place starts.
    pub(crate) fn start(&mut self, place: usize) -> u32 {
        let operator = Operator::new(&self.universe, self.universe.instance.seats()[place]);
        self.number(place, operator)
    }

    /// What is broken in a state, if it stands for that.
    pub(crate) fn broken(&self, state: u32) -> Option<&str> {
        state.checked_sub(BROKEN).map(|index| self.broken[index as usize].as_str())
    }

    fn number(&mut self, place: usize, operator: Operator) -> u32 {
        let (record, blocks) = operator.record(&self.universe);
        let next = u32::try_from(self.entries.len()).expect("bounded just below");
        let number = *self.numbers.entry((place, record)).or_insert(next);
        if number == next {
            assert!(
                self.entries.len() < OPERATOR_STATES_MAX,
                "one operator has more states than a number has room for"
            );
            let taken = operator.engine.rule_counts().iter().filter(|(_, count)| *count > 0);
            self.arms.extend(taken.map(|(rule, _)| rule));
            let (said, proposed) = (operator.journal.said, operator.journal.proposed);
            let over = operator.is_over(&self.universe);
            let (known, complete, edges) = ((0, 0), over, Vec::new());
            self.entries.push(Entry { place, operator, said, proposed, blocks, over, known, complete, edges });
        }
        number
    }

    /// Puts to an operator's state everything that can happen to it and was not put to it before.
    pub(crate) fn complete(&mut self, state: u32, possible: Set, proposed: Set) {
        let entry = &mut self.entries[state as usize];
        if entry.over {
            return;
        }
        let new = (possible & !entry.known.0, proposed & !entry.known.1);
        entry.known = (entry.known.0 | new.0, entry.known.1 | new.1);
        let was_complete = core::mem::replace(&mut entry.complete, true);
        for number in crate::universe::members(new.0) {
            self.put(state, Event::Certificate(number), Requires::Certificate(number), 0);
        }
        for number in crate::universe::members(new.1) {
            let block = tree::id(self.universe.proposals[usize::from(number)].header.block);
            self.put(state, Event::Proposal(number), Requires::Proposal(number), block);
        }
        if !was_complete {
            self.put_all_else(state);
        }
    }

    fn put_all_else(&mut self, state: u32) {
        let instance = self.universe.instance.clone();
        self.put(state, Event::Timeout, Requires::Nothing, 0);
        if instance.crashes != Crashes::Never {
            self.put(state, Event::Crash, Requires::Nothing, 0);
        }
        if instance.hand_over {
            self.put(state, Event::HandOver, Requires::Nothing, 0);
        }
        if let Some((_, parent)) = self.entries[state as usize].operator.building {
            for salt in 0..instance.siblings {
                let block = tree::child(tree::id(parent), salt);
                self.put(state, Event::Built { block }, Requires::Nothing, block);
            }
        }
        if instance.evidence {
            for term in self.universe.evidence.keys().copied().collect::<Vec<_>>() {
                self.put(state, Event::Evidence { term }, Requires::Nothing, 0);
            }
        }
        if instance.heard {
            self.put_heard(state);
        }
    }

    fn put_heard(&mut self, state: u32) {
        let votes = (0..).zip(self.universe.votes.clone()).filter(|(_, vote)| vote.kind == VoteKind::Nullify);
        let byzantine = OperatorIndex(self.universe.instance.byzantine);
        for (vote, _) in votes {
            self.put(state, Event::Heard { from: byzantine, vote }, Requires::Nothing, 0);
            for (place, from) in self.universe.instance.seats().into_iter().enumerate() {
                if place != self.entries[state as usize].place {
                    self.put(state, Event::Heard { from, vote }, Requires::Said { place, vote }, 0);
                }
            }
        }
    }

    /// Lets the engine take an event, and remembers where that leads, unless it leads nowhere.
    fn put(&mut self, state: u32, event: Event, requires: Requires, block: tree::Id) {
        let entry = &self.entries[state as usize];
        let (place, said) = (entry.place, entry.said);
        let outcomes = catch_unwind(AssertUnwindSafe(|| self.happen(state, event)));
        let outcomes = outcomes.unwrap_or_else(|panic| vec![Outcome::Broken(asserted(&*panic))]);
        if let (Event::Proposal(_), Some(Outcome::Next(last))) = (event, outcomes.last())
            && !self.universe.instance.early
            && last.journal.said == said
        {
            return;
        }
        let mut targets = BTreeSet::new();
        for outcome in outcomes {
            let to = match outcome {
                Outcome::Next(operator) => self.number(place, *operator),
                Outcome::Broken(why) => {
                    self.broken.push(why);
                    BROKEN + u32::try_from(self.broken.len() - 1).expect("few things are broken")
                }
            };
            targets.insert(to);
        }
        let edges = targets.into_iter().filter(|to| *to != state).map(|to| Edge { event, requires, block, to });
        self.entries[state as usize].edges.extend(edges);
    }

    fn happen(&self, state: u32, event: Event) -> Vec<Outcome> {
        let universe = &self.universe;
        let entry = &self.entries[state as usize];
        let crashes = universe.instance.crashes == Crashes::Anywhere;
        let input = match event {
            Event::Certificate(number) => Input::Certificate(universe.certificates[usize::from(number)]),
            Event::Proposal(number) => {
                let proposal = universe.proposals[usize::from(number)].clone();
                let block = tree::block(tree::id(proposal.header.block));
                Input::Proposal { proposal, block }
            }
            Event::Heard { from, vote } => Input::Heard { from, vote: Some(universe.votes[usize::from(vote)]) },
            Event::Built { block } => {
                let (position, _) = entry.operator.building.expect("only what is asked for is built");
                let mut operator = entry.operator.clone();
                operator.building = None;
                operator.journal.stored |= 1 << block;
                let input = Input::Built { position, result: Ok(tree::block(block)) };
                return operator.step(universe, input, crashes);
            }
            Event::Timeout => Input::Tick,
            Event::HandOver => Input::HandOver,
            Event::Evidence { term } => Input::Equivocation(universe.evidence[&term].clone()),
            Event::Crash => return entry.operator.restart(universe, universe.instance.seats()[entry.place], crashes),
        };
        entry.operator.step(universe, input, crashes)
    }

    /// An event in words.
    pub(crate) fn describe(&self, event: Event, place: usize) -> String {
        let seat = self.universe.instance.seats()[place];
        let what: Box<dyn fmt::Display> = match event {
            Event::Certificate(number) => {
                Box::new(format!("learns the {}", *self.universe.certificates[usize::from(number)]))
            }
            Event::Proposal(number) => {
                let header = self.universe.proposals[usize::from(number)].header;
                Box::new(format!("is shown block {} at {}", tree::id(header.block), header.position))
            }
            Event::Heard { from, vote } => {
                Box::new(format!("hears {from} say {}", self.universe.votes[usize::from(vote)]))
            }
            Event::Built { block } => Box::new(format!("has built block {block}")),
            Event::Timeout => Box::new("sees its timers run out"),
            Event::HandOver => Box::new("hands its term over"),
            Event::Evidence { term } => Box::new(format!("is shown that the leader of term {term} equivocated")),
            Event::Crash => Box::new("crashes and starts again"),
        };
        format!("operator {seat} {what}")
    }

    /// Who starts where, by place.
    pub(crate) fn starts(&mut self) -> [u32; HONEST] {
        let stand_ins = self.universe.instance.stand_ins();
        stand_ins.map(|place| self.start(place))
    }
}

fn asserted(panic: &(dyn core::any::Any + Send)) -> String {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    let text = text.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
    format!("an engine's own assertion fails: {text}")
}
