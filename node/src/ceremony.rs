//! A key ceremony over the mesh: carries what the state machine of `phalanx_threshold::dkg` says, and keeps what it
//! must not forget.
//!
//! Invariants: a step is on disk before it is sent, so that a restarted operator goes on with the same dealing;
//! nothing on disk is secret; an operator begins when it has seen that all have accepted the definition; operators
//! whose definitions differ never act on each other's steps, and each learns where they differ. What the ceremony
//! makes is handed over once, before anybody is told that this operator has finished.

mod log;
mod wire;

pub use log::{CeremonyLog, decode_log};
pub use wire::{FRAME_BYTES_MAX, Frame, OUTLINE_BYTES_MAX};

use crate::config::{Acceptance, Definition, Outline, differences};
use crate::keys::check_acceptances;
use crate::net::{Handler, IdentitySeed, Lane, Limits, Mesh, MeshConfig, PeerConfig};
use alloy_primitives::{B256, FixedBytes, keccak256};
use anyhow::bail;
use bytes::Bytes;
use phalanx_bls::MinSig;
use phalanx_threshold::dkg::{CeremonyMessage, Effect, HAVE_INTERVAL, Machine, Outcome, Status};
use phalanx_types::{ClusterId, OperatorIndex, Time};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;

/// The most frames and changes of connections that wait for the machine; the rest is dropped, and said again.
const EVENTS_MAX: usize = 256;
/// How often the machine is asked whether something is due.
const TICK_INTERVAL: Duration = Duration::from_millis(100);
/// How long an operator stays after the end, so that the others hear how it ended.
const LINGER: Duration = Duration::from_millis(1_500);
/// How long one stays that was stopped by evidence: the words of all may still overtake it.
const STOPPED_LINGER: Duration = Duration::from_secs(4);
/// How often it is said again what is waited for.
const REPORT_INTERVAL: Duration = Duration::from_secs(10);
/// The most differences that are shown; one is enough to stop.
const DIFFERENCES_MAX: usize = 16;

/// What a ceremony needs to know.
#[derive(Debug)]
pub struct CeremonyOptions<'a> {
    /// What all have agreed on; this operator's acceptance is in it.
    pub definition: &'a Definition,
    /// This operator's seat in it.
    pub index: OperatorIndex,
    /// The seed of its identity.
    pub identity: IdentitySeed,
    /// Where to listen.
    pub bind: SocketAddr,
}

enum Event {
    Frame(OperatorIndex, Bytes),
    Connected(OperatorIndex),
    Disconnected,
}

struct Inbox(mpsc::Sender<Event>);

impl Handler for Inbox {
    fn frame(&self, from: OperatorIndex, _lane: Lane, frame: Bytes) -> bool {
        self.0.try_send(Event::Frame(from, frame)).is_ok()
    }

    fn request(&self, _from: OperatorIndex, _request: Bytes) -> Option<Bytes> {
        None
    }

    // What is lost of these costs a moment: the state of connections is also asked for.
    fn connected(&self, peer: OperatorIndex) {
        let _ = self.0.try_send(Event::Connected(peer));
    }

    fn disconnected(&self, _peer: OperatorIndex) {
        let _ = self.0.try_send(Event::Disconnected);
    }
}

/// One ceremony under way.
struct Session<'a> {
    options: &'a CeremonyOptions<'a>,
    hash: B256,
    acceptance: FixedBytes<64>,
    outline: Outline,
    /// Who has accepted the definition, by operator index.
    accepted: Vec<bool>,
    started: bool,
    machine: Machine<MinSig>,
    log: CeremonyLog,
    mesh: Mesh,
    begin: Instant,
    next_hello: Instant,
    /// What differs in whose definition.
    difference: Option<String>,
    /// Since when there has been nothing left to do.
    over: Option<Instant>,
    handed_over: bool,
    said: String,
    said_at: Instant,
}

/// Runs a ceremony to its end. `made` takes what it makes, as soon as that is certain; `say` tells the person at the
/// terminal how far it is. Returns when the others have it too. Stopped at any moment, it goes on when run again.
///
/// # Errors
/// What stops it: a definition that differs, an operator that is convicted, a disk that fails, `made`.
pub async fn run(
    options: &CeremonyOptions<'_>,
    mut machine: Machine<MinSig>,
    (log, stored): (CeremonyLog, Vec<phalanx_threshold::dkg::Envelope>),
    mut made: impl FnMut(&Outcome<MinSig>) -> anyhow::Result<()>,
    say: impl FnMut(&str),
) -> anyhow::Result<()> {
    let own = options.definition.acceptances.iter().find(|acceptance| acceptance.operator == options.index);
    let Some(own) = own else { bail!("this operator has not accepted the definition yet: `phalanx cluster accept`") };
    let mut accepted = vec![false; options.definition.operators.len()];
    options.definition.acceptances.iter().for_each(|acceptance| accepted[acceptance.operator.as_usize()] = true);
    let (sender, mut inbox) = mpsc::channel(EVENTS_MAX);
    let mesh = Mesh::start(mesh_config(options), Arc::new(Inbox(sender))).await?;
    let now = Instant::now();
    // Whoever has begun has seen that all accepted.
    let begun = !stored.is_empty();
    machine.restore(Time::ZERO, &mut rand::rng(), stored);
    let mut session = Session {
        options,
        hash: options.definition.hash(),
        acceptance: own.signature,
        outline: options.definition.outline(),
        accepted,
        started: false,
        machine,
        log,
        mesh,
        begin: now,
        next_hello: now,
        difference: None,
        over: None,
        handed_over: false,
        said: String::new(),
        said_at: now,
    };
    if begun {
        session.start();
    }
    let ended = session.until_over(&mut inbox, &mut made, say).await;
    session.mesh.shutdown().await;
    ended
}

fn mesh_config(options: &CeremonyOptions<'_>) -> MeshConfig {
    let peers = (0..).map(OperatorIndex).zip(&options.definition.operators);
    MeshConfig {
        identity: options.identity.clone(),
        index: options.index,
        // The same for all definitions: those who hold different ones are to meet, and be told.
        cluster: ClusterId(keccak256("phalanx ceremony 1")),
        peers: peers
            .filter(|(index, _)| *index != options.index)
            .map(|(index, record)| PeerConfig {
                index,
                name: record.name.clone(),
                identity_public_key: record.identity.0,
                address: record.address.clone(),
            })
            .collect(),
        bind: options.bind,
        limits: Limits::default(),
    }
}

impl Session<'_> {
    async fn until_over(
        &mut self,
        inbox: &mut mpsc::Receiver<Event>,
        made: &mut impl FnMut(&Outcome<MinSig>) -> anyhow::Result<()>,
        mut say: impl FnMut(&str),
    ) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(TICK_INTERVAL);
        loop {
            tokio::select! {
                Some(event) = inbox.recv() => self.take(event),
                _ = ticks.tick() => self.tick(),
            }
            if !self.started && self.difference.is_none() && self.accepted.iter().all(|accepted| *accepted) {
                self.start();
            }
            self.carry_out()?;
            if let (Some(outcome), false) = (self.machine.outcome(), self.handed_over) {
                made(outcome)?;
                self.handed_over = true;
            }
            self.report(&mut say);
            if let Some(ended) = self.ended() {
                return ended;
            }
        }
    }

    fn start(&mut self) {
        let now = self.now();
        self.started = true;
        self.machine.start(now, &mut rand::rng());
    }

    fn now(&self) -> Time {
        Time::from_micros(u64::try_from(self.begin.elapsed().as_micros()).unwrap_or(u64::MAX))
    }

    fn send(&self, to: OperatorIndex, frame: &Frame) {
        // What is dropped is said again.
        let _ = self.mesh.send(to, Lane::Blocks, frame.to_bytes().into());
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Connected(peer) => self.send(peer, &self.hello()),
            Event::Disconnected => {}
            Event::Frame(from, bytes) => match Frame::decode(&bytes, self.options.definition.operators.len()) {
                Ok(Frame::Hello(hash, signature)) if hash == self.hash => self.accept(from, signature),
                Ok(Frame::Hello(..)) => self.send(from, &Frame::Outline(self.outline.clone())),
                Ok(Frame::Outline(theirs)) => self.compare(from, &theirs),
                Ok(Frame::Message(message)) => {
                    let now = self.now();
                    self.machine.receive(now, &mut rand::rng(), from, message);
                }
                Err(error) => tracing::warn!(operator = from.0, %error, "a frame that is none of this ceremony"),
            },
        }
    }

    fn hello(&self) -> Frame {
        Frame::Hello(self.hash, self.acceptance)
    }

    /// Takes an operator's acceptance; with that of all the ceremony begins.
    fn accept(&mut self, from: OperatorIndex, signature: FixedBytes<64>) {
        if self.accepted[from.as_usize()] {
            return;
        }
        let acceptances = vec![Acceptance { operator: from, signature }];
        match check_acceptances(&Definition { acceptances, ..self.options.definition.clone() }) {
            Ok(()) => self.accepted[from.as_usize()] = true,
            Err(error) => tracing::warn!(operator = from.0, %error, "an acceptance that is none"),
        }
    }

    /// Somebody's definition differs: says where, to both.
    fn compare(&mut self, from: OperatorIndex, theirs: &Outline) {
        if self.difference.is_some() {
            return;
        }
        let found = differences(&self.outline, theirs);
        let mut text = format!("the definition of {} is not the one here:", self.name(from));
        // It comes from elsewhere, and may hold what a terminal would act on.
        for (path, here, there) in found.iter().take(DIFFERENCES_MAX) {
            let (path, there) = (path.escape_debug(), there.escape_debug());
            text.push_str(&format!("\n  {path}: here {here}, there {there}"));
        }
        match found.len().saturating_sub(DIFFERENCES_MAX) {
            0 if found.is_empty() => text.push_str("\n  its hash differs, no field does: it runs another release"),
            0 => {}
            more => text.push_str(&format!("\n  and {more} more")),
        }
        text.push_str("\nAgree on one definition, accept it, and run the ceremony again with the same file everywhere");
        self.difference = Some(text);
        self.send(from, &Frame::Outline(self.outline.clone()));
    }

    fn tick(&mut self) {
        let now = self.now();
        if self.started {
            self.machine.tick(now);
        }
        if Instant::now() >= self.next_hello {
            self.next_hello = Instant::now() + HAVE_INTERVAL;
            let _ = self.mesh.broadcast(Lane::Blocks, &self.hello().to_bytes().into());
        }
    }

    fn carry_out(&mut self) -> anyhow::Result<()> {
        for effect in self.machine.take_effects() {
            match effect {
                Effect::Store(envelope) => self.log.append(&envelope)?,
                Effect::Send(to, message) => self.send(to, &Frame::Message(message)),
                Effect::Broadcast(message) => self.broadcast(message),
            }
        }
        Ok(())
    }

    fn broadcast(&self, message: CeremonyMessage) {
        let _ = self.mesh.broadcast(Lane::Blocks, &Frame::Message(message).to_bytes().into());
    }

    fn name(&self, index: OperatorIndex) -> String {
        let record = &self.options.definition.operators[index.as_usize()];
        format!("operator {index} ({})", record.name)
    }

    /// Those who are waited for, and whether they are there at all.
    fn names(&self, whom: &[OperatorIndex]) -> String {
        let connected: Vec<_> = self.mesh.status().iter().map(|peer| (peer.index, peer.connected)).collect();
        let name = |index: &OperatorIndex| {
            let away = connected.contains(&(*index, false));
            format!("{}{}", self.name(*index), if away { ", who is not connected" } else { "" })
        };
        whom.iter().map(name).collect::<Vec<_>>().join("; ")
    }

    /// Says how far it is, when that has changed and now and then.
    fn report(&mut self, say: &mut impl FnMut(&str)) {
        let text = match self.machine.status() {
            _ if self.difference.is_some() => return,
            _ if !self.started => {
                let missing = (0..).map(OperatorIndex).zip(&self.accepted).filter(|(_, accepted)| !**accepted);
                let missing: Vec<_> = missing.map(|(index, _)| index).collect();
                format!("waiting for the acceptance of {}", self.names(&missing))
            }
            Status::Waiting(step, whom) if whom.is_empty() => format!("checking {}", step.what()),
            Status::Waiting(step, whom) => format!("waiting for {} from {}", step.what(), self.names(&whom)),
            Status::Finished(behind) if behind.is_empty() => "everybody has finished".to_owned(),
            Status::Finished(behind) => format!(
                "finished here; staying for {} (should you stop this, run it again when they need it)",
                self.names(&behind)
            ),
            Status::Aborted(abort) => format!("stopping: {} {}", self.name(abort.culprit), abort.reason),
        };
        if text != self.said || self.said_at.elapsed() >= REPORT_INTERVAL {
            say(&text);
            (self.said, self.said_at) = (text, Instant::now());
        }
    }

    /// How it ended, once the others have had the time to hear of it.
    fn ended(&mut self) -> Option<anyhow::Result<()>> {
        let status = self.machine.status();
        let linger = match (&self.difference, &status) {
            (Some(_), _) => LINGER,
            (None, Status::Finished(behind)) if behind.is_empty() => LINGER,
            (None, Status::Aborted(_)) => STOPPED_LINGER,
            (None, _) => {
                self.over = None;
                return None;
            }
        };
        if self.over.get_or_insert_with(Instant::now).elapsed() < linger {
            return None;
        }
        Some(self.verdict(&status))
    }

    fn verdict(&self, status: &Status) -> anyhow::Result<()> {
        if let Some(difference) = &self.difference {
            bail!("{difference}");
        }
        if let Status::Aborted(abort) = status {
            if abort.culprit == self.options.index {
                bail!(
                    "the ceremony stops: the others hold this operator to a dealing that its log {} does not have. Bring \
                     that file back and run this again, or define the cluster anew",
                    self.log.path().display()
                );
            }
            bail!(
                "the ceremony stops: {} is at fault: {}. No key was made. Define the cluster anew, without that operator \
                 or when it is mended",
                self.name(abort.culprit),
                abort.reason
            );
        }
        Ok(())
    }
}
