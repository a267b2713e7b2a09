//! The virtual network: bytes that take their time, get lost or come twice, machines that restart from what they
//! stored, and dealers that are not honest. Everything follows from the seed.

use super::super::ceremony::Check;
use super::super::machine::Machine;
use super::super::*;
use crate::dealing::{Dealing, EncryptionSecret, Recipients};
use crate::error::PeerError;
use crate::identity::Identity;
use crate::scheme::ThresholdScheme;
use crate::scheme::bls::Bls;
use crate::verified::Verified;
use alloy_primitives::{B256, keccak256};
use core::time::Duration;
use phalanx_bls::{Backend, MinSig};
use phalanx_types::{ClusterSize, OperatorIndex, SignatureBytes, Time};
use rand::{Rng, RngExt};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeMap;
use std::sync::Arc;

const CEREMONY: B256 = B256::repeat_byte(0xce);
/// How long a ceremony is watched: large ones have more to carry, in answers of a bounded length.
const END: Duration = Duration::from_secs(20);
const END_PER_OPERATOR: Duration = Duration::from_millis(400);
const LATENESS: Duration = Duration::from_secs(8);
const TICK: Duration = Duration::from_millis(250);

/// What the faulty dealers do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Encrypt a wrong share to one operator.
    WrongShare,
    /// Commit to one dealing before some and to another before the others.
    Equivocation,
    /// Commit to one dealing before all, and once that is agreed on, to another before some.
    LateEquivocation,
    /// Say nothing of their own from this step on.
    Silence(Step),
    /// Start long after the others.
    Late,
    /// Deal bytes that are no dealing.
    Malformed,
    /// Confirm something else before all.
    WrongConfirm,
    /// Confirm something else before some, and rightly before the others.
    ConfirmTwice,
}

impl Kind {
    pub(super) const ALL: [Self; 11] = [
        Self::WrongShare,
        Self::Equivocation,
        Self::LateEquivocation,
        Self::Silence(Step::Commit),
        Self::Late,
        Self::Malformed,
        Self::WrongConfirm,
        Self::ConfirmTwice,
        Self::Silence(Step::Echo),
        Self::Silence(Step::Deal),
        Self::Silence(Step::Confirm),
    ];
}

struct Node {
    machine: Option<Machine<MinSig>>,
    stored: Vec<Envelope>,
    faulty: bool,
}

enum Event {
    Deliver(OperatorIndex, OperatorIndex, Vec<u8>),
    Tick(OperatorIndex),
    Start(OperatorIndex),
    Crash(OperatorIndex),
}

/// A ceremony under way.
pub(super) struct Run {
    kind: Kind,
    rng: ChaCha12Rng,
    events: BTreeMap<(Time, u64), Event>,
    nodes: Vec<Node>,
    ceremony: Ceremony<MinSig>,
    /// Believes the faulty ones' dealings, so that they go on.
    credulous: Ceremony<MinSig>,
    trace: B256,
    now: Time,
}

/// What a ceremony came to.
pub(super) struct End {
    pub(super) faulty: Vec<OperatorIndex>,
    /// Of the honest ones.
    pub(super) statuses: Vec<Status>,
    pub(super) trace: B256,
    machines: Vec<Machine<MinSig>>,
}

fn byte(index: usize) -> u8 {
    u8::try_from(index + 1).expect("few operators")
}

fn identity(index: usize) -> Identity {
    Identity::from_seed(&[byte(index); 32])
}

fn secret(index: usize) -> EncryptionSecret {
    EncryptionSecret::from_bytes(&[byte(index); 32])
}

fn recipients(n: usize) -> Recipients {
    Recipients::new((0..n).map(|index| secret(index).public()).collect()).expect("not too many")
}

type Verdict = Result<Arc<Verified<Dealing<MinSig>>>, PeerError>;

/// All operators would come to the same verdict of the same bytes: the runs compute it once.
#[expect(clippy::disallowed_types, reason = "a test's memory of a pure function")]
fn remembered(check: Check<MinSig>) -> Check<MinSig> {
    let verdicts: std::sync::Mutex<BTreeMap<(u16, B256), Verdict>> = std::sync::Mutex::default();
    Arc::new(move |bytes, dealer| {
        let mut verdicts = verdicts.lock().expect("no check panics");
        verdicts.entry((dealer.0, keccak256(bytes))).or_insert_with(|| check(bytes, dealer)).clone()
    })
}

fn outcome_digest(key: &crate::ClusterPublicKey, shares: &[crate::SharePublicKey]) -> B256 {
    keccak256(core::iter::once(key).chain(shares).flat_map(crate::ClusterPublicKey::to_bytes).collect::<Vec<_>>())
}

impl Run {
    /// With `f` faulty ones.
    pub(super) fn new(n: u8, kind: Kind, seed: u64) -> Self {
        Self::of(n, kind, seed, ClusterSize::new(n.into()).expect("not too many").f())
    }

    /// With none.
    pub(super) fn honest(n: u8, seed: u64) -> Self {
        Self::of(n, Kind::Late, seed, 0)
    }

    fn of(n: u8, kind: Kind, seed: u64, faults: usize) -> Self {
        let n = usize::from(n);
        let mut rng = ChaCha12Rng::seed_from_u64(seed);
        let mut faulty = vec![false; n];
        while faulty.iter().filter(|faulty| **faulty).count() < faults {
            faulty[rng.random_range(0..n)] = true;
        }
        let identities = (0..n).map(|index| identity(index).public()).collect();
        let mut ceremony =
            Ceremony::new(CEREMONY, identities, recipients(n), Backend::detect(), Arc::new(outcome_digest))
                .expect("as many identities as recipients");
        ceremony.check = remembered(Arc::clone(&ceremony.check));
        let mut run = Self {
            kind,
            rng,
            events: BTreeMap::new(),
            nodes: faulty.into_iter().map(|faulty| Node { machine: None, stored: Vec::new(), faulty }).collect(),
            credulous: ceremony.clone(),
            ceremony,
            trace: B256::ZERO,
            now: Time::ZERO,
        };
        run.prepare_dealings(n);
        run.schedule_all(n);
        run
    }

    fn index(index: usize) -> OperatorIndex {
        OperatorIndex(u16::from(byte(index)) - 1)
    }

    /// Gives the faulty dealers what they will deal.
    fn prepare_dealings(&mut self, n: usize) {
        if !matches!(self.kind, Kind::WrongShare | Kind::Malformed) {
            return;
        }
        let recipients = recipients(n);
        let victim = Self::index(self.nodes.iter().position(|node| !node.faulty).expect("most are honest"));
        let mut believed = BTreeMap::new();
        for index in (0..n).filter(|index| self.nodes[*index].faulty).collect::<Vec<_>>() {
            let dealer = Self::index(index);
            let (dealing, bytes) = if self.kind == Kind::WrongShare {
                let dealing = Dealing::<MinSig>::wrong_share(&mut self.rng, &recipients, CEREMONY, dealer, victim);
                let bytes = dealing.to_bytes();
                (dealing, bytes)
            } else {
                let dealing = Dealing::<MinSig>::random(&mut self.rng, &recipients, CEREMONY, dealer);
                let mut bytes = dealing.to_bytes();
                match self.rng.random_range(0..4) {
                    0 => bytes.clear(),
                    1 => bytes.truncate(self.rng.random_range(1..bytes.len())),
                    2 => self.rng.fill_bytes(&mut bytes),
                    _ => {
                        let place = self.rng.random_range(0..bytes.len());
                        bytes[place] ^= 1 << self.rng.random_range(0..8);
                    }
                }
                (dealing, bytes)
            };
            believed.insert(dealer, Arc::new(Verified::new(dealing)));
            let envelope = Envelope::sign(&identity(index), CEREMONY, dealer, Body::Deal(bytes));
            self.nodes[index].stored.push(envelope);
        }
        let check = Arc::clone(&self.ceremony.check);
        self.credulous.check = Arc::new(move |bytes, dealer| {
            believed.get(&dealer).map_or_else(|| check(bytes, dealer), |it| Ok(it.clone()))
        });
    }

    /// When everybody starts, and who of the honest ones is away for a while.
    fn schedule_all(&mut self, n: usize) {
        for index in 0..n {
            let late = self.nodes[index].faulty && self.kind == Kind::Late;
            let start = self.millis(0, 500) + if late { LATENESS } else { Duration::ZERO };
            self.schedule(start, Event::Start(Self::index(index)));
            if !self.nodes[index].faulty && self.rng.random_range(0..3) == 0 {
                let crash = start + self.millis(0, 4_000);
                let back = crash + self.millis(1, 2_000);
                self.schedule(crash, Event::Crash(Self::index(index)));
                self.schedule(back, Event::Start(Self::index(index)));
            }
        }
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(self.rng.random_range(from..to))
    }

    fn schedule(&mut self, after: Duration, event: Event) {
        let tie = self.rng.random();
        self.events.insert((self.now + after, tie), event);
    }

    /// Until everybody is where this kind of ceremony ends, or time is up.
    pub(super) fn end(mut self) -> End {
        let end = Time::ZERO + END + END_PER_OPERATOR * u32::from(byte(self.nodes.len() - 1));
        while let Some(((now, _), event)) = self.events.pop_first() {
            self.now = now;
            if now > end || self.is_over() {
                break;
            }
            match event {
                Event::Start(index) => self.start(index),
                Event::Crash(index) => self.nodes[index.as_usize()].machine = None,
                Event::Tick(index) => {
                    if let Some(machine) = &mut self.nodes[index.as_usize()].machine {
                        machine.tick(now);
                        self.schedule(TICK, Event::Tick(index));
                    }
                    self.carry_out(index);
                }
                Event::Deliver(from, to, bytes) => {
                    let digest = keccak256(&bytes);
                    self.trace = keccak256([self.trace, digest, B256::with_last_byte(byte(to.as_usize()))].concat());
                    let Ok(message) = CeremonyMessage::from_bytes(&bytes, self.nodes.len()) else { continue };
                    if let Some(machine) = &mut self.nodes[to.as_usize()].machine {
                        machine.receive(now, &mut self.rng, from, message);
                    }
                    self.carry_out(to);
                }
            }
        }
        let faulty = (0..self.nodes.len()).filter(|index| self.nodes[*index].faulty).map(Self::index).collect();
        let machines: Vec<_> =
            self.nodes.into_iter().filter(|node| !node.faulty).filter_map(|node| node.machine).collect();
        End { faulty, statuses: machines.iter().map(Machine::status).collect(), trace: self.trace, machines }
    }

    fn is_over(&self) -> bool {
        let away = self.events.values().any(|event| matches!(event, Event::Start(_)));
        // What ends these two for one may be overtaken by the words of all.
        let aborts = !matches!(self.kind, Kind::ConfirmTwice | Kind::LateEquivocation);
        !away
            && self.nodes.iter().filter(|node| !node.faulty).all(|node| {
                node.machine.as_ref().is_some_and(|machine| match machine.status() {
                    Status::Finished(_) => true,
                    Status::Aborted(_) => aborts,
                    Status::Waiting(..) => false,
                })
            })
    }

    fn start(&mut self, index: OperatorIndex) {
        let node = &mut self.nodes[index.as_usize()];
        let own =
            Participant { index, identity: Arc::new(identity(index.as_usize())), encryption: secret(index.as_usize()) };
        let ceremony = if node.faulty { self.credulous.clone() } else { self.ceremony.clone() };
        let mut machine = Machine::new(ceremony, own, self.now).expect("its own seat");
        machine.restore(self.now, &mut self.rng, node.stored.clone());
        machine.start(self.now, &mut self.rng);
        node.machine = Some(machine);
        self.schedule(TICK, Event::Tick(index));
        self.carry_out(index);
    }

    fn carry_out(&mut self, index: OperatorIndex) {
        let node = &mut self.nodes[index.as_usize()];
        for effect in node.machine.as_mut().map(Machine::take_effects).unwrap_or_default() {
            match effect {
                Effect::Store(envelope) => self.nodes[index.as_usize()].stored.push(envelope),
                Effect::Send(to, message) => self.send(index, to, &message),
                Effect::Broadcast(message) => {
                    for to in (0..self.nodes.len()).map(Self::index).filter(|to| *to != index) {
                        self.send(index, to, &message);
                    }
                }
            }
        }
    }

    fn send(&mut self, from: OperatorIndex, to: OperatorIndex, message: &CeremonyMessage) {
        let message = match message {
            CeremonyMessage::Envelope(envelope) if self.nodes[from.as_usize()].faulty && envelope.from == from => {
                match self.bend(to, envelope) {
                    Some(envelope) => CeremonyMessage::Envelope(envelope),
                    None => return,
                }
            }
            message => message.clone(),
        };
        // One in twenty is lost, one in twenty comes twice.
        let copies = match self.rng.random_range(0..20) {
            0 => 0,
            1 => 2,
            _ => 1,
        };
        for _ in 0..copies {
            let delay = self.millis(1, 300);
            self.schedule(delay, Event::Deliver(from, to, message.to_bytes()));
        }
    }

    /// What a faulty one says instead of what it should.
    fn bend(&mut self, to: OperatorIndex, envelope: &Envelope) -> Option<Envelope> {
        let from = envelope.from;
        let sign = |body| Some(Envelope::sign(&identity(from.as_usize()), CEREMONY, from, body));
        let other_half = to.0 % 2 == 1;
        match (self.kind, &envelope.body) {
            (Kind::Silence(step), body) if body.step() >= step => None,
            (Kind::Equivocation, Body::Commit(hash)) if other_half => sign(Body::Commit(keccak256(hash))),
            (Kind::LateEquivocation, Body::Deal(bytes)) if other_half => {
                sign(Body::Commit(keccak256(keccak256(bytes))))
            }
            (Kind::ConfirmTwice, Body::Confirm { .. }) if !other_half => Some(envelope.clone()),
            (Kind::WrongConfirm | Kind::ConfirmTwice, Body::Confirm { digest, attestation, partial }) => {
                let (mut digest, mut attestation, mut partial) = (*digest, *attestation, *partial);
                match self.rng.random_range(0..4) {
                    0 => digest = keccak256(digest),
                    1 => attestation = identity(from.as_usize()).sign_digest(&digest),
                    2 => partial = SignatureBytes::from([0x80; 48]),
                    _ => {
                        // Somebody else's share signs well, but not for this seat.
                        let share = crate::deal(&mut self.rng, ClusterSize::new(1).expect("one")).shares.remove(0);
                        partial = crate::PartialSigner::sign(&crate::BlsSigner::<MinSig>::new(share), &digest);
                    }
                }
                sign(Body::Confirm { digest, attestation, partial })
            }
            _ => Some(envelope.clone()),
        }
    }
}

impl End {
    /// In a few words.
    pub(super) fn summary(&self) -> String {
        let mut counts: BTreeMap<String, u32> = BTreeMap::new();
        for status in &self.statuses {
            let what = match status {
                Status::Finished(_) => "finished".to_owned(),
                Status::Aborted(abort) => format!("blame operator {}, since {}", abort.culprit, abort.reason),
                Status::Waiting(step, whom) => format!("wait for {} of {whom:?}", step.what()),
            };
            *counts.entry(what).or_default() += 1;
        }
        let faulty = self.faulty.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let counts: Vec<String> = counts.iter().map(|(what, count)| format!("{count} {what}")).collect();
        format!("{} (faulty: {faulty})", counts.join("; "))
    }

    /// All who finished hold one key, their own share of it, and its signature.
    pub(super) fn check_keys(&self, context: &str) {
        let outcomes: Vec<_> = self.machines.iter().filter_map(Machine::outcome).collect();
        let first = outcomes[0];
        let size = ClusterSize::new(first.share_keys.len()).expect("a cluster");
        let scheme = Bls::<MinSig>::new(Backend::detect(), size, first.public_key, first.share_keys.clone())
            .expect("consistent keys");
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        assert_eq!(first.digest, outcome_digest(&first.public_key, &first.share_keys), "{context}");
        for outcome in &outcomes {
            assert_eq!((outcome.public_key, outcome.digest), (first.public_key, first.digest), "{context}");
            assert_eq!(outcome.share_keys, first.share_keys, "{context}");
            assert_eq!(outcome.share.public_key::<MinSig>(), first.share_keys[outcome.share.index().as_usize()]);
            assert_eq!(scheme.verify(&mut rng, &[(outcome.digest, outcome.signature)]), [true], "{context}");
            for (index, attestation) in outcome.attestations.iter().enumerate() {
                let key = identity(index).public();
                assert!(key.verifies_digest(&attestation_digest(outcome.digest), attestation), "{context}");
            }
        }
    }
}
