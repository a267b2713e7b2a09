//! Says again what was said before, and elsewhere: old certificates, evidence, own votes, and anyone's proposals, much
//! later and many times; and votes of its own that are signed for another epoch and for another cluster. Besides that it is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_threshold::{Domain, digest};
use phalanx_types::{B256, ClusterId, Message, OperatorIndex, SignedVote, Vote};
use std::collections::VecDeque;

/// What it remembers, the newest.
const REMEMBERED_MAX: usize = 512;
/// Messages to each operator in each tick.
const MESSAGES_PER_TICK: usize = 3;

/// See the module's page.
#[derive(Debug, Default)]
pub struct Replays {
    heard: VecDeque<Message>,
}

impl Replays {
    fn remember(&mut self, message: &Message) {
        if self.heard.len() >= REMEMBERED_MAX {
            // Keeps some of the oldest.
            let middle = self.heard.len() / 2;
            self.heard.remove(middle);
        }
        self.heard.push_back(message.clone());
    }
}

/// The same vote for another cluster, or in the next epoch.
fn elsewhere(powers: &mut Powers<'_>, vote: Vote) -> Message {
    let signer = powers.me;
    if powers.random.chance(500_000) {
        let mut other = vote;
        other.position.epoch += 1;
        return powers.vote(other);
    }
    let foreign = Domain::new(powers.keys.domain.chain_id(), ClusterId(B256::repeat_byte(0xEE)));
    let partial = powers.keys.signers[signer.as_usize()].sign(&digest(&foreign, &vote));
    Message::Vote(SignedVote { vote, signer, partial })
}

impl Behaviour for Replays {
    fn send(&mut self, _: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        if matches!(message, Message::Vote(_) | Message::Certificate(_) | Message::Proposal { .. }) {
            self.remember(message);
        }
        relay(to, message, out);
    }

    fn receive(&mut self, _: &mut Powers<'_>, _: OperatorIndex, message: &Message, _: &mut Vec<Sending>) {
        if matches!(message, Message::Certificate(_) | Message::Equivocation(_) | Message::Proposal { .. }) {
            self.remember(message);
        }
    }

    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        if self.heard.is_empty() {
            return;
        }
        let others: Vec<OperatorIndex> = powers.others().collect();
        for to in others {
            for _ in 0..MESSAGES_PER_TICK {
                let old = self.heard[powers.random.index(self.heard.len())].clone();
                let message = match old {
                    Message::Vote(signed) if powers.random.chance(500_000) => elsewhere(powers, signed.vote),
                    old => old,
                };
                out.push(Sending { to, message });
            }
        }
    }
}
