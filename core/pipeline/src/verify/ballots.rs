//! Partials, collected for each vote until a quorum is there.
//!
//! Invariants: one vote of each kind counts for each sender and position, the first; of its `Nullify` in a
//! term the highest counts. Each sender has at most [`VOTES_PER_SENDER_MAX`] votes here; beyond it its own
//! lowest goes. A vote whose partial was bad stays on record, so that a culprit cannot try again.

use crate::counters::DropReason;
use phalanx_consensus::Window;
use phalanx_threshold::{Ballot, Partial};
use phalanx_types::{BlockRef, ClusterSize, OperatorIndex, Position, SignatureBytes, Vote, VoteKind};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Votes on record for each sender. Honest ones have at most two for each of 3D slots or so.
pub(super) const VOTES_PER_SENDER_MAX: usize = 1_024;

/// How many partials are decoded at once as they arrive: as many as cost no more than one where there are lanes.
pub(super) const LANES: usize = 8;

#[derive(Debug, Default)]
struct Sender {
    /// `Notarize` and `Finalize`.
    cast: BTreeMap<(Position, VoteKind), BlockRef>,
    /// The highest `Nullify` slot, by epoch and term.
    nullified: BTreeMap<(u64, u64), u32>,
}

#[derive(Debug)]
pub(super) struct Ballots {
    quorum: usize,
    senders: Vec<Sender>,
    partials: BTreeMap<Vote, Vec<(OperatorIndex, Partial)>>,
    ready: BTreeSet<Vote>,
    /// Recovery failed: culprits must be found before the next one. The oldest first.
    failed: VecDeque<Vote>,
    /// Partials of the first `q` of their votes that nobody has decoded; fewer than [`LANES`] after each turn.
    encoded: Vec<(Vote, OperatorIndex)>,
}

impl Ballots {
    pub(super) fn new(size: ClusterSize) -> Self {
        Self {
            quorum: size.q(),
            senders: size.operators().map(|_| Sender::default()).collect(),
            partials: BTreeMap::new(),
            ready: BTreeSet::new(),
            failed: VecDeque::new(),
            encoded: Vec::new(),
        }
    }

    /// Puts on record that `signer` cast `vote`, or says why that does not count.
    pub(super) fn cast(&mut self, vote: &Vote, signer: OperatorIndex) -> Result<(), DropReason> {
        let sender = self.senders.get_mut(signer.as_usize()).ok_or(DropReason::UnknownSender)?;
        if vote.kind == VoteKind::Nullify {
            return self.nullify(vote, signer);
        }
        match sender.cast.insert((vote.position, vote.kind), vote.block) {
            None => {}
            Some(before) if before == vote.block => return Err(DropReason::Duplicate),
            Some(before) => {
                sender.cast.insert((vote.position, vote.kind), before);
                return Err(DropReason::ConflictingVote);
            }
        }
        if sender.cast.len() > VOTES_PER_SENDER_MAX
            && let Some(((position, kind), block)) = sender.cast.pop_first()
        {
            self.withdraw(&Vote { kind, position, block }, signer);
        }
        Ok(())
    }

    fn nullify(&mut self, vote: &Vote, signer: OperatorIndex) -> Result<(), DropReason> {
        let Position { epoch, term, slot } = vote.position;
        let nullified = &mut self.senders[signer.as_usize()].nullified;
        match nullified.insert((epoch, term), slot) {
            Some(before) if before >= slot => {
                nullified.insert((epoch, term), before);
                return Err(DropReason::Duplicate);
            }
            Some(before) => self.withdraw(&Vote::nullify(Position::new(epoch, term, before)), signer),
            None => {}
        }
        Ok(())
    }

    /// Takes back a partial of `signer`.
    fn withdraw(&mut self, vote: &Vote, signer: OperatorIndex) {
        if let Some(partials) = self.partials.get_mut(vote) {
            partials.retain(|(other, _)| *other != signer);
            if partials.len() < self.quorum {
                self.ready.remove(vote);
            }
            if partials.is_empty() {
                self.partials.remove(vote);
            }
        }
    }

    /// Collects the partial of a vote that is on record.
    pub(super) fn add(&mut self, vote: Vote, signer: OperatorIndex, partial: SignatureBytes) {
        let partials = self.partials.entry(vote).or_default();
        if partials.len() < self.quorum {
            self.encoded.push((vote, signer));
        }
        partials.push((signer, partial.into()));
        if partials.len() >= self.quorum && !self.failed.contains(&vote) {
            self.ready.insert(vote);
        }
    }

    /// Partials to be decoded now, in whole groups of [`LANES`]: of votes that are still collected, and not beyond
    /// the quorum. The others wait for company, or for the recovery of their vote.
    pub(super) fn take_encoded(&mut self) -> Vec<(Vote, OperatorIndex, Partial)> {
        if self.encoded.len() < LANES {
            return Vec::new();
        }
        let mut found = Vec::with_capacity(self.encoded.len());
        for (vote, signer) in core::mem::take(&mut self.encoded) {
            let partials = self.partials.get(&vote).map_or(&[][..], Vec::as_slice);
            let partial = partials.iter().find(|(other, partial)| *other == signer && !partial.is_decoded());
            found.extend(partial.map(|(_, partial)| (vote, signer, *partial)));
        }
        let rest = found.split_off(found.len() / LANES * LANES);
        self.encoded.extend(rest.into_iter().map(|(vote, signer, _)| (vote, signer)));
        found
    }

    /// Puts back what was decoded, or drops what is no partial at all.
    pub(super) fn put_decoded(&mut self, vote: &Vote, signer: OperatorIndex, decoded: Option<Partial>) {
        let Some(decoded) = decoded else { return self.withdraw(vote, signer) };
        let partials = self.partials.get_mut(vote).map_or(&mut [][..], Vec::as_mut_slice);
        if let Some((_, partial)) = partials.iter_mut().find(|(other, _)| *other == signer) {
            *partial = decoded;
        }
    }

    /// The recovery of a vote failed.
    pub(super) fn fail(&mut self, vote: Vote) {
        if !self.failed.contains(&vote) {
            self.failed.push_back(vote);
        }
    }

    /// The ballot whose recovery failed first, of those that still have a quorum. One that has none any more was
    /// rid of what was no point at all: it is combined again when it is complete.
    pub(super) fn take_failed(&mut self) -> Option<Ballot> {
        while let Some(vote) = self.failed.pop_front() {
            if let Some(partials) = self.partials.get(&vote).filter(|partials| partials.len() >= self.quorum) {
                return Some(Ballot { vote, partials: partials.clone() });
            }
        }
        None
    }

    pub(super) fn has_failed(&self) -> bool {
        !self.failed.is_empty()
    }

    /// The votes of whoever has most, and the terms of whoever has left most.
    pub(super) fn fullest_sender(&self) -> (usize, usize) {
        let most = |length: fn(&Sender) -> usize| self.senders.iter().map(length).max().unwrap_or(0);
        (most(|sender| sender.cast.len()), most(|sender| sender.nullified.len()))
    }

    pub(super) fn len(&self) -> usize {
        self.partials.len()
    }

    pub(super) fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The ballots that have a quorum, each once until something is added to it.
    pub(super) fn take_ready(&mut self) -> Vec<Ballot> {
        let ready = core::mem::take(&mut self.ready).into_iter();
        ready.map(|vote| Ballot { vote, partials: self.partials.get(&vote).cloned().unwrap_or_default() }).collect()
    }

    /// Lets go of the partials of a vote that is certified.
    pub(super) fn remove(&mut self, vote: &Vote) {
        self.partials.remove(vote);
        self.ready.remove(vote);
        self.failed.retain(|other| other != vote);
    }

    /// After a failed recovery: these partials are good, the others are gone.
    pub(super) fn keep_only(&mut self, vote: Vote, good: Vec<(OperatorIndex, Partial)>) {
        if good.is_empty() {
            self.partials.remove(&vote);
        } else {
            self.partials.insert(vote, good);
        }
    }

    /// Lets go of what the engine has no use for any more.
    pub(super) fn prune(&mut self, window: &Window) {
        self.partials.retain(|vote, _| window.wants_vote(vote));
        self.ready.retain(|vote| window.wants_vote(vote));
        self.failed.retain(|vote| window.wants_vote(vote));
        for sender in &mut self.senders {
            sender.cast.retain(|&(position, kind), &mut block| window.wants_vote(&Vote { kind, position, block }));
            sender.nullified.retain(|&(epoch, term), _| epoch == window.epoch && term >= window.term);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::B256;

    fn partial(byte: u8) -> SignatureBytes {
        [byte; 48].into()
    }

    fn ballots() -> Ballots {
        Ballots::new(ClusterSize::new(4).expect("within range"))
    }

    fn notarize(slot: u32, hash: u8) -> Vote {
        Vote::notarize(Position::new(0, 0, slot), BlockRef::new(1, B256::repeat_byte(hash)))
    }

    #[test]
    fn a_quorum_is_ready_once() {
        let mut ballots = ballots();
        for signer in 0..3 {
            assert!(!ballots.has_ready());
            ballots.cast(&notarize(0, 1), OperatorIndex(signer)).expect("new");
            ballots.add(notarize(0, 1), OperatorIndex(signer), partial(1));
        }
        assert_eq!(ballots.take_ready().len(), 1);
        assert!(!ballots.has_ready() && ballots.take_ready().is_empty());
        ballots.keep_only(
            notarize(0, 1),
            vec![(OperatorIndex(0), partial(1).into()), (OperatorIndex(1), partial(1).into())],
        );
        ballots.cast(&notarize(0, 1), OperatorIndex(3)).expect("new");
        ballots.add(notarize(0, 1), OperatorIndex(3), partial(1));
        assert_eq!(ballots.take_ready()[0].partials.len(), 3, "another good partial completes it");
    }

    #[test]
    fn the_first_vote_at_a_position_counts() {
        let mut ballots = ballots();
        assert_eq!(ballots.cast(&notarize(0, 1), OperatorIndex(0)), Ok(()));
        assert_eq!(ballots.cast(&notarize(0, 1), OperatorIndex(0)), Err(DropReason::Duplicate));
        assert_eq!(ballots.cast(&notarize(0, 2), OperatorIndex(0)), Err(DropReason::ConflictingVote));
        assert_eq!(ballots.cast(&notarize(0, 1), OperatorIndex(0)), Err(DropReason::Duplicate), "the first stands");
    }

    #[test]
    fn the_highest_nullify_counts() {
        let mut ballots = ballots();
        let nullify = |slot| Vote::nullify(Position::new(0, 0, slot));
        for (slot, expected) in [(2, Ok(())), (1, Err(DropReason::Duplicate)), (2, Err(DropReason::Duplicate))] {
            assert_eq!(ballots.cast(&nullify(slot), OperatorIndex(0)), expected);
        }
        ballots.add(nullify(2), OperatorIndex(0), partial(0));
        for signer in 1..3 {
            ballots.cast(&nullify(2), OperatorIndex(signer)).expect("new");
            ballots.add(nullify(2), OperatorIndex(signer), partial(0));
        }
        assert!(ballots.has_ready());
        ballots.cast(&nullify(5), OperatorIndex(0)).expect("higher");
        assert!(!ballots.has_ready(), "the lower one was taken back");
    }

    #[test]
    fn a_sender_crowds_out_only_itself() {
        let mut ballots = ballots();
        ballots.cast(&notarize(0, 1), OperatorIndex(1)).expect("new");
        ballots.add(notarize(0, 1), OperatorIndex(1), partial(0));
        for slot in 0..5_000 {
            ballots.cast(&notarize(slot, 1), OperatorIndex(0)).expect("new");
            ballots.add(notarize(slot, 1), OperatorIndex(0), partial(0));
        }
        assert_eq!(ballots.senders[0].cast.len(), VOTES_PER_SENDER_MAX);
        assert_eq!(ballots.senders[1].cast.len(), 1);
        assert!(ballots.partials.len() <= VOTES_PER_SENDER_MAX + 1);
        assert_eq!(ballots.partials[&notarize(0, 1)], [(OperatorIndex(1), partial(0).into())]);
    }
}
