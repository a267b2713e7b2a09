//! A dealing as bytes: a version, the number of recipients, and then fields of fixed length, so that a
//! decoder knows the one length that is right before it reads any of it.

use super::rows::{Exponent, Opening, Row};
use super::transcript::{Choice, HASH_BYTES, choices};
use super::{CLOSED, Dealing, OPENED};
use crate::error::PeerError;
use phalanx_bls::{Point, SCALAR_BYTES, Scalar, Variant};
use phalanx_types::OPERATORS_MAX;

const VERSION: u8 = 1;
/// Version and number of recipients. Unit: bytes.
const HEAD_BYTES: usize = 3;
const OPENING_BYTES: usize = 32 + HASH_BYTES;

const fn row_bytes(n: usize) -> usize {
    32 + SCALAR_BYTES * (n + 1) + HASH_BYTES
}

const fn dealing_bytes(point_bytes: usize, n: usize) -> usize {
    HEAD_BYTES + point_bytes * (n + 2) + SCALAR_BYTES + HASH_BYTES + OPENED * OPENING_BYTES + CLOSED * row_bytes(n)
}

/// The longest dealing, in either variant. Unit: bytes.
pub const DEALING_BYTES_MAX: usize = dealing_bytes(96, OPERATORS_MAX);

impl<V: Variant> Dealing<V> {
    /// How long a dealing to `n` recipients is. Unit: bytes.
    #[must_use]
    pub const fn bytes(n: usize) -> usize {
        dealing_bytes(V::PublicKey::BYTES, n)
    }

    /// The bytes.
    ///
    /// # Panics
    /// Never: a dealing has as many commitments as a number of 16 bits counts.
    #[must_use]
    pub fn to_bytes(&self) -> Vec<u8> {
        let n = self.commitments.len() - 1;
        let mut out = Vec::with_capacity(Self::bytes(n));
        out.push(VERSION);
        out.extend(u16::try_from(n).expect("at most OPERATORS_MAX recipients").to_be_bytes());
        self.commitments.iter().chain([&self.blinding]).for_each(|point| out.extend(point.to_bytes()));
        out.extend(self.response.to_bytes());
        out.extend(self.challenge);
        let (mut opened, mut closed) = (self.opened.iter(), self.closed.iter());
        for choice in choices(&self.challenge) {
            match choice {
                Choice::Opened => opened.next().into_iter().for_each(|opening| {
                    out.extend(opening.scalar.as_bytes());
                    out.extend(opening.hash);
                }),
                Choice::Closed => closed.next().into_iter().for_each(|row| {
                    out.extend(row.ephemeral);
                    row.masked.iter().for_each(|value| out.extend(value.to_bytes()));
                    out.extend(row.blinder);
                }),
            }
        }
        out
    }

    /// Decodes strictly.
    ///
    /// # Errors
    /// [`PeerError::Dealing`]: another version or length, or a field that is not canonical.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, PeerError> {
        let mut reader = Reader(bytes);
        let [version, high, low] = reader.array()?;
        if version != VERSION {
            return Err(PeerError::Dealing("it has another version"));
        }
        let n = usize::from(u16::from_be_bytes([high, low]));
        if !(1..=OPERATORS_MAX).contains(&n) || bytes.len() != Self::bytes(n) {
            return Err(PeerError::Dealing("it has another length than its recipients need"));
        }
        let mut commitments = Vec::with_capacity(n + 1);
        for _ in 0..=n {
            commitments.push(reader.point::<V>()?);
        }
        let blinding = reader.point::<V>()?;
        let response = reader.scalar()?;
        let challenge = reader.array()?;
        let (mut opened, mut closed) = (Vec::with_capacity(OPENED), Vec::with_capacity(CLOSED));
        for choice in choices(&challenge) {
            match choice {
                Choice::Opened => opened.push(Opening { scalar: reader.exponent()?, hash: reader.array()? }),
                Choice::Closed => {
                    let ephemeral = reader.array()?;
                    let masked = (0..=n).map(|_| reader.scalar()).collect::<Result<_, _>>()?;
                    closed.push(Row { ephemeral, masked, blinder: reader.array()? });
                }
            }
        }
        Ok(Self { commitments, blinding, response, challenge, opened, closed })
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn take(&mut self, bytes: usize) -> Result<&'a [u8], PeerError> {
        let (taken, rest) = self.0.split_at_checked(bytes).ok_or(PeerError::Dealing("it ends too soon"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], PeerError> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    fn point<V: Variant>(&mut self) -> Result<V::PublicKey, PeerError> {
        V::PublicKey::from_bytes(self.take(V::PublicKey::BYTES)?)
            .map_err(|_| PeerError::Dealing("a commitment is no point of the group"))
    }

    fn scalar(&mut self) -> Result<Scalar, PeerError> {
        Scalar::from_bytes(&self.array()?).map_err(|_| PeerError::Dealing("a number is out of range"))
    }

    fn exponent(&mut self) -> Result<Exponent, PeerError> {
        Option::from(Exponent::from_canonical_bytes(self.array()?))
            .ok_or(PeerError::Dealing("an ephemeral key is out of range"))
    }
}
