//! A secret key, or a share of one: a scalar other than zero.
//!
//! Invariant: it is wiped when dropped, prints nothing, and is used in constant time only.

use crate::error::BlsError;
use crate::scalar::{SCALAR_BYTES, Scalar};
use blst::blst_scalar;
use core::fmt;
use zeroize::Zeroizing;

/// A secret key. Signing and deriving the public key are [`Variant`](crate::Variant)'s.
#[derive(Clone)]
pub struct SecretKey(pub(crate) blst_scalar);

impl SecretKey {
    /// The key that a scalar is.
    ///
    /// # Errors
    /// [`BlsError::PeerScalar`] for zero.
    pub fn from_scalar(scalar: &Scalar) -> Result<Self, BlsError> {
        Self::from_bytes(&Zeroizing::new(scalar.to_bytes()))
    }

    /// 32 big-endian bytes, as in EIP-2335.
    ///
    /// # Errors
    /// [`BlsError::PeerScalar`] for zero, and for a number not below the group's order.
    pub fn from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Result<Self, BlsError> {
        crate::backend::blst::secret_from_bytes(bytes).ok_or(BlsError::PeerScalar)
    }

    /// 32 big-endian bytes, as in EIP-2335.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        let mut bytes = Zeroizing::new(self.0.b);
        bytes.reverse();
        bytes
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SecretKey(…)")
    }
}
