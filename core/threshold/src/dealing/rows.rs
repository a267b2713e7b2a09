//! One repetition: the pads that an ephemeral key makes, and the row of shares under them.

use super::Recipients;
use super::transcript::{Context, HASH_BYTES};
use core::fmt;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::montgomery::MontgomeryPoint;
use phalanx_bls::Scalar;
use phalanx_types::OperatorIndex;
use rand::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

/// The scalar field of Curve25519.
pub(super) type Exponent = curve25519_dalek::scalar::Scalar;

/// What an ephemeral key makes of every recipient's: pads for `b` and for each share, in this order.
pub(super) struct Pads {
    /// `E`, as X25519 writes it.
    pub(super) ephemeral: [u8; 32],
    pads: Zeroizing<Vec<Scalar>>,
}

impl Pads {
    /// `p₀ + Σ τʲ pⱼ`
    pub(super) fn sum(&self, tau: Scalar) -> Scalar {
        self.pads[0] + at(&self.pads[1..], tau)
    }
}

/// The pads of each ephemeral key. Inversions in the field are shared by all keys that meet one recipient.
pub(super) fn pads(context: &Context, recipients: &Recipients, exponents: &[&Exponent]) -> Vec<Pads> {
    let own: Vec<EdwardsPoint> = exponents.iter().map(|exponent| EdwardsPoint::mul_base(exponent)).collect();
    let mut rows: Vec<Pads> = EdwardsPoint::to_montgomery_batch(&own)
        .into_iter()
        .zip(exponents)
        .map(|(point, exponent)| {
            let mut pads = Vec::with_capacity(recipients.keys.len() + 1);
            pads.push(context.blinding_pad(exponent.as_bytes()));
            Pads { ephemeral: point.to_bytes(), pads: Zeroizing::new(pads) }
        })
        .collect();
    for ((index, key), table) in recipients.size.operators().zip(&recipients.keys).zip(&recipients.tables) {
        let mut shared: Vec<EdwardsPoint> = exponents.iter().map(|exponent| table * *exponent).collect();
        let mut agreed: Vec<MontgomeryPoint> = EdwardsPoint::to_montgomery_batch(&shared);
        for (row, agreed) in rows.iter_mut().zip(&agreed) {
            let pad = context.pad(&row.ephemeral, key, agreed.as_bytes(), index);
            row.pads.push(*pad);
        }
        shared.zeroize();
        agreed.zeroize();
    }
    rows
}

/// The randomness of one repetition.
pub(super) struct Seed {
    scalar: Exponent,
    blinder: [u8; HASH_BYTES],
}

impl Seed {
    pub(super) fn random(rng: &mut dyn CryptoRng) -> Self {
        let mut wide = Zeroizing::new([0; 64]);
        rng.fill_bytes(wide.as_mut());
        let scalar = Exponent::from_bytes_mod_order_wide(&wide);
        let mut blinder = [0; HASH_BYTES];
        rng.fill_bytes(&mut blinder);
        Self { scalar, blinder }
    }

    pub(super) fn scalar(&self) -> &Exponent {
        &self.scalar
    }

    /// The shares, and `b`, under the pads.
    pub(super) fn row(&self, pads: &Pads, blind: &Scalar, shares: &[Scalar]) -> Row {
        let masked =
            core::iter::once(blind).chain(shares).zip(pads.pads.iter()).map(|(value, pad)| *value + *pad).collect();
        Row { ephemeral: pads.ephemeral, masked, blinder: self.blinder }
    }
}

impl Drop for Seed {
    fn drop(&mut self) {
        self.scalar.zeroize();
        self.blinder.zeroize();
    }
}

/// A repetition that was not opened: the shares under pads that only their recipients know.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Row {
    pub(super) ephemeral: [u8; 32],
    /// `z₀ … zₙ`
    pub(super) masked: Vec<Scalar>,
    /// Hides the row while only its hash is known.
    pub(super) blinder: [u8; HASH_BYTES],
}

impl Row {
    pub(super) fn hash(&self, context: &Context) -> [u8; HASH_BYTES] {
        context.row(&self.blinder, &self.masked)
    }

    /// `z₀ + Σ τʲ zⱼ`
    pub(super) fn sum(&self, tau: Scalar) -> Scalar {
        self.masked[0] + at(&self.masked[1..], tau)
    }
}

/// A repetition that was opened.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Opening {
    /// `e`
    pub(super) scalar: Exponent,
    /// The hash of the row, which stays hidden.
    pub(super) hash: [u8; HASH_BYTES],
}

impl fmt::Debug for Opening {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Opening(…)")
    }
}

/// `Σ xʲ vⱼ`, `j` from 1.
pub(super) fn at(values: &[Scalar], x: Scalar) -> Scalar {
    values.iter().rev().fold(Scalar::ZERO, |sum, value| (sum + *value) * x)
}

/// Where a recipient's entry stands in a row.
pub(super) fn column(index: OperatorIndex) -> usize {
    index.as_usize() + 1
}
