//! The vote journal's disk, and what of the journal is durable.
//!
//! The disk itself is the journal's own memory disk, which fails on demand and loses or tears what was not
//! synced. Here is the observer that tells the checkers which records became durable, in order.

use phalanx_journal::memory::Unsynced;
use phalanx_pipeline::CommitObserver;
use phalanx_types::Record;
use std::sync::mpsc::{Receiver, Sender, channel};

use crate::random::Random;

/// What the observer saw.
#[derive(Debug)]
enum Seen {
    Appended(Box<Record>),
    Durable,
}

/// Sits in the sign stage.
#[derive(Debug)]
struct Observer(Sender<Seen>);

impl CommitObserver for Observer {
    fn begins(&mut self) {}

    fn ended(&mut self, _records: usize, _bytes: usize) {
        // Nobody listens any more when the operator is being taken apart.
        let _ = self.0.send(Seen::Durable);
    }

    fn appended(&mut self, record: &Record) {
        let _ = self.0.send(Seen::Appended(Box::new(record.clone())));
    }
}

/// The other end of an observer.
#[derive(Debug)]
pub struct JournalWatch {
    seen: Receiver<Seen>,
    group: Vec<Record>,
}

impl JournalWatch {
    /// An observer, and the watch that hears from it.
    #[must_use]
    pub fn new() -> (Box<dyn CommitObserver>, Self) {
        let (sender, seen) = channel();
        (Box::new(Observer(sender)), Self { seen, group: Vec::new() })
    }

    /// The records that became durable since the last call, in order.
    pub fn durable(&mut self) -> Vec<Record> {
        let mut durable = Vec::new();
        while let Ok(seen) = self.seen.try_recv() {
            match seen {
                Seen::Appended(record) => self.group.push(*record),
                Seen::Durable => durable.append(&mut self.group),
            }
        }
        durable
    }

    /// What was appended and is not known to be durable. A crash decides its fate.
    #[must_use]
    pub fn into_pending(mut self) -> Vec<Record> {
        let _ = self.durable();
        self.group
    }
}

/// Anything that a crash may do to unsynced writes.
pub fn any_unsynced(random: &mut Random) -> Unsynced {
    match random.between(0, 3) {
        0 => Unsynced::Lost,
        1 => Unsynced::Kept,
        2 => Unsynced::TornAt(random.index(2_000)),
        _ => Unsynced::Sectors(random.number()),
    }
}
