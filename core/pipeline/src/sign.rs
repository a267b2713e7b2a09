//! The sign stage: from what the engine intends to what leaves. Sign, journal, send, in this order.
//!
//! All intents that wait are one group: their records are appended in order, made durable by one commit,
//! and only then does any of them leave or count. One's own partials go back to the verify stage.
//! Certificates to be kept wait for the next vote, which they must not be less durable than, for a short
//! while: without one, nothing depends on them yet, and they save a sync.
//!
//! Invariants:
//! - when the journal fails, or the engine intends what contradicts a journalled vote ([`own`]), the stage
//!   says so once ([`Outbound::Fatal`]) and does nothing any more;
//! - re-sends come from what was journalled; they never make a new signature.

mod own;

use crate::counters::Counters;
use crate::error::RestoreError;
use crate::ring::Ring;
use crate::stage::{Progress, Stage};
use core::fmt;
use core::time::Duration;
use own::{OwnRecords, Standing};
use phalanx_consensus::Recipients;
use phalanx_journal::{Disk, Journal, JournalError};
use phalanx_threshold::{Identity, PartialSigner, Verified, Verifier, digest};
use phalanx_types::{
    Block, Certificate, Message, Position, Proposal, Record, SignedVote, Time, UnsignedProposal, Vote,
};
use std::collections::VecDeque;
use std::sync::Arc;

/// Intents that wait to be signed.
pub const INTENTS_RING_MAX: usize = 1_024;
/// Messages that wait to be sent.
pub const OUTBOUND_RING_MAX: usize = 1_024;
/// Intents signed and committed as one group.
pub const GROUP_INTENTS_MAX: usize = 256;
/// Kept certificates that wait for a vote to share its sync with.
const KEPT_WAITING_MAX: usize = 256;
/// How long they wait.
const KEPT_DELAY: Duration = Duration::from_millis(50);

/// What the engine wants signed, journalled or sent again.
#[derive(Clone, Debug)]
pub(crate) enum Intent {
    Keep(Certificate),
    Vote { vote: Vote, recipients: Recipients },
    Propose { header: UnsignedProposal, justification: Vec<Certificate>, block: Arc<Block> },
    ResendVote(Vote),
    ResendProposal { position: Position, block: Arc<Block> },
}

/// Why nothing is signed any more. The operator must stop and people must look.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FatalError {
    /// The journal failed: what is not durable does not leave.
    #[error("no vote is cast any more: {0}")]
    IoJournal(#[from] JournalError),
    /// The engine intends what contradicts what was signed: a broken invariant, caught by the last check
    /// before a signature.
    #[error("no vote is cast any more: refused to sign what contradicts the journal: {0}")]
    Contradiction(String),
}

/// What leaves, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outbound {
    /// Send this.
    Send {
        /// To whom.
        recipients: Recipients,
        /// What.
        message: Message,
    },
    /// Stop the operator.
    Fatal(FatalError),
}

/// Is told when a commit begins and ends, so that whoever has a clock can time it.
pub trait CommitObserver: Send {
    /// A commit begins.
    fn begins(&mut self);

    /// It ended; so many records and bytes are durable.
    fn ended(&mut self, records: usize, bytes: usize);

    /// A record was added to the group that the next commit makes durable: for checkers.
    fn appended(&mut self, record: &Record) {
        let _ = record;
    }
}

/// Watches nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoObserver;

impl CommitObserver for NoObserver {
    fn begins(&mut self) {}

    fn ended(&mut self, _records: usize, _bytes: usize) {}
}

/// What the stage is wired to.
pub(crate) struct SignWiring<D> {
    pub(crate) intents: Arc<Ring<Intent>>,
    pub(crate) outbound: Arc<Ring<Outbound>>,
    pub(crate) own: Arc<Ring<SignedVote>>,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) signer: Arc<dyn PartialSigner>,
    pub(crate) identity: Arc<Identity>,
    pub(crate) journal: Journal<D>,
    pub(crate) observer: Box<dyn CommitObserver>,
    pub(crate) counters: Arc<Counters>,
}

/// The third stage.
pub struct SignStage<D> {
    wiring: SignWiring<D>,
    own_records: OwnRecords,
    /// What leaves once the group is durable; then: what did not fit into the rings.
    outbound: VecDeque<Outbound>,
    own: VecDeque<SignedVote>,
    /// Records appended and not committed yet.
    group_records: usize,
    /// Whether a vote or proposal is among them, so that something waits for the commit.
    is_urgent: bool,
    /// When they are committed even if nothing waits.
    commit_at: Option<Time>,
    is_dead: bool,
}

impl<D> fmt::Debug for SignStage<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignStage")
            .field("records", &self.own_records.len())
            .field("is_dead", &self.is_dead)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> SignStage<D> {
    /// `records` are the journal's, `certificates` all that the engine starts from: what the journal lacks
    /// of them (a chain store may know more) is kept first, so that both judge by the same.
    pub(crate) fn new(
        wiring: SignWiring<D>,
        records: Vec<Record>,
        certificates: &[Verified<Certificate>],
        slots_per_term: u32,
    ) -> Result<Self, RestoreError> {
        let own_records = OwnRecords::restore(records, wiring.signer.index(), slots_per_term)?;
        let (outbound, own) = (VecDeque::new(), VecDeque::new());
        let mut stage = Self {
            wiring,
            own_records,
            outbound,
            own,
            group_records: 0,
            is_urgent: false,
            commit_at: None,
            is_dead: false,
        };
        for certificate in certificates {
            if let Err(error) = stage.keep(**certificate) {
                stage.die(error);
                break;
            }
        }
        Ok(stage)
    }

    /// The journal, for fault injection and gauges.
    pub fn journal_mut(&mut self) -> &mut Journal<D> {
        &mut self.wiring.journal
    }

    /// Closes the journal: what a crash leaves of this stage.
    #[must_use]
    pub fn into_journal(self) -> Journal<D> {
        self.wiring.journal
    }

    fn flush(&mut self) -> bool {
        let own = self.wiring.own.flush(&mut self.own);
        let outbound = self.wiring.outbound.flush(&mut self.outbound);
        own && outbound
    }

    /// One group: everything that waits, up to a bound.
    fn group(&mut self, now: Time) -> Result<usize, FatalError> {
        let mut intents = 0;
        while intents < GROUP_INTENTS_MAX {
            let Some(intent) = self.wiring.intents.pop() else { break };
            intents += 1;
            self.prepare(intent)?;
        }
        if self.group_records > 0 {
            let commit_at = *self.commit_at.get_or_insert(now + KEPT_DELAY);
            if self.is_urgent || self.group_records >= KEPT_WAITING_MAX || commit_at <= now {
                self.commit()?;
            }
        }
        Ok(intents)
    }

    fn commit(&mut self) -> Result<(), FatalError> {
        self.wiring.observer.begins();
        let bytes = self.wiring.journal.commit()?;
        let records = core::mem::take(&mut self.group_records);
        self.is_urgent = false;
        self.commit_at = None;
        self.wiring.observer.ended(records, bytes);
        let counters = &self.wiring.counters;
        counters.commits.increment();
        counters.records.add(records);
        counters.commit_bytes.add(bytes);
        Ok(())
    }

    fn prepare(&mut self, intent: Intent) -> Result<(), FatalError> {
        match intent {
            Intent::Keep(certificate) => self.keep(certificate),
            Intent::Vote { vote, recipients } => self.vote(vote, recipients),
            Intent::Propose { header, justification, block } => self.propose(header, justification, &block),
            Intent::ResendVote(vote) => {
                self.resend_vote(&vote);
                Ok(())
            }
            Intent::ResendProposal { position, block } => {
                self.resend_proposal(position, &block);
                Ok(())
            }
        }
    }

    fn append(&mut self, record: Record) -> Result<(), FatalError> {
        self.wiring.journal.append(&record)?;
        self.wiring.observer.appended(&record);
        self.group_records += 1;
        self.own_records.push(record);
        Ok(())
    }

    fn keep(&mut self, certificate: Certificate) -> Result<(), FatalError> {
        if self.own_records.keeps(&certificate.vote) {
            return Ok(());
        }
        self.append(Record::Certificate(certificate))
    }

    fn vote(&mut self, vote: Vote, recipients: Recipients) -> Result<(), FatalError> {
        let signed = match self.own_records.standing_of_vote(&vote) {
            Standing::Fresh => self.sign(vote)?,
            Standing::Signed(signed) => signed,
            Standing::Stale => {
                self.wiring.counters.intents_stale.increment();
                return Ok(());
            }
            Standing::Contradiction(what) => return Err(FatalError::Contradiction(what)),
        };
        self.own.push_back(signed);
        self.send(recipients, Message::Vote(signed));
        Ok(())
    }

    fn sign(&mut self, vote: Vote) -> Result<SignedVote, FatalError> {
        let partial = self.wiring.signer.sign(&digest(self.wiring.verifier.domain(), &vote));
        let signed = SignedVote { vote, signer: self.wiring.signer.index(), partial };
        self.append(Record::Vote(signed))?;
        self.is_urgent = true;
        self.wiring.counters.votes_signed.increment();
        Ok(signed)
    }

    fn propose(
        &mut self,
        header: UnsignedProposal,
        justification: Vec<Certificate>,
        block: &Block,
    ) -> Result<(), FatalError> {
        if header.block != block.reference || header.parent_hash != block.parent_hash {
            let what = format!("a proposal of block {} with the payload of block {}", header.block, block.reference);
            return Err(FatalError::Contradiction(what));
        }
        let proposal = match self.own_records.standing_of_proposal(&header) {
            Standing::Fresh => {
                let signed = self.wiring.verifier.own_proposal(&self.wiring.identity, header, justification);
                let proposal = signed.map_err(|error| FatalError::Contradiction(error.to_string()))?.into_inner();
                self.append(Record::Proposal(proposal.clone()))?;
                self.is_urgent = true;
                self.wiring.counters.proposals_signed.increment();
                proposal
            }
            Standing::Signed(proposal) => proposal,
            Standing::Stale => {
                self.wiring.counters.intents_stale.increment();
                return Ok(());
            }
            Standing::Contradiction(what) => return Err(FatalError::Contradiction(what)),
        };
        self.send_proposal(proposal, block);
        Ok(())
    }

    fn resend_vote(&mut self, vote: &Vote) {
        match self.own_records.signed_vote(vote) {
            Some(signed) => {
                self.wiring.counters.resends.increment();
                // After a restart it has not been counted yet.
                self.own.push_back(signed);
                self.send(Recipients::Everyone, Message::Vote(signed));
            }
            None => self.wiring.counters.intents_stale.increment(),
        }
    }

    fn resend_proposal(&mut self, position: Position, block: &Block) {
        match self.own_records.proposal(position).filter(|proposal| proposal.header.block == block.reference) {
            Some(proposal) => {
                let proposal = proposal.clone();
                self.wiring.counters.resends.increment();
                self.send_proposal(proposal, block);
            }
            None => self.wiring.counters.intents_stale.increment(),
        }
    }

    fn send_proposal(&mut self, proposal: Proposal, block: &Block) {
        let message = Message::Proposal { proposal: Box::new(proposal), payload: block.payload.clone() };
        self.send(Recipients::Everyone, message);
    }

    fn send(&mut self, recipients: Recipients, message: Message) {
        self.outbound.push_back(Outbound::Send { recipients, message });
    }

    fn compact(&mut self) -> Result<(), FatalError> {
        self.own_records.prune();
        self.wiring.journal.compact(self.own_records.retained())?;
        self.wiring.counters.compactions.increment();
        Ok(())
    }

    /// Nothing that waits leaves; only the reason does.
    fn die(&mut self, error: FatalError) {
        self.is_dead = true;
        self.own.clear();
        self.outbound.clear();
        self.outbound.push_back(Outbound::Fatal(error));
    }
}

impl<D: Disk> Stage for SignStage<D> {
    fn name(&self) -> &'static str {
        "sign"
    }

    fn turn(&mut self, now: Time) -> Progress {
        if !self.flush() || self.is_dead {
            return Progress::default();
        }
        let intents = match self.group(now) {
            Ok(intents) => intents,
            Err(error) => {
                self.die(error);
                self.flush();
                return Progress { did_work: true, wake_at: None };
            }
        };
        self.flush();
        if self.group_records == 0
            && self.wiring.journal.wants_compaction()
            && let Err(error) = self.compact()
        {
            // What is in the rings is durable: the old segment or the new one holds it.
            self.is_dead = true;
            self.outbound.push_back(Outbound::Fatal(error));
            self.flush();
        }
        Progress { did_work: intents > 0, wake_at: self.commit_at }
    }
}

#[cfg(test)]
mod tests;
