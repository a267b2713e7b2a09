//! The unfinalized blocks that are held: a tree by parent links, what execution says of each, and when to
//! ask it.
//!
//! Invariants: a block is asked about only after its parent was, and never while an answer is awaited; a
//! block above an invalid one is invalid; nothing at or below the base (what is committed) is held. A
//! verdict belongs to a hash, whatever positions the block stands at, and however often it is proposed.
//! Payloads are let go of once execution has them.

use core::time::Duration;
use phalanx_types::{B256, Block, BlockRef, Time};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How many unfinalized blocks are held before proposals above slot 0 are refused. First slots are taken
/// until twice as many: they are what can end a stretch without finality.
pub const UNFINALIZED_BLOCKS_MAX: usize = 16_384;
/// How many bytes of payloads wait for execution; beyond them the highest blocks' are let go of, and
/// fetched again. Unit: bytes.
pub const HELD_PAYLOAD_BYTES_MAX: usize = 256 << 20;
/// The first pause before execution is asked again.
const PENDING_RETRY_MIN: Duration = Duration::from_millis(10);
/// The largest.
const PENDING_RETRY_MAX: Duration = Duration::from_secs(1);

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// Execution was not asked yet.
    Held,
    /// An answer is awaited.
    Asked { pause: Duration },
    /// Execution could not say: ask again then, or when the parent is executed.
    Pending { again_at: Time, pause: Duration },
    /// Executed, and durable.
    Valid,
    /// Invalid for ever.
    Invalid(String),
}

#[derive(Clone, Debug)]
struct Entry {
    reference: BlockRef,
    parent: BlockRef,
    payload: Option<Arc<Block>>,
    state: State,
    /// Whether execution may be asked: its proposal is in the window, or a quorum stands behind it.
    cleared: bool,
    seen_at: Time,
}

/// What to ask execution, or to fetch so that it can be asked.
#[derive(Debug, Default)]
pub(crate) struct Questions {
    /// To be asked about, parents first; whether it is for the second time or later.
    pub(crate) ask: Vec<(Arc<Block>, bool)>,
    /// Payloads that had to be let go of.
    pub(crate) fetch: Vec<BlockRef>,
}

/// The tree.
#[derive(Clone, Debug)]
pub(crate) struct Blocks {
    /// What is committed and executed.
    base: BlockRef,
    /// At or above the base: what is missing at or below is not fetched from here.
    final_height: u64,
    entries: BTreeMap<B256, Entry>,
    /// Entries that are held or pending, by height: whom a question may be due for.
    open: BTreeSet<BlockRef>,
    payload_bytes: usize,
}

impl Blocks {
    pub(crate) fn new(base: BlockRef) -> Self {
        Self { base, final_height: base.number, entries: BTreeMap::new(), open: BTreeSet::new(), payload_bytes: 0 }
    }

    pub(crate) fn base(&self) -> BlockRef {
        self.base
    }

    pub(crate) fn payload_bytes(&self) -> usize {
        self.payload_bytes
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// The tree and what execution said, for the model: not when.
    #[cfg(feature = "model")]
    pub(crate) fn behaviour<H: core::hash::Hasher>(&self, state: &mut H) {
        use core::hash::Hash;
        let Self { base, final_height, entries, open: _, payload_bytes: _ } = self;
        (base, final_height, entries.len()).hash(state);
        for Entry { reference, parent, payload, state: verdict, cleared, seen_at: _ } in entries.values() {
            (reference, parent, payload.is_some(), core::mem::discriminant(verdict), cleared).hash(state);
        }
    }

    /// Whether this many blocks are too many for another one at a later slot, or at any.
    pub(crate) fn is_full(&self, first_slot: bool) -> bool {
        self.entries.len() >= UNFINALIZED_BLOCKS_MAX * if first_slot { 2 } else { 1 }
    }

    /// Whether a block and all its ancestors are executed.
    pub(crate) fn is_executed(&self, reference: BlockRef) -> bool {
        reference == self.base || self.is_valid(reference)
    }

    /// Whether execution called a held block valid.
    pub(crate) fn is_valid(&self, reference: BlockRef) -> bool {
        self.entries.get(&reference.hash).is_some_and(|entry| entry.state == State::Valid)
    }

    /// Why a held block is invalid.
    pub(crate) fn invalid(&self, reference: BlockRef) -> Option<&str> {
        match self.entries.get(&reference.hash).map(|entry| &entry.state) {
            Some(State::Invalid(reason)) => Some(reason),
            _ => None,
        }
    }

    /// The payload of a held block, while it is kept.
    pub(crate) fn payload(&self, reference: BlockRef) -> Option<&Arc<Block>> {
        self.entries.get(&reference.hash).and_then(|entry| entry.payload.as_ref())
    }

    /// The parent of a held block.
    pub(crate) fn parent(&self, reference: BlockRef) -> Option<BlockRef> {
        self.entries.get(&reference.hash).map(|entry| entry.parent)
    }

    /// When a held block was first seen.
    pub(crate) fn seen_at(&self, reference: BlockRef) -> Option<Time> {
        self.entries.get(&reference.hash).map(|entry| entry.seen_at)
    }

    /// Takes a block in, or the payload of one that had to let go of it. Says whether it is held now.
    pub(crate) fn insert(&mut self, block: &Arc<Block>, now: Time) -> bool {
        let reference = block.reference;
        let Some(parent_number) = reference.number.checked_sub(1) else { return false };
        if reference.number <= self.base.number {
            return false;
        }
        if let Some(entry) = self.entries.get_mut(&reference.hash) {
            if entry.payload.is_none() && matches!(entry.state, State::Held | State::Pending { .. }) {
                entry.payload = Some(Arc::clone(block));
                self.payload_bytes += block.payload.len();
            }
            return true;
        }
        if self.is_full(true) {
            return false;
        }
        let parent = BlockRef::new(parent_number, block.parent_hash);
        let state = match self.invalid(parent) {
            Some(_) => State::Invalid("its parent is invalid".to_owned()),
            None => State::Held,
        };
        if state == State::Held {
            self.open.insert(reference);
        }
        let payload = Some(Arc::clone(block));
        self.entries.insert(reference.hash, Entry { reference, parent, payload, state, cleared: false, seen_at: now });
        self.payload_bytes += block.payload.len();
        self.shed_payloads();
        true
    }

    /// A block that this operator built: executed and durable already.
    pub(crate) fn insert_built(&mut self, block: &Arc<Block>, now: Time) {
        if self.insert(block, now) {
            self.clear(block.reference);
            self.settle(block.reference, State::Valid);
        }
    }

    /// Lets go of the payloads of the highest blocks that were not asked about, while there are too many.
    fn shed_payloads(&mut self) {
        while self.payload_bytes > HELD_PAYLOAD_BYTES_MAX {
            let highest = self.open.iter().rev().find(|reference| self.payload(**reference).is_some()).copied();
            let Some(highest) = highest else { return };
            self.drop_payload(highest);
        }
    }

    /// Lets go of a payload that is not needed any more.
    pub(crate) fn drop_payload(&mut self, reference: BlockRef) {
        if let Some(block) = self.entries.get_mut(&reference.hash).and_then(|entry| entry.payload.take()) {
            self.payload_bytes -= block.payload.len();
        }
    }

    /// Execution may be asked about a block and its ancestors: its proposal is in the window, or a quorum
    /// stands behind it. Says which of them has to be fetched first.
    pub(crate) fn clear(&mut self, tip: BlockRef) -> Option<BlockRef> {
        let mut at = tip;
        // What execution was asked about has ancestors that it was asked about too.
        while at.number > self.base.number && !self.is_asked(at) {
            let Some(entry) = self.entries.get_mut(&at.hash) else {
                // What is final is fetched by whoever commits it.
                return (at == tip || at.number > self.final_height).then_some(at);
            };
            entry.cleared = true;
            at = entry.parent;
        }
        None
    }

    /// What to ask execution now. The blocks so returned count as asked.
    pub(crate) fn questions(&mut self, now: Time) -> Questions {
        let mut questions = Questions::default();
        let open: Vec<BlockRef> = self.open.iter().copied().collect();
        for reference in open {
            if !self.is_due(reference, now) {
                continue;
            }
            let Some(block) = self.payload(reference).cloned() else {
                questions.fetch.push(reference);
                continue;
            };
            let again = self.ask(reference);
            questions.ask.push((block, again));
        }
        questions
    }

    fn is_due(&self, reference: BlockRef, now: Time) -> bool {
        let entry = self.entries.get(&reference.hash).expect("what is open is held");
        if !entry.cleared || !self.is_asked(entry.parent) {
            return false;
        }
        match entry.state {
            State::Held => true,
            State::Pending { again_at, .. } => again_at <= now,
            State::Asked { .. } | State::Valid | State::Invalid(_) => false,
        }
    }

    /// Whether execution knows of a block, or was asked about it.
    fn is_asked(&self, reference: BlockRef) -> bool {
        if reference == self.base {
            return true;
        }
        let state = self.entries.get(&reference.hash).map(|entry| &entry.state);
        matches!(state, Some(State::Asked { .. } | State::Pending { .. } | State::Valid))
    }

    fn ask(&mut self, reference: BlockRef) -> bool {
        let entry = self.entries.get_mut(&reference.hash).expect("what is asked about is held");
        let (pause, again) = match entry.state {
            State::Pending { pause, .. } => ((pause * 2).min(PENDING_RETRY_MAX), true),
            _ => (PENDING_RETRY_MIN, false),
        };
        entry.state = State::Asked { pause };
        self.open.remove(&reference);
        again
    }

    /// Execution called a block valid: its children need not wait any longer. What is invalid, by its own
    /// verdict or an ancestor's, stays so. Says whether the block is held and valid.
    pub(crate) fn set_valid(&mut self, reference: BlockRef) -> bool {
        if self.invalid(reference).is_none() {
            self.settle(reference, State::Valid);
            self.hurry_children(reference);
        }
        self.is_valid(reference)
    }

    /// Execution could not say.
    pub(crate) fn set_pending(&mut self, reference: BlockRef, now: Time) {
        if let Some(entry) = self.entries.get_mut(&reference.hash)
            && let State::Asked { pause } = entry.state
        {
            entry.state = State::Pending { again_at: now + pause, pause };
            self.open.insert(entry.reference);
        }
    }

    /// Execution called a block invalid: so are all that build on it. Returns them, itself included.
    pub(crate) fn set_invalid(&mut self, reference: BlockRef, reason: &str) -> Vec<BlockRef> {
        if !self.entries.contains_key(&reference.hash) {
            return Vec::new();
        }
        self.settle(reference, State::Invalid(reason.to_owned()));
        let mut invalid = vec![reference];
        let mut by_height: Vec<BlockRef> = self.entries.values().map(|entry| entry.reference).collect();
        by_height.sort_unstable();
        for block in by_height {
            if self.parent(block).is_some_and(|parent| invalid.contains(&parent)) {
                self.settle(block, State::Invalid(format!("its ancestor {reference} is invalid: {reason}")));
                invalid.push(block);
            }
        }
        invalid
    }

    fn settle(&mut self, reference: BlockRef, state: State) {
        if let Some(entry) = self.entries.get_mut(&reference.hash) {
            entry.state = state;
            self.open.remove(&reference);
        }
    }

    fn hurry_children(&mut self, parent: BlockRef) {
        for reference in self.open.range(BlockRef::new(parent.number + 1, B256::ZERO)..) {
            if reference.number > parent.number + 1 {
                break;
            }
            if let Some(entry) = self.entries.get_mut(&reference.hash)
                && entry.parent == parent
                && let State::Pending { again_at, .. } = &mut entry.state
            {
                *again_at = Time::ZERO;
            }
        }
    }

    /// When execution is to be asked again.
    pub(crate) fn next_retry(&self) -> Option<Time> {
        let pending = self.open.iter().filter_map(|reference| self.entries.get(&reference.hash));
        pending
            .filter(|entry| entry.payload.is_some() && entry.cleared && self.is_asked(entry.parent))
            .filter_map(|entry| match entry.state {
                State::Pending { again_at, .. } => Some(again_at),
                _ => None,
            })
            .min()
    }

    /// The held blocks from just above the base up to `tip`, in ascending order; those below a gap are not
    /// found.
    pub(crate) fn path(&self, tip: BlockRef) -> Vec<BlockRef> {
        let mut path = Vec::new();
        let mut at = tip;
        while at != self.base
            && let Some(parent) = self.parent(at)
        {
            path.push(at);
            at = parent;
        }
        path.reverse();
        path
    }

    /// `tip` is final: what can no longer become final is let go of, and returned. Its own ancestors stay
    /// until they are committed.
    pub(crate) fn finalize(&mut self, tip: BlockRef) -> Vec<B256> {
        self.final_height = self.final_height.max(tip.number);
        let path = self.path(tip);
        let lowest = path.first().map_or(tip.number + 1, |block| block.number);
        let on_path: BTreeSet<B256> = path.iter().map(|block| block.hash).collect();
        let sibling = |entry: &Entry| {
            let number = entry.reference.number;
            (lowest..=tip.number).contains(&number) && !on_path.contains(&entry.reference.hash)
        };
        let dead = self.entries.values().filter(|entry| sibling(entry)).map(|entry| entry.reference.hash).collect();
        self.drop_with_descendants(dead, tip)
    }

    /// Everything up to `base` is committed and executed: it is let go of. Returns what can no longer
    /// become final.
    pub(crate) fn commit(&mut self, base: BlockRef) -> Vec<B256> {
        if base.number <= self.base.number {
            return Vec::new();
        }
        self.base = base;
        self.final_height = self.final_height.max(base.number);
        let below: Vec<BlockRef> =
            self.entries.values().map(|entry| entry.reference).filter(|held| held.number <= base.number).collect();
        for reference in below {
            self.remove(reference);
        }
        self.hurry_children(base);
        self.drop_with_descendants(BTreeSet::new(), base)
    }

    /// Lets go of `dead`, of what stands on another block than `tip` at its height, and of what descends
    /// from either.
    fn drop_with_descendants(&mut self, mut dead: BTreeSet<B256>, tip: BlockRef) -> Vec<B256> {
        let mut by_height: Vec<BlockRef> = self.entries.values().map(|entry| entry.reference).collect();
        by_height.sort_unstable();
        for block in by_height {
            let parent = self.parent(block).expect("what was just listed is held");
            let stray = parent.number == tip.number && parent != tip;
            if stray || dead.contains(&parent.hash) {
                dead.insert(block.hash);
            }
        }
        for hash in &dead {
            if let Some(reference) = self.entries.get(hash).map(|entry| entry.reference) {
                self.remove(reference);
            }
        }
        dead.into_iter().collect()
    }

    fn remove(&mut self, reference: BlockRef) {
        self.drop_payload(reference);
        self.entries.remove(&reference.hash);
        self.open.remove(&reference);
    }
}
