//! The hashes of a dealing: pads, rows and challenges. All are SHA-512 under a domain and the context.

use super::{EncryptionKey, OPENED, REPETITIONS, Recipients};
use alloy_primitives::B256;
use phalanx_bls::{Point, Scalar, Variant};
use phalanx_types::OperatorIndex;
use sha2::{Digest, Sha512};
use zeroize::Zeroizing;

/// The length of a hash in a dealing. Unit: bytes.
pub(super) const HASH_BYTES: usize = 32;
/// SHA-512 takes this much at once: domain and context fill it, and are hashed once. Unit: bytes.
const BLOCK_BYTES: usize = 128;
const DOMAIN_BYTES: usize = BLOCK_BYTES - 2 * HASH_BYTES;

const CONTEXT: &[u8] = b"phalanx dealing 1: context";
const PAD: &[u8] = b"phalanx dealing 1: pad";
const BLINDING_PAD: &[u8] = b"phalanx dealing 1: pad of the blinding";
const ROW: &[u8] = b"phalanx dealing 1: row";
const COMMITMENT: &[u8] = b"phalanx dealing 1: commitment";
const TAU: &[u8] = b"phalanx dealing 1: tau";
const RHO: &[u8] = b"phalanx dealing 1: rho";
const CHALLENGE: &[u8] = b"phalanx dealing 1: challenge";
const CHOICES: &[u8] = b"phalanx dealing 1: choices";

/// What a dealing is for: the variant, the recipients, the ceremony and the dealer. Enters every hash, so
/// that nothing of a dealing means anything elsewhere.
pub(crate) struct Context {
    hash: [u8; HASH_BYTES],
    /// Domain and context hashed already: two of the most frequent.
    pad: Sha512,
    row: Sha512,
}

impl Context {
    pub(super) fn new<V: Variant>(recipients: &Recipients, ceremony: B256, dealer: OperatorIndex) -> Self {
        let mut hasher = begin(CONTEXT, &[0; HASH_BYTES]);
        for part in [V::NAME.as_bytes(), ceremony.as_slice(), &dealer.0.to_be_bytes()] {
            hasher.update(u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            hasher.update(part);
        }
        for number in [REPETITIONS, OPENED, recipients.size.n(), recipients.size.q()] {
            hasher.update(u64::try_from(number).unwrap_or(u64::MAX).to_be_bytes());
        }
        recipients.keys.iter().for_each(|key| hasher.update(key.as_bytes()));
        let hash = short(hasher);
        Self { hash, pad: begin(PAD, &hash), row: begin(ROW, &hash) }
    }

    /// `KDF(X25519(e, PKⱼ))`
    pub(super) fn pad(
        &self,
        ephemeral: &[u8; 32],
        key: &EncryptionKey,
        agreed: &[u8; 32],
        index: OperatorIndex,
    ) -> Zeroizing<Scalar> {
        let mut hasher = self.pad.clone();
        for part in [agreed.as_slice(), ephemeral, key.as_bytes(), &index.0.to_be_bytes()] {
            hasher.update(part);
        }
        Zeroizing::new(wide(hasher))
    }

    /// `KDF(e)`
    pub(super) fn blinding_pad(&self, exponent: &[u8; 32]) -> Scalar {
        wide(begin(BLINDING_PAD, &self.hash).chain_update(exponent))
    }

    pub(super) fn row(&self, blinder: &[u8; HASH_BYTES], masked: &[Scalar]) -> [u8; HASH_BYTES] {
        let mut hasher = self.row.clone();
        hasher.update(blinder);
        masked.iter().for_each(|value| hasher.update(value.to_bytes()));
        short(hasher)
    }
}

/// The dealer's first message, hashed.
pub(super) struct Commitment([u8; HASH_BYTES]);

impl Commitment {
    pub(super) fn new<V: Variant>(
        context: &Context,
        commitments: &[V::PublicKey],
        blinding: &V::PublicKey,
        repetitions: impl Iterator<Item = ([u8; 32], [u8; HASH_BYTES])>,
    ) -> Self {
        let mut hasher = begin(COMMITMENT, &context.hash);
        commitments.iter().chain([blinding]).for_each(|point| hasher.update(point.to_bytes()));
        for (ephemeral, row) in repetitions {
            hasher.update(ephemeral);
            hasher.update(row);
        }
        Self(short(hasher))
    }

    /// `τ`
    pub(super) fn tau(&self) -> Scalar {
        wide(begin(TAU, &self.0))
    }

    /// Joins the two sums of the verifier.
    pub(super) fn rho(&self) -> Scalar {
        wide(begin(RHO, &self.0))
    }

    /// What chooses the opened repetitions: a hash of this and the dealer's second message.
    pub(super) fn challenge(&self, response: &Scalar, sums: &[Scalar]) -> [u8; HASH_BYTES] {
        let mut hasher = begin(CHALLENGE, &self.0);
        hasher.update(response.to_bytes());
        sums.iter().for_each(|sum| hasher.update(sum.to_bytes()));
        short(hasher)
    }
}

/// What happens to a repetition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Choice {
    Opened,
    Closed,
}

/// Which repetitions are opened: the first [`OPENED`] places of a shuffle by the challenge.
pub(super) fn choices(challenge: &[u8; HASH_BYTES]) -> [Choice; REPETITIONS] {
    let mut words = Words { challenge, counter: 0, buffer: Vec::new() };
    let mut order: [usize; REPETITIONS] = core::array::from_fn(|index| index);
    let mut choices = [Choice::Closed; REPETITIONS];
    for place in 0..OPENED {
        let other = place + words.below(REPETITIONS - place);
        order.swap(place, other);
        choices[order[place]] = Choice::Opened;
    }
    choices
}

/// A stream of uniform numbers.
struct Words<'a> {
    challenge: &'a [u8; HASH_BYTES],
    counter: u64,
    buffer: Vec<u8>,
}

impl Words<'_> {
    /// Uniform below `bound`, which is small, by rejection.
    fn below(&mut self, bound: usize) -> usize {
        loop {
            if self.buffer.len() < 2 {
                let block = begin(CHOICES, self.challenge).chain_update(self.counter.to_be_bytes()).finalize();
                self.buffer = block.to_vec();
                self.counter += 1;
            }
            let word = usize::from(u16::from_be_bytes([self.buffer[0], self.buffer[1]]));
            self.buffer.drain(..2);
            if word < (1 << 16) / bound * bound {
                return word % bound;
            }
        }
    }
}

/// A hash that has taken domain and context: exactly one block.
fn begin(domain: &[u8], context: &[u8; HASH_BYTES]) -> Sha512 {
    let mut block = [0; BLOCK_BYTES];
    block[..domain.len()].copy_from_slice(domain);
    debug_assert!(domain.len() <= DOMAIN_BYTES, "a domain leaves room for the context");
    block[DOMAIN_BYTES..DOMAIN_BYTES + HASH_BYTES].copy_from_slice(context);
    Sha512::new().chain_update(block)
}

fn short(hasher: Sha512) -> [u8; HASH_BYTES] {
    let mut hash = [0; HASH_BYTES];
    hash.copy_from_slice(&hasher.finalize()[..HASH_BYTES]);
    hash
}

/// Uniform over the field of scalars but for a bias of 2⁻²⁵⁶.
fn wide(hasher: Sha512) -> Scalar {
    Scalar::from_wide(&Zeroizing::new(<[u8; 64]>::from(hasher.finalize()))[..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn choices_open_as_many_as_they_must_and_differ_between_challenges() {
        let mut counts = [0_u32; REPETITIONS];
        for seed in 0..200_u8 {
            let choices = choices(&[seed; HASH_BYTES]);
            assert_eq!(choices.iter().filter(|choice| **choice == Choice::Opened).count(), OPENED);
            for (count, choice) in counts.iter_mut().zip(choices) {
                *count += u32::from(choice == Choice::Opened);
            }
        }
        // Each is opened 58 times of 200 on average, with a standard deviation of 6.4.
        assert!(counts.iter().all(|count| (25..=95).contains(count)), "{counts:?}");
    }

    #[test]
    fn a_cheating_dealer_guesses_less_than_once_in_2_to_the_128() {
        let bits: f64 = (0..u32::try_from(OPENED).unwrap())
            .map(|step| {
                let repetitions = f64::from(u32::try_from(REPETITIONS).unwrap());
                ((repetitions - f64::from(step)) / f64::from(step + 1)).log2()
            })
            .sum();
        assert!(bits > 128.0, "{bits}");
    }
}
