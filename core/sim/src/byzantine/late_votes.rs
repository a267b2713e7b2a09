//! Votes as an honest operator does, but late: each vote leaves up to twice a progress timeout after it should, and
//! votes overtake each other. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use core::time::Duration;
use phalanx_types::{Message, OperatorIndex, Time};

/// Votes held back, at most; beyond it they leave at once.
const HELD_MAX: usize = 256;

/// See the module's page.
#[derive(Debug, Default)]
pub struct LateVotes {
    held: Vec<(Time, Vec<OperatorIndex>, Message)>,
}

impl Behaviour for LateVotes {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if !matches!(message, Message::Vote(_)) || self.held.len() >= HELD_MAX {
            return relay(to, message, out);
        }
        let late: Duration = powers.random.duration(powers.engine.progress_timeout_min * 2);
        self.held.push((powers.now + late, to.to_vec(), message.clone()));
    }

    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        let now = powers.now;
        for (_, to, message) in self.held.extract_if(.., |(at, _, _)| *at <= now) {
            relay(&to, &message, out);
        }
    }
}
