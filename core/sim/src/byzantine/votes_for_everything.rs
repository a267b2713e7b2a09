//! Votes for every block that anyone proposes or votes for, with all three kinds of vote, to everyone; and makes a
//! certificate of whatever a quorum with the colluders has voted for, though it needs none. Alone it is harmless; with
//! an equivocating leader it is what `f + 1` Byzantine operators fork a chain with.

use super::{Behaviour, Powers, Sending};
use phalanx_threshold::Ballot;
use phalanx_types::{BlockRef, Message, OperatorIndex, Position, SignatureBytes, SignedVote, Vote};
use std::collections::{BTreeMap, BTreeSet};

/// Votes remembered as cast, the newest.
const CAST_MAX: usize = 4_096;
/// Votes of which partials are collected, the newest.
const COLLECTED_MAX: usize = 256;

/// See the module's page.
#[derive(Debug, Default)]
pub struct VotesForEverything {
    cast: BTreeSet<(Position, BlockRef)>,
    /// The partials of honest operators; `None` once there is a certificate.
    collected: BTreeMap<(Position, Vote), Option<BTreeMap<OperatorIndex, SignatureBytes>>>,
}

impl VotesForEverything {
    fn vote_for(&mut self, powers: &Powers<'_>, position: Position, block: BlockRef, out: &mut Vec<Sending>) {
        if !self.cast.insert((position, block)) {
            return;
        }
        while self.cast.len() > CAST_MAX {
            self.cast.pop_first();
        }
        let votes = [Vote::notarize(position, block), Vote::finalize(position, block), Vote::nullify(position)];
        for vote in votes {
            let message = powers.vote(vote);
            out.extend(powers.others().map(|to| Sending { to, message: message.clone() }));
        }
    }

    fn collect(&mut self, powers: &mut Powers<'_>, signed: &SignedVote, out: &mut Vec<Sending>) {
        let SignedVote { vote, signer, partial } = *signed;
        let held = self.collected.entry((vote.position, vote)).or_insert_with(|| Some(BTreeMap::new()));
        let Some(partials) = held else { return };
        if !powers.colluders.contains(&signer) {
            partials.insert(signer, partial);
        }
        if partials.len() + powers.colluders.len() >= powers.size.q() {
            let colluders = powers.colluders.iter().map(|colluder| (*colluder, powers.partial(*colluder, &vote)));
            let partials = partials.iter().map(|(signer, partial)| (*signer, *partial)).chain(colluders);
            let partials = partials.map(|(signer, partial)| (signer, partial.into())).collect();
            let ballot = Ballot { vote, partials };
            let certified = powers.keys.verifier.certify(powers.random.rng(), vec![ballot]);
            for certificate in certified.into_iter().filter_map(|certified| certified.certificate) {
                let message = Message::Certificate(certificate.into_inner());
                out.extend(powers.others().map(|to| Sending { to, message: message.clone() }));
                *held = None;
            }
        }
        while self.collected.len() > COLLECTED_MAX {
            self.collected.pop_first();
        }
    }
}

impl Behaviour for VotesForEverything {
    fn receive(&mut self, powers: &mut Powers<'_>, _: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        match message {
            Message::Proposal { proposal, .. } => {
                self.vote_for(powers, proposal.header.position, proposal.header.block, out);
            }
            Message::Vote(signed) => {
                if signed.vote.block != BlockRef::NONE {
                    self.vote_for(powers, signed.vote.position, signed.vote.block, out);
                }
                self.collect(powers, signed, out);
            }
            _ => {}
        }
    }
}
