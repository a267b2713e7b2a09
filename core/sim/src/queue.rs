//! Virtual time: what happens next, and when.
//!
//! Invariant: events come out in the order of their times, and those of one time in the order in which they
//! were put in. Time never runs backwards.

use phalanx_types::Time;
use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

#[derive(Debug)]
struct Entry<E> {
    at: Time,
    sequence: u64,
    event: E,
}

impl<E> Entry<E> {
    fn key(&self) -> (Time, u64) {
        (self.at, self.sequence)
    }
}

impl<E> PartialEq for Entry<E> {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl<E> Eq for Entry<E> {}

impl<E> PartialOrd for Entry<E> {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<E> Ord for Entry<E> {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// The events to come.
#[derive(Debug)]
pub struct Queue<E> {
    heap: BinaryHeap<Reverse<Entry<E>>>,
    sequence: u64,
    now: Time,
}

impl<E> Default for Queue<E> {
    fn default() -> Self {
        Self { heap: BinaryHeap::new(), sequence: 0, now: Time::ZERO }
    }
}

impl<E> Queue<E> {
    /// The time of the event that came out last.
    #[must_use]
    pub fn now(&self) -> Time {
        self.now
    }

    /// Puts an event in. One that lies in the past happens now.
    pub fn push(&mut self, at: Time, event: E) {
        let at = at.max(self.now);
        self.heap.push(Reverse(Entry { at, sequence: self.sequence, event }));
        self.sequence += 1;
    }

    /// When the next event happens.
    #[must_use]
    pub fn next_at(&self) -> Option<Time> {
        self.heap.peek().map(|Reverse(entry)| entry.at)
    }

    /// Takes the next event out, if it happens at or before `until`.
    pub fn pop(&mut self, until: Time) -> Option<E> {
        if self.next_at()? > until {
            return None;
        }
        let Reverse(entry) = self.heap.pop()?;
        self.now = entry.at;
        Some(entry.event)
    }

    /// Nothing happens until `at`: time moves on to it.
    pub fn advance(&mut self, at: Time) {
        debug_assert!(self.next_at().is_none_or(|next| next > at), "no event is skipped");
        self.now = self.now.max(at);
    }

    /// How many events are to come.
    #[must_use]
    pub fn len(&self) -> usize {
        self.heap.len()
    }

    /// Whether nothing will happen any more.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_come_in_order_of_time_then_of_arrival() {
        let mut queue = Queue::default();
        for (at, name) in [(3, 'c'), (1, 'a'), (3, 'd'), (2, 'b')] {
            queue.push(Time::from_micros(at), name);
        }
        assert_eq!(queue.pop(Time::ZERO), None);
        let out: Vec<_> = std::iter::from_fn(|| queue.pop(Time::MAX)).collect();
        assert_eq!(out, ['a', 'b', 'c', 'd']);
        queue.push(Time::ZERO, 'e');
        assert_eq!(queue.next_at(), Some(Time::from_micros(3)), "the past happens now");
    }
}
