//! Rule 7: on a nullification, enter the next term.

use crate::{Effect, Engine, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Certificate, Time};

impl Engine {
    /// A new nullification, kept already.
    pub(crate) fn on_nullification(&mut self, now: Time, certificate: Verified<Certificate>, out: &mut Outbox) {
        self.rules.count(Rule::Nullification);
        out.push(Effect::Forward(certificate));
        let term = certificate.position().term;
        if term < self.term.number {
            return;
        }
        if term == self.term.number {
            self.mark_if_silent(now);
        }
        // A term in which something became final shows that the timeouts were long enough for the network:
        // what ended it is its leader. So a dead leader costs one timeout, however often leaders die.
        let current = term == self.term.number;
        let was_live = current && self.finalized_slot().is_some();
        if !(was_live || current && self.term.left_as_absent) {
            self.timeouts.grow(&self.config);
        }
        self.enter(now, term + 1, certificate, out);
    }

    /// Rule 5: a leader that was silent through its term, while a quorum was heard, is marked absent. A
    /// term that lasted less than half a progress timeout here says nothing. (Half: the first operators to
    /// time out take the others along.)
    fn mark_if_silent(&mut self, now: Time) {
        let lasted = now.saturating_since(self.term.entered_at);
        let leader = self.term.leader;
        if lasted < self.timeouts.progress(&self.config) / 2 || !self.peers.is_silent(leader) {
            return;
        }
        if self.peers.mark_absent(leader) {
            self.rules.count(Rule::MarkAbsent);
        }
    }
}
