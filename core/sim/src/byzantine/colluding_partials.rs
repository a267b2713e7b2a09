//! Spoils its partials together with others: one colluder adds an error to its partial, the next subtracts the same
//! one, so that a sum without random weights shows nothing. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex, Position, SignedVote, Vote};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct ColludingPartials;

impl Behaviour for ColludingPartials {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let Message::Vote(signed) = message else { return relay(to, message, out) };
        let rank = powers.colluders.iter().position(|one| *one == powers.me).expect("it colludes with itself");
        // The error is a point that all of them can make.
        let elsewhere = Position { term: u64::MAX, ..signed.vote.position };
        let error = powers.partial(powers.colluders[0], &Vote::nullify(elsewhere));
        let partial = powers.keys.shifted(&signed.partial, &error, rank % 2 == 1);
        relay(to, &Message::Vote(SignedVote { partial, ..*signed }), out);
    }
}
