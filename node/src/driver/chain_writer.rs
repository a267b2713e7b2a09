//! The thread that owns the chain store's writer: whatever waits is written as one durable transaction,
//! then everybody who waited is told.
//!
//! Invariants: writes are applied in the order in which they were sent; an acknowledgement is called after
//! its writes are durable, never before; after an error nothing is written any more and the operator stops.
//! The queue is bounded: a sender waits when the disk cannot follow.
//!
//! A transaction costs two syncs of the file and about a millisecond of a core, so what nobody waits for
//! keeps for a moment, until something comes that somebody does wait for ([`Urgency`]).

use crate::driver::health::Health;
use crate::store::{WRITES_PER_BATCH_MAX, Write, Writer};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, bounded};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

/// The most batches that wait for the disk.
pub(crate) const WRITES_QUEUED_MAX: usize = 1_024;
/// The most writes put in one transaction.
const WRITES_PER_TRANSACTION_MAX: usize = 4_096;

/// Readers wait no longer than this for what became final, so that fast chains share transactions.
const SOON_INTERVAL: Duration = Duration::from_millis(40);

/// How long a write may keep.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Urgency {
    /// A vote or a client waits for it.
    Now,
    /// Readers wait for it (a block becoming final): it keeps for a few milliseconds, or until
    /// [`SOON_INTERVAL`] after the transaction before.
    Soon,
    /// Nobody waits for it (certificates to be served, pruning).
    Later,
}

impl Urgency {
    const fn patience(self) -> Duration {
        match self {
            Self::Now => Duration::ZERO,
            Self::Soon => Duration::from_millis(4),
            Self::Later => Duration::from_millis(100),
        }
    }
}

/// Called on the writer's thread once the writes are durable. Must not block.
pub(crate) type Acknowledge = Box<dyn FnOnce() + Send>;

struct Batch {
    writes: Vec<Write>,
    acknowledge: Option<Acknowledge>,
    urgency: Urgency,
    due: Instant,
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

    /// Writes; `acknowledge` is called once the writes are durable, and never if they are not.
    pub(crate) fn write(&self, writes: Vec<Write>, urgency: Urgency, acknowledge: Option<Acknowledge>) {
        let due = Instant::now() + urgency.patience();
        // The thread is gone only when the operator stops, and then nothing is acknowledged.
        let _ = self.batches.send(Batch { writes, acknowledge, urgency, due });
    }

    /// Batches that wait.
    pub(crate) fn queued(&self) -> usize {
        self.batches.len()
    }
}

/// What goes into the next transaction.
#[derive(Default)]
struct Pending {
    writes: Vec<Write>,
    acknowledges: Vec<Acknowledge>,
    due: Option<Instant>,
    /// When the transaction before began.
    before: Option<Instant>,
}

impl Pending {
    fn add(&mut self, batch: Batch) {
        self.writes.extend(batch.writes);
        self.acknowledges.extend(batch.acknowledge);
        let mut batch_due = batch.due;
        if let (Urgency::Soon, Some(before)) = (batch.urgency, self.before) {
            batch_due = batch_due.max(before + SOON_INTERVAL);
        }
        self.due = Some(self.due.map_or(batch_due, |due| due.min(batch_due)));
    }

    /// Waits until something is due; `false` when nothing will come any more.
    fn collect(&mut self, batches: &Receiver<Batch>) -> bool {
        while self.writes.len() < WRITES_PER_TRANSACTION_MAX {
            let received = match self.due {
                None => batches.recv().map_err(|_| RecvTimeoutError::Disconnected),
                // What is due already still takes along what waits.
                Some(due) => batches.recv_deadline(due),
            };
            match received {
                Ok(batch) => self.add(batch),
                Err(RecvTimeoutError::Timeout) => return true,
                Err(RecvTimeoutError::Disconnected) => return self.due.is_some(),
            }
        }
        true
    }
}

fn run(mut writer: Writer, batches: &Receiver<Batch>, health: &Arc<Health>) {
    let _watch = health.watch("chain-writer");
    let mut pending = Pending::default();
    while pending.collect(batches) {
        let next = Pending { before: Some(Instant::now()), ..Pending::default() };
        let Pending { writes, acknowledges, .. } = std::mem::replace(&mut pending, next);
        // One batch alone may be larger than a transaction; in order, any prefix of it may be durable first.
        for part in writes.chunks(WRITES_PER_BATCH_MAX) {
            if let Err(error) = writer.apply(part) {
                health.fatal(format!("the chain store cannot be written: {error}"));
                return;
            }
        }
        for acknowledge in acknowledges {
            acknowledge();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::{ChainOptions, ChainStore};
    use phalanx_types::{B256, ClusterId};

    #[test]
    fn a_batch_larger_than_a_transaction_is_written_whole() {
        let directory = tempfile::tempdir().expect("a directory");
        let options = ChainOptions { cluster: ClusterId(B256::repeat_byte(1)), slots_per_term: 50 };
        let store = ChainStore::open(&directory.path().join("chain.redb"), options).expect("a new store");
        let (writer, reader) = store.split();
        let health = Arc::new(Health::default());
        let (chain_writer, thread) = ChainWriter::spawn(writer, Arc::clone(&health)).expect("a thread");
        let count = WRITES_PER_BATCH_MAX + 3;
        let hash = |index: usize| B256::left_padding_from(&index.to_be_bytes());
        let put = |index| Write::PutPooled { hash: hash(index), transaction: vec![1].into() };
        let (done, acknowledged) = bounded(1);
        let acknowledge = Box::new(move || done.send(()).expect("awaited"));
        chain_writer.write((0..count).map(put).collect(), Urgency::Now, Some(acknowledge));
        acknowledged.recv().expect("acknowledged once it is durable");
        assert_eq!(health.fatal_reason(), None);
        assert_eq!(reader.view().expect("a view").pooled(usize::MAX).expect("readable").len(), count);
        drop(chain_writer);
        thread.join().expect("it ends with its last handle");
    }
}
