//! Votes to notarize, and never to finalize: with one more operator out, slots are notarized for ever and none is
//! final. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex, VoteKind};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFinalize;

impl Behaviour for NoFinalize {
    fn send(&mut self, _: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let withheld = match message {
            Message::Vote(signed) => signed.vote.kind == VoteKind::Finalize,
            Message::Certificate(certificate) => certificate.kind() == VoteKind::Finalize,
            _ => false,
        };
        if !withheld {
            relay(to, message, out);
        }
    }
}
