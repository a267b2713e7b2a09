//! What an operator has on disk besides its vote journal: the final chain, payloads above it, certificates
//! to serve, and the transactions that it accepted and that are not final yet.
//!
//! What is put in is durable at once, except that a crash may take the newest commits back: the chain
//! moves on without a sync, and its blocks then stand among the payloads again. (The node does the same: a
//! commit is repeated from certified payloads.)

use phalanx_sync::BlockSource;
use phalanx_types::{B256, Block, BlockRef, Bytes, Certificate, Position, VoteKind};
use std::collections::BTreeMap;
use std::sync::Arc;

/// The store of one operator.
#[derive(Clone, Debug)]
pub struct Store {
    genesis: BlockRef,
    /// The final chain from height 1.
    chain: Vec<Arc<Block>>,
    /// Payloads above the final chain.
    payloads: BTreeMap<B256, Arc<Block>>,
    finalizations: BTreeMap<u64, Certificate>,
    /// By which certificates each term was left: nullifications, and notarizations of the last slot.
    left: BTreeMap<(Position, VoteKind), Certificate>,
    /// Proofs of blocks above the final chain.
    notarizations: BTreeMap<B256, Certificate>,
    accepted: BTreeMap<B256, Bytes>,
    slots_per_term: u32,
}

impl Store {
    /// An empty store of a chain that starts from `genesis`.
    #[must_use]
    pub fn new(genesis: BlockRef, slots_per_term: u32) -> Self {
        Self {
            genesis,
            chain: Vec::new(),
            payloads: BTreeMap::new(),
            finalizations: BTreeMap::new(),
            left: BTreeMap::new(),
            notarizations: BTreeMap::new(),
            accepted: BTreeMap::new(),
            slots_per_term,
        }
    }

    /// The newest committed block.
    #[must_use]
    pub fn committed(&self) -> BlockRef {
        self.chain.last().map_or(self.genesis, |block| block.reference)
    }

    /// The final chain from height 1.
    #[must_use]
    pub fn chain(&self) -> &[Arc<Block>] {
        &self.chain
    }

    /// Payloads above the final chain, in ascending order of number.
    #[must_use]
    pub fn unfinalized(&self) -> Vec<Arc<Block>> {
        let mut blocks: Vec<_> = self.payloads.values().cloned().collect();
        blocks.sort_by_key(|block| (block.reference.number, block.reference.hash));
        blocks
    }

    /// Keeps a payload.
    pub fn put_payload(&mut self, block: &Arc<Block>) {
        if block.reference.number > self.committed().number {
            self.payloads.insert(block.reference.hash, Arc::clone(block));
        }
    }

    /// The block with this hash, final or not.
    #[must_use]
    pub fn block_by_hash(&self, hash: B256) -> Option<&Arc<Block>> {
        let held = self.payloads.get(&hash);
        held.or_else(|| self.chain.iter().rev().find(|block| block.reference.hash == hash))
    }

    /// Keeps a certificate.
    pub fn put_certificate(&mut self, certificate: Certificate) {
        let position = certificate.position();
        let ends_term = certificate.kind() == VoteKind::Nullify || position.slot + 1 == self.slots_per_term;
        if ends_term {
            self.left.insert((position, certificate.kind()), certificate);
        }
        match certificate.kind() {
            VoteKind::Nullify => {}
            VoteKind::Notarize => {
                self.notarizations.entry(certificate.block().hash).or_insert(certificate);
            }
            VoteKind::Finalize => {
                self.notarizations.insert(certificate.block().hash, certificate);
                self.finalizations.insert(certificate.block().number, certificate);
            }
        }
    }

    /// Commits the next block.
    pub fn commit(&mut self, block: &Arc<Block>) {
        assert!(block.extends(self.committed()), "commits come in order");
        self.chain.push(Arc::clone(block));
        let height = block.reference.number;
        self.payloads.retain(|_, held| held.reference.number > height);
        self.notarizations.retain(|_, held| held.block().number > height);
    }

    /// A crash: the last `lost` commits were not on the disk yet.
    pub fn crash(&mut self, lost: usize) {
        let kept = self.chain.len().saturating_sub(lost);
        for block in self.chain.split_off(kept) {
            self.payloads.insert(block.reference.hash, block);
        }
    }

    /// All payloads above the final chain are gone: worse than a crash may be.
    pub fn lose_payloads(&mut self) {
        self.payloads.clear();
    }

    /// Keeps an accepted transaction until it is final.
    pub fn put_accepted(&mut self, hash: B256, transaction: Bytes) {
        self.accepted.insert(hash, transaction);
    }

    /// A transaction became final.
    pub fn remove_accepted(&mut self, hash: &B256) {
        self.accepted.remove(hash);
    }

    /// The accepted transactions that are not final.
    pub fn accepted(&self) -> impl Iterator<Item = &Bytes> {
        self.accepted.values()
    }
}

impl BlockSource for Store {
    fn finalized_payload(&self, number: u64) -> Option<Bytes> {
        let index = usize::try_from(number.checked_sub(self.genesis.number + 1)?).ok()?;
        self.chain.get(index).map(|block| block.payload.clone())
    }

    fn finalization(&self, number: u64) -> Option<Certificate> {
        self.finalizations.get(&number).copied()
    }

    fn highest_finalization(&self) -> Option<Certificate> {
        self.finalizations.last_key_value().map(|(_, certificate)| *certificate)
    }

    fn block(&self, hash: B256) -> Option<(Bytes, Option<Certificate>)> {
        let payload = self.block_by_hash(hash)?.payload.clone();
        Some((payload, self.notarizations.get(&hash).copied()))
    }

    fn terms(&self, epoch: u64, from: u64, to: u64, max: usize) -> Vec<Certificate> {
        let first = (Position::new(epoch, from, 0), VoteKind::Notarize);
        let last = (Position::new(epoch, to, u32::MAX), VoteKind::Finalize);
        self.left.range(first..=last).take(max).map(|(_, certificate)| *certificate).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_types::Vote;

    fn block(parent: BlockRef) -> Arc<Block> {
        let number = parent.number + 1;
        let reference = BlockRef::new(number, B256::with_last_byte(u8::try_from(number).expect("small")));
        Arc::new(Block { reference, parent_hash: parent.hash, timestamp_s: 0, payload: Bytes::from(vec![1; 9]) })
    }

    #[test]
    fn commits_that_a_crash_takes_back_stand_among_the_payloads_again() {
        let mut store = Store::new(BlockRef::NONE, 4);
        let (first, second) = (block(BlockRef::NONE), block(block(BlockRef::NONE).reference));
        store.put_payload(&first);
        store.put_payload(&second);
        store.commit(&first);
        store.commit(&second);
        assert!(store.unfinalized().is_empty());
        store.crash(1);
        assert_eq!(store.committed(), first.reference);
        assert_eq!(store.unfinalized(), [Arc::clone(&second)]);
        assert!(store.block(second.reference.hash).is_some());
        assert_eq!((store.finalized_payload(1).is_some(), store.finalized_payload(2)), (true, None));
        store.crash(9);
        assert_eq!(store.committed(), BlockRef::NONE);
    }

    #[test]
    fn the_ends_of_terms_are_served() {
        let mut store = Store::new(BlockRef::NONE, 4);
        let put = |store: &mut Store, vote| store.put_certificate(Certificate { vote, signature: [0; 48].into() });
        put(&mut store, Vote::nullify(Position::new(0, 1, 2)));
        put(&mut store, Vote::notarize(Position::new(0, 2, 3), block(BlockRef::NONE).reference));
        put(&mut store, Vote::notarize(Position::new(0, 3, 1), block(BlockRef::NONE).reference));
        let terms: Vec<u64> = store.terms(0, 0, 9, 8).iter().map(|held| held.position().term).collect();
        assert_eq!(terms, [1, 2]);
        assert_eq!(store.terms(0, 0, 9, 1).len(), 1);
        assert_eq!(store.highest_finalization(), None);
    }
}
