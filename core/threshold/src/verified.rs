//! `Verified<T>`: a value whose signatures were checked.
//!
//! Invariant: the constructor is private to this crate, so that holding one is the proof. It says that
//! whoever is named signed it; not that it is correctly placed, or wise.

use core::ops::Deref;
use phalanx_types::{Equivocation, Proposal};

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

impl Verified<Equivocation> {
    /// The evidence that two checked proposals make; `None` when they do not convict anybody. Both
    /// signatures were checked when the proposals were.
    #[must_use]
    pub fn between(first: &Verified<Proposal>, second: &Verified<Proposal>) -> Option<Self> {
        let convicts = first.leader == second.leader
            && first.header.position == second.header.position
            && first.header != second.header;
        convicts.then(|| {
            Self(Equivocation {
                leader: first.leader,
                first: first.header,
                first_signature: first.signature,
                second: second.header,
                second_signature: second.signature,
            })
        })
    }
}
