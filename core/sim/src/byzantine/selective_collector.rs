//! Tells certificates to just as many operators as make a quorum with the Byzantine ones, always the same: these go on,
//! while the others are not told. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct SelectiveCollector;

impl Behaviour for SelectiveCollector {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if !matches!(message, Message::Certificate(_)) {
            return relay(to, message, out);
        }
        let honest = powers.size.operators().filter(|operator| !powers.colluders.contains(operator));
        let needed = powers.size.q().saturating_sub(powers.colluders.len());
        let told: Vec<OperatorIndex> = honest.take(needed).filter(|operator| to.contains(operator)).collect();
        let colluders: Vec<OperatorIndex> =
            to.iter().copied().filter(|operator| powers.colluders.contains(operator)).collect();
        relay(&told, message, out);
        relay(&colluders, message, out);
    }
}
