//! The engine: its state, and the one match over everything that can happen.

use crate::{Config, Input, Outbox, Restored, RuleCounts, Status, Window};
use phalanx_types::{Position, Time};

/// One operator's state machine.
#[derive(Clone, Debug)]
pub struct Engine {
    config: Config,
    rules: RuleCounts,
}

impl Engine {
    /// Starts, or goes on from a journal; an empty `restored` is a first start.
    ///
    /// # Panics
    /// When [`Config::check`] refuses the configuration.
    #[must_use]
    pub fn new(config: Config, _restored: Restored, _now: Time, _out: &mut Outbox) -> Self {
        config.check().expect("the configuration was checked before an engine is made");
        Self { config, rules: RuleCounts::default() }
    }

    /// Takes one input and says what to do. Nothing blocks; `now` never goes back.
    pub fn step(&mut self, _now: Time, _input: Input, _out: &mut Outbox) {}

    /// What is of interest now, for the filter before any cryptography.
    #[must_use]
    pub fn window(&self) -> Window {
        Window { epoch: self.config.epoch, ..Window::default() }
    }

    /// Where the engine stands, for readers.
    #[must_use]
    pub fn status(&self) -> Status {
        let genesis = self.config.genesis;
        Status {
            epoch: self.config.epoch,
            term: 0,
            leader: self.config.size.leader(0),
            slot: 0,
            left: false,
            proposed: genesis,
            notarized: genesis,
            notarized_position: None::<Position>,
            finalized: genesis,
            finalized_position: None,
            committed: genesis,
            progress_timeout: self.config.progress_timeout_min,
            absent: Vec::new(),
            blocks_held: 0,
            certificates_held: 0,
            halted: false,
        }
    }

    /// How often each arm of the protocol was taken.
    #[must_use]
    pub fn rule_counts(&self) -> &RuleCounts {
        &self.rules
    }
}
