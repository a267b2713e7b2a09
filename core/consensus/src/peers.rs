//! What the other operators were heard to do: who has left a term, who is silent, who is marked absent.
//! Authenticated by connection, not evidence.
//!
//! Memory: for each operator two slots, a time and two bits.

use core::time::Duration;
use phalanx_types::{ClusterSize, OperatorIndex, Time};

/// What was heard of one operator.
#[derive(Clone, Debug, Default)]
struct Peer {
    /// Its highest `Nullify` in the current term.
    nullify: Option<u32>,
    /// Its highest `Nullify` in the next term.
    nullify_next: Option<u32>,
    /// Anything, since the current term was entered.
    heard: bool,
    absent: bool,
    /// When it was told last of what it lacks.
    told_at: Option<Time>,
}

/// All operators.
#[derive(Clone, Debug)]
pub(crate) struct Peers {
    size: ClusterSize,
    me: OperatorIndex,
    peers: Vec<Peer>,
}

impl Peers {
    pub(crate) fn new(size: ClusterSize, me: OperatorIndex) -> Self {
        Self { size, me, peers: vec![Peer::default(); size.n()] }
    }

    /// Whether a sender can be heard: it has a seat, and is another operator.
    pub(crate) fn is_other(&self, from: OperatorIndex) -> bool {
        from != self.me && from.as_usize() < self.peers.len()
    }

    /// An operator was heard; whether that cleared its mark.
    pub(crate) fn hear(&mut self, from: OperatorIndex) -> bool {
        let peer = &mut self.peers[from.as_usize()];
        peer.heard = true;
        core::mem::take(&mut peer.absent)
    }

    /// An operator sent a `Nullify` of the current term.
    pub(crate) fn nullify(&mut self, from: OperatorIndex, slot: u32) {
        let peer = &mut self.peers[from.as_usize()];
        peer.nullify = peer.nullify.max(Some(slot));
    }

    /// An operator sent a `Nullify` of the next term.
    pub(crate) fn nullify_next(&mut self, from: OperatorIndex, slot: u32) {
        let peer = &mut self.peers[from.as_usize()];
        peer.nullify_next = peer.nullify_next.max(Some(slot));
    }

    /// The next term was entered, or a later one.
    pub(crate) fn enter(&mut self, is_next: bool) {
        for peer in &mut self.peers {
            let next = peer.nullify_next.take();
            peer.nullify = if is_next { next } else { None };
            peer.heard = false;
        }
    }

    /// Whether an operator has left the current term above a finalized slot.
    pub(crate) fn has_left(&self, operator: OperatorIndex, finalized_slot: Option<u32>) -> bool {
        self.peers[operator.as_usize()].nullify > finalized_slot
    }

    /// How many others have left the current term above a finalized slot.
    pub(crate) fn left(&self, finalized_slot: Option<u32>) -> usize {
        self.size.operators().filter(|operator| self.has_left(*operator, finalized_slot)).count()
    }

    /// Whether an operator was silent since the current term was entered, while a quorum was heard.
    pub(crate) fn is_silent(&self, operator: OperatorIndex) -> bool {
        let heard = self.peers.iter().filter(|peer| peer.heard).count();
        operator != self.me && !self.peers[operator.as_usize()].heard && heard + 1 >= self.size.q()
    }

    /// Marks an operator that [`Self::is_silent`] absent; whether it was not marked before.
    ///
    /// At most `f` are ever marked: whoever is marked was not heard in this term, and a quorum was.
    pub(crate) fn mark_absent(&mut self, operator: OperatorIndex) -> bool {
        let is_new = !core::mem::replace(&mut self.peers[operator.as_usize()].absent, true);
        debug_assert!(self.absent().len() <= self.size.f(), "whoever is marked is silent while a quorum is heard");
        is_new
    }

    pub(crate) fn is_absent(&self, operator: OperatorIndex) -> bool {
        self.peers[operator.as_usize()].absent
    }

    /// Whether an operator may be told now of what it lacks, and was not within `pause`.
    pub(crate) fn may_tell(&mut self, operator: OperatorIndex, now: Time, pause: Duration) -> bool {
        let told_at = &mut self.peers[operator.as_usize()].told_at;
        let may = told_at.is_none_or(|told| now.saturating_since(told) >= pause);
        if may {
            *told_at = Some(now);
        }
        may
    }

    /// What was heard, for the model: not who hears it.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        let Self { size: _, me: _, peers } = self;
        for Peer { nullify, nullify_next, heard, absent, told_at: _ } in peers {
            core::hash::Hash::hash(&(nullify, nullify_next, heard, absent), state);
        }
    }

    /// The same heard by another operator, for the model.
    #[cfg(feature = "model")]
    pub(crate) fn reconfigure(&mut self, me: OperatorIndex) {
        self.me = me;
    }

    /// Who is marked.
    pub(crate) fn absent(&self) -> Vec<OperatorIndex> {
        self.size.operators().filter(|operator| self.is_absent(*operator)).collect()
    }
}
