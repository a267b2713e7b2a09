//! The verify stage: from what peers sent to what the engine may believe.
//!
//! In each turn it takes a bounded number of messages, fairly from all peers, refuses without cryptography
//! what the engine has no use for, and checks the rest in batches: it never waits for company. Partials are
//! collected until there are `q`, then combined, and the one result is checked; only where that fails are
//! culprits looked for.
//!
//! What liars cost comes after what honest operators sent: a turn first passes on the certificates that it can, then
//! decodes ahead what arrived for votes without a quorum, then looks for the culprits of one failed vote and checks
//! one partial of a known culprit. If there is more of that, the next turn goes on with it.
//!
//! Invariants:
//! - a justification's certificates reach the engine before their proposal;
//! - memory is bounded for each sender (the memory rule of protocol.md);
//! - when the ring to the engine is full nothing more is taken in, except own partials: at most as many as
//!   the engine has asked for, so the stages never wait for each other in a circle;
//! - what verified once is not checked again, but passed on again from time to time, since the engine may
//!   have had no room for it.

mod ballots;
mod certificates;
mod culprits;
mod proposals;
mod suspects;

use crate::counters::{Counters, DropReason};
use crate::ingress::Ingress;
use crate::ring::{Depth, Ring};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stage::{Progress, Stage};
use ballots::{Ballots, VOTES_PER_SENDER_MAX};
use certificates::{Intake, KNOWN_CERTIFICATES_MAX, KnownCertificates};
use core::time::Duration;
use culprits::Culprits;
use phalanx_consensus::Input;
use phalanx_threshold::{Ballot, Partial, Partials, Verified, Verifier, digest};
use phalanx_types::{BlockInspector, Certificate, Equivocation, Message, OperatorIndex, SignedVote, Time};
use proposals::{POSITIONS_MAX, Proposals};
use rand_chacha::ChaCha20Rng;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use suspects::{SUSPECTS_PER_OPERATOR_MAX, Suspects};

/// Verified inputs that wait for the engine.
pub const VERIFIED_RING_MAX: usize = 1_024;
/// Own partials that wait to be collected.
pub const OWN_RING_MAX: usize = 256;
/// Messages of the vote lane taken in one turn.
const TURN_MESSAGES_MAX: usize = 2_048;
/// Those of one peer.
const PEER_MESSAGES_PER_TURN_MAX: usize = 64;
/// Those of one peer that was caught lying.
const CULPRIT_MESSAGES_PER_TURN_MAX: usize = 4;
/// Proposals taken in one turn, at most one for each peer: they may hold megabytes to hash.
const TURN_BLOCKS_MAX: usize = 4;
/// Terms in which one sender's `Nullify` is of interest: the current one and the next.
const NULLIFIED_TERMS_MAX: usize = 2;
/// How often something that verified before is passed to the engine again.
const REPEAT_INTERVAL: Duration = Duration::from_millis(500);

/// What the stage is wired to.
#[derive(Debug)]
pub(crate) struct VerifyWiring {
    pub(crate) ingress: Arc<Ingress>,
    pub(crate) own: Arc<Ring<SignedVote>>,
    pub(crate) verified: Arc<Ring<Input>>,
    pub(crate) snapshots: Snapshots,
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) inspector: Arc<dyn BlockInspector>,
    pub(crate) counters: Arc<Counters>,
    pub(crate) rng: ChaCha20Rng,
}

/// The first stage.
#[derive(Debug)]
pub struct VerifyStage {
    wiring: VerifyWiring,
    snapshot: Arc<Snapshot>,
    ballots: Ballots,
    known: KnownCertificates,
    proposals: Proposals,
    culprits: Culprits,
    /// Certificates taken in this turn, with whoever sent them.
    unchecked: Vec<(OperatorIndex, Certificate)>,
    /// Partials of culprits: each is checked alone.
    suspects: Suspects,
    /// Who was heard in this turn, and whether a vote of theirs says so already.
    heard: BTreeMap<OperatorIndex, bool>,
    /// What did not fit into the ring; at most what one turn makes.
    backlog: VecDeque<Input>,
    first_peer: usize,
    first_block_peer: usize,
}

impl VerifyStage {
    pub(crate) fn new(wiring: VerifyWiring) -> Self {
        let size = wiring.verifier.size();
        Self {
            snapshot: wiring.snapshots.load(),
            ballots: Ballots::new(size),
            known: KnownCertificates::default(),
            proposals: Proposals::default(),
            culprits: Culprits::default(),
            unchecked: Vec::new(),
            suspects: Suspects::default(),
            heard: BTreeMap::new(),
            backlog: VecDeque::new(),
            first_peer: 0,
            first_block_peer: 0,
            wiring,
        }
    }

    /// How much the stage remembers, beside the bounds of that: for checkers.
    #[must_use]
    pub fn depths(&self) -> [Depth; 6] {
        let (votes, nullified) = self.ballots.fullest_sender();
        let votes_max = self.wiring.verifier.size().n() * (VOTES_PER_SENDER_MAX + NULLIFIED_TERMS_MAX);
        [
            Depth { ring: "votes of a sender", length: votes, capacity: VOTES_PER_SENDER_MAX },
            Depth { ring: "left terms of a sender", length: nullified, capacity: NULLIFIED_TERMS_MAX },
            Depth {
                ring: "suspects of a sender",
                length: self.suspects.fullest(),
                capacity: SUSPECTS_PER_OPERATOR_MAX,
            },
            Depth { ring: "ballots", length: self.ballots.len(), capacity: votes_max },
            Depth { ring: "known certificates", length: self.known.len(), capacity: KNOWN_CERTIFICATES_MAX },
            Depth { ring: "known proposals", length: self.proposals.len(), capacity: POSITIONS_MAX },
        ]
    }

    /// Follows the engine: what became final or belongs to a term left behind is let go of.
    fn refresh(&mut self) {
        let newest = self.wiring.snapshots.load();
        let (old, new) = (&self.snapshot.window, &newest.window);
        if old.finalized != new.finalized || old.term != new.term || old.epoch != new.epoch {
            self.ballots.prune(new);
            self.suspects.prune(new);
            self.known.prune(new);
            self.proposals.prune(new);
        }
        self.snapshot = newest;
    }

    /// One's own partials are durable and true, and count whatever the window says.
    fn take_own(&mut self) -> bool {
        let mut did_work = false;
        while let Some(SignedVote { vote, signer, partial }) = self.wiring.own.pop() {
            did_work = true;
            if !self.known.certifies(&vote) && self.ballots.cast(&vote, signer).is_ok() {
                self.wiring.counters.partials.increment();
                self.ballots.add(vote, signer, partial);
            }
        }
        did_work
    }

    fn drain(&mut self, now: Time) -> bool {
        let peers = self.wiring.verifier.size().n();
        let mut taken = 0;
        for step in 0..peers {
            let index = (self.first_peer + step) % peers;
            if taken >= TURN_MESSAGES_MAX {
                self.first_peer = index;
                break;
            }
            taken += self.drain_votes_of(operator(index), now);
        }
        if taken < TURN_MESSAGES_MAX {
            self.first_peer = (self.first_peer + 1) % peers;
        }
        let mut blocks = 0;
        for step in 0..peers {
            let index = (self.first_block_peer + step) % peers;
            if let Some((proposal, payload)) = self.wiring.ingress.pop_block(operator(index)) {
                blocks += 1;
                self.take_proposal(operator(index), *proposal, payload, now);
            }
            if blocks >= TURN_BLOCKS_MAX {
                self.first_block_peer = (index + 1) % peers;
                break;
            }
        }
        let fetched = self.wiring.ingress.pop_fetched();
        let did_work = taken + blocks > 0 || fetched.is_some();
        if let Some((from, certificates)) = fetched {
            certificates.into_iter().for_each(|certificate| self.take_fetched(from, certificate, now));
        }
        did_work
    }

    fn drain_votes_of(&mut self, from: OperatorIndex, now: Time) -> usize {
        let is_culprit = self.culprits.contains(from, now);
        let quota = if is_culprit { CULPRIT_MESSAGES_PER_TURN_MAX } else { PEER_MESSAGES_PER_TURN_MAX };
        for taken in 0..quota {
            let Some(message) = self.wiring.ingress.pop_vote(from) else { return taken };
            let refused = match message {
                Message::Vote(vote) => self.take_vote(from, vote, now),
                Message::Certificate(certificate) => self.take_certificate(from, certificate, now),
                Message::Equivocation(evidence) => self.take_evidence(from, *evidence, now),
                Message::Proposal { .. } | Message::Transactions(_) => Err(DropReason::Misrouted),
            };
            if let Err(reason) = refused {
                self.wiring.counters.drop_one(reason);
            }
            self.heard.entry(from).or_insert(false);
        }
        quota
    }

    fn take_vote(&mut self, from: OperatorIndex, signed: SignedVote, now: Time) -> Result<(), DropReason> {
        // The ingress saw to it that the signer is the sender.
        let SignedVote { vote, signer, partial } = signed;
        if !self.snapshot.window.wants_vote(&vote) {
            if self.snapshot.window.shows_laggard(&vote) && self.heard.insert(from, true) != Some(true) {
                self.backlog.push_back(Input::Heard { from, vote: Some(vote) });
            }
            return Err(DropReason::OutsideWindow);
        }
        if self.known.certifies(&vote) {
            return Err(DropReason::AlreadyCertified);
        }
        self.ballots.cast(&vote, signer)?;
        self.heard.insert(from, true);
        self.backlog.push_back(Input::Heard { from, vote: Some(vote) });
        if !self.culprits.contains(from, now) {
            self.wiring.counters.partials.increment();
            self.ballots.add(vote, signer, partial);
        } else if self.culprits.grant(from, now) {
            self.suspects.add(vote, signer, partial)?;
        } else {
            return Err(DropReason::CulpritRefused);
        }
        Ok(())
    }

    fn take_certificate(&mut self, from: OperatorIndex, certificate: Certificate, now: Time) -> Result<(), DropReason> {
        match self.known.intake(&certificate, now) {
            Intake::Repeat(known) => self.backlog.push_back(Input::Certificate(known)),
            Intake::Known => return Err(DropReason::Duplicate),
            Intake::New => {
                let window = &self.snapshot.window;
                if !window.wants_certificate(&certificate) && !self.known.contradicts(&certificate.vote, window) {
                    return Err(DropReason::OutsideWindow);
                }
                self.check_later(from, certificate, now)?;
            }
        }
        Ok(())
    }

    /// A certificate of a proposal's justification: often of a term that was left, so the window, which is
    /// about what comes unasked, does not apply.
    fn take_hint(&mut self, from: OperatorIndex, certificate: Certificate, now: Time) -> Result<(), DropReason> {
        let window = &self.snapshot.window;
        let is_final = window.finalized.is_some_and(|finalized| certificate.position() <= finalized);
        if is_final || certificate.position().epoch != window.epoch {
            return Err(DropReason::OutsideWindow);
        }
        match self.known.intake(&certificate, now) {
            Intake::Repeat(known) => self.backlog.push_back(Input::Certificate(known)),
            Intake::Known => return Err(DropReason::Duplicate),
            Intake::New => self.check_later(from, certificate, now)?,
        }
        Ok(())
    }

    /// The answer to a request of ours: the engine asked, so it is passed on whatever the window says, and
    /// also if it is known.
    fn take_fetched(&mut self, from: OperatorIndex, certificate: Certificate, now: Time) {
        self.heard.entry(from).or_insert(false);
        match self.known.get(&certificate.vote) {
            Some(known) => self.backlog.push_back(Input::Certificate(known)),
            None => {
                if let Err(reason) = self.check_later(from, certificate, now) {
                    self.wiring.counters.drop_one(reason);
                }
            }
        }
    }

    fn check_later(&mut self, from: OperatorIndex, certificate: Certificate, now: Time) -> Result<(), DropReason> {
        if self.unchecked.iter().any(|(_, other)| *other == certificate) {
            return Err(DropReason::Duplicate);
        }
        if self.culprits.contains(from, now) && !self.culprits.grant(from, now) {
            return Err(DropReason::CulpritRefused);
        }
        self.unchecked.push((from, certificate));
        Ok(())
    }

    fn take_evidence(&mut self, from: OperatorIndex, evidence: Equivocation, now: Time) -> Result<(), DropReason> {
        let header = &evidence.first;
        if self.proposals.is_convicted(header.position) {
            return Err(DropReason::Duplicate);
        }
        if !self.snapshot.window.wants_proposal(header) {
            return Err(DropReason::OutsideWindow);
        }
        if self.culprits.contains(from, now) && !self.culprits.grant(from, now) {
            return Err(DropReason::CulpritRefused);
        }
        let Ok(verified) = self.wiring.verifier.equivocation(evidence) else {
            self.blame(from, now);
            return Err(DropReason::BadProposal);
        };
        self.pass_evidence(verified);
        Ok(())
    }

    fn pass_evidence(&mut self, evidence: Verified<Equivocation>) {
        self.proposals.convict(evidence.first.position);
        self.wiring.counters.equivocations.increment();
        self.backlog.push_back(Input::Equivocation(evidence));
    }

    fn blame(&mut self, operator: OperatorIndex, now: Time) {
        self.wiring.counters.culprits.increment();
        self.culprits.add(operator, now);
    }

    /// Checks what waits: certificates first, since one saves the recovery of its ballot.
    fn check(&mut self, now: Time) -> bool {
        let waiting = !self.unchecked.is_empty() || self.ballots.has_ready();
        self.check_certificates(now);
        self.certify(now);
        for (from, said_by_vote) in core::mem::take(&mut self.heard) {
            if !said_by_vote {
                self.backlog.push_back(Input::Heard { from, vote: None });
            }
        }
        let passed = self.proposals.take_passed();
        self.wiring.counters.proposals.add(passed.len());
        self.backlog.extend(passed.into_iter().map(|(proposal, block)| Input::Proposal { proposal, block }));
        waiting
    }

    fn check_certificates(&mut self, now: Time) {
        let unchecked = core::mem::take(&mut self.unchecked);
        // A culprit's certificates are checked apart, so that they do not spoil the batch of the others.
        let (suspect, trusted): (Vec<_>, Vec<_>) =
            unchecked.into_iter().partition(|(from, _)| self.culprits.contains(*from, now));
        self.check_batch(trusted, now);
        self.check_batch(suspect, now);
    }

    fn check_batch(&mut self, batch: Vec<(OperatorIndex, Certificate)>, now: Time) {
        if batch.is_empty() {
            return;
        }
        let (senders, certificates): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
        self.wiring.counters.batches.increment();
        self.wiring.counters.batch_items.add(certificates.len());
        let verdicts = self.wiring.verifier.certificates(&mut self.wiring.rng, certificates);
        for (from, verdict) in senders.into_iter().zip(verdicts) {
            match verdict {
                Ok(certificate) => {
                    self.wiring.counters.certificates_received.increment();
                    self.ballots.remove(&certificate.vote);
                    self.known.insert(certificate, now);
                    self.backlog.push_back(Input::Certificate(certificate));
                }
                Err(_) => {
                    self.wiring.counters.drop_one(DropReason::BadSignature);
                    self.blame(from, now);
                }
            }
        }
    }

    fn certify(&mut self, now: Time) {
        let known = &self.known;
        let ballots: Vec<Ballot> =
            self.ballots.take_ready().into_iter().filter(|ballot| !known.certifies(&ballot.vote)).collect();
        if ballots.is_empty() {
            return;
        }
        self.wiring.counters.batches.increment();
        self.wiring.counters.batch_items.add(ballots.len());
        let recovered = self.wiring.verifier.recover(&mut self.wiring.rng, &ballots);
        for (ballot, certificate) in ballots.iter().zip(recovered) {
            match certificate {
                Some(certificate) => self.recovered(certificate, now),
                None => self.ballots.fail(ballot.vote),
            }
        }
    }

    fn recovered(&mut self, certificate: Verified<Certificate>, now: Time) {
        self.wiring.counters.certificates_recovered.increment();
        self.ballots.remove(&certificate.vote);
        self.known.insert(certificate, now);
        self.backlog.push_back(Input::Certificate(certificate));
    }

    /// Decodes partials of votes that have no quorum yet, in whole lanes.
    fn decode_ahead(&mut self, now: Time) {
        let taken = self.ballots.take_encoded();
        let mut partials: Vec<Partial> = taken.iter().map(|(_, _, partial)| *partial).collect();
        if partials.is_empty() {
            return;
        }
        let verdicts = self.wiring.verifier.scheme().decode(&mut partials);
        for (((vote, signer, _), partial), good) in taken.into_iter().zip(partials).zip(verdicts) {
            self.ballots.put_decoded(&vote, signer, good.then_some(partial));
            if !good {
                self.refute(signer, now);
            }
        }
    }

    /// A partial of this operator is bad.
    fn refute(&mut self, signer: OperatorIndex, now: Time) {
        self.wiring.counters.drop_one(DropReason::BadSignature);
        self.blame(signer, now);
    }

    /// Does a bounded part of what liars make necessary; whether there was any.
    fn check_liars(&mut self, now: Time) -> bool {
        let waiting = self.ballots.has_failed() || !self.suspects.is_empty();
        if let Some(ballot) = self.ballots.take_failed() {
            self.find_culprits(&ballot, now);
        }
        self.check_suspect(now);
        waiting
    }

    fn find_culprits(&mut self, ballot: &Ballot, now: Time) {
        self.wiring.counters.bisections.increment();
        let result = self.wiring.verifier.find_culprits(&mut self.wiring.rng, ballot);
        for &culprit in &result.culprits {
            self.refute(culprit, now);
        }
        match result.certificate {
            Some(certificate) => self.recovered(certificate, now),
            None => self.ballots.keep_only(ballot.vote, result.good),
        }
    }

    /// Checks one partial of a culprit alone, before it is collected; those of votes that are certified by now cost
    /// nothing.
    fn check_suspect(&mut self, now: Time) {
        while let Some((vote, signer, partial)) = self.suspects.pop() {
            if self.known.certifies(&vote) {
                self.wiring.counters.drop_one(DropReason::AlreadyCertified);
                continue;
            }
            let digest = digest(self.wiring.verifier.domain(), &vote);
            let item = Partials { digest, partials: &[(signer, partial.into())] };
            let verdicts = self.wiring.verifier.scheme().verify_partials(&mut self.wiring.rng, item);
            if verdicts == [true] {
                self.wiring.counters.partials.increment();
                self.ballots.add(vote, signer, partial);
            } else {
                self.refute(signer, now);
            }
            return;
        }
    }
}

impl Stage for VerifyStage {
    fn name(&self) -> &'static str {
        "verify"
    }

    fn turn(&mut self, now: Time) -> Progress {
        self.refresh();
        let mut did_work = self.take_own();
        if self.wiring.verified.flush(&mut self.backlog) {
            did_work |= self.drain(now);
            did_work |= self.check(now);
            if self.wiring.verified.flush(&mut self.backlog) {
                self.decode_ahead(now);
                did_work |= self.check_liars(now);
                self.wiring.verified.flush(&mut self.backlog);
            }
        }
        Progress { did_work, wake_at: None }
    }
}

fn operator(index: usize) -> OperatorIndex {
    OperatorIndex(u16::try_from(index).expect("an index of an operator is below OPERATORS_MAX"))
}

#[cfg(test)]
mod tests;
