//! As a leader shows its blocks, for whole terms, to some operators only: to fewer than a quorum, to just one, or
//! to all but one. Everything else is honest.

use super::{Behaviour, Powers, Sending, relay};
use phalanx_types::{Message, OperatorIndex};

/// See the module's page.
#[derive(Debug, Default)]
pub struct WithholdingLeader {
    /// The term, and who sees its blocks.
    shown: Option<(u64, Vec<OperatorIndex>)>,
}

impl WithholdingLeader {
    fn shown(&mut self, powers: &mut Powers<'_>, term: u64) -> &[OperatorIndex] {
        if self.shown.as_ref().is_none_or(|(of, _)| *of != term) {
            let mut others: Vec<OperatorIndex> = powers.others().collect();
            let hidden = powers.random.between(0, others.len() as u64);
            for _ in 0..hidden {
                others.swap_remove(powers.random.index(others.len()));
            }
            self.shown = Some((term, others));
        }
        &self.shown.as_ref().expect("just made").1
    }
}

impl Behaviour for WithholdingLeader {
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let Message::Proposal { proposal, .. } = message else { return relay(to, message, out) };
        let shown = self.shown(powers, proposal.header.position.term);
        let to: Vec<OperatorIndex> = to.iter().copied().filter(|to| shown.contains(to)).collect();
        relay(&to, message, out);
    }
}
