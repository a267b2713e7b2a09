//! Bounded, lock-free rings between stages, with a wake-up in both directions.
//!
//! Invariant: no wake-up is lost. A consumer is woken after each push; a producer that found the ring full
//! is woken after the next pop. It announces itself first and then tries once more, so that either it sees
//! the room or the consumer sees the announcement.

use core::fmt;
use core::sync::atomic::{AtomicBool, Ordering};
use crossbeam::queue::ArrayQueue;
use std::collections::VecDeque;
use std::sync::Arc;

/// Wakes whoever runs a stage. Must leave a token when nobody sleeps, as `std::thread::Thread::unpark` does.
pub trait Wake: Send + Sync + fmt::Debug {
    /// There is something to do.
    fn wake(&self);
}

/// Wakes nobody: for the simulator, which runs every stage in turn.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoWake;

impl Wake for NoWake {
    fn wake(&self) {}
}

/// How full a ring is. Unit: items.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Depth {
    /// Which ring.
    pub ring: &'static str,
    /// Items in it; of the fullest, where there is one for each peer.
    pub length: usize,
    /// Its bound.
    pub capacity: usize,
}

/// A ring with one consuming stage.
#[derive(Debug)]
pub(crate) struct Ring<T> {
    name: &'static str,
    queue: ArrayQueue<T>,
    consumer: Arc<dyn Wake>,
    producer: Arc<dyn Wake>,
    /// A producer found the ring full and waits.
    starved: AtomicBool,
}

impl<T> Ring<T> {
    pub(crate) fn new(
        name: &'static str,
        capacity: usize,
        consumer: &Arc<dyn Wake>,
        producer: &Arc<dyn Wake>,
    ) -> Arc<Self> {
        let (consumer, producer) = (Arc::clone(consumer), Arc::clone(producer));
        Arc::new(Self { name, queue: ArrayQueue::new(capacity), consumer, producer, starved: AtomicBool::new(false) })
    }

    /// Puts an item in, or gives it back when the ring is full; the producer is then woken when there is
    /// room.
    pub(crate) fn push(&self, item: T) -> Result<(), T> {
        let item = match self.queue.push(item) {
            Ok(()) => {
                self.consumer.wake();
                return Ok(());
            }
            Err(item) => item,
        };
        self.starved.store(true, Ordering::SeqCst);
        core::sync::atomic::fence(Ordering::SeqCst);
        self.queue.push(item)?;
        self.consumer.wake();
        Ok(())
    }

    /// Moves items from the front of `backlog` into the ring; whether all fitted.
    pub(crate) fn flush(&self, backlog: &mut VecDeque<T>) -> bool {
        while let Some(item) = backlog.pop_front() {
            if let Err(item) = self.push(item) {
                backlog.push_front(item);
                return false;
            }
        }
        true
    }

    pub(crate) fn pop(&self) -> Option<T> {
        let item = self.queue.pop()?;
        core::sync::atomic::fence(Ordering::SeqCst);
        if self.starved.load(Ordering::SeqCst) && self.starved.swap(false, Ordering::SeqCst) {
            self.producer.wake();
        }
        Some(item)
    }

    pub(crate) fn depth(&self) -> Depth {
        Depth { ring: self.name, length: self.queue.len(), capacity: self.queue.capacity() }
    }
}

/// The end of a ring from which the driver takes. It must keep taking, or the stages before it stop.
#[derive(Debug)]
pub struct Outlet<T>(Arc<Ring<T>>);

impl<T> Outlet<T> {
    pub(crate) fn new(ring: &Arc<Ring<T>>) -> Self {
        Self(Arc::clone(ring))
    }

    /// The oldest item, if there is one.
    #[must_use]
    pub fn pop(&self) -> Option<T> {
        self.0.pop()
    }

    /// How full the ring is.
    #[must_use]
    pub fn depth(&self) -> Depth {
        self.0.depth()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use core::sync::atomic::AtomicUsize;

    #[derive(Debug, Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(&self) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn a_full_ring_gives_back_and_wakes_its_producer_when_there_is_room() {
        let (consumer, producer) = (Arc::new(Woken::default()), Arc::new(Woken::default()));
        let (c, p): (Arc<dyn Wake>, Arc<dyn Wake>) = (consumer.clone(), producer.clone());
        let ring = Ring::new("test", 2, &c, &p);
        assert_eq!((ring.push(1), ring.push(2), ring.push(3)), (Ok(()), Ok(()), Err(3)));
        assert_eq!(consumer.0.load(Ordering::SeqCst), 2);
        assert_eq!(producer.0.load(Ordering::SeqCst), 0);
        assert_eq!(ring.pop(), Some(1));
        assert_eq!(producer.0.load(Ordering::SeqCst), 1, "the producer hears of the room");
        assert_eq!(ring.pop(), Some(2));
        assert_eq!(producer.0.load(Ordering::SeqCst), 1, "once");
        let mut backlog = VecDeque::from([3, 4, 5]);
        assert!(!ring.flush(&mut backlog));
        assert_eq!(backlog, [5]);
        assert_eq!((ring.pop(), ring.pop(), ring.pop()), (Some(3), Some(4), None), "in order");
    }
}
