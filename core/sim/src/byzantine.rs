//! What Byzantine operators do: one behaviour a file.
//!
//! A Byzantine operator runs the honest pipeline, and its [`Behaviour`] stands between that and the
//! network: it may drop, change and add whatever leaves, and answer requests as it likes. It holds the
//! operator's keys, so that it can sign anything, and the shares of all Byzantine operators, since they
//! may collude. It cannot forge what others sign.

mod colluding_partials;
mod damaged_frames;
mod early_votes;
mod equivocating_leader;
mod false_answers;
mod flood;
mod forged_certificates;
mod invalid_blocks;
mod invalid_partials;
mod late_votes;
mod no_finalize;
mod replays;
mod selective_collector;
mod selective_votes;
mod silent;
mod slow_leader;
mod stale_leader;
mod stopping_leader;
mod twin;
mod votes_for_everything;
mod withholding_collector;
mod withholding_leader;

pub use colluding_partials::ColludingPartials;
pub use damaged_frames::DamagedFrames;
pub use early_votes::EarlyVotes;
pub use equivocating_leader::EquivocatingLeader;
pub use false_answers::FalseAnswers;
pub use flood::{FLOOD_MESSAGES_PER_TICK, Flood};
pub use forged_certificates::ForgedCertificates;
pub use invalid_blocks::InvalidBlocks;
pub use invalid_partials::InvalidPartials;
pub use late_votes::LateVotes;
pub use no_finalize::NoFinalize;
pub use replays::Replays;
pub use selective_collector::SelectiveCollector;
pub use selective_votes::SelectiveVotes;
pub use silent::Silent;
pub use slow_leader::SlowLeader;
pub use stale_leader::StaleLeader;
pub use stopping_leader::StoppingLeader;
pub use twin::Twin;
pub use votes_for_everything::VotesForEverything;
pub use withholding_collector::WithholdingCollector;
pub use withholding_leader::WithholdingLeader;

use crate::keys::Keys;
use crate::random::Random;
use core::fmt;
use phalanx_consensus::Config;
use phalanx_threshold::digest;
use phalanx_types::{
    Bytes, ClusterSize, Message, OperatorIndex, SignatureBytes, SignedVote, SyncRequest, SyncResponse, Time, Vote,
};

/// A behaviour, by name: what a scenario asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BehaviourKind {
    /// See [`ColludingPartials`].
    ColludingPartials,
    /// See [`DamagedFrames`].
    DamagedFrames,
    /// See [`EarlyVotes`].
    EarlyVotes,
    /// See [`EquivocatingLeader`].
    EquivocatingLeader,
    /// See [`FalseAnswers`].
    FalseAnswers,
    /// See [`Flood`].
    Flood,
    /// See [`ForgedCertificates`].
    ForgedCertificates,
    /// See [`InvalidBlocks`].
    InvalidBlocks,
    /// See [`InvalidPartials`].
    InvalidPartials,
    /// See [`LateVotes`].
    LateVotes,
    /// See [`NoFinalize`].
    NoFinalize,
    /// See [`Replays`].
    Replays,
    /// See [`SelectiveCollector`].
    SelectiveCollector,
    /// See [`SelectiveVotes`].
    SelectiveVotes,
    /// See [`Silent`].
    Silent,
    /// See [`SlowLeader`].
    SlowLeader,
    /// See [`StaleLeader`].
    StaleLeader,
    /// See [`StoppingLeader`].
    StoppingLeader,
    /// See [`Twin`].
    Twin,
    /// See [`VotesForEverything`].
    VotesForEverything,
    /// See [`WithholdingCollector`].
    WithholdingCollector,
    /// See [`WithholdingLeader`].
    WithholdingLeader,
}

impl BehaviourKind {
    /// All of them but [`Self::Twin`], each half of which is honest.
    pub const ALL: [Self; 21] = [
        Self::ColludingPartials,
        Self::DamagedFrames,
        Self::EarlyVotes,
        Self::EquivocatingLeader,
        Self::FalseAnswers,
        Self::Flood,
        Self::ForgedCertificates,
        Self::InvalidBlocks,
        Self::InvalidPartials,
        Self::LateVotes,
        Self::NoFinalize,
        Self::Replays,
        Self::SelectiveCollector,
        Self::SelectiveVotes,
        Self::Silent,
        Self::SlowLeader,
        Self::StaleLeader,
        Self::StoppingLeader,
        Self::VotesForEverything,
        Self::WithholdingCollector,
        Self::WithholdingLeader,
    ];

    /// A fresh instance.
    #[must_use]
    pub fn instance(self) -> Box<dyn Behaviour> {
        match self {
            Self::ColludingPartials => Box::new(ColludingPartials),
            Self::DamagedFrames => Box::<DamagedFrames>::default(),
            Self::EarlyVotes => Box::new(EarlyVotes),
            Self::EquivocatingLeader => Box::<EquivocatingLeader>::default(),
            Self::FalseAnswers => Box::new(FalseAnswers),
            Self::Flood => Box::new(Flood),
            Self::ForgedCertificates => Box::<ForgedCertificates>::default(),
            Self::InvalidBlocks => Box::<InvalidBlocks>::default(),
            Self::InvalidPartials => Box::new(InvalidPartials),
            Self::LateVotes => Box::<LateVotes>::default(),
            Self::NoFinalize => Box::new(NoFinalize),
            Self::Replays => Box::<Replays>::default(),
            Self::SelectiveCollector => Box::new(SelectiveCollector),
            Self::SelectiveVotes => Box::new(SelectiveVotes),
            Self::Silent => Box::new(Silent),
            Self::SlowLeader => Box::<SlowLeader>::default(),
            Self::StaleLeader => Box::<StaleLeader>::default(),
            Self::StoppingLeader => Box::<StoppingLeader>::default(),
            Self::Twin => Box::new(Twin),
            Self::VotesForEverything => Box::<VotesForEverything>::default(),
            Self::WithholdingCollector => Box::new(WithholdingCollector),
            Self::WithholdingLeader => Box::<WithholdingLeader>::default(),
        }
    }
}

/// A message to one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sending {
    /// To whom.
    pub to: OperatorIndex,
    /// What.
    pub message: Message,
}

/// Sends `message` to each of `to`.
fn relay(to: &[OperatorIndex], message: &Message, out: &mut Vec<Sending>) {
    out.extend(to.iter().map(|to| Sending { to: *to, message: message.clone() }));
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
    /// How the engines of the cluster are set up.
    pub engine: &'a Config,
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
        relay(to, message, out);
    }

    /// It was sent something. Its honest core gets it too.
    fn receive(&mut self, powers: &mut Powers<'_>, from: OperatorIndex, message: &Message, out: &mut Vec<Sending>) {
        let _ = (powers, from, message, out);
    }

    /// Some time has passed ([`crate::cluster::BYZANTINE_TICK`]).
    fn tick(&mut self, powers: &mut Powers<'_>, out: &mut Vec<Sending>) {
        let _ = (powers, out);
    }

    /// The same, for bytes that need not be a message: puts into `out` to whom, and what.
    fn frames(&mut self, powers: &mut Powers<'_>, out: &mut Vec<(OperatorIndex, Bytes)>) {
        let _ = (powers, out);
    }

    /// Its honest core would answer so to a request; `None`: it does not answer.
    fn answer(&mut self, powers: &mut Powers<'_>, request: &SyncRequest, answer: SyncResponse) -> Option<SyncResponse> {
        let _ = (powers, request);
        Some(answer)
    }
}
