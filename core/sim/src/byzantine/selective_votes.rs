//! Votes as an honest operator does, but tells each vote to some operators only, others each time. Everything else
//! is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex};

/// Whom it tells. Unit: parts per million.
const TOLD_PPM: u32 = 500_000;

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelectiveVotes;

impl Behaviour for SelectiveVotes {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if !matches!(message, Message::Vote(_)) {
            return relay(to, message, out);
        }
        let told: Vec<OperatorIndex> = to.iter().copied().filter(|_| powers.random.chance(TOLD_PPM)).collect();
        relay(&told, message, out);
    }
}
