//! All checkers of one cluster behind one door: feed it every observation, in order.

use crate::{
    AgreementChecker, Broken, CertificateChecker, Event, LivenessChecker, Observation, Standstill, TermKept,
    TransactionChecker, Violation, VoteChecker,
};
use core::time::Duration;
use phalanx_types::{BlockRef, ClusterSize, OperatorIndex, Record, Time, VoteKind};
use std::collections::{BTreeMap, BTreeSet};

/// What the checkers must know of the cluster.
#[derive(Clone, Debug)]
pub struct Setting {
    /// How many operators there are.
    pub size: ClusterSize,
    /// `W`: slots of a term.
    pub slots_per_term: u32,
    /// The block that is final before term 0.
    pub genesis: BlockRef,
    /// Those whose deeds prove nothing, and whose shares the adversary has.
    pub byzantine: BTreeSet<OperatorIndex>,
    /// How long a watched operator may go without a commit.
    pub liveness_bound: Duration,
}

/// Every invariant of one cluster.
#[derive(Clone, Debug)]
pub struct Checkers {
    byzantine: BTreeSet<OperatorIndex>,
    agreement: AgreementChecker,
    certificates: CertificateChecker,
    votes: BTreeMap<OperatorIndex, VoteChecker>,
    transactions: TransactionChecker,
    liveness: LivenessChecker,
    standstill: Option<Standstill>,
    term_kept: Option<TermKept>,
}

impl Checkers {
    /// Checkers of a cluster that has done nothing yet.
    #[must_use]
    pub fn new(setting: &Setting) -> Self {
        let votes = setting
            .size
            .operators()
            .map(|operator| (operator, VoteChecker::new(operator, setting.size, setting.slots_per_term)));
        Self {
            byzantine: setting.byzantine.clone(),
            agreement: AgreementChecker::new(setting.genesis),
            certificates: CertificateChecker::new(setting.size.q(), setting.byzantine.len()),
            votes: votes.collect(),
            transactions: TransactionChecker::new(setting.genesis.number),
            liveness: LivenessChecker::new(setting.liveness_bound),
            standstill: None,
            term_kept: None,
        }
    }

    /// Invariants 1 and 4: the one final chain.
    #[must_use]
    pub fn agreement(&self) -> &AgreementChecker {
        &self.agreement
    }

    /// Invariant 5.
    #[must_use]
    pub fn liveness(&self) -> &LivenessChecker {
        &self.liveness
    }

    /// Transactions.
    #[must_use]
    pub fn transactions(&self) -> &TransactionChecker {
        &self.transactions
    }

    /// From `at` on `operator` must make progress.
    pub fn watch(&mut self, at: Time, operator: OperatorIndex) {
        if !self.byzantine.contains(&operator) {
            self.liveness.watch(at, operator, self.agreement.newest(operator).number);
        }
    }

    /// Nothing is asked of `operator` any more.
    pub fn unwatch(&mut self, operator: OperatorIndex) {
        self.liveness.unwatch(operator);
    }

    /// From now on nothing above what is final may become final (`true`), or it may (`false`).
    pub fn expect_standstill(&mut self, expected: bool) {
        self.standstill = expected.then(|| Standstill::at(self.agreement.height()));
    }

    /// No term after this one may be entered, until this is called with `None`.
    pub fn expect_term_kept(&mut self, term: Option<u64>) {
        self.term_kept = term.map(TermKept::new);
    }

    /// Has everyone who is watched made progress by `now`?
    ///
    /// # Errors
    /// [`Broken::Stalled`].
    pub fn check_liveness(&mut self, now: Time) -> Result<(), Violation> {
        self.liveness.check(now)
    }

    /// Takes one observation. Those of Byzantine operators prove nothing and are passed over.
    ///
    /// # Errors
    /// The [`Violation`] that it is.
    pub fn observe(&mut self, observation: &Observation) -> Result<(), Violation> {
        let Observation { at, operator, event } = observation;
        let (at, operator) = (*at, *operator);
        if self.byzantine.contains(&operator) {
            return Ok(());
        }
        let votes = self.votes.get_mut(&operator).expect("observations come from operators of the cluster");
        match event {
            Event::Durable(record) => self.durable(at, operator, record),
            Event::Sent(vote) => votes.sent(at, *vote),
            Event::SentProposal(header) => votes.sent_proposal(at, header),
            Event::Certificate(certificate) => {
                votes.saw(certificate);
                self.certified(at, operator, certificate.vote)
            }
            Event::Committed(block) => {
                self.agreement.committed(at, operator, block)?;
                self.transactions.committed(at, operator, block)?;
                self.liveness.committed(at, operator, block.reference.number);
                self.standstill.map_or(Ok(()), |expected| expected.committed(at, operator, block.reference))
            }
            Event::EnteredTerm(position) => {
                self.term_kept.map_or(Ok(()), |expected| expected.entered(at, operator, *position))
            }
            Event::Restarted { committed } => {
                votes.restarted();
                self.agreement.restarted(at, operator, *committed)
            }
            Event::Convicted { leader, position } => {
                votes.convicted(at, *position);
                let broken = Broken::HonestConvicted { leader: *leader };
                if self.byzantine.contains(leader) { Ok(()) } else { Err(Violation::new(at, operator, broken)) }
            }
            Event::Accepted(transaction) => {
                self.transactions.accepted(at, operator, *transaction);
                Ok(())
            }
            Event::Length { what, length, max } => {
                let broken = Broken::OutOfBounds { what, length: *length, max: *max };
                if length <= max { Ok(()) } else { Err(Violation::new(at, operator, broken)) }
            }
        }
    }

    fn durable(&mut self, at: Time, operator: OperatorIndex, record: &Record) -> Result<(), Violation> {
        let votes = self.votes.get_mut(&operator).expect("observations come from operators of the cluster");
        votes.durable(at, record)?;
        match record {
            Record::Certificate(certificate) => self.certified(at, operator, certificate.vote),
            Record::Proposal(_) => Ok(()),
            Record::Vote(signed) => {
                let possible = self.certificates.signed(at, operator, signed.vote)?;
                let is_final = possible && signed.vote.kind == VoteKind::Finalize;
                if is_final { self.agreement.finalized(at, operator, signed.vote.block) } else { Ok(()) }
            }
        }
    }

    fn certified(&mut self, at: Time, operator: OperatorIndex, vote: phalanx_types::Vote) -> Result<(), Violation> {
        self.certificates.exists(at, operator, vote)?;
        if vote.kind == VoteKind::Finalize { self.agreement.finalized(at, operator, vote.block) } else { Ok(()) }
    }
}
