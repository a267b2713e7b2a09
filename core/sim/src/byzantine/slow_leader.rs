//! As a leader is as slow as the progress timeout allows, for whole terms: each of its proposals leaves most of a
//! timeout after the one before. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex, Time};
use std::collections::VecDeque;

/// Proposals held back, at most; beyond it the oldest are forgotten.
const HELD_MAX: usize = 64;
/// How much of the progress timeout passes between two of its proposals. Unit: percent.
const SHARE_PERCENT: u32 = 80;

/// See the module's page.
#[derive(Debug, Default)]
pub struct SlowLeader {
    held: VecDeque<(Vec<OperatorIndex>, Message)>,
    next_at: Time,
}

impl Behaviour for SlowLeader {
    fn send(&mut self, _: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let Message::Proposal { .. } = message else { return relay(to, message, out) };
        if self.held.len() >= HELD_MAX {
            self.held.pop_front();
        }
        self.held.push_back((to.to_vec(), message.clone()));
    }

    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        if powers.now < self.next_at {
            return;
        }
        if let Some((to, message)) = self.held.pop_front() {
            self.next_at = powers.now + powers.progress_timeout * SHARE_PERCENT / 100;
            relay(&to, &message, out);
        }
    }
}
