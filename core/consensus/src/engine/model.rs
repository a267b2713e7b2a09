//! For the model checker (`phalanx-model`), behind the feature `model`: what the further behaviour of an
//! engine depends on, and other settings for an engine that runs. Production builds have neither.
//!
//! Every part is taken apart field by field, so that a new field does not compile until it is decided
//! whether it belongs in here. What is left out: times (the model lets every deadline pass at any moment, or
//! never), what only drives them, counters, and what the configuration fixes.

use crate::collectors::Collecting;
use crate::{Config, Engine};
use core::hash::{Hash, Hasher};
use phalanx_types::OperatorIndex;

impl Engine {
    /// Feeds `state` with all that tells apart two engines of one seat that may behave differently, deadlines
    /// aside.
    pub fn behaviour<H: Hasher>(&self, state: &mut H) {
        #[rustfmt::skip]
        let Self {
            config: _, certificates, blocks, proposals, own, peers, term, convicted_next, timeouts, resend: _, pace,
            fetches, jitter: _, rules: _, timer: _, halted, now: _, collecting: _,
        } = self;
        (certificates, own, convicted_next, timeouts, halted).hash(state);
        blocks.behaviour(state);
        proposals.behaviour(state);
        peers.behaviour(state);
        term.behaviour(state);
        pace.behaviour(state);
        fetches.behaviour(state);
    }

    /// Whose engine it is.
    #[must_use]
    pub fn seat(&self) -> OperatorIndex {
        self.config.me
    }

    /// Goes on with other durations, and in another seat where operators that act alike share an engine: then
    /// neither may have led a term yet.
    #[must_use]
    pub fn reconfigured(&self, config: Config) -> Self {
        let mut engine = self.clone();
        assert!(config.size == self.config.size, "the cluster stays");
        assert!(config.slots_per_term == self.config.slots_per_term, "the cluster's settings stay");
        engine.pace.reconfigure(config.block_time, config.pipeline_depth);
        engine.fetches.reconfigure(config.resend_interval_min, config.resend_interval_max);
        engine.resend.reconfigure(config.resend_interval_min);
        engine.peers.reconfigure(config.me);
        engine.collecting = Collecting::new(&config);
        if let Some(collecting) = &mut engine.collecting {
            collecting.enter(engine.term.number);
        }
        engine.forget_timer();
        engine.config = config;
        engine
    }
}
