//! Putting a pipeline together: its stages for whoever runs them, its handles for whoever feeds them.

use crate::counters::Counters;
use crate::engine::{EngineStage, EngineWiring, Outcome, RESULTS_RING_MAX, Results, WORK_RING_MAX, Work};
use crate::error::RestoreError;
use crate::ingress::Ingress;
use crate::ring::{Depth, NoWake, Outlet, Ring, Wake};
use crate::sign::{CommitObserver, INTENTS_RING_MAX, Intent, OUTBOUND_RING_MAX, Outbound, SignStage, SignWiring};
use crate::snapshot::{Snapshot, Snapshots};
use crate::stage::{Progress, Stage};
use crate::verify::{OWN_RING_MAX, VERIFIED_RING_MAX, VerifyStage, VerifyWiring};
use core::fmt;
use phalanx_consensus::{Config, Engine, Input, Outbox, Restored};
use phalanx_journal::{Disk, Journal};
use phalanx_threshold::{Identity, PartialSigner, Verifier};
use phalanx_types::{BlockInspector, SignedVote, Time};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

/// Who is woken when a ring gets something to do for them.
#[derive(Clone, Debug)]
pub struct Wakes {
    /// Whoever runs the verify stage.
    pub verify: Arc<dyn Wake>,
    /// Whoever runs the engine stage.
    pub engine: Arc<dyn Wake>,
    /// Whoever runs the sign stage.
    pub sign: Arc<dyn Wake>,
    /// Whoever takes [`Work`].
    pub work: Arc<dyn Wake>,
    /// Whoever takes [`Outbound`].
    pub outbound: Arc<dyn Wake>,
    /// Whoever hands [`Outcome`]s in and found no room.
    pub results: Arc<dyn Wake>,
}

impl Default for Wakes {
    /// Wakes nobody.
    fn default() -> Self {
        let nobody: Arc<dyn Wake> = Arc::new(NoWake);
        Self {
            verify: Arc::clone(&nobody),
            engine: Arc::clone(&nobody),
            sign: Arc::clone(&nobody),
            work: Arc::clone(&nobody),
            outbound: Arc::clone(&nobody),
            results: nobody,
        }
    }
}

/// What a pipeline is made of.
pub struct PipelineConfig<D> {
    /// The engine's.
    pub engine: Config,
    /// Checks what comes from peers; also names the domain under which votes are signed.
    pub verifier: Arc<Verifier>,
    /// Signs votes.
    pub signer: Arc<dyn PartialSigner>,
    /// Signs proposals.
    pub identity: Arc<Identity>,
    /// Reads payloads.
    pub inspector: Arc<dyn BlockInspector>,
    /// The open journal.
    pub journal: Journal<D>,
    /// What [`crate::restore`] made of the journal's records.
    pub restored: Restored,
    /// Seeds the coefficients of batch verification. Must be secret and fresh: from the operating system's
    /// randomness in the node.
    pub rng_seed: [u8; 32],
    /// Who is woken.
    pub wakes: Wakes,
    /// Times commits.
    pub observer: Box<dyn CommitObserver>,
    /// The present.
    pub now: Time,
}

impl<D> fmt::Debug for PipelineConfig<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PipelineConfig").field("engine", &self.engine).finish_non_exhaustive()
    }
}

/// What feeds a pipeline and takes from it.
#[derive(Debug)]
pub struct Handles {
    /// For decoded messages.
    pub ingress: Arc<Ingress>,
    /// For what came of work.
    pub results: Results,
    /// What the driver must do.
    pub work: Outlet<Work>,
    /// What must be sent.
    pub outbound: Outlet<Outbound>,
    /// Where the engine stands.
    pub snapshots: Snapshots,
    /// What was counted.
    pub counters: Arc<Counters>,
    /// How full the rings are.
    pub gauges: Gauges,
}

/// Reads the depths of all rings. Cloneable.
#[derive(Clone, Debug)]
pub struct Gauges {
    ingress: Arc<Ingress>,
    rings: Rings,
}

impl Gauges {
    /// All of them.
    #[must_use]
    pub fn read(&self) -> Vec<Depth> {
        let rings = &self.rings;
        let inner = [rings.own.depth(), rings.verified.depth(), rings.results.depth(), rings.intents.depth()];
        let outer = [rings.outbound.depth(), rings.work.depth()];
        self.ingress.depths().into_iter().chain(inner).chain(outer).collect()
    }
}

#[derive(Clone, Debug)]
struct Rings {
    own: Arc<Ring<SignedVote>>,
    verified: Arc<Ring<Input>>,
    results: Arc<Ring<Outcome>>,
    intents: Arc<Ring<Intent>>,
    outbound: Arc<Ring<Outbound>>,
    work: Arc<Ring<Work>>,
}

impl Rings {
    fn new(wakes: &Wakes) -> Self {
        // The outbound ring has two producers.
        let senders: Arc<dyn Wake> = Arc::new(Both(Arc::clone(&wakes.engine), Arc::clone(&wakes.sign)));
        Self {
            own: Ring::new("own", OWN_RING_MAX, &wakes.verify, &wakes.sign),
            verified: Ring::new("verified", VERIFIED_RING_MAX, &wakes.engine, &wakes.verify),
            results: Ring::new("results", RESULTS_RING_MAX, &wakes.engine, &wakes.results),
            intents: Ring::new("intents", INTENTS_RING_MAX, &wakes.sign, &wakes.engine),
            outbound: Ring::new("outbound", OUTBOUND_RING_MAX, &wakes.outbound, &senders),
            work: Ring::new("work", WORK_RING_MAX, &wakes.work, &wakes.engine),
        }
    }
}

/// Wakes two.
#[derive(Debug)]
struct Both(Arc<dyn Wake>, Arc<dyn Wake>);

impl Wake for Both {
    fn wake(&self) {
        self.0.wake();
        self.1.wake();
    }
}

/// The stages of one pipeline. Give each a thread of its own, or [`Turn::run`] them one after another.
#[derive(Debug)]
pub struct Turn<D> {
    /// The first.
    pub verify: VerifyStage,
    /// The second.
    pub engine: EngineStage,
    /// The third.
    pub sign: SignStage<D>,
}

impl<D: Disk> Turn<D> {
    /// Puts a pipeline together.
    ///
    /// # Errors
    /// [`RestoreError`]: the journal holds what this operator cannot have signed.
    ///
    /// # Panics
    /// When the engine's configuration, the verifier and the signer disagree about the cluster.
    pub fn new(config: PipelineConfig<D>) -> Result<(Self, Handles), RestoreError> {
        let PipelineConfig { engine, verifier, signer, identity, inspector, journal, restored, .. } = config;
        assert_eq!(engine.size, verifier.size(), "the engine and the verifier serve one cluster");
        assert_eq!(engine.me, signer.index(), "the engine votes for whoever signs");
        let counters = Arc::new(Counters::default());
        let rings = Rings::new(&config.wakes);
        let ingress = Arc::new(Ingress::new(engine.me, engine.size, &config.wakes.verify, &counters));
        let sign = SignStage::new(
            SignWiring {
                intents: Arc::clone(&rings.intents),
                outbound: Arc::clone(&rings.outbound),
                own: Arc::clone(&rings.own),
                verifier: Arc::clone(&verifier),
                signer,
                identity,
                journal,
                observer: config.observer,
                counters: Arc::clone(&counters),
            },
            restored.records.clone(),
            &restored.certificates,
            engine.slots_per_term,
        )?;
        let mut outbox = Outbox::new();
        let engine = Engine::new(engine, restored, config.now, &mut outbox);
        let snapshots = Snapshots::new(Snapshot { window: engine.window(), status: engine.status() });
        let engine = EngineStage::new(
            engine,
            outbox,
            EngineWiring {
                verified: Arc::clone(&rings.verified),
                results: Arc::clone(&rings.results),
                intents: Arc::clone(&rings.intents),
                outbound: Arc::clone(&rings.outbound),
                work: Arc::clone(&rings.work),
                snapshots: snapshots.clone(),
                counters: Arc::clone(&counters),
            },
        );
        let verify = VerifyStage::new(VerifyWiring {
            ingress: Arc::clone(&ingress),
            own: Arc::clone(&rings.own),
            verified: Arc::clone(&rings.verified),
            snapshots: snapshots.clone(),
            verifier,
            inspector,
            counters: Arc::clone(&counters),
            rng: ChaCha20Rng::from_seed(config.rng_seed),
        });
        let handles = Handles {
            ingress: Arc::clone(&ingress),
            results: Results(Arc::clone(&rings.results)),
            work: Outlet::new(&rings.work),
            outbound: Outlet::new(&rings.outbound),
            snapshots,
            counters,
            gauges: Gauges { ingress, rings },
        };
        Ok((Self { verify, engine, sign }, handles))
    }

    /// One turn of each stage, in order. Call it again while it did work.
    pub fn run(&mut self, now: Time) -> Progress {
        let verify = self.verify.turn(now);
        let engine = self.engine.turn(now);
        let sign = self.sign.turn(now);
        verify.and(engine).and(sign)
    }
}
