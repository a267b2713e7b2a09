//! The state machine of catch-up. See the crate's page for what it promises.

use crate::pool::Pool;
use crate::wants::{Want, Wants};
use phalanx_threshold::Verified;
use phalanx_types::{
    B256, BLOCKS_PER_RESPONSE_MAX, Block, BlockRef, Certificate, OperatorIndex, SyncRequest, Time, VoteKind,
};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

/// The most finalizations remembered above what is handed on; the lowest and the highest are kept.
const FINALIZATIONS_MAX: usize = 64;
/// How far fetching runs ahead of execution. Unit: blocks.
const AHEAD_BLOCKS_MAX: u64 = 2_048;
/// How many blocks are handed to execution in one go.
const COMMIT_BLOCKS_MAX: usize = 256;

/// What catch-up is started with.
#[derive(Clone, Debug)]
pub struct CatchUpConfig {
    /// This operator: where the rotation over peers starts.
    pub me: OperatorIndex,
    /// What is committed and executed.
    pub committed: BlockRef,
    /// How long a request may take.
    pub request_timeout: Duration,
}

/// Names a request between [`Action::Request`] and its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(u64);

#[cfg(test)]
impl RequestId {
    pub(crate) const fn for_test(id: u64) -> Self {
        Self(id)
    }
}

/// What to do. Actions are carried out in order.
#[derive(Clone, Debug)]
pub enum Action {
    /// Ask `to`; answer with [`CatchUp::answered`] or [`CatchUp::failed`].
    Request {
        /// Comes back with the answer.
        id: RequestId,
        /// Whom.
        to: OperatorIndex,
        /// What.
        request: SyncRequest,
    },
    /// Execute and commit these, in order; answer with [`CatchUp::committed`]. Each is final.
    Commit {
        /// Ascending, gapless, the first on top of the last one handed out.
        blocks: Vec<Arc<Block>>,
        /// A finalization of the last of them.
        finalization: Verified<Certificate>,
    },
    /// A block that the engine asked for.
    Fetched(Arc<Block>),
    /// `peer` answered with something false.
    Blame {
        /// Who.
        peer: OperatorIndex,
        /// What was false.
        reason: &'static str,
    },
}

/// The content of a response, after its payloads were inspected and its certificates checked.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The blocks, in the order of the response.
    pub blocks: Vec<Arc<Block>>,
    /// Its certificates.
    pub certificates: Vec<Verified<Certificate>>,
}

/// The catch-up of one operator.
#[derive(Debug)]
pub struct CatchUp {
    config: CatchUpConfig,
    peers: Vec<OperatorIndex>,
    /// Executed.
    committed: BlockRef,
    /// Handed to execution; at or above `committed`.
    handed: BlockRef,
    /// The tip of the blocks fetched by range above `handed`; at or above `handed`.
    fetched: BlockRef,
    /// Who gave the fetched blocks that no certificate has proved yet.
    unproven: Vec<(OperatorIndex, B256)>,
    /// Finalizations above `handed`, by height.
    finalizations: BTreeMap<u64, Verified<Certificate>>,
    pool: Pool,
    wants: Wants,
    actions: Vec<Action>,
}

impl CatchUp {
    /// Starts from what is committed.
    #[must_use]
    pub fn new(config: CatchUpConfig) -> Self {
        let committed = config.committed;
        Self {
            config,
            peers: Vec::new(),
            committed,
            handed: committed,
            fetched: committed,
            unproven: Vec::new(),
            finalizations: BTreeMap::new(),
            pool: Pool::default(),
            wants: Wants::default(),
            actions: Vec::new(),
        }
    }

    /// What there is to do, in order.
    pub fn drain(&mut self) -> impl Iterator<Item = Action> + '_ {
        self.actions.drain(..)
    }

    /// When [`CatchUp::tick`] is due next.
    #[must_use]
    pub fn wake_at(&self) -> Option<Time> {
        self.wants.wake_at()
    }

    /// The newest finalized height that is known of, committed or not.
    #[must_use]
    pub fn target(&self) -> u64 {
        self.finalizations.last_key_value().map_or(self.handed.number, |(number, _)| *number)
    }

    /// Executed and committed.
    #[must_use]
    pub fn committed_block(&self) -> BlockRef {
        self.committed
    }

    /// Blocks held in memory, at most [`crate::POOL_BLOCKS_MAX`].
    #[must_use]
    pub fn pool_blocks(&self) -> usize {
        self.pool.len()
    }

    /// A block became known: a proposal, one's own, or a fetched one.
    pub fn block(&mut self, block: Arc<Block>, now: Time) {
        self.wants.remove(Want::Block(block.reference.number, block.reference.hash));
        if block.reference.number > self.handed.number {
            self.pool.insert(block);
            self.advance(now);
        }
    }

    /// A finalization became known (`Effect::Commit`).
    pub fn finalized(&mut self, finalization: Verified<Certificate>, now: Time) {
        self.learn(finalization);
        self.advance(now);
    }

    /// Execution committed everything up to `block`.
    pub fn committed(&mut self, block: BlockRef, now: Time) {
        self.committed = block;
        if block.number > self.handed.number {
            self.rebase(block);
        }
        self.wants.retain(|want| !matches!(want, Want::Block(number, _) if *number <= block.number));
        self.advance(now);
    }

    /// The engine misses a block.
    pub fn want_block(&mut self, block: BlockRef, now: Time) {
        if let Some(held) = self.pool.get(block.hash) {
            self.actions.push(Action::Fetched(Arc::clone(held)));
        } else if block.number > self.committed.number {
            self.wants.add(Want::Block(block.number, block.hash), now);
            self.ask(now);
        }
    }

    /// The engine misses the certificates by which terms were left.
    pub fn want_terms(&mut self, epoch: u64, from: u64, to: u64, now: Time) {
        self.wants.add(Want::Terms(epoch, from, to), now);
        self.ask(now);
    }

    /// These peers can be asked from now on.
    pub fn set_peers(&mut self, peers: Vec<OperatorIndex>, now: Time) {
        self.peers = peers;
        self.ask(now);
    }

    /// A request failed: no connection, timeout, or an answer that was malformed or wrongly signed.
    pub fn failed(&mut self, id: RequestId, now: Time) {
        self.wants.failed(id.0, self.peers.len(), now);
        self.ask(now);
    }

    /// Deadlines.
    pub fn tick(&mut self, now: Time) {
        self.ask(now);
    }

    /// An answer to request `id` by `peer`.
    pub fn answered(&mut self, id: RequestId, peer: OperatorIndex, answer: Answer, now: Time) {
        let want = self.wants.of(id.0);
        for certificate in answer.certificates {
            if certificate.kind() == VoteKind::Finalize {
                self.learn(certificate);
            }
        }
        match want {
            // An answer after its deadline: certificates are certificates, blocks will come again.
            None => {}
            Some(Want::Range) => self.range_answered(id, peer, answer.blocks, now),
            Some(Want::Block(number, hash)) => self.block_answered(id, (number, hash), answer.blocks, now),
            // The engine has the certificates by now, and asks again for what it still misses.
            Some(want @ Want::Terms(..)) => self.wants.remove(want),
        }
        self.advance(now);
    }

    fn block_answered(&mut self, id: RequestId, wanted: (u64, B256), blocks: Vec<Arc<Block>>, now: Time) {
        let found = blocks.into_iter().find(|block| block.reference.hash == wanted.1);
        let Some(block) = found else { return self.wants.failed(id.0, self.peers.len(), now) };
        self.wants.remove(Want::Block(wanted.0, wanted.1));
        self.actions.push(Action::Fetched(Arc::clone(&block)));
        if block.reference.number > self.handed.number {
            self.pool.insert(block);
        }
    }

    fn range_answered(&mut self, id: RequestId, peer: OperatorIndex, blocks: Vec<Arc<Block>>, now: Time) {
        let before = self.fetched;
        for block in blocks {
            if block.reference.number <= self.fetched.number {
                continue;
            }
            if !block.extends(self.fetched) {
                self.blame_range(peer);
                return self.wants.failed(id.0, self.peers.len(), now);
            }
            self.fetched = block.reference;
            self.unproven.push((peer, block.reference.hash));
            self.pool.insert(block);
        }
        if self.fetched == before {
            self.wants.failed(id.0, self.peers.len(), now);
        } else {
            self.wants.progressed(id.0, now);
        }
    }

    /// What was fetched by range does not link up. Either this answer is false or an earlier one was:
    /// nothing unproven is kept, and whoever gave it is named.
    fn blame_range(&mut self, peer: OperatorIndex) {
        let reason = "blocks that do not link to a finalized chain";
        let mut blamed: Vec<OperatorIndex> = self.unproven.iter().map(|(peer, _)| *peer).collect();
        blamed.sort_unstable();
        blamed.dedup();
        if blamed.is_empty() {
            blamed.push(peer);
        }
        self.actions.extend(blamed.into_iter().map(|peer| Action::Blame { peer, reason }));
        for (_, hash) in std::mem::take(&mut self.unproven) {
            self.pool.remove(hash);
        }
        self.fetched = self.handed;
    }

    fn learn(&mut self, finalization: Verified<Certificate>) {
        let number = finalization.block().number;
        if number <= self.handed.number {
            return;
        }
        self.finalizations.entry(number).or_insert(finalization);
        if self.finalizations.len() > FINALIZATIONS_MAX {
            // Keep the lowest ones, which free the next range, and the highest, which is the target.
            let middle = self.finalizations.keys().nth_back(1).copied();
            middle.map(|number| self.finalizations.remove(&number));
        }
    }

    fn rebase(&mut self, block: BlockRef) {
        self.handed = block;
        self.pool.prune(block.number);
        self.finalizations = self.finalizations.split_off(&(block.number.saturating_add(1)));
        if self.fetched.number <= block.number {
            self.fetched = block;
            self.unproven.clear();
        } else {
            let pool = &self.pool;
            self.unproven.retain(|(_, hash)| pool.get(*hash).is_some());
        }
    }

    /// Hands on whatever is linked and certified, and asks for what is missing.
    fn advance(&mut self, now: Time) {
        while self.hand_on() {}
        self.ask(now);
    }

    /// Hands on the blocks up to the lowest finalization that links up; `false` when there is none.
    fn hand_on(&mut self) -> bool {
        if self.handed.number >= self.committed.number.saturating_add(AHEAD_BLOCKS_MAX) {
            return false;
        }
        let linked = self.finalizations.values().find_map(|finalization| {
            let blocks = self.pool.chain(self.handed, finalization.block()).ok()?;
            Some((blocks, *finalization))
        });
        let Some((blocks, finalization)) = linked else { return false };
        self.rebase(finalization.block());
        if blocks.len() <= COMMIT_BLOCKS_MAX {
            self.actions.push(Action::Commit { blocks, finalization });
        } else {
            for chunk in blocks.chunks(COMMIT_BLOCKS_MAX) {
                self.actions.push(Action::Commit { blocks: chunk.to_vec(), finalization });
            }
        }
        true
    }

    /// The next range to ask for, when a finalized block is known of and blocks below it are missing.
    fn range(&self) -> Option<(u64, u64)> {
        let target = self.finalizations.last_key_value().map(|(_, finalization)| finalization.block())?;
        let from = self.fetched.number.saturating_add(1);
        let ahead = self.fetched.number.saturating_sub(self.committed.number);
        if ahead >= AHEAD_BLOCKS_MAX {
            return None;
        }
        let missing = match self.pool.chain(self.handed, target) {
            Err(Some(missing)) => missing,
            // The certified chain is complete, or leaves out what is committed (then nothing can help).
            Ok(_) | Err(None) => return None,
        };
        let last = from.saturating_add(BLOCKS_PER_RESPONSE_MAX as u64 - 1);
        let to = missing.number.max(from).min(last);
        Some((from, to))
    }

    fn ask(&mut self, now: Time) {
        let range = self.range();
        match range {
            Some(_) => self.wants.add(Want::Range, now),
            None if self.wants.contains(Want::Range) => self.wants.remove(Want::Range),
            None => {}
        }
        let offset = self.config.me.as_usize();
        let due = self.wants.due(&self.peers, offset, self.config.request_timeout, now);
        for (id, to, want) in due {
            let request = want.request(range.unwrap_or_default());
            self.actions.push(Action::Request { id: RequestId(id), to, request });
        }
    }
}
