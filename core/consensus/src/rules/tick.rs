//! What time alone brings: leaving for want of progress or finality, or at the cap (rule 5), and
//! re-sending (rule 8). Deadlines are looked at on a tick only, so that an operator that was paused takes
//! in what is waiting for it before it judges.

use crate::rules::leave::LeaveCause;
use crate::{Engine, Outbox};
use phalanx_types::Time;

impl Engine {
    pub(crate) fn on_tick(&mut self, now: Time, out: &mut Outbox) {
        self.forget_timer();
        // First what was said before: what is said now is not durable yet, and needs no repetition.
        if self.resend.at.is_some_and(|at| at <= now) {
            self.on_resend_due(now, out);
        }
        if let Some((_, cause)) = self.leave_deadline().filter(|(deadline, _)| *deadline <= now) {
            self.leave(cause, out);
        }
    }

    /// When the term will be left, unless something happens, and why.
    fn leave_deadline(&self) -> Option<(Time, LeaveCause)> {
        if self.term.left {
            return None;
        }
        let progress = self.term.progress_at + self.timeouts.progress(&self.config);
        let cap = self.term.entered_at + self.timeouts.term_cap(&self.config);
        let finality = self.term.finality_deadline(self.timeouts.finality_lag(&self.config));
        let deadlines = [
            Some((progress, LeaveCause::Progress)),
            Some((cap, LeaveCause::Cap)),
            finality.map(|deadline| (deadline, LeaveCause::Finality)),
        ];
        deadlines.into_iter().flatten().min_by_key(|(deadline, _)| *deadline)
    }

    /// When a tick is needed for this file's sake.
    pub(crate) fn next_deadline(&self) -> Option<Time> {
        let leave = self.leave_deadline().map(|(deadline, _)| deadline);
        leave.into_iter().chain(self.resend.at).min()
    }
}
