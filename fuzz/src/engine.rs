//! The consensus engine: a script of proposals, certificates (contradictory ones too), votes heard, answers, time and
//! restarts. It never panics, holds no more than its bounds, and signs nothing that its own journal forbids; a checker
//! that shares no code with it reads that journal.

use crate::chain::{KEYS, block, genesis};
use arbitrary::{Result, Unstructured};
use core::time::Duration;
use phalanx_checkers::VoteChecker;
use phalanx_consensus::{
    BuildFailure, Collectors, Config, Effect, Engine, HELD_PAYLOAD_BYTES_MAX, Input, MISSING_BLOCKS_MAX, Outbox,
    PROPOSALS_HELD_MAX, Restored, UNFINALIZED_BLOCKS_MAX, Verdict,
};
use phalanx_threshold::Verified;
use phalanx_types::{
    Block, BlockRef, Certificate, OperatorIndex, Position, Record, Time, UnsignedProposal, Vote, VoteKind,
};
use std::sync::Arc;

/// Steps of one script.
const STEPS_MAX: usize = 160;
/// Timers that are due within one step.
const TICKS_MAX: usize = 64;
const BLOCKS: u8 = 12;

/// A script.
///
/// # Panics
/// When the engine does, contradicts itself, or holds too much.
pub fn engine(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let _ended = play(&mut script);
}

fn play(script: &mut Unstructured<'_>) -> Result<()> {
    let mut walk = Walk::new(script)?;
    for _ in 0..STEPS_MAX {
        walk.step(script)?;
        if walk.engine.status().halted {
            break;
        }
    }
    Ok(())
}

struct Walk {
    engine: Engine,
    config: Config,
    now: Time,
    timer: Option<Time>,
    blocks: Vec<Arc<Block>>,
    wanted: Option<(Position, BlockRef)>,
    checker: VoteChecker,
    journal: Vec<Record>,
    kept: Vec<Verified<Certificate>>,
    stored: Vec<Arc<Block>>,
}

impl Walk {
    fn new(script: &mut Unstructured<'_>) -> Result<Self> {
        let config = config(script)?;
        let mut blocks: Vec<Arc<Block>> = Vec::new();
        for salt in 0..BLOCKS {
            let parent = script.int_in_range(0..=blocks.len())?.checked_sub(1).map(|index| blocks[index].reference);
            blocks.push(block(parent.unwrap_or_else(genesis), salt));
        }
        let mut out = Outbox::new();
        let engine = Engine::new(config.clone(), Restored::default(), Time::ZERO, &mut out);
        let mut walk = Self {
            engine,
            now: Time::ZERO,
            timer: None,
            blocks,
            wanted: None,
            checker: VoteChecker::new(config.me, config.size, config.slots_per_term),
            config,
            journal: Vec::new(),
            kept: Vec::new(),
            stored: Vec::new(),
        };
        walk.carry_out(&mut out);
        Ok(walk)
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=15)? {
            0 => self.restart(script)?,
            1 | 2 => self.pass(script)?,
            kind => {
                let input = self.input(kind, script)?;
                self.take(input);
            }
        }
        let status = self.engine.status();
        assert!(status.proposals_held <= PROPOSALS_HELD_MAX);
        assert!(status.blocks_held <= 2 * UNFINALIZED_BLOCKS_MAX);
        assert!(self.engine.missing_blocks() <= MISSING_BLOCKS_MAX);
        assert!(self.engine.payload_bytes() <= HELD_PAYLOAD_BYTES_MAX);
        Ok(())
    }

    fn input(&self, kind: u8, script: &mut Unstructured<'_>) -> Result<Input> {
        let held = Arc::clone(script.choose(&self.blocks)?);
        Ok(match kind {
            3..=5 => self.proposal(held, script)?,
            6 | 7 => Input::Certificate(KEYS.certificate(self.vote(held.reference, script)?)),
            8 => {
                let vote = if script.arbitrary()? { Some(self.vote(held.reference, script)?) } else { None };
                Input::Heard { from: OperatorIndex(script.int_in_range(0..=4)?), vote }
            }
            9 => {
                let verdict = match script.int_in_range(0..=2)? {
                    0 => Verdict::Invalid("no".to_owned()),
                    1 => Verdict::Pending,
                    _ => Verdict::Valid,
                };
                Input::Validated { block: held.reference, verdict }
            }
            10 | 11 => match self.wanted {
                Some((position, parent)) => {
                    let failed = script.ratio(1_u8, 4)?;
                    let result = if failed { Err(BuildFailure::ParentMissing) } else { Ok(block(parent, 100)) };
                    Input::Built { position, result }
                }
                None => Input::Tick,
            },
            12 => Input::Fetched(held),
            13 => Input::Committed(self.engine.status().finalized),
            14 => Input::HandOver,
            _ => Input::Tick,
        })
    }

    /// Mostly near where the engine is.
    fn position(&self, script: &mut Unstructured<'_>) -> Result<Position> {
        let status = self.engine.status();
        let term = (status.term + script.int_in_range(0_u64..=3)?).saturating_sub(1);
        let slot = (status.slot + script.int_in_range(0_u32..=3)?).saturating_sub(2);
        Ok(Position::new(0, term, if script.arbitrary()? { slot } else { 0 }))
    }

    fn vote(&self, block: BlockRef, script: &mut Unstructured<'_>) -> Result<Vote> {
        let position = self.position(script)?;
        Ok(match script.int_in_range(0..=2)? {
            0 => Vote::notarize(position, block),
            1 => Vote::nullify(position),
            _ => Vote::finalize(position, block),
        })
    }

    fn proposal(&self, block: Arc<Block>, script: &mut Unstructured<'_>) -> Result<Input> {
        let position = self.position(script)?;
        let parent = match script.int_in_range(0..=2)? {
            0 => None,
            1 => position.slot.checked_sub(1).map(|slot| Position::new(0, position.term, slot)),
            _ => Some(self.position(script)?),
        };
        let header = UnsignedProposal {
            position,
            parent_position: parent.unwrap_or_default(),
            parent_is_genesis: parent.is_none(),
            block: block.reference,
            parent_hash: block.parent_hash,
        };
        let justification = if script.ratio(1_u8, 4)? {
            vec![KEYS.certificate(self.vote(block.reference, script)?).into_inner()]
        } else {
            Vec::new()
        };
        Ok(Input::Proposal { proposal: KEYS.propose(header, justification), block })
    }

    fn take(&mut self, input: Input) {
        if let Input::Certificate(certificate) = &input {
            self.checker.saw(certificate);
        }
        let mut out = Outbox::new();
        self.engine.step(self.now, input, &mut out);
        self.carry_out(&mut out);
    }

    fn pass(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let until = self.now + Duration::from_millis(script.int_in_range(1..=2_500)?);
        for _ in 0..TICKS_MAX {
            let Some(due) = self.timer.filter(|due| *due <= until) else { break };
            self.now = self.now.max(due);
            self.timer = None;
            self.take(Input::Tick);
        }
        assert!(self.timer.is_none_or(|due| due > until), "it sets timers without end");
        self.now = until;
        Ok(())
    }

    /// From all that is durable: every step was committed.
    fn restart(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        let with_blocks: bool = script.arbitrary()?;
        let blocks = if with_blocks { self.stored.clone() } else { Vec::new() };
        let restored =
            Restored { records: self.journal.clone(), certificates: self.kept.clone(), blocks, committed: None };
        let mut out = Outbox::new();
        self.wanted = None;
        self.engine = Engine::new(self.config.clone(), restored, self.now, &mut out);
        self.carry_out(&mut out);
        Ok(())
    }

    fn carry_out(&mut self, out: &mut Outbox) {
        let effects: Vec<Effect> = out.drain().collect();
        for effect in &effects {
            match effect {
                Effect::Keep(certificate) => {
                    self.kept.push(*certificate);
                    self.write(Record::Certificate(**certificate));
                }
                Effect::Vote { vote, .. } => self.write(Record::Vote(KEYS.sign(self.config.me, *vote))),
                Effect::Propose { header, justification, block } => {
                    self.stored.push(Arc::clone(block));
                    self.write(Record::Proposal(KEYS.propose(*header, justification.clone()).into_inner()));
                }
                Effect::Build { position, parent } => self.wanted = Some((*position, *parent)),
                Effect::SetTimer(time) => self.timer = Some(*time),
                _ => {}
            }
        }
    }

    fn write(&mut self, record: Record) {
        if let Err(violation) = self.checker.durable(self.now, &record) {
            panic!("{violation}");
        }
        self.journal.push(record);
    }
}

fn config(script: &mut Unstructured<'_>) -> Result<Config> {
    let (timeout, resend) = (Duration::from_secs(1), Duration::from_millis(150));
    Ok(Config {
        me: OperatorIndex(script.int_in_range(0..=3)?),
        size: KEYS.size,
        epoch: 0,
        genesis: genesis(),
        slots_per_term: script.int_in_range(1..=5)?,
        block_time: Duration::from_millis(100),
        pipeline_depth: script.int_in_range(1..=4)?,
        progress_timeout_min: timeout,
        progress_timeout_max: timeout * 8,
        finality_lag_min: timeout * 2,
        finality_lag_max: timeout * 16,
        resend_interval_min: resend,
        resend_interval_max: resend * 8,
        jitter_seed: 1,
        collectors: Collectors { above: if script.arbitrary()? { 3 } else { 64 }, count: script.int_in_range(1..=3)? },
    })
}

/// Whether a script makes the engine vote at all: for the tests of the corpus.
#[must_use]
pub fn votes_of(data: &[u8]) -> usize {
    let mut script = Unstructured::new(data);
    let Ok(mut walk) = Walk::new(&mut script) else { return 0 };
    for _ in 0..STEPS_MAX {
        if walk.step(&mut script).is_err() || walk.engine.status().halted {
            break;
        }
    }
    let is_vote = |record: &&Record| matches!(record, Record::Vote(vote) if vote.vote.kind != VoteKind::Nullify);
    walk.journal.iter().filter(is_vote).count()
}
