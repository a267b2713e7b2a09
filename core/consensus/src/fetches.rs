//! What is missing here and asked of others (rule 9): which blocks and which terms' certificates, and when
//! to ask again.
//!
//! Whoever carries the requests out keeps trying; asking again, with back-off, only covers what it had to
//! let go of.

use core::time::Duration;
use phalanx_types::{BlockRef, Time};
use std::collections::BTreeMap;

/// How many missing blocks are remembered; the lowest ones, since they are needed first.
pub const MISSING_BLOCKS_MAX: usize = 256;
/// How many blocks are asked for at once.
pub(crate) const FETCHES_PER_STEP_MAX: usize = 16;
/// How many terms are asked for at once: each may be answered by two certificates, and more may not fit.
pub(crate) const TERMS_PER_FETCH_MAX: u64 = 1_024;

#[derive(Clone, Copy, Debug)]
struct Pursuit {
    ask_at: Time,
    pause: Duration,
}

/// The pursuits under way.
#[derive(Clone, Debug)]
pub(crate) struct Fetches {
    pause_min: Duration,
    pause_max: Duration,
    blocks: BTreeMap<BlockRef, Pursuit>,
    terms: Option<((u64, u64), Pursuit)>,
    terms_not_before: Time,
    /// Something had to be forgotten, and must be found again.
    pub(crate) overflowed: bool,
}

impl Fetches {
    pub(crate) fn new(pause_min: Duration, pause_max: Duration) -> Self {
        Self {
            pause_min,
            pause_max,
            blocks: BTreeMap::new(),
            terms: None,
            terms_not_before: Time::ZERO,
            overflowed: false,
        }
    }

    /// A block is missing; it is asked for at `ask_at`, or earlier if that was said before.
    pub(crate) fn want_block(&mut self, block: BlockRef, ask_at: Time) {
        let pause = self.pause_min;
        let pursuit = self.blocks.entry(block).or_insert(Pursuit { ask_at, pause });
        pursuit.ask_at = pursuit.ask_at.min(ask_at);
        if self.blocks.len() > MISSING_BLOCKS_MAX {
            self.blocks.pop_last();
            self.overflowed = true;
        }
    }

    pub(crate) fn missing_blocks(&self) -> usize {
        self.blocks.len()
    }

    /// Whether a block is wanted.
    pub(crate) fn wants_block(&self, block: BlockRef) -> bool {
        self.blocks.contains_key(&block)
    }

    /// A block is not missing any more.
    pub(crate) fn got_block(&mut self, block: BlockRef) {
        self.blocks.remove(&block);
    }

    /// Blocks at or below a height are final, and come by other ways.
    pub(crate) fn finalized(&mut self, number: u64) {
        self.blocks.retain(|block, _| block.number > number);
    }

    /// Whether there is room again for what was forgotten; says so once.
    pub(crate) fn take_overflow(&mut self) -> bool {
        self.blocks.len() <= MISSING_BLOCKS_MAX / 2 && core::mem::take(&mut self.overflowed)
    }

    /// The blocks to ask for now.
    pub(crate) fn due_blocks(&mut self, now: Time) -> Vec<BlockRef> {
        let mut due = Vec::new();
        for (block, pursuit) in &mut self.blocks {
            if pursuit.ask_at <= now && due.len() < FETCHES_PER_STEP_MAX {
                pursuit.ask_at = now + pursuit.pause;
                pursuit.pause = (pursuit.pause * 2).min(self.pause_max);
                due.push(*block);
            }
        }
        due
    }

    /// Which terms' certificates are missing (from, to; inclusive), if any.
    pub(crate) fn want_terms(&mut self, terms: Option<(u64, u64)>) {
        self.terms = terms.map(|terms| match self.terms {
            Some((before, pursuit)) if before == terms => (terms, pursuit),
            // Answers come certificate by certificate: the pause holds across the ranges that are left.
            _ => (terms, Pursuit { ask_at: self.terms_not_before, pause: self.pause_min }),
        });
    }

    /// The terms whose certificates are wanted.
    pub(crate) fn terms(&self) -> Option<(u64, u64)> {
        self.terms.map(|(terms, _)| terms)
    }

    /// The terms to ask for now.
    pub(crate) fn due_terms(&mut self, now: Time) -> Option<(u64, u64)> {
        let (terms, pursuit) = self.terms.as_mut()?;
        if pursuit.ask_at > now {
            return None;
        }
        pursuit.ask_at = now + pursuit.pause;
        pursuit.pause = (pursuit.pause * 2).min(self.pause_max);
        self.terms_not_before = now + self.pause_min;
        Some(*terms)
    }

    /// What is pursued, for the model: all else is time.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        use core::hash::Hash;
        let Self { pause_min: _, pause_max: _, blocks, terms, terms_not_before: _, overflowed } = self;
        blocks.len().hash(state);
        blocks.keys().for_each(|block| block.hash(state));
        (terms.map(|(terms, _)| terms), overflowed).hash(state);
    }

    /// The same with other pauses, for the model.
    #[cfg(feature = "model")]
    pub(crate) fn reconfigure(&mut self, pause_min: Duration, pause_max: Duration) {
        (self.pause_min, self.pause_max) = (pause_min, pause_max);
        self.blocks.values_mut().for_each(|pursuit| pursuit.pause = pause_min);
        if let Some((_, pursuit)) = &mut self.terms {
            pursuit.pause = pause_min;
        }
    }

    /// When something is due next.
    pub(crate) fn next(&self) -> Option<Time> {
        let terms = self.terms.iter().map(|(_, pursuit)| pursuit.ask_at);
        self.blocks.values().map(|pursuit| pursuit.ask_at).chain(terms).min()
    }
}
