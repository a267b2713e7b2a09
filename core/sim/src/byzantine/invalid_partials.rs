//! Votes as an honest operator does, but spoils the partials: flips a bit, sends another vote's partial, or
//! the partial of another share. Everything else is honest.

use super::{Behaviour, Powers, Sending};
use phalanx_types::{Message, OperatorIndex, SignatureBytes, SignedVote, Vote};

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct InvalidPartials;

impl Behaviour for InvalidPartials {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let message = match message {
            Message::Vote(vote) => Message::Vote(SignedVote { partial: spoilt(powers, vote), ..*vote }),
            other => other.clone(),
        };
        out.extend(to.iter().map(|to| Sending { to: *to, message: message.clone() }));
    }
}

fn spoilt(powers: &mut Powers<'_>, vote: &SignedVote) -> SignatureBytes {
    let above = Vote::nullify(phalanx_types::Position { term: vote.vote.position.term + 1, ..vote.vote.position });
    match powers.random.between(0, 2) {
        0 => {
            let mut bytes = vote.partial.as_slice().to_vec();
            let at = powers.random.index(bytes.len());
            bytes[at] ^= 1;
            SignatureBytes::try_from(bytes.as_slice()).unwrap_or(vote.partial)
        }
        1 => powers.partial(powers.me, &above),
        _ => {
            let colluder = powers.colluders[powers.random.index(powers.colluders.len())];
            let other = if colluder == powers.me { above } else { vote.vote };
            powers.partial(colluder, &other)
        }
    }
}
