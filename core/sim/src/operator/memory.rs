//! How much an operator remembers, for the checkers: every structure against the bound that its owner states.

use super::Operator;
use crate::world::World;
use phalanx_checkers::Event as Observed;
use phalanx_consensus::{HELD_PAYLOAD_BYTES_MAX, MISSING_BLOCKS_MAX, PROPOSALS_HELD_MAX, UNFINALIZED_BLOCKS_MAX};
use phalanx_mempool::Limits;
use phalanx_sync::POOL_BLOCKS_MAX;

impl Operator {
    /// After every event that an operator took part in.
    pub(super) fn observe_memory(&self, world: &mut World) {
        let Some(running) = &self.running else { return };
        let engine = running.turn.engine.engine();
        let snapshot = running.handles.snapshots.load();
        let status = &snapshot.status;
        // A nullification and a notarization of each slot of each term that is not final, and of the one after.
        let final_term = status.finalized_position.map_or(0, |position| position.term);
        let terms = usize::try_from(status.term - final_term.min(status.term)).unwrap_or(usize::MAX);
        let slots = usize::try_from(self.config.engine.slots_per_term).unwrap_or(usize::MAX);
        let certificates_max = terms.saturating_add(2).saturating_mul(slots).saturating_mul(2);
        let limits = Limits::default();
        let pool = running.pool.status();
        let lengths = [
            ("unfinalized blocks", status.blocks_held, 2 * UNFINALIZED_BLOCKS_MAX),
            ("certificates", status.certificates_held, certificates_max),
            ("proposals", status.proposals_held, PROPOSALS_HELD_MAX),
            ("missing blocks", engine.missing_blocks(), MISSING_BLOCKS_MAX),
            ("bytes of held payloads", engine.payload_bytes(), HELD_PAYLOAD_BYTES_MAX),
            ("executed unfinalized blocks", running.executor.executed_count(), 2 * UNFINALIZED_BLOCKS_MAX),
            ("catch-up pool", running.catch_up.pool_blocks(), POOL_BLOCKS_MAX),
            ("mempool transactions", pool.executable + pool.waiting, limits.transactions_max),
            ("mempool waiting", pool.waiting, limits.waiting_max),
            ("mempool bytes", pool.bytes, limits.bytes_max),
        ];
        let verify = running.turn.verify.depths().map(|depth| (depth.ring, depth.length, depth.capacity));
        for (what, length, max) in lengths.into_iter().chain(verify) {
            world.observe(self.index(), Observed::Length { what, length, max });
        }
    }

    /// From time to time: the rings, which cannot outgrow what they were made with.
    pub(super) fn observe_rings(&self, world: &mut World) {
        let Some(running) = &self.running else { return };
        for depth in running.handles.gauges.read() {
            let (what, length, max) = (depth.ring, depth.length, depth.capacity);
            world.observe(self.index(), Observed::Length { what, length, max });
        }
    }
}
