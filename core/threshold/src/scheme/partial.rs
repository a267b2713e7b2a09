//! A partial on its way to a certificate: the bytes as they came, and the point once it is decoded.
//!
//! Invariant: a point here was decoded from the bytes beside it, *without* a check of its subgroup. Only recovery may
//! use it, which checks its result in full.

use core::any::Any;
use core::fmt;
use phalanx_bls::{G1, G2};
use phalanx_types::SignatureBytes;

/// What one operator sent, decoded ahead or not.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Partial {
    bytes: SignatureBytes,
    point: Option<Decoded>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Decoded {
    G1(G1),
    G2(G2),
}

impl Partial {
    /// As it came.
    #[must_use]
    pub fn bytes(&self) -> &SignatureBytes {
        &self.bytes
    }

    /// Whether it needs no decoding any more.
    #[must_use]
    pub fn is_decoded(&self) -> bool {
        self.point.is_some()
    }

    /// The point, where one of this group is held.
    pub(crate) fn point<P: Copy + 'static>(&self) -> Option<P> {
        let held: &dyn Any = match self.point.as_ref()? {
            Decoded::G1(point) => point,
            Decoded::G2(point) => point,
        };
        held.downcast_ref().copied()
    }

    /// Keeps what the bytes decode to.
    pub(crate) fn hold<P: Copy + 'static>(&mut self, point: &P) {
        let point: &dyn Any = point;
        let in_g1 = point.downcast_ref().copied().map(Decoded::G1);
        self.point = in_g1.or_else(|| point.downcast_ref().copied().map(Decoded::G2));
    }
}

impl From<SignatureBytes> for Partial {
    fn from(bytes: SignatureBytes) -> Self {
        Self { bytes, point: None }
    }
}

impl fmt::Debug for Partial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Partial").field("bytes", &self.bytes).field("is_decoded", &self.is_decoded()).finish()
    }
}
