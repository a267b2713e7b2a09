//! One operator's part in a ceremony.

use super::ceremony::{Abort, Ceremony, Effect, Outcome, Participant, Status};
use super::envelope::{Body, CeremonyMessage, Envelope, Have, Step, attestation_digest};
use crate::dealing::Dealing;
use crate::error::MisuseError;
use crate::identity::IdentityKey;
use crate::keys::{PublicKey, SecretShare};
use crate::scheme::bls::{Bls, BlsSigner};
use crate::scheme::{Partial, PartialSigner, Partials, ThresholdScheme};
use crate::verified::Verified;
use alloy_primitives::B256;
use core::fmt;
use core::time::Duration;
use phalanx_bls::{Scalar, Variant, Weights};
use phalanx_types::{ClusterSize, OperatorIndex, Time};
use rand::CryptoRng;
use std::sync::Arc;
use zeroize::Zeroizing;

/// How often an operator says what it has.
pub const HAVE_INTERVAL: Duration = Duration::from_millis(500);
/// No more is added to an answer that is this long. Unit: bytes.
pub const ANSWER_BYTES_MAX: usize = 2 << 20;
/// An operator's own steps are sent again when it is told so often in a row that they are missing.
const SAME_BEFORE_OWN: u32 = 1;
/// And those of others.
const SAME_BEFORE_RELAY: u32 = 2;

/// The steps of one operator, each as first seen.
struct Seat<V: Variant> {
    steps: [Option<Envelope>; 4],
    dealing: Option<Arc<Verified<Dealing<V>>>>,
    /// Whether its word for the outcome was checked, and is right.
    confirmed: bool,
    /// What it said that it has, and how often in a row it said so.
    have: Have,
    same: u32,
}

/// The keys, before they are confirmed.
struct Keys<V: Variant> {
    scheme: Bls<V>,
    public_key: PublicKey<V>,
    share_keys: Vec<PublicKey<V>>,
    share: SecretShare,
    digest: B256,
}

/// One operator's part in a ceremony, as a state machine.
pub struct Machine<V: Variant> {
    ceremony: Ceremony<V>,
    own: Participant,
    size: ClusterSize,
    seats: Vec<Seat<V>>,
    keys: Option<Keys<V>>,
    outcome: Option<Outcome<V>>,
    abort: Option<Abort>,
    next_have: Time,
    last_progress: Time,
    restoring: bool,
    effects: Vec<Effect>,
}

impl<V: Variant> Machine<V> {
    /// A machine that has done nothing yet.
    ///
    /// # Errors
    /// [`MisuseError`] when the participant's keys are not those of its seat.
    pub fn new(ceremony: Ceremony<V>, own: Participant, now: Time) -> Result<Self, MisuseError> {
        let size = ceremony.recipients.size();
        let n = size.n();
        let seat = own.index.as_usize();
        if ceremony.identities.get(seat) != Some(&own.identity.public())
            || ceremony.recipients.keys().get(seat) != Some(&own.encryption.public())
        {
            return Err(MisuseError::NotOurSeat(own.index));
        }
        let have = Have { steps: core::array::from_fn(|_| vec![false; n]), ..Have::default() };
        let seat = || Seat { steps: [const { None }; 4], dealing: None, confirmed: false, have: have.clone(), same: 0 };
        Ok(Self {
            seats: (0..n).map(|_| seat()).collect(),
            ceremony,
            own,
            size,
            keys: None,
            outcome: None,
            abort: None,
            next_have: now,
            last_progress: now,
            restoring: false,
            effects: Vec::new(),
        })
    }

    /// Takes back what was stored, before [`Self::start`]. Everything is checked as if it had just arrived.
    pub fn restore(&mut self, now: Time, rng: &mut dyn CryptoRng, stored: Vec<Envelope>) {
        self.restoring = true;
        for envelope in stored {
            self.accept(now, rng, envelope);
        }
        self.restoring = false;
    }

    /// Begins, or goes on where the stored messages end.
    pub fn start(&mut self, now: Time, rng: &mut dyn CryptoRng) {
        let (id, own) = (self.ceremony.id, self.own.index);
        if self.step(own, Step::Deal).is_none() {
            let dealing = Dealing::<V>::random(rng, &self.ceremony.recipients, id, own);
            self.make(now, rng, Body::Deal(dealing.to_bytes()));
        }
        if let (None, Some(deal)) = (self.step(own, Step::Commit), self.step(own, Step::Deal)) {
            let hash = deal.body.hash();
            self.make(now, rng, Body::Commit(hash));
        }
        self.advance(now, rng);
    }

    /// Takes a message from the operator at the other end of a connection.
    pub fn receive(&mut self, now: Time, rng: &mut dyn CryptoRng, from: OperatorIndex, message: CeremonyMessage) {
        match message {
            CeremonyMessage::Envelope(envelope) => {
                self.accept(now, rng, envelope);
                self.advance(now, rng);
            }
            CeremonyMessage::Have(have) => self.serve(from, have),
        }
    }

    /// Says what it has, when it is time. To be called at least every [`HAVE_INTERVAL`].
    pub fn tick(&mut self, now: Time) {
        if now >= self.next_have {
            self.next_have = now + HAVE_INTERVAL;
            let have = self.have();
            self.effects.push(Effect::Broadcast(CeremonyMessage::Have(have)));
        }
    }

    /// What is to be done since the last call.
    pub fn take_effects(&mut self) -> Vec<Effect> {
        core::mem::take(&mut self.effects)
    }

    /// When something new was last heard.
    #[must_use]
    pub fn last_progress(&self) -> Time {
        self.last_progress
    }

    /// How far it is.
    #[must_use]
    pub fn status(&self) -> Status {
        if let Some(abort) = &self.abort {
            return Status::Aborted(abort.clone());
        }
        if self.outcome.is_some() {
            let behind = |index: &OperatorIndex| *index != self.own.index && !self.seat(*index).have.finished;
            return Status::Finished(self.size.operators().filter(behind).collect());
        }
        let step = Step::ALL.into_iter().find(|step| !self.complete(*step)).unwrap_or(Step::Confirm);
        Status::Waiting(step, self.size.operators().filter(|index| self.step(*index, step).is_none()).collect())
    }

    /// What it made, once all have confirmed it.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome<V>> {
        self.outcome.as_ref()
    }

    fn seat(&self, index: OperatorIndex) -> &Seat<V> {
        &self.seats[index.as_usize()]
    }

    fn step(&self, index: OperatorIndex, step: Step) -> Option<&Envelope> {
        self.seat(index).steps[step.as_usize()].as_ref()
    }

    fn complete(&self, step: Step) -> bool {
        self.size.operators().all(|index| self.step(index, step).is_some())
    }

    /// Makes a step of its own. A dealing is kept back until all echoes have come.
    fn make(&mut self, now: Time, rng: &mut dyn CryptoRng, body: Body) {
        let envelope = Envelope::sign(&self.own.identity, self.ceremony.id, self.own.index, body);
        let send = envelope.body.step() != Step::Deal;
        self.accept(now, rng, envelope.clone());
        if send {
            self.effects.push(Effect::Broadcast(CeremonyMessage::Envelope(envelope)));
        }
    }

    /// Takes a step of any operator, from anybody. What is not signed by its author is nobody's.
    fn accept(&mut self, now: Time, rng: &mut dyn CryptoRng, envelope: Envelope) {
        let (from, step) = (envelope.from, envelope.body.step());
        let Some(key) = self.ceremony.identities.get(from.as_usize()) else { return };
        let known = self.step(from, step);
        let news = known.is_none_or(|known| known.body.hash() != envelope.body.hash());
        // Whoever has added the dealings up has given its word, and others may have finished with that. Evidence that
        // turns up now ends the ceremony for those who have not; but if all words come, it is over all the same.
        let counts = step == Step::Confirm && self.keys.is_some();
        let late = self.outcome.is_some() || (self.abort.is_some() && !counts);
        let settled = step == Step::Confirm && self.seat(from).confirmed;
        if late || !news || settled || !envelope.is_signed_by(key, self.ceremony.id) {
            return;
        }
        match &envelope.body {
            Body::Commit(_) | Body::Deal(_) => self.accept_dealing(now, envelope),
            Body::Echo(_) => self.accept_echo(now, rng, envelope),
            Body::Confirm { .. } => {
                // Checked, and only then stored, once the outcome is known here.
                self.last_progress = now;
                self.seats[from.as_usize()].steps[step.as_usize()] = Some(envelope);
            }
        }
    }

    fn keep(&mut self, now: Time, envelope: Envelope) {
        self.last_progress = now;
        if !self.restoring {
            self.effects.push(Effect::Store(envelope.clone()));
        }
        let (from, step) = (envelope.from.as_usize(), envelope.body.step().as_usize());
        self.seats[from].steps[step] = Some(envelope);
    }

    /// One operator has one dealing: whatever it signs as commit or dealing must have one hash.
    fn accept_dealing(&mut self, now: Time, envelope: Envelope) {
        let from = envelope.from;
        let other = [Step::Commit, Step::Deal]
            .into_iter()
            .find_map(|step| self.step(from, step).filter(|known| known.body.hash() != envelope.body.hash()).cloned());
        if let Some(other) = other {
            return self.stop(from, "it has signed two different dealings", vec![other, envelope]);
        }
        if let Body::Deal(bytes) = &envelope.body {
            match (self.ceremony.check)(bytes, from) {
                Ok(dealing) => self.seats[from.as_usize()].dealing = Some(dealing),
                Err(error) => return self.stop(from, &error.to_string(), vec![envelope]),
            }
        }
        self.keep(now, envelope);
    }

    /// An echo brings commits with it; each convicts either its author or the echo's.
    fn accept_echo(&mut self, now: Time, rng: &mut dyn CryptoRng, envelope: Envelope) {
        let Body::Echo(commits) = &envelope.body else { return };
        let mut learnt = Vec::new();
        for (from, (hash, signature)) in self.size.operators().zip(commits) {
            let commit = Envelope { from, body: Body::Commit(*hash), signature: *signature };
            if self.step(from, Step::Commit) == Some(&commit) {
                continue;
            }
            if !commit.is_signed_by(&self.ceremony.identities[from.as_usize()], self.ceremony.id) {
                let reason = format!("it echoes a hash that operator {from} has not signed");
                return self.stop(envelope.from, &reason, vec![envelope.clone()]);
            }
            learnt.push(commit);
        }
        for commit in learnt {
            self.accept(now, rng, commit);
        }
        if self.abort.is_none() && self.step(envelope.from, Step::Echo).is_none() {
            self.keep(now, envelope);
        }
    }

    fn stop(&mut self, culprit: OperatorIndex, reason: &str, evidence: Vec<Envelope>) {
        for envelope in &evidence {
            // What may yet be overtaken by the outcome is not stored.
            if !self.restoring && self.keys.is_none() {
                self.effects.push(Effect::Store(envelope.clone()));
            }
            self.effects.push(Effect::Broadcast(CeremonyMessage::Envelope(envelope.clone())));
        }
        self.abort = Some(Abort { culprit, reason: reason.to_owned(), evidence });
    }

    /// Does what has become possible.
    fn advance(&mut self, now: Time, rng: &mut dyn CryptoRng) {
        if self.outcome.is_some() {
            return;
        }
        let own = self.own.index;
        if self.abort.is_none() && self.step(own, Step::Echo).is_none() && self.complete(Step::Commit) {
            let commits = self.size.operators().filter_map(|index| {
                let commit = self.step(index, Step::Commit)?;
                Some((commit.body.hash(), commit.signature))
            });
            let commits = commits.collect();
            self.make(now, rng, Body::Echo(commits));
        }
        if self.abort.is_none() && self.complete(Step::Echo) {
            self.send_dealing();
            if self.keys.is_none() && self.complete(Step::Deal) {
                self.confirm(now, rng);
            }
        }
        self.check_confirmations(rng);
    }

    /// Adds the shares up, and gives its word for the outcome.
    fn confirm(&mut self, now: Time, rng: &mut dyn CryptoRng) {
        let keys = self.add_up();
        let digest = keys.digest;
        let partial = BlsSigner::<V>::new(keys.share.clone()).sign(&digest);
        self.keys = Some(keys);
        if self.step(self.own.index, Step::Confirm).is_none() {
            let attestation = self.own.identity.sign_digest(&attestation_digest(digest));
            self.make(now, rng, Body::Confirm { digest, attestation, partial });
        }
    }

    /// Once: the dealing is due when the last echo has come.
    fn send_dealing(&mut self) {
        let seat = &mut self.seats[self.own.index.as_usize()];
        if let (Some(deal), false) = (&seat.steps[Step::Deal.as_usize()], seat.have.steps[Step::Deal.as_usize()][0]) {
            // One's own seat needs no view of what its operator has: it says here whether this was done.
            seat.have.steps[Step::Deal.as_usize()][0] = true;
            self.effects.push(Effect::Broadcast(CeremonyMessage::Envelope(deal.clone())));
        }
    }

    /// The sums of all dealings.
    fn add_up(&self) -> Keys<V> {
        let dealings: Vec<(OperatorIndex, &Arc<Verified<Dealing<V>>>)> = self
            .size
            .operators()
            .filter_map(|index| self.seat(index).dealing.as_ref().map(|dealing| (index, dealing)))
            .collect();
        let ones = Weights::from_integers(&vec![(false, [1, 0, 0, 0]); dealings.len()]);
        let sum = |key: &dyn Fn(&Dealing<V>) -> V::PublicKey| {
            let keys: Vec<V::PublicKey> = dealings.iter().map(|(_, dealing)| key(dealing)).collect();
            PublicKey(
                V::sum_keys(self.ceremony.backend, &keys, &ones)
                    .expect("a sum with a uniform part, committed to blindly, is zero once in 2²⁵⁴"),
            )
        };
        let public_key = sum(&|dealing| dealing.public_key());
        let share_keys: Vec<PublicKey<V>> =
            self.size.operators().map(|index| sum(&|dealing| dealing.share_key(index))).collect();
        let share = dealings.iter().fold(Zeroizing::new(Scalar::ZERO), |sum, (dealer, dealing)| {
            let own = &self.own;
            let share = dealing
                .decrypt(&self.ceremony.recipients, self.ceremony.id, *dealer, own.index, &own.encryption)
                .expect("a dealing that verifies gives every recipient its share");
            Zeroizing::new(*sum + *share)
        });
        let share = SecretShare::from_scalar(self.own.index, &share).expect("its key, above, is not infinity");
        let scheme = Bls::new(self.ceremony.backend, self.size, public_key, share_keys.clone())
            .expect("sums of polynomials of degree below q are such a polynomial");
        let digest = (self.ceremony.attest)(&public_key, &share_keys);
        Keys { scheme, public_key, share_keys, share, digest }
    }

    /// Checks what others have confirmed; with the right word of all, the ceremony is over. A wrong one accuses
    /// its author, and ends the ceremony unless a right one of it turns up: some may have finished with that.
    fn check_confirmations(&mut self, rng: &mut dyn CryptoRng) {
        let Some(keys) = &self.keys else { return };
        let mut wrong = Vec::new();
        for (index, seat) in self.size.operators().zip(&mut self.seats) {
            let confirm = &mut seat.steps[Step::Confirm.as_usize()];
            let (Some(envelope), false) = (&confirm, seat.confirmed) else { continue };
            if let Some(reason) = keys.objection(rng, &self.ceremony.identities[index.as_usize()], envelope) {
                wrong.extend(confirm.take().map(|envelope| (index, reason, envelope)));
                continue;
            }
            if !self.restoring {
                self.effects.push(Effect::Store(envelope.clone()));
            }
            seat.confirmed = true;
        }
        // One accusation says enough, and is passed on once.
        if let (Some((index, reason, envelope)), true) = (wrong.into_iter().next(), self.abort.is_none()) {
            self.stop(index, reason, vec![envelope]);
        }
        self.finish(rng);
    }

    /// With the checked word of everybody, there is an outcome.
    fn finish(&mut self, rng: &mut dyn CryptoRng) {
        let (Some(keys), true) = (&self.keys, self.seats.iter().all(|seat| seat.confirmed)) else { return };
        let (mut partials, mut attestations) = (Vec::new(), Vec::new());
        for index in self.size.operators() {
            if let Some(Body::Confirm { attestation, partial, .. }) =
                self.step(index, Step::Confirm).map(|envelope| &envelope.body)
            {
                partials.push((index, Partial::from(*partial)));
                attestations.push(*attestation);
            }
        }
        let quorum = Partials { digest: keys.digest, partials: &partials[..self.size.q()] };
        let signature = keys.scheme.recover(rng, &[quorum]).into_iter().next().flatten();
        let signature = signature.expect("partials that verify one by one make the key's signature");
        self.outcome = Some(Outcome {
            public_key: keys.public_key,
            share_keys: keys.share_keys.clone(),
            share: keys.share.clone(),
            digest: keys.digest,
            signature,
            attestations,
        });
        self.abort = None;
    }

    fn have(&self) -> Have {
        let steps = Step::ALL.map(|step| self.size.operators().map(|index| self.step(index, step).is_some()).collect());
        Have { steps, finished: self.outcome.is_some(), aborted: self.abort.is_some() }
    }

    /// Answers what an operator says that it has with what it lacks. What it has may be on its way to here, or
    /// what it lacks on its way there: so one's own steps only when it says the same again, and those of others,
    /// whom it should have heard itself, when it says so once more.
    fn serve(&mut self, to: OperatorIndex, have: Have) {
        let n = self.size.n();
        if to == self.own.index || to.as_usize() >= n || have.steps.iter().any(|step| step.len() != n) {
            return;
        }
        let seat = &mut self.seats[to.as_usize()];
        seat.same = if seat.have == have { seat.same.saturating_add(1) } else { 0 };
        let (same, lacks_verdict) = (seat.same, !have.aborted && !have.finished);
        seat.have = have;
        let mut answer: Vec<Envelope> = Vec::new();
        if let (Some(abort), true) = (&self.abort, lacks_verdict) {
            answer.extend(abort.evidence.iter().cloned());
        }
        let have = &self.seat(to).have;
        let own_dealing_is_due = self.complete(Step::Echo);
        let mut bytes = 0;
        for (step, had) in Step::ALL.into_iter().zip(&have.steps) {
            for (index, had) in self.size.operators().zip(had) {
                let own = index == self.own.index;
                let patience = if own { SAME_BEFORE_OWN } else { SAME_BEFORE_RELAY };
                let kept_back = own && step == Step::Deal && !own_dealing_is_due;
                let Some(envelope) = self.step(index, step) else { continue };
                if *had || have.finished || index == to || kept_back || same < patience || bytes > ANSWER_BYTES_MAX {
                    continue;
                }
                bytes += envelope.body.len();
                answer.push(envelope.clone());
            }
        }
        self.effects.extend(answer.into_iter().map(|envelope| Effect::Send(to, CeremonyMessage::Envelope(envelope))));
    }
}

impl<V: Variant> Keys<V> {
    /// What is wrong with an operator's word for this outcome.
    fn objection(&self, rng: &mut dyn CryptoRng, identity: &IdentityKey, envelope: &Envelope) -> Option<&'static str> {
        let Body::Confirm { digest, attestation, partial } = &envelope.body else { return None };
        if *digest != self.digest {
            return Some("it confirms another outcome than the dealings make");
        }
        if !identity.verifies_digest(&attestation_digest(*digest), attestation) {
            return Some("its attestation does not verify");
        }
        let item = Partials { digest: self.digest, partials: &[(envelope.from, Partial::from(*partial))] };
        let good = self.scheme.verify_partials(rng, item) == [true];
        (!good).then_some("its test signature does not verify under its share key")
    }
}

impl<V: Variant> fmt::Debug for Machine<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Machine")
            .field("operator", &self.own.index)
            .field("status", &self.status())
            .finish_non_exhaustive()
    }
}
