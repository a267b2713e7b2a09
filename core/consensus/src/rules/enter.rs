//! Entering a term: by the end of the one before (rules 3 and 7), or by a certificate of a later one
//! (rule 9).

use crate::rules::leave::LeaveCause;
use crate::term::Term;
use crate::{Effect, Engine, Outbox, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Certificate, Position, Time};

impl Engine {
    /// Moves to a later term, for good.
    pub(crate) fn enter(&mut self, now: Time, term: u64, by: Verified<Certificate>, out: &mut Outbox) {
        assert!(term > self.term.number, "an operator never returns to an earlier term");
        let is_next = term == self.term.number + 1;
        if !is_next || by.position().term == term {
            self.rules.count(Rule::CatchUp);
        }
        self.peers.enter(is_next);
        self.own.enter(term);
        self.term = Term::new(term, self.config.size.leader(term), Some(by), now);
        self.term.convicted = is_next && self.convicted_next;
        if let Some(collecting) = &mut self.collecting {
            collecting.enter(term);
        }
        self.convicted_next = false;
        self.proposals.prune_below(Position::new(self.config.epoch, term, 0));
        self.pace.enter();
        self.restart_resend(now);
        out.push(Effect::EnteredTerm { position: self.at_slot(0), leader: self.term.leader });
        self.leave_on_entry(out);
    }

    /// Rule 5, for what is known of a term before it is entered.
    fn leave_on_entry(&mut self, out: &mut Outbox) {
        if self.term.convicted {
            self.leave(LeaveCause::Equivocation, out);
        }
        // A notarized slot shows the leader alive better than its silence elsewhere shows it absent.
        if self.notarized_slot().is_none() && self.peers.is_absent(self.term.leader) {
            self.leave(LeaveCause::Absent, out);
        }
        self.follow_others(out);
    }
}
