//! The thread that owns the chain store's writer: whatever waits is written as one durable transaction,
//! then everybody who waited is told.
//!
//! Invariants: writes are applied in the order in which they were sent; an acknowledgement is called after
//! its writes are durable, never before; after an error nothing is written any more and the operator stops.
//! The queue is bounded: a sender waits when the disk cannot follow.

use crate::driver::health::Health;
use crate::store::{Write, Writer};
use crossbeam::channel::{Receiver, Sender, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;

/// The most batches that wait for the disk.
pub(crate) const WRITES_QUEUED_MAX: usize = 1_024;
/// The most writes put in one transaction.
const WRITES_PER_TRANSACTION_MAX: usize = 4_096;

/// Called on the writer's thread once the writes are durable. Must not block.
pub(crate) type Acknowledge = Box<dyn FnOnce() + Send>;

struct Batch {
    writes: Vec<Write>,
    acknowledge: Option<Acknowledge>,
}

/// Sends writes to the thread. Cheap to clone; the thread ends when all are gone.
#[derive(Clone)]
pub(crate) struct ChainWriter {
    batches: Sender<Batch>,
}

impl std::fmt::Debug for ChainWriter {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ChainWriter").field("queued", &self.batches.len()).finish()
    }
}

impl ChainWriter {
    /// Starts the thread.
    pub(crate) fn spawn(writer: Writer, health: Arc<Health>) -> std::io::Result<(Self, JoinHandle<()>)> {
        let (batches, receiver) = bounded(WRITES_QUEUED_MAX);
        let thread = std::thread::Builder::new()
            .name("chain-writer".to_owned())
            .spawn(move || run(writer, &receiver, &health))?;
        Ok((Self { batches }, thread))
    }

    /// Writes; `acknowledge` is called once they are durable, and never if they are not.
    pub(crate) fn write(&self, writes: Vec<Write>, acknowledge: Option<Acknowledge>) {
        // The thread is gone only when the operator stops, and then nothing is acknowledged.
        let _ = self.batches.send(Batch { writes, acknowledge });
    }

    /// Batches that wait.
    pub(crate) fn queued(&self) -> usize {
        self.batches.len()
    }
}

fn run(mut writer: Writer, batches: &Receiver<Batch>, health: &Health) {
    while let Ok(first) = batches.recv() {
        let mut writes = first.writes;
        let mut acknowledges: Vec<Acknowledge> = first.acknowledge.into_iter().collect();
        while writes.len() < WRITES_PER_TRANSACTION_MAX {
            let Ok(batch) = batches.try_recv() else { break };
            writes.extend(batch.writes);
            acknowledges.extend(batch.acknowledge);
        }
        if let Err(error) = writer.apply(&writes) {
            health.fatal(format!("the chain store cannot be written: {error}"));
            return;
        }
        for acknowledge in acknowledges {
            acknowledge();
        }
    }
}
