//! As a leader is as slow as the progress timeout allows, for whole terms: each of its proposals leaves most of a
//! timeout after the one before, the first one after it entered the term, and none leaves twice. Everything else is
//! honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex, Position, Time};
use std::collections::VecDeque;

/// Proposals held back, at most; beyond it the oldest are forgotten.
const HELD_MAX: usize = 64;
/// How much of the progress timeout passes between two of its proposals. Unit: percent.
const SHARE_PERCENT: u32 = 90;

/// See the module's page.
#[derive(Debug, Default)]
pub struct SlowLeader {
    held: VecDeque<(Vec<OperatorIndex>, Message)>,
    /// The newest position that was held back.
    newest: Option<Position>,
    term: u64,
    next_at: Time,
}

impl SlowLeader {
    fn wait(&mut self, powers: &Powers<'_>) {
        self.next_at = powers.now + powers.engine.progress_timeout_min * SHARE_PERCENT / 100;
    }

    /// A new term starts all waiting anew.
    fn follow(&mut self, powers: &Powers<'_>) {
        if self.term != powers.term {
            self.term = powers.term;
            self.wait(powers);
        }
    }
}

impl Behaviour for SlowLeader {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        self.follow(powers);
        let Message::Proposal { proposal, .. } = message else { return relay(to, message, out) };
        let position = proposal.header.position;
        if self.newest.is_some_and(|newest| newest >= position) {
            return;
        }
        self.newest = Some(position);
        if self.held.len() >= HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back((to.to_vec(), message.clone()));
    }

    fn receive(&mut self, powers: &mut Powers<'_>, _: OperatorIndex, _: &Message, _: &mut Vec<Sending>) {
        self.follow(powers);
    }

    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        self.follow(powers);
        if powers.now < self.next_at {
            return;
        }
        if let Some((to, message)) = self.held.pop_front() {
            self.wait(powers);
            relay(&to, &message, out);
        }
    }
}
