//! As a leader stops amid its term: from some slot on it says nothing until the term is over. Else it is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex};

/// The highest slot with which it stops.
const LAST_SLOT_MAX: u64 = 8;

/// See the module's page.
#[derive(Debug, Default)]
pub struct StoppingLeader {
    /// The term that it leads, and the slot from which on it is silent.
    stops: Option<(u64, u32)>,
    /// The term in which it is silent.
    silent_in: Option<u64>,
}

impl Behaviour for StoppingLeader {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if let Message::Proposal { proposal, .. } = message {
            let position = proposal.header.position;
            if self.stops.is_none_or(|(term, _)| term != position.term) {
                let slot = u32::try_from(powers.random.between(0, LAST_SLOT_MAX)).expect("small");
                self.stops = Some((position.term, slot));
            }
            if self.stops.is_some_and(|(_, slot)| position.slot >= slot) {
                self.silent_in = Some(position.term);
            }
        }
        if self.silent_in != Some(powers.term) {
            relay(to, message, out);
        }
    }
}
