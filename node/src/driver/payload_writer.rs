//! The thread that makes payloads durable before they are voted for: whatever waits is logged with one
//! sync, then everybody who waited is told.
//!
//! Invariants: an acknowledgement is called after its payload is durable, never before; after an error
//! nothing is logged any more and the operator stops. The queue is bounded: a sender waits when the disk
//! cannot follow.

use crate::driver::chain_writer::Acknowledge;
use crate::driver::health::Health;
use crate::store::PayloadLog;
use crossbeam::channel::{Receiver, Sender, bounded};
use phalanx_types::{Block, Position};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The most payloads that wait for the disk.
const PAYLOADS_QUEUED_MAX: usize = 1_024;
/// The most payloads logged with one sync.
const PAYLOADS_PER_SYNC_MAX: usize = 256;

struct Entry {
    block: Block,
    position: Option<Position>,
    acknowledge: Acknowledge,
}

/// Sends payloads to the thread. Cheap to clone; the thread ends when all are gone.
#[derive(Clone)]
pub(crate) struct PayloadWriter {
    entries: Sender<Entry>,
}

impl PayloadWriter {
    /// Starts the thread.
    pub(crate) fn spawn(log: PayloadLog, health: Arc<Health>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (entries, receiver) = bounded(PAYLOADS_QUEUED_MAX);
        let thread = std::thread::Builder::new()
            .name("payload-writer".to_owned())
            .spawn(move || run(log, &receiver, &health))?;
        Ok((Self { entries }, thread))
    }

    /// Logs a payload; `acknowledge` is called once it is durable, and never if it is not.
    pub(crate) fn write(&self, block: Block, position: Option<Position>, acknowledge: Acknowledge) {
        // The thread is gone only when the operator stops, and then nothing is acknowledged.
        let _ = self.entries.send(Entry { block, position, acknowledge });
    }

    /// Payloads that wait.
    pub(crate) fn queued(&self) -> usize {
        self.entries.len()
    }
}

fn run(mut log: PayloadLog, entries: &Receiver<Entry>, health: &Arc<Health>) {
    let _watch = health.watch("payload-writer");
    while let Ok(first) = entries.recv() {
        let mut blocks = vec![(first.block, first.position)];
        let mut acknowledges = vec![first.acknowledge];
        while blocks.len() < PAYLOADS_PER_SYNC_MAX {
            let Ok(entry) = entries.try_recv() else { break };
            blocks.push((entry.block, entry.position));
            acknowledges.push(entry.acknowledge);
        }
        if let Err(error) = log.append(&blocks) {
            health.fatal(format!("payloads cannot be made durable: {error}"));
            return;
        }
        for acknowledge in acknowledges {
            acknowledge();
        }
    }
}
