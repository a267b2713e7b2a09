//! Going on from a journal: what was said is remembered, what was certified is known, and everything is
//! sent again. A leader sends its proposals again, or leaves the term; it never makes another block for a
//! position.

use crate::certificates::Added;
use crate::rules::leave::LeaveCause;
use crate::term::Term;
use crate::{Effect, Engine, Outbox, Restored, Rule};
use phalanx_threshold::Verified;
use phalanx_types::{Certificate, Position, Record, Time, UnsignedProposal, Vote, VoteKind};

impl Engine {
    /// Takes in what a journal and a store hold. Nothing of it is new: none is kept or forwarded again,
    /// except by the re-send at the end.
    pub(crate) fn restore(&mut self, restored: Restored, now: Time, out: &mut Outbox) {
        let is_first_start = restored.records.is_empty() && restored.certificates.is_empty();
        self.restore_certificates(restored.certificates, out);
        if self.halted {
            return;
        }
        self.restore_term(&restored.records, now);
        self.restore_own(&restored.records);
        for block in &restored.blocks {
            self.blocks.insert(block, now);
            self.blocks.clear(block.reference);
        }
        out.push(Effect::EnteredTerm { position: self.at_slot(0), leader: self.term.leader });
        self.restart_resend(now);
        if is_first_start {
            return;
        }
        self.rules.count(Rule::Restore);
        self.go_on(now, out);
    }

    fn restore_certificates(&mut self, mut certificates: Vec<Verified<Certificate>>, out: &mut Outbox) {
        // Finalizations last: what is below them is checked against them first.
        certificates.retain(|certificate| certificate.position().epoch == self.config.epoch);
        certificates.sort_by_key(|certificate| (certificate.kind() == VoteKind::Finalize, certificate.position()));
        for certificate in certificates {
            if let Added::Conflict(known) = self.certificates.add(certificate) {
                self.rules.count(Rule::HaltConflict);
                let (first, second) = (Box::new(known.into_inner()), Box::new(certificate.into_inner()));
                self.halt(crate::HaltReason::ConflictingCertificates { first, second }, out);
                return;
            }
        }
    }

    /// The latest term that a certificate moves the operator to, or that it has voted or proposed in.
    fn restore_term(&mut self, records: &[Record], now: Time) {
        let (certified, entered_by) = self.certificates.current_term();
        let said = records.iter().filter_map(said_at).filter(|at| at.epoch == self.config.epoch);
        let said = said.map(|at| at.term).max().unwrap_or(0);
        let number = certified.max(said);
        let entered_by = entered_by.filter(|_| number == certified);
        self.term = Term::new(number, self.config.size.leader(number), entered_by, now);
        self.own.enter(number);
        if let Some(collecting) = &mut self.collecting {
            collecting.enter(number);
        }
    }

    fn restore_own(&mut self, records: &[Record]) {
        for record in records {
            match record {
                Record::Vote(signed) if signed.vote.position.epoch == self.config.epoch => {
                    self.restore_vote(signed.vote);
                }
                Record::Proposal(proposal) if proposal.header.position.epoch == self.config.epoch => {
                    self.own.restore_proposal(proposal.header);
                }
                Record::Vote(_) | Record::Proposal(_) | Record::Certificate(_) => {}
            }
        }
        self.own.prune_below(self.next_slot());
        let nullified = self.own.nullified_slot(self.term.number);
        self.term.left = nullified.is_some_and(|slot| self.finalized_slot().is_none_or(|highest| highest < slot));
    }

    fn restore_vote(&mut self, vote: Vote) {
        match vote.kind {
            VoteKind::Notarize => self.own.restore_notarize(vote.position, vote.block),
            VoteKind::Finalize => self.own.restore_finalize(vote.position, vote.block),
            VoteKind::Nullify => self.own.restore_nullify(vote.position),
        }
    }

    /// Takes up where the crash was.
    fn go_on(&mut self, now: Time, out: &mut Outbox) {
        let notarized: Vec<_> = self.certificates.unfinalized().copied().collect();
        for held in notarized {
            if held.position().term == self.term.number {
                self.term.notarized(held.position().slot, now);
            }
            self.clear_block(held.block(), now);
        }
        if let Some(finalized) = self.certificates.finalized().copied() {
            self.commit(now, finalized, out);
        }
        if let Some(newest) = self.certificates.newest_notarization().copied() {
            out.push(Effect::Notarized(newest));
        }
        let may_lead = self.take_up_proposals();
        self.send_again(out);
        self.finalize_highest(out); // rule 3: the crash may have come before the vote
        if !may_lead {
            self.leave(LeaveCause::ProposalLost, out);
        }
    }

    /// A leader takes up its journalled proposals above the highest notarized slot. Says whether it may go on:
    /// not without their blocks, nor without the proposals of slots that are notarized.
    fn take_up_proposals(&mut self) -> bool {
        if !self.leads() {
            return true;
        }
        let open: Vec<UnsignedProposal> = self.own.proposed_from(self.next_slot()).copied().collect();
        let lost = open.iter().any(|header| self.blocks.payload(header.block).is_none());
        let unknown = self.own.last_proposal().is_none() && self.notarized_slot().is_some();
        for header in open {
            self.proposals.offer(header, None);
        }
        !lost && !unknown
    }
}

fn said_at(record: &Record) -> Option<Position> {
    match record {
        Record::Vote(signed) => Some(signed.vote.position),
        Record::Proposal(proposal) => Some(proposal.header.position),
        Record::Certificate(_) => None,
    }
}
