//! What happened, as one number and, where wanted, as the last lines of text.
//!
//! Invariant: the number depends on every event and on their order, and on nothing else; two runs with one
//! seed have one number.

use core::hash::{Hash, Hasher};
use phalanx_types::Time;
use std::collections::VecDeque;

/// Lines of text kept, the newest.
pub const TRACE_LINES_MAX: usize = 20_000;

/// A hash that is the same in every run and on every machine, unlike the standard library's.
#[derive(Clone, Copy, Debug)]
pub struct StableHasher(u64);

impl Default for StableHasher {
    fn default() -> Self {
        Self(0x9E37_79B9_7F4A_7C15)
    }
}

impl StableHasher {
    /// Of one value.
    #[must_use]
    pub fn of(value: &impl Hash) -> u64 {
        let mut hasher = Self::default();
        value.hash(&mut hasher);
        hasher.finish()
    }

    /// One round of SplitMix64 (Steele, Lea, Flood 2014) over the state and a word.
    fn mix(&mut self, word: u64) {
        let mut mixed = (self.0 ^ word).wrapping_add(0x9E37_79B9_7F4A_7C15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        self.0 = mixed ^ (mixed >> 31);
    }
}

impl Hasher for StableHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut word = [0; 8];
            word[..chunk.len()].copy_from_slice(chunk);
            self.mix(u64::from_le_bytes(word));
        }
        self.mix(bytes.len() as u64);
    }

    fn write_u8(&mut self, word: u8) {
        self.mix(u64::from(word));
    }

    fn write_u16(&mut self, word: u16) {
        self.mix(u64::from(word));
    }

    fn write_u32(&mut self, word: u32) {
        self.mix(u64::from(word));
    }

    fn write_u64(&mut self, word: u64) {
        self.mix(word);
    }

    fn write_usize(&mut self, word: usize) {
        self.mix(word as u64);
    }
}

/// Hashes all events, and keeps the text of the newest where asked to.
#[derive(Debug)]
pub struct Trace {
    hasher: StableHasher,
    events: u64,
    lines: Option<VecDeque<String>>,
}

impl Trace {
    /// An empty one; `verbose` keeps text.
    #[must_use]
    pub fn new(verbose: bool) -> Self {
        Self { hasher: StableHasher::default(), events: 0, lines: verbose.then(VecDeque::new) }
    }

    /// Something happened.
    pub fn event(&mut self, at: Time, what: &impl Hash) {
        self.events += 1;
        self.hasher.write_u64(at.as_micros());
        what.hash(&mut self.hasher);
    }

    /// Keeps a line of text, which is made only where text is kept.
    pub fn line(&mut self, at: Time, line: impl FnOnce() -> String) {
        if let Some(lines) = &mut self.lines {
            if lines.len() == TRACE_LINES_MAX {
                lines.pop_front();
            }
            lines.push_back(format!("{at} {}", line()));
        }
    }

    /// Whether text is kept.
    #[must_use]
    pub fn is_verbose(&self) -> bool {
        self.lines.is_some()
    }

    /// The number of all that happened so far.
    #[must_use]
    pub fn hash(&self) -> u64 {
        self.hasher.finish()
    }

    /// How many events happened.
    #[must_use]
    pub fn events(&self) -> u64 {
        self.events
    }

    /// The newest lines, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = &str> {
        self.lines.iter().flatten().map(String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_depends_on_every_event_and_on_their_order() {
        let run = |events: &[(u64, u32)]| {
            let mut trace = Trace::new(false);
            for (at, what) in events {
                trace.event(Time::from_micros(*at), what);
            }
            trace.hash()
        };
        assert_eq!(run(&[(1, 2), (3, 4)]), run(&[(1, 2), (3, 4)]));
        assert_ne!(run(&[(1, 2), (3, 4)]), run(&[(3, 4), (1, 2)]));
        assert_ne!(run(&[(1, 2), (3, 4)]), run(&[(1, 2), (3, 5)]));
        assert_ne!(run(&[(1, 2)]), run(&[(2, 2)]));
    }

    #[test]
    fn text_is_kept_where_asked_for() {
        let mut quiet = Trace::new(false);
        quiet.line(Time::ZERO, || unreachable!("no text is made"));
        let mut verbose = Trace::new(true);
        (0..=TRACE_LINES_MAX).for_each(|number| verbose.line(Time::ZERO, || number.to_string()));
        assert_eq!(verbose.lines().count(), TRACE_LINES_MAX);
        assert_eq!(verbose.lines().next(), Some("0.000000s 1"));
    }
}
