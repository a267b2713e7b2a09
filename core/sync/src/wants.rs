//! What is being asked for, of whom, and when to ask the next one.
//!
//! Each want has at most one request under way. A failed or useless answer moves on to the next peer; a
//! whole round without success backs off, up to a bound. The number of wants is bounded.

use phalanx_types::{B256, OperatorIndex, SyncRequest, Time};
use std::collections::BTreeMap;
use std::time::Duration;

/// The most things asked for at once.
pub const WANTS_MAX: usize = 64;
const BACKOFF_MIN: Duration = Duration::from_millis(20);
const BACKOFF_MAX: Duration = Duration::from_secs(1);

/// What is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Want {
    /// The next finalized blocks above what is committed.
    Range,
    /// One block, by number and hash.
    Block(u64, B256),
    /// How the terms `from..=to` of an epoch were left.
    Terms(u64, u64, u64),
}

#[derive(Debug)]
struct Pursuit {
    attempts: u32,
    under_way: Option<(u64, OperatorIndex, Time)>,
    not_before: Time,
}

#[derive(Debug, Default)]
pub(crate) struct Wants {
    pursuits: BTreeMap<Want, Pursuit>,
    next_id: u64,
}

impl Wants {
    /// Starts to want something; a want that exists goes on. When there are too many the new one is let
    /// go of: the engine asks again.
    pub(crate) fn add(&mut self, want: Want, now: Time) {
        if self.pursuits.len() < WANTS_MAX || self.pursuits.contains_key(&want) {
            self.pursuits.entry(want).or_insert(Pursuit { attempts: 0, under_way: None, not_before: now });
        }
    }

    pub(crate) fn contains(&self, want: Want) -> bool {
        self.pursuits.contains_key(&want)
    }

    pub(crate) fn remove(&mut self, want: Want) {
        self.pursuits.remove(&want);
    }

    pub(crate) fn retain(&mut self, keep: impl Fn(&Want) -> bool) {
        self.pursuits.retain(|want, _| keep(want));
    }

    /// The want that request `id` is for, if it is still under way.
    pub(crate) fn of(&self, id: u64) -> Option<Want> {
        let holds = |pursuit: &Pursuit| matches!(pursuit.under_way, Some((under_way, ..)) if under_way == id);
        self.pursuits.iter().find(|(_, pursuit)| holds(pursuit)).map(|(want, _)| *want)
    }

    /// Request `id` brought nothing of use: the next peer is asked, after a pause when all were.
    pub(crate) fn failed(&mut self, id: u64, peers: usize, now: Time) {
        if let Some(want) = self.of(id)
            && let Some(pursuit) = self.pursuits.get_mut(&want)
        {
            pursuit.under_way = None;
            pursuit.not_before = now + pause(pursuit.attempts, peers);
        }
    }

    /// What to ask now: `(id, peer, want)` for each want that is due. Overdue requests count as failed.
    pub(crate) fn due(
        &mut self,
        peers: &[OperatorIndex],
        offset: usize,
        timeout: Duration,
        now: Time,
    ) -> Vec<(u64, OperatorIndex, Want)> {
        let mut asked = Vec::new();
        if peers.is_empty() {
            return asked;
        }
        for (want, pursuit) in &mut self.pursuits {
            if matches!(pursuit.under_way, Some((_, _, deadline)) if deadline <= now) {
                pursuit.under_way = None;
                pursuit.not_before = now + pause(pursuit.attempts, peers.len());
            }
            if pursuit.under_way.is_some() || pursuit.not_before > now {
                continue;
            }
            let turn = offset.wrapping_add(usize::try_from(pursuit.attempts).unwrap_or(0));
            let peer = peers[turn % peers.len()];
            let id = self.next_id;
            self.next_id += 1;
            pursuit.attempts = pursuit.attempts.saturating_add(1);
            pursuit.under_way = Some((id, peer, now + timeout));
            asked.push((id, peer, *want));
        }
        asked
    }

    /// A want made progress: its next request starts afresh with the peer that helped.
    pub(crate) fn progressed(&mut self, id: u64, now: Time) {
        if let Some(want) = self.of(id)
            && let Some(pursuit) = self.pursuits.get_mut(&want)
        {
            pursuit.attempts = pursuit.attempts.saturating_sub(1);
            pursuit.under_way = None;
            pursuit.not_before = now;
        }
    }

    /// When [`Wants::due`] has something to say next.
    pub(crate) fn wake_at(&self) -> Option<Time> {
        let due = |pursuit: &Pursuit| pursuit.under_way.map_or(pursuit.not_before, |(_, _, deadline)| deadline);
        self.pursuits.values().map(due).min()
    }
}

/// No pause until every peer was asked once, then longer with each round.
fn pause(attempts: u32, peers: usize) -> Duration {
    let rounds = usize::try_from(attempts).unwrap_or(usize::MAX) / peers.max(1);
    match u32::try_from(rounds.min(8)).unwrap_or(8) {
        0 => Duration::ZERO,
        round => (BACKOFF_MIN * 2_u32.pow(round - 1)).min(BACKOFF_MAX),
    }
}

impl Want {
    /// The request for it; `range` is what [`Want::Range`] asks for now.
    pub(crate) fn request(self, range: (u64, u64)) -> SyncRequest {
        match self {
            Self::Range => SyncRequest::Blocks { from: range.0, to: range.1 },
            Self::Block(_, hash) => SyncRequest::Block { hash },
            Self::Terms(epoch, from, to) => SyncRequest::Terms { epoch, from, to },
        }
    }
}
