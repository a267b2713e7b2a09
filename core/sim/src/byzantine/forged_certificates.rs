//! Forges certificates of what is being agreed on: a notarization, a finalization and a nullification for each block
//! that it hears of, and for one that nobody made, signed with its own partial, a colluder's, or one that stood under
//! another vote. Besides that it is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{B256, BlockRef, Certificate, Message, OperatorIndex, Position, SignatureBytes, Vote};

/// See the module's page.
#[derive(Debug, Default)]
pub struct ForgedCertificates {
    /// The newest certificate that it saw.
    genuine: Option<Certificate>,
}

impl ForgedCertificates {
    fn signature(&self, powers: &mut Powers<'_>, vote: &Vote) -> SignatureBytes {
        let colluder = powers.colluders[powers.random.index(powers.colluders.len())];
        match (powers.random.between(0, 2), self.genuine) {
            (0, Some(genuine)) if genuine.vote != *vote => genuine.signature,
            (1, _) => powers.partial(colluder, vote),
            _ => powers.partial(powers.me, vote),
        }
    }
}

impl Behaviour for ForgedCertificates {
    fn receive(&mut self, powers: &mut Powers<'_>, _: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let (position, block): (Position, BlockRef) = match message {
            Message::Proposal { proposal, .. } => (proposal.header.position, proposal.header.block),
            Message::Certificate(certificate) => {
                self.genuine = Some(*certificate);
                return;
            }
            _ => return,
        };
        let invented = BlockRef::new(block.number, B256::left_padding_from(&powers.random.number().to_be_bytes()));
        let others: Vec<OperatorIndex> = powers.others().collect();
        let votes = [
            Vote::notarize(position, block),
            Vote::finalize(position, block),
            Vote::finalize(position, invented),
            Vote::nullify(position),
        ];
        for vote in votes {
            let signature = self.signature(powers, &vote);
            relay(&others, &Message::Certificate(Certificate { vote, signature }), out);
        }
    }
}
