//! `Verified<T>`: a value whose signatures were checked.
//!
//! Invariant: the constructor is private to this crate, so that holding one is the proof. It says that
//! whoever is named signed it; not that it is correctly placed, or wise.

use core::ops::Deref;

/// A `T` whose signatures were checked, or made by ourselves.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    pub(crate) const fn new(value: T) -> Self {
        Self(value)
    }

    /// Gives the proof up.
    #[must_use]
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> Deref for Verified<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}
