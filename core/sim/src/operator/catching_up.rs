//! Catch-up: carries the requests of `phalanx_sync` over the virtual network, and answers those of others
//! out of the store.

use super::Operator;
use super::driver::Job;
use crate::byzantine::Powers;
use crate::packet::{Content, Packet};
use crate::payload::Inspector;
use crate::world::World;
use phalanx_pipeline::Outcome;
use phalanx_sync::{Action, Answer, respond};
use phalanx_threshold::Verified;
use phalanx_types::{BlockInspector, Bytes, Certificate, OperatorIndex, SyncRequest, SyncResponse};
use std::sync::Arc;

impl Operator {
    /// Carries out what catch-up asks for; whether that was anything.
    pub(super) fn take_catch_up(&mut self, world: &mut World) -> bool {
        let local = self.config.clock.local(world.now());
        let Some(running) = &mut self.running else { return false };
        if running.catch_up.wake_at().is_some_and(|at| at <= local) {
            running.catch_up.tick(local);
        }
        let actions: Vec<Action> = running.catch_up.drain().collect();
        let did_work = !actions.is_empty();
        for action in actions {
            match action {
                Action::Request { id, to, request } => {
                    let running = self.running.as_mut().expect("it runs");
                    let number = running.next_request;
                    running.next_request += 1;
                    running.requests.insert(number, id);
                    let packet = Packet::new(Content::Request { id: number, request });
                    world.send(self.machine(), to, &Arc::new(packet));
                }
                Action::Commit { blocks, finalization } => self.enqueue(world, Job::Commit { blocks, finalization }),
                Action::Fetched(block) => {
                    let running = self.running.as_mut().expect("it runs");
                    running.outcomes.push_back(Outcome::Fetched(block));
                }
                Action::Blame { peer, reason } => {
                    let (at, me) = (world.now(), self.index());
                    world.trace.line(at, || format!("{me} blames {peer}: {reason}"));
                }
            }
        }
        did_work
    }

    /// Another operator asks.
    pub(super) fn requested(&mut self, world: &mut World, from: OperatorIndex, id: u64, request: SyncRequest) {
        let honest = respond(&self.store, request);
        let Some(response) = self.answer(world, &request, honest) else { return };
        let packet = Packet::new(Content::Response { id, response });
        world.send(self.machine(), from, &Arc::new(packet));
    }

    fn answer(&mut self, world: &World, request: &SyncRequest, honest: SyncResponse) -> Option<SyncResponse> {
        let (me, size) = (self.index(), self.config.engine.size);
        let Some(byzantine) = &mut self.byzantine else { return Some(honest) };
        let (colluders, random) = (&byzantine.colluders, &mut byzantine.random);
        let engine = &self.config.engine;
        let now = world.now();
        let mut powers = Powers { now, me, size, keys: &self.keys, colluders, term: 0, engine, random };
        let answer = byzantine.behaviour.answer(&mut powers, request, honest.clone());
        byzantine.deeds += u64::from(answer.as_ref() != Some(&honest));
        answer
    }

    /// Another operator answers: payloads are inspected and certificates checked before catch-up sees them;
    /// one that is wrong makes the answer useless.
    pub(super) fn responded(&mut self, world: &World, from: OperatorIndex, id: u64, response: &SyncResponse) {
        let local = self.config.clock.local(world.now());
        let running = self.running.as_mut().expect("it runs");
        let Some(id) = running.requests.remove(&id) else { return };
        let (payloads, certificates): (&[Bytes], Vec<Certificate>) = match response {
            SyncResponse::Blocks { payloads, finalization } => (payloads, finalization.iter().copied().collect()),
            SyncResponse::Block { payload, certificate } if payload.is_empty() => {
                (&[], certificate.iter().copied().collect())
            }
            SyncResponse::Block { payload, certificate } => {
                (core::slice::from_ref(payload), certificate.iter().copied().collect())
            }
            SyncResponse::Certificates(certificates) => (&[], certificates.clone()),
        };
        let blocks: Result<Vec<_>, _> =
            payloads.iter().map(|payload| Inspector.inspect(payload.clone()).map(Arc::new)).collect();
        let verified: Result<Vec<Verified<Certificate>>, _> =
            self.keys.verifier.certificates(running.rng.rng(), certificates.clone()).into_iter().collect();
        match (blocks, verified) {
            (Ok(blocks), Ok(verified)) => {
                if !certificates.is_empty() {
                    running.fetched.push_back((from, certificates));
                }
                running.catch_up.answered(id, from, Answer { blocks, certificates: verified }, local);
            }
            _ => running.catch_up.failed(id, local),
        }
    }
}
