//! As a leader proposes, at some positions, a block that no honest execution takes: a timestamp before its
//! parent's, one far in the future, or a transaction that is none. Besides that it is honest.

use super::{Behaviour, Powers, Sending};
use crate::payload::Payload;
use phalanx_types::{Bytes, Message, OperatorIndex, Position, Proposal, UnsignedProposal};
use std::collections::BTreeMap;

/// Positions remembered, the newest.
const POSITIONS_MAX: usize = 64;
/// So many of its blocks are invalid. Unit: parts per million.
const INVALID_PPM: u32 = 100_000;
const FAR_FUTURE_S: u64 = 10_000;

/// See the module's page.
#[derive(Debug, Default)]
pub struct InvalidBlocks {
    /// `None` where it is honest.
    shown: BTreeMap<Position, Option<Message>>,
}

impl Behaviour for InvalidBlocks {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let shown = match message {
            Message::Proposal { proposal, payload } => {
                while self.shown.len() >= POSITIONS_MAX {
                    self.shown.pop_first();
                }
                let spoil = || powers.random.chance(INVALID_PPM).then(|| spoilt(powers, proposal, payload)).flatten();
                self.shown.entry(proposal.header.position).or_insert_with(spoil).clone()
            }
            _ => None,
        };
        let message = shown.as_ref().unwrap_or(message);
        out.extend(to.iter().map(|to| Sending { to: *to, message: message.clone() }));
    }
}

fn spoilt(powers: &mut Powers<'_>, proposal: &Proposal, payload: &Bytes) -> Option<Message> {
    let mut content = Payload::decode(payload).ok()?;
    match powers.random.between(0, 2) {
        0 => content.timestamp_s = 0,
        1 => content.timestamp_s += FAR_FUTURE_S,
        _ => content.transactions.push(Bytes::from_static(b"no transaction")),
    }
    let block = content.to_block();
    let header = UnsignedProposal { block: block.reference, ..proposal.header };
    let identity = powers.keys.identity(powers.me);
    let signed = identity.sign_proposal(&powers.keys.domain, powers.me, header, proposal.justification.clone());
    Some(Message::Proposal { proposal: Box::new(signed), payload: block.payload })
}
