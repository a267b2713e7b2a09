//! Rule 8, where there are collectors: whoever still votes for what is final lacks the certificate that says so,
//! since the collectors told others and not it. It is told here.

use crate::{Effect, Engine, Outbox, Rule};
use phalanx_types::{OperatorIndex, Time, Vote};

impl Engine {
    /// Another operator sent a vote: tells it of the highest finalization if the vote shows that it lacks it; each
    /// operator once in each shortest interval of re-sending.
    pub(crate) fn tell_laggard(&mut self, now: Time, from: OperatorIndex, vote: &Vote, out: &mut Outbox) {
        let Some(collecting) = &self.collecting else { return };
        if !collecting.seats().shows_lack(vote) || !self.certificates.is_final(vote.position) {
            return;
        }
        let Some(certificate) = self.certificates.finalized().copied() else { return };
        if self.peers.may_tell(from, now, self.config.resend_interval_min) {
            self.rules.count(Rule::TellLaggard);
            out.push(Effect::Tell { to: from, certificate });
        }
    }
}
