//! Errors, sorted by who is at fault.

use crate::backend::BACKEND_NAMES;

/// Why bytes are no point or scalar, or a name no backend.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BlsError {
    /// An encoding of another length.
    #[error("an encoding of {actual} bytes, where {expected} are expected")]
    PeerLength {
        /// What the group's compressed encoding takes. Unit: bytes.
        expected: usize,
        /// What was sent. Unit: bytes.
        actual: usize,
    },
    /// Wrong flag bits, or a coordinate not below the field's modulus.
    #[error("not a canonical compressed point")]
    PeerEncoding,
    /// No point of the curve has this coordinate.
    #[error("a point off the curve")]
    PeerNotOnCurve,
    /// On the curve, but not of prime order.
    #[error("a point outside the prime-order subgroup")]
    PeerNotInSubgroup,
    /// The point at infinity, which is no key and no signature.
    #[error("the point at infinity")]
    PeerInfinity,
    /// A scalar that is not below the group's order, or a secret that is zero.
    #[error("a scalar out of range")]
    PeerScalar,
    /// A backend that is built in, but needs what this processor has not: the backend, and what.
    #[error("this processor cannot run the backend {0:?}: it has no {1}")]
    MisuseProcessor(&'static str, &'static str),
    /// A backend that is not built in.
    #[error("no backend named {0:?}; there is: {names}", names = BACKEND_NAMES.join(", "))]
    MisuseBackend(String),
}
