//! Threshold keys as an operator and its cluster file hold them.
//!
//! Invariant: a [`PublicKey`] is a point of the subgroup other than infinity; a [`SecretShare`] is wiped
//! when dropped, and prints nothing.

use crate::error::MisuseError;
use alloy_primitives::hex;
use core::fmt;
use core::str::FromStr;
use phalanx_bls::{MinSig, Point, SCALAR_BYTES, Scalar, SecretKey, Variant};
use phalanx_types::OperatorIndex;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// A BLS public key: a compressed point, 96 bytes of G2 in `min-sig`, written in hexadecimal.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey<V: Variant>(pub(crate) V::PublicKey);

/// The cluster's one public key.
pub type ClusterPublicKey = PublicKey<MinSig>;
/// The public key of one operator's share.
pub type SharePublicKey = PublicKey<MinSig>;

impl<V: Variant> PublicKey<V> {
    /// Decodes the compressed point strictly.
    ///
    /// # Errors
    /// [`MisuseError::PublicKey`] for what is no canonical encoding of a point of the subgroup other than
    /// infinity.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MisuseError> {
        V::PublicKey::from_bytes(bytes).map(Self).map_err(MisuseError::PublicKey)
    }

    /// The compressed point.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        self.0.to_bytes()
    }
}

impl<V: Variant> fmt::Display for PublicKey<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.to_bytes()))
    }
}

impl<V: Variant> fmt::Debug for PublicKey<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl<V: Variant> FromStr for PublicKey<V> {
    type Err = MisuseError;

    fn from_str(text: &str) -> Result<Self, MisuseError> {
        let bytes =
            hex::decode(text).map_err(|_| MisuseError::Hex { what: "a public key", expected: V::PublicKey::BYTES })?;
        Self::from_bytes(&bytes)
    }
}

impl<V: Variant> Serialize for PublicKey<V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de, V: Variant> Deserialize<'de> for PublicKey<V> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// One operator's share of the cluster's secret key. The same for every variant.
#[derive(Clone)]
pub struct SecretShare {
    index: OperatorIndex,
    secret: SecretKey,
}

impl SecretShare {
    /// The share of operator `index` from 32 big-endian bytes, as in EIP-2335.
    ///
    /// # Errors
    /// [`MisuseError::SecretShare`] for zero and for numbers not below the group's order.
    pub fn from_bytes(index: OperatorIndex, bytes: &[u8; SCALAR_BYTES]) -> Result<Self, MisuseError> {
        let secret = SecretKey::from_bytes(bytes).map_err(|_| MisuseError::SecretShare)?;
        Ok(Self { index, secret })
    }

    pub(crate) fn from_scalar(index: OperatorIndex, scalar: &Scalar) -> Result<Self, MisuseError> {
        let secret = SecretKey::from_scalar(scalar).map_err(|_| MisuseError::SecretShare)?;
        Ok(Self { index, secret })
    }

    /// 32 big-endian bytes, to be kept secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; SCALAR_BYTES]> {
        self.secret.to_bytes()
    }

    /// Whose share it is.
    #[must_use]
    pub fn index(&self) -> OperatorIndex {
        self.index
    }

    /// Its public key, as in the cluster file.
    #[must_use]
    pub fn public_key<V: Variant>(&self) -> PublicKey<V> {
        PublicKey(V::public_key(&self.secret))
    }

    pub(crate) fn secret(&self) -> &SecretKey {
        &self.secret
    }
}

impl fmt::Debug for SecretShare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecretShare").field("index", &self.index).finish_non_exhaustive()
    }
}
