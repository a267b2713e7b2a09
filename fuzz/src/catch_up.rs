//! Catch-up: a script of answers, true, false, partial, late and to nobody, of finalizations and of time. It hands on
//! only what links from a finalized block to what is committed, in order, and holds no more than its bounds.

use crate::chain::{KEYS, block, genesis};
use arbitrary::{Result, Unstructured};
use core::time::Duration;
use phalanx_sync::{Action, Answer, CatchUp, CatchUpConfig, POOL_BLOCKS_MAX, RequestId};
use phalanx_types::{Block, BlockRef, OperatorIndex, Position, SyncRequest, Time, Vote};
use std::sync::Arc;

/// Steps of one script.
const STEPS_MAX: usize = 128;
/// The true chain, and as many false blocks, at each height.
const CHAIN: usize = 40;
const TIMEOUT: Duration = Duration::from_secs(1);

/// A script.
///
/// # Panics
/// When catch-up does, hands on what is not final, or holds too much.
pub fn catch_up(data: &[u8]) {
    let mut script = Unstructured::new(data);
    let _ended = play(&mut script);
}

fn chain(first: BlockRef, salt: u8) -> Vec<Arc<Block>> {
    let mut parent = first;
    (0..CHAIN)
        .map(|_| {
            let next = block(parent, salt);
            parent = next.reference;
            next
        })
        .collect()
}

struct Walk {
    catch_up: CatchUp,
    now: Time,
    truth: Vec<Arc<Block>>,
    lies: Vec<Arc<Block>>,
    open: Vec<(RequestId, OperatorIndex, SyncRequest)>,
    /// What was handed on, and is not committed yet.
    handed: BlockRef,
}

fn play(script: &mut Unstructured<'_>) -> Result<()> {
    let config = CatchUpConfig { me: OperatorIndex(0), committed: genesis(), request_timeout: TIMEOUT };
    let truth = chain(genesis(), 0);
    // The lies leave the true chain somewhere.
    let fork = script.int_in_range(0..=CHAIN - 1)?;
    let lies = chain(fork.checked_sub(1).map_or_else(genesis, |at| truth[at].reference), 1);
    let catch_up = CatchUp::new(config);
    let mut walk = Walk { catch_up, now: Time::ZERO, truth, lies, open: Vec::new(), handed: genesis() };
    walk.catch_up.set_peers((1..4).map(OperatorIndex).collect(), Time::ZERO);
    for _ in 0..STEPS_MAX {
        walk.step(script)?;
        walk.carry_out();
        assert!(walk.catch_up.pool_blocks() <= POOL_BLOCKS_MAX);
    }
    Ok(())
}

impl Walk {
    fn at(&self, script: &mut Unstructured<'_>) -> Result<Arc<Block>> {
        Ok(Arc::clone(script.choose(&self.truth)?))
    }

    fn step(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        match script.int_in_range(0..=9)? {
            0 => {
                let finalized = self.at(script)?.reference;
                let vote = Vote::finalize(Position::new(0, finalized.number, 0), finalized);
                self.catch_up.finalized(KEYS.certificate(vote), self.now);
            }
            1 => {
                let any = if script.arbitrary()? { self.at(script)? } else { Arc::clone(script.choose(&self.lies)?) };
                self.catch_up.block(any, self.now);
            }
            2 => self.catch_up.committed(self.handed, self.now),
            3 => {
                let wanted = self.at(script)?.reference;
                self.catch_up.want_block(wanted, self.now);
            }
            4 => {
                let from = script.int_in_range(0..=9)?;
                self.catch_up.want_terms(0, from, from + script.int_in_range(0..=9)?, self.now);
            }
            5 => {
                self.now = self.now + Duration::from_millis(script.int_in_range(1..=3_000)?);
                self.catch_up.tick(self.now);
            }
            6 => {
                let peers = (1..=script.int_in_range(0..=3)?).map(OperatorIndex).collect();
                self.catch_up.set_peers(peers, self.now);
            }
            _ => self.answer(script)?,
        }
        Ok(())
    }

    /// Answers some request, or one that was answered before.
    fn answer(&mut self, script: &mut Unstructured<'_>) -> Result<()> {
        if self.open.is_empty() {
            return Ok(());
        }
        let index = script.choose_index(self.open.len())?;
        let (id, to, request) = self.open[index];
        if script.ratio(3_u8, 4)? {
            self.open.swap_remove(index);
        }
        let honest: bool = script.ratio(2_u8, 3)?;
        let source = if honest { &self.truth } else { &self.lies };
        let mut blocks: Vec<Arc<Block>> = match request {
            SyncRequest::Blocks { from, to } => {
                source.iter().filter(|block| (from..=to).contains(&block.reference.number)).cloned().collect()
            }
            SyncRequest::Block { hash } if honest => {
                source.iter().filter(|block| block.reference.hash == hash).cloned().collect()
            }
            SyncRequest::Block { .. } => vec![Arc::clone(script.choose(&self.lies)?)],
            SyncRequest::Terms { .. } => Vec::new(),
        };
        match script.int_in_range(0..=4)? {
            0 => blocks.truncate(script.int_in_range(0..=CHAIN)?),
            1 => blocks.reverse(),
            2 if !blocks.is_empty() => {
                blocks.remove(script.choose_index(blocks.len())?);
            }
            3 => {
                return {
                    self.catch_up.failed(id, self.now);
                    Ok(())
                };
            }
            _ => {}
        }
        let certificates = if script.arbitrary()? {
            let proved = self.at(script)?.reference;
            vec![KEYS.certificate(Vote::finalize(Position::new(0, proved.number, 0), proved))]
        } else {
            Vec::new()
        };
        self.catch_up.answered(id, to, Answer { blocks, certificates }, self.now);
        Ok(())
    }

    fn carry_out(&mut self) {
        let actions: Vec<Action> = self.catch_up.drain().collect();
        for action in actions {
            match action {
                Action::Request { id, to, request } => self.open.push((id, to, request)),
                Action::Commit { blocks, finalization } => {
                    for next in &blocks {
                        assert!(next.extends(self.handed), "{:?} is not on top of {}", next.reference, self.handed);
                        self.handed = next.reference;
                    }
                    assert_eq!(finalization.block(), self.handed, "it proves another block");
                    let index = usize::try_from(self.handed.number).expect("small") - 1;
                    assert_eq!(self.truth[index].reference, self.handed, "that is not the final chain");
                }
                Action::Fetched(_) => {}
                Action::Blame { reason, .. } => assert!(!reason.is_empty()),
            }
        }
    }
}
