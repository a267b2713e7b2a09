//! The leader's pace (rule 1): when the next slot is due, and when to start building so that it is ready.
//!
//! Slots are due on a grid, so that the block rate does not drift; it goes on from the block that the term's
//! first one builds on. After a stall at most `D` slots are made up for; the rest of the grid moves. Building
//! starts ahead by what builds lately took.

use core::time::Duration;
use phalanx_types::{Block, BlockRef, Time};
use std::sync::Arc;

/// The first pause before a failed build is tried again.
const BUILD_RETRY_MIN: Duration = Duration::from_millis(5);
/// The largest.
const BUILD_RETRY_MAX: Duration = Duration::from_millis(250);
/// What a build starts earlier than it was measured to need.
const BUILD_MARGIN: Duration = Duration::from_millis(1);

/// A build that is under way.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Building {
    pub(crate) slot: u32,
    pub(crate) parent: BlockRef,
    asked_at: Time,
}

/// The pace of one term, and the builds' measured duration, which outlives it.
#[derive(Clone, Debug)]
pub(crate) struct Pace {
    block_time: Duration,
    /// What the grid is made up for after a stall, at most. Unit: slots.
    make_up: u32,
    /// When the next slot is due; unknown before the first.
    due: Option<Time>,
    pub(crate) building: Option<Building>,
    /// Built, and waiting to be due.
    pub(crate) ready: Option<(u32, Arc<Block>)>,
    not_before: Time,
    retry_pause: Duration,
    /// What builds lately took.
    build_time: Duration,
}

impl Pace {
    pub(crate) fn new(block_time: Duration, pipeline_depth: u32) -> Self {
        Self {
            block_time,
            make_up: pipeline_depth,
            due: None,
            building: None,
            ready: None,
            not_before: Time::ZERO,
            retry_pause: BUILD_RETRY_MIN,
            build_time: Duration::ZERO,
        }
    }

    /// A term was entered.
    pub(crate) fn enter(&mut self) {
        *self = Self { build_time: self.build_time, ..Self::new(self.block_time, self.make_up) };
    }

    /// What is being built or is ready, for the model: all else is time.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        use core::hash::Hash;
        #[rustfmt::skip]
        let Self {
            block_time: _, make_up: _, due: _, building, ready, not_before: _, retry_pause: _, build_time: _,
        } = self;
        building.map(|building| (building.slot, building.parent)).hash(state);
        ready.as_ref().map(|(slot, block)| (slot, block.reference)).hash(state);
    }

    /// The same at another pace, for the model.
    #[cfg(feature = "model")]
    pub(crate) fn reconfigure(&mut self, block_time: Duration, pipeline_depth: u32) {
        (self.block_time, self.make_up) = (block_time, pipeline_depth);
    }

    /// When the next slot is due. The first one of a term, or after a restart, is `first_due`.
    pub(crate) fn due(&mut self, first_due: Time) -> Time {
        *self.due.get_or_insert(first_due)
    }

    /// When to ask for the next block: ahead of its due time by what a build takes.
    pub(crate) fn build_at(&self, due: Time) -> Time {
        let ahead = (self.build_time + BUILD_MARGIN).min(self.block_time);
        earlier(due, ahead).max(self.not_before)
    }

    /// A build was asked for.
    pub(crate) fn ask(&mut self, slot: u32, parent: BlockRef, now: Time) {
        self.building = Some(Building { slot, parent, asked_at: now });
    }

    /// The build under way ended with a block.
    pub(crate) fn built(&mut self, slot: u32, block: Arc<Block>, now: Time) {
        if let Some(building) = self.building.take() {
            let took = now.saturating_since(building.asked_at);
            // Up at once, down slowly: a late proposal costs more than an early build.
            self.build_time = took.max((self.build_time * 7 + took) / 8).min(self.block_time);
        }
        self.retry_pause = BUILD_RETRY_MIN;
        self.ready = Some((slot, block));
    }

    /// The build under way ended without one: pause, longer each time.
    pub(crate) fn build_failed(&mut self, now: Time) {
        self.building = None;
        self.not_before = now + self.retry_pause;
        self.retry_pause = (self.retry_pause * 2).min(BUILD_RETRY_MAX);
    }

    /// Whether the last build failed.
    pub(crate) fn is_retrying(&self) -> bool {
        self.retry_pause > BUILD_RETRY_MIN
    }

    /// What a build waited for is there: try again at once.
    pub(crate) fn retry_now(&mut self) {
        self.not_before = Time::ZERO;
    }

    /// A slot that was due at `due` is proposed.
    pub(crate) fn proposed(&mut self, due: Time, now: Time) {
        let made_up = self.block_time.saturating_mul(self.make_up - 1);
        self.due = Some((due + self.block_time).max(earlier(now, made_up)));
    }
}

fn earlier(time: Time, duration: Duration) -> Time {
    let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
    Time::from_micros(time.as_micros().saturating_sub(micros))
}
