//! Operators' encryption keys: X25519 (RFC 7748), apart from their identities, so that what signs in public
//! never decrypts.
//!
//! Invariants: a public key is the canonical encoding of a point of prime order, so that nobody's pads are
//! known to all; a secret is wiped when dropped, and prints nothing.

use crate::error::MisuseError;
use alloy_primitives::hex;
use core::fmt;
use core::str::FromStr;
use curve25519_dalek::edwards::{EdwardsBasepointTable, EdwardsPoint};
use curve25519_dalek::montgomery::MontgomeryPoint;
use curve25519_dalek::traits::{BasepointTable, IsIdentity};
use rand::CryptoRng;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use zeroize::Zeroizing;

/// The length of an encryption key, public or secret. Unit: bytes.
pub const ENCRYPTION_KEY_BYTES: usize = 32;

/// To whom shares are encrypted.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct EncryptionKey {
    bytes: [u8; ENCRYPTION_KEY_BYTES],
    point: EdwardsPoint,
}

impl EncryptionKey {
    /// The key that 32 bytes encode (RFC 7748's u-coordinate).
    ///
    /// # Errors
    /// [`MisuseError::EncryptionKey`] for what is not the canonical encoding of a point of prime order.
    pub fn from_bytes(bytes: &[u8; ENCRYPTION_KEY_BYTES]) -> Result<Self, MisuseError> {
        // Which of the two points with this coordinate does not matter: their multiples share theirs.
        let point = MontgomeryPoint(*bytes).to_edwards(0).ok_or(MisuseError::EncryptionKey)?;
        let usable =
            point.is_torsion_free() && !point.is_identity() && point.to_montgomery().as_bytes().as_slice() == bytes;
        if usable { Ok(Self { bytes: *bytes, point }) } else { Err(MisuseError::EncryptionKey) }
    }

    /// The 32 bytes of RFC 7748.
    #[must_use]
    pub fn to_bytes(self) -> [u8; ENCRYPTION_KEY_BYTES] {
        self.bytes
    }

    pub(super) fn as_bytes(&self) -> &[u8; ENCRYPTION_KEY_BYTES] {
        &self.bytes
    }

    pub(super) fn table(&self) -> EdwardsBasepointTable {
        EdwardsBasepointTable::create(&self.point)
    }
}

impl fmt::Display for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_prefixed(self.bytes))
    }
}

impl fmt::Debug for EncryptionKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for EncryptionKey {
    type Err = MisuseError;

    fn from_str(text: &str) -> Result<Self, MisuseError> {
        let bytes = hex::decode_to_array(text)
            .map_err(|_| MisuseError::Hex { what: "an encryption key", expected: ENCRYPTION_KEY_BYTES })?;
        Self::from_bytes(&bytes)
    }
}

impl Serialize for EncryptionKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for EncryptionKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// The secret half.
#[derive(Clone)]
pub struct EncryptionSecret(Zeroizing<[u8; ENCRYPTION_KEY_BYTES]>);

impl EncryptionSecret {
    /// A new one.
    #[must_use]
    pub fn generate(rng: &mut dyn CryptoRng) -> Self {
        let mut bytes = Zeroizing::new([0; ENCRYPTION_KEY_BYTES]);
        rng.fill_bytes(bytes.as_mut());
        Self(bytes)
    }

    /// From its 32 bytes. Every 32 bytes are one.
    #[must_use]
    pub fn from_bytes(bytes: &[u8; ENCRYPTION_KEY_BYTES]) -> Self {
        Self(Zeroizing::new(*bytes))
    }

    /// Its 32 bytes, to be kept secret.
    #[must_use]
    pub fn to_bytes(&self) -> Zeroizing<[u8; ENCRYPTION_KEY_BYTES]> {
        self.0.clone()
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> EncryptionKey {
        EncryptionKey::from_bytes(MontgomeryPoint::mul_base_clamped(*self.0).as_bytes())
            .expect("a clamped multiple of the generator has prime order")
    }

    /// X25519 with a public key that may be any 32 bytes.
    pub(super) fn agree(&self, public: &[u8; ENCRYPTION_KEY_BYTES]) -> Zeroizing<[u8; ENCRYPTION_KEY_BYTES]> {
        Zeroizing::new(MontgomeryPoint(*public).mul_clamped(*self.0).to_bytes())
    }
}

impl fmt::Debug for EncryptionSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EncryptionSecret").field("public", &self.public()).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 7748, section 6.1.
    #[test]
    fn keys_and_agreement_are_x25519() {
        let parse = |text: &str| hex::decode_to_array::<_, 32>(text).expect("32 bytes");
        let alice =
            EncryptionSecret::from_bytes(&parse("77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a"));
        let bob =
            EncryptionSecret::from_bytes(&parse("5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb"));
        let public = parse("8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a");
        let agreed = parse("4a5d9d5ba4ce2de1728e3bf480350f25e07e21c947d19e3376f09b3c1e161742");
        assert_eq!(alice.public().to_bytes(), public);
        assert_eq!(*bob.agree(&public), agreed);
        assert_eq!(*alice.agree(&bob.public().to_bytes()), agreed);
    }

    #[test]
    fn weak_or_non_canonical_keys_are_refused() {
        let low_order = [[0; 32], core::array::from_fn(|index| u8::from(index == 0))];
        for bytes in low_order {
            assert_eq!(EncryptionKey::from_bytes(&bytes), Err(MisuseError::EncryptionKey));
        }
        let mut flagged = EncryptionSecret::from_bytes(&[1; 32]).public().to_bytes();
        flagged[31] |= 0x80;
        assert_eq!(EncryptionKey::from_bytes(&flagged), Err(MisuseError::EncryptionKey), "the unused bit");
        let mut refused = 0;
        for seed in 2..66 {
            let bytes: [u8; 32] = core::array::from_fn(|index| if index == 0 { seed } else { 0 });
            refused += u32::from(EncryptionKey::from_bytes(&bytes).is_err());
        }
        assert!(refused > 48, "half of all numbers are on the twist, and seven of eight others have a cofactor");
    }

    #[test]
    fn a_secret_prints_nothing() {
        let secret = EncryptionSecret::from_bytes(&[0xab; 32]);
        assert!(!format!("{secret:?}").contains("abab"), "{secret:?}");
    }
}
