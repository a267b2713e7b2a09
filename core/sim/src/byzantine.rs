//! What Byzantine operators do: one behaviour a file.
//!
//! A Byzantine operator runs the honest pipeline, and its [`Behaviour`] stands between that and the
//! network: it may drop, change and add whatever leaves, and answer requests as it likes. It holds the
//! operator's keys, so that it can sign anything, and the shares of all Byzantine operators, since they
//! may collude. It cannot forge what others sign.

mod equivocating_leader;
mod flood;
mod invalid_blocks;
mod invalid_partials;
mod silent;
mod votes_for_everything;

pub use equivocating_leader::EquivocatingLeader;
pub use flood::{FLOOD_MESSAGES_PER_TICK, Flood};
pub use invalid_blocks::InvalidBlocks;
pub use invalid_partials::InvalidPartials;
pub use silent::Silent;
pub use votes_for_everything::VotesForEverything;

use crate::keys::Keys;
use crate::random::Random;
use core::fmt;
use phalanx_threshold::digest;
use phalanx_types::{
    ClusterSize, Message, OperatorIndex, SignatureBytes, SignedVote, SyncRequest, SyncResponse, Time, Vote,
};

/// A behaviour, by name: what a scenario asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BehaviourKind {
    /// See [`EquivocatingLeader`].
    EquivocatingLeader,
    /// See [`Flood`].
    Flood,
    /// See [`InvalidBlocks`].
    InvalidBlocks,
    /// See [`InvalidPartials`].
    InvalidPartials,
    /// See [`Silent`].
    Silent,
    /// See [`VotesForEverything`].
    VotesForEverything,
}

impl BehaviourKind {
    /// All of them.
    pub const ALL: [Self; 6] = [
        Self::EquivocatingLeader,
        Self::Flood,
        Self::InvalidBlocks,
        Self::InvalidPartials,
        Self::Silent,
        Self::VotesForEverything,
    ];

    /// A fresh instance.
    #[must_use]
    pub fn instance(self) -> Box<dyn Behaviour> {
        match self {
            Self::EquivocatingLeader => Box::<EquivocatingLeader>::default(),
            Self::Flood => Box::new(Flood),
            Self::InvalidBlocks => Box::<InvalidBlocks>::default(),
            Self::InvalidPartials => Box::new(InvalidPartials),
            Self::Silent => Box::new(Silent),
            Self::VotesForEverything => Box::<VotesForEverything>::default(),
        }
    }
}

/// A message to one operator.
#[derive(Clone, Debug)]
pub struct Sending {
    /// To whom.
    pub to: OperatorIndex,
    /// What.
    pub message: Message,
}

/// What a Byzantine operator can do.
#[derive(Debug)]
pub struct Powers<'a> {
    /// The true time.
    pub now: Time,
    /// Who it is.
    pub me: OperatorIndex,
    /// The cluster.
    pub size: ClusterSize,
    /// Every key of the cluster; it uses its own, and the shares of `colluders`.
    pub keys: &'a Keys,
    /// All Byzantine operators, itself among them.
    pub colluders: &'a [OperatorIndex],
    /// The term that its honest core is in.
    pub term: u64,
    /// Its chance.
    pub random: &'a mut Random,
}

impl Powers<'_> {
    /// The partial of a Byzantine operator.
    ///
    /// # Panics
    /// When asked for an honest operator's.
    #[must_use]
    pub fn partial(&self, signer: OperatorIndex, vote: &Vote) -> SignatureBytes {
        assert!(self.colluders.contains(&signer), "the shares of honest operators stay with them");
        self.keys.signers[signer.as_usize()].sign(&digest(&self.keys.domain, vote))
    }

    /// Its own vote.
    #[must_use]
    pub fn vote(&self, vote: Vote) -> Message {
        Message::Vote(SignedVote { vote, signer: self.me, partial: self.partial(self.me, &vote) })
    }

    /// All operators but itself.
    pub fn others(&self) -> impl Iterator<Item = OperatorIndex> + use<> {
        let me = self.me;
        self.size.operators().filter(move |operator| *operator != me)
    }
}

/// What a Byzantine operator does. The defaults are honest.
pub trait Behaviour: fmt::Debug {
    /// Its honest core would send `message` to each of `to`: puts into `out` what leaves instead.
    fn send(&mut self, powers: &mut Powers<'_>, to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
        let _ = powers;
        out.extend(to.iter().map(|to| Sending { to: *to, message: message.clone() }));
    }

    /// It was sent something. Its honest core gets it too.
    fn receive(&mut self, powers: &mut Powers<'_>, from: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let _ = (powers, from, message, out);
    }

    /// Some time has passed ([`crate::cluster::BYZANTINE_TICK`]).
    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        let _ = (powers, out);
    }

    /// Its honest core would answer so to a request; `None`: it does not answer.
    fn answer(&mut self, powers: &mut Powers<'_>, request: &SyncRequest, answer: SyncResponse) -> Option<SyncResponse> {
        let _ = (powers, request);
        Some(answer)
    }
}
