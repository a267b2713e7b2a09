//! As a leader shows one block to one half and another to the other half, at some positions, and votes for
//! both; sometimes one operator is shown both, and has the evidence. As a voter it is honest.

use super::{Behaviour, Powers, Sending};
use crate::payload::Payload;
use phalanx_types::{BlockRef, Bytes, Message, OperatorIndex, Position, Proposal, UnsignedProposal, Vote};
use std::collections::BTreeMap;

/// Positions remembered, the newest.
const POSITIONS_MAX: usize = 64;
/// It equivocates at so many of its positions. Unit: parts per million.
const EQUIVOCATES_PPM: u32 = 300_000;
/// In so many of these it shows both to somebody. Unit: parts per million.
const BOTH_PPM: u32 = 500_000;

/// The second face of a position.
#[derive(Clone, Debug)]
struct Twin {
    proposal: Proposal,
    payload: Bytes,
}

/// See the module's page.
#[derive(Debug, Default)]
pub struct EquivocatingLeader {
    /// `None` where it is honest.
    twins: BTreeMap<Position, Option<Twin>>,
}

impl EquivocatingLeader {
    fn twin(&mut self, powers: &mut Powers<'_>, proposal: &Proposal, payload: &Bytes) -> Option<&Twin> {
        let position = proposal.header.position;
        while self.twins.len() >= POSITIONS_MAX {
            self.twins.pop_first();
        }
        let made = || powers.random.chance(EQUIVOCATES_PPM).then(|| make_twin(powers, proposal, payload)).flatten();
        self.twins.entry(position).or_insert_with(made).as_ref()
    }
}

/// The same block but for its salt, under a header of its own.
fn make_twin(powers: &Powers<'_>, proposal: &Proposal, payload: &Bytes) -> Option<Twin> {
    let mut content = Payload::decode(payload).ok()?;
    content.salt = !content.salt;
    let block = content.to_block();
    let header = UnsignedProposal { block: block.reference, ..proposal.header };
    let identity = powers.keys.identity(powers.me);
    let proposal = identity.sign_proposal(&powers.keys.domain, powers.me, header, proposal.justification.clone());
    Some(Twin { proposal, payload: block.payload })
}

impl Behaviour for EquivocatingLeader {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let half = |to: OperatorIndex, position: Position| (u64::from(to.0) + position.term) % 2 == 1;
        match message {
            Message::Proposal { proposal, payload } => {
                let position = proposal.header.position;
                let Some(twin) = self.twin(powers, proposal, payload).cloned() else {
                    return out.extend(to.iter().map(|to| Sending { to: *to, message: message.clone() }));
                };
                let other = Message::Proposal { proposal: Box::new(twin.proposal), payload: twin.payload };
                let both = powers.random.chance(BOTH_PPM).then(|| powers.random.index(to.len()));
                for (index, to) in to.iter().enumerate() {
                    let shown = if half(*to, position) { &other } else { message };
                    out.push(Sending { to: *to, message: shown.clone() });
                    if both == Some(index) {
                        let hidden = if half(*to, position) { message } else { &other };
                        out.push(Sending { to: *to, message: hidden.clone() });
                    }
                }
            }
            Message::Vote(vote) => {
                let position = vote.vote.position;
                let twin = self.twins.get(&position).and_then(Option::as_ref);
                let other: Option<BlockRef> = twin.map(|twin| twin.proposal.header.block);
                for to in to {
                    let message = match other {
                        Some(block) if half(*to, position) && vote.vote.block != BlockRef::NONE => {
                            powers.vote(Vote { block, ..vote.vote })
                        }
                        _ => message.clone(),
                    };
                    out.push(Sending { to: *to, message });
                }
            }
            other => out.extend(to.iter().map(|to| Sending { to: *to, message: other.clone() })),
        }
    }
}
