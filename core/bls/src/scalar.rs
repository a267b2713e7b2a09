//! The field of scalars `Fr`, as much of it as Shamir's sharing needs.
//!
//! Invariant: always reduced. Addition, subtraction and multiplication are constant time; the inverse is
//! not, so only public values (operator indexes) are inverted.

use crate::backend::blst as oracle;
use crate::error::BlsError;
use blst::blst_fr;
use core::fmt;
use core::ops::{Add, Mul, Neg, Sub};
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// The canonical encoding of a scalar. Unit: bytes.
pub const SCALAR_BYTES: usize = 32;

/// A number modulo the group's order. May be secret: it prints nothing, and whoever keeps a secret one
/// wraps it in [`Zeroizing`].
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Scalar(pub(crate) blst_fr);

impl Scalar {
    /// Zero.
    pub const ZERO: Self = Self(blst_fr { l: [0; 4] });

    /// One.
    #[must_use]
    pub fn one() -> Self {
        Self::from(1)
    }

    /// Uniform over the field, from 512 random bits.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut wide = Zeroizing::new([0; 2 * SCALAR_BYTES]);
        rng.fill_bytes(wide.as_mut());
        Self::from_wide(wide.as_slice())
    }

    /// A big-endian number of any length, reduced.
    #[must_use]
    pub fn from_wide(bytes: &[u8]) -> Self {
        oracle::fr_from_wide(bytes)
    }

    /// The canonical 32 big-endian bytes.
    ///
    /// # Errors
    /// [`BlsError::PeerScalar`] when the number is not below the group's order.
    pub fn from_bytes(bytes: &[u8; SCALAR_BYTES]) -> Result<Self, BlsError> {
        oracle::fr_from_bytes(bytes).ok_or(BlsError::PeerScalar)
    }

    /// The canonical 32 big-endian bytes.
    #[must_use]
    pub fn to_bytes(&self) -> [u8; SCALAR_BYTES] {
        let mut bytes = oracle::fr_to_le_bytes(self);
        bytes.reverse();
        bytes
    }

    /// The multiplicative inverse; `None` of zero. Not constant time.
    #[must_use]
    pub fn inverse(&self) -> Option<Self> {
        (*self != Self::ZERO).then(|| oracle::fr_inverse(self))
    }
}

impl From<u64> for Scalar {
    fn from(value: u64) -> Self {
        oracle::fr_from_limbs(&[value, 0, 0, 0])
    }
}

impl Add for Scalar {
    type Output = Self;
    fn add(self, other: Self) -> Self {
        oracle::fr_add(&self, &other)
    }
}

impl Sub for Scalar {
    type Output = Self;
    fn sub(self, other: Self) -> Self {
        oracle::fr_sub(&self, &other)
    }
}

impl Mul for Scalar {
    type Output = Self;
    fn mul(self, other: Self) -> Self {
        oracle::fr_mul(&self, &other)
    }
}

impl Neg for Scalar {
    type Output = Self;
    fn neg(self) -> Self {
        Self::ZERO - self
    }
}

impl Zeroize for Scalar {
    fn zeroize(&mut self) {
        self.0.l.zeroize();
    }
}

impl fmt::Debug for Scalar {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Scalar(…)")
    }
}
