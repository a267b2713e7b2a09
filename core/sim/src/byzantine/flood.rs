//! Sends as much as it can of what costs others something: votes for far and near positions with good and
//! bad partials, forged certificates, and votes for everything. Besides that it is honest.

use super::{Behaviour, Powers, Sending};
use phalanx_types::{B256, BlockRef, Certificate, Message, OperatorIndex, Position, SignatureBytes, SignedVote, Vote};

/// Messages to each operator in each tick.
pub const FLOOD_MESSAGES_PER_TICK: usize = 20;
const SIGNATURE_BYTES: usize = 48;

/// See the module's page.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flood;

impl Behaviour for Flood {
    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        let others: Vec<OperatorIndex> = powers.others().collect();
        for to in others {
            for _ in 0..FLOOD_MESSAGES_PER_TICK {
                let message = anything(powers);
                out.push(Sending { to, message });
            }
        }
    }
}

fn anything(powers: &mut Powers<'_>) -> Message {
    let vote = any_vote(powers);
    match powers.random.between(0, 2) {
        0 => powers.vote(vote),
        1 => Message::Vote(SignedVote { vote, signer: powers.me, partial: any_signature(powers) }),
        _ => Message::Certificate(Certificate { vote, signature: any_signature(powers) }),
    }
}

/// About a position near or far, and a block that nobody made.
fn any_vote(powers: &mut Powers<'_>) -> Vote {
    let term = match powers.random.between(0, 3) {
        0 => powers.random.number(),
        _ => powers.term + powers.random.between(0, 2),
    };
    let slot = u32::try_from(powers.random.between(0, 12)).expect("twelve is small");
    let position = Position::new(0, term, slot);
    let block =
        BlockRef::new(powers.random.between(1, 1_000), B256::left_padding_from(&powers.random.number().to_be_bytes()));
    match powers.random.between(0, 2) {
        0 => Vote::notarize(position, block),
        1 => Vote::nullify(position),
        _ => Vote::finalize(position, block),
    }
}

fn any_signature(powers: &mut Powers<'_>) -> SignatureBytes {
    let mut bytes = [0; SIGNATURE_BYTES];
    for chunk in bytes[16..].chunks_mut(8) {
        chunk.copy_from_slice(&powers.random.number().to_be_bytes());
    }
    bytes.into()
}
