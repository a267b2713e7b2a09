//! Rule 2, second half: vote for what is valid and correctly placed, in the window, once at a position.

use crate::rules::leave::LeaveCause;
use crate::rules::placement::Placement;
use crate::{Effect, Engine, Outbox, Rule};
use phalanx_types::{Time, UnsignedProposal, Vote};

impl Engine {
    /// Votes for every held proposal that may be voted for now; leaves the term on a wrong one.
    pub(crate) fn vote(&mut self, now: Time, out: &mut Outbox) {
        let (epoch, term) = (self.config.epoch, self.term.number);
        let window = self.window_slots();
        let headers: Vec<UnsignedProposal> =
            self.proposals.within(epoch, term, window).map(|held| held.header).collect();
        for header in headers {
            if self.term.left {
                return;
            }
            let placement = self.placement(&header);
            if placement == Placement::Wrong || self.blocks.invalid(header.block).is_some() {
                self.leave(LeaveCause::InvalidProposal, out);
                return;
            }
            if self.blocks.is_valid(header.block) {
                self.count_progress(now, &header);
                if placement == Placement::Good {
                    self.notarize(&header, out);
                }
            }
        }
    }

    /// Rule 5: the first valid in-window proposal for a slot resets the progress timer.
    fn count_progress(&mut self, now: Time, header: &UnsignedProposal) {
        if self.proposals.count(header.position) {
            self.term.progress_at = now;
        }
    }

    fn notarize(&mut self, header: &UnsignedProposal, out: &mut Outbox) {
        let position = header.position;
        if self.own.notarized_at(position.slot).is_some() {
            return;
        }
        assert!(!self.certificates.is_final(position), "no vote to notarize at or below a final position");
        self.rules.count(Rule::Notarize);
        self.own.notarize(position, header.block);
        self.cast(Vote::notarize(position, header.block), out);
    }

    /// Asks execution about every block that it may be asked about now: those that a quorum stands behind,
    /// and those proposed within the window, also after leaving.
    pub(crate) fn ask_execution(&mut self, now: Time, out: &mut Outbox) {
        let (epoch, term) = (self.config.epoch, self.term.number);
        let window = self.window_slots();
        let in_window: Vec<_> = self.proposals.within(epoch, term, window).map(|held| held.header.block).collect();
        for block in in_window {
            // What is missing below it is fetched once it is notarized, and not before.
            let _ = self.blocks.clear(block);
        }
        let questions = self.blocks.questions(now);
        for (block, again) in questions.ask {
            if again {
                self.rules.count(Rule::ValidateAgain);
            }
            out.push(Effect::Validate(block));
        }
        for block in questions.fetch {
            self.fetches.want_block(block, now);
        }
    }
}
