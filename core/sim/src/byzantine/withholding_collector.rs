//! Collects votes as an honest operator does, and keeps the certificates to itself. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct WithholdingCollector;

impl Behaviour for WithholdingCollector {
    fn send(&mut self, _: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if !matches!(message, Message::Certificate(_)) {
            relay(to, message, out);
        }
    }
}
