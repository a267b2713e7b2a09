//! Publicly verifiable dealings: one operator shares a secret among the operators of a set, so that
//! *everybody* can check that every one of them can decrypt its share. Key generation and resharing both
//! use it, and neither needs a complaint that reveals a share.
//!
//! # The scheme
//! The dealer has a secret polynomial `f` of degree `q − 1`; operator `j` (from 1) is to have `f(j)`. Its
//! commitments are `Sⱼ = g^f(j)`, `j = 0…n`, in the group of public keys (Feldman, by values instead of
//! coefficients; that they lie on one polynomial of the right degree is checked with a word of the dual
//! code, as in SCRAPE, eprint 2017/216). What is encrypted is proved by *cut and choose*, after Camenisch
//! and Damgård, "Verifiable encryption…" (ASIACRYPT 2000), with many recipients at once:
//!
//! 1. The dealer draws `b` and commits to it with `B = g^b`. For each of [`REPETITIONS`] repetitions `k` it
//!    draws an X25519 key `eₖ`, and with it a one-time pad for each recipient,
//!    `pₖⱼ = KDF(X25519(eₖ, PKⱼ))`, and one for `b`, `pₖ₀ = KDF(eₖ)`. The row `zₖⱼ = f(j) + pₖⱼ`,
//!    `zₖ₀ = b + pₖ₀` is hashed: `hₖ`. The challenge `τ` is a hash of all `S`, `B`, `Eₖ` and `hₖ`.
//! 2. It publishes `φ = b + Σ τʲ f(j)`. With the sums of pads `aₖ = pₖ₀ + Σ τʲ pₖⱼ`, a hash of everything
//!    chooses [`OPENED`] of the repetitions.
//! 3. Of those it reveals `eₖ`: everybody recomputes their pads and `aₖ`. Of the others it reveals the row
//!    `zₖ`: everybody computes `aₖ = zₖ₀ + Σ τʲ zₖⱼ − φ`. The hash must come out as it was, and
//!    `g^φ = B·Π Sⱼ^(τʲ)`.
//!
//! *Sound*: rows, pads and `f` are fixed before `τ`. A row that was not opened, but could have been, satisfies
//! the linear equation for a random `τ` only if every one of its entries is the share and its pad, except with
//! probability `n / 2²⁵⁴`; and that no such row is left means that the dealer guessed the opened set, one of
//! `C(152, 44) > 2¹²⁸`. One good row gives each operator its share. *Secret*: opened pads say nothing
//! about rows that stay hidden behind a hash with 32 random bytes; a published row is a one-time pad for whoever
//! does not have `eₖ` or the recipient's secret; `φ` is blinded by `b`. Assumptions: computational
//! Diffie-Hellman on Curve25519 (gap), discrete logarithms in BLS12-381, and SHA-512 as a random oracle. The
//! argument in full: `docs/decisions/0011-dealings.md`.
//!
//! Invariants: whether a dealing verifies is a function of its bytes, the recipients and the context, with no
//! randomness of the verifier, so that all agree on it; shares leave this module as [`Zeroizing`] scalars only.

mod encryption;
mod rows;
mod transcript;
mod wire;

pub use encryption::{ENCRYPTION_KEY_BYTES, EncryptionKey, EncryptionSecret};
pub use wire::DEALING_BYTES_MAX;

use crate::dealer::Polynomial;
use crate::error::PeerError;
use crate::lagrange::dual_weights;
use crate::verified::Verified;
use alloy_primitives::B256;
use core::fmt;
use curve25519_dalek::edwards::EdwardsBasepointTable;
use phalanx_bls::{Backend, Scalar, SecretKey, Variant, Weights};
use phalanx_types::{ClusterSize, OperatorIndex};
use rand::CryptoRng;
use rows::{Opening, Row, Seed};
use transcript::{Choice, Commitment, Context, HASH_BYTES};
use zeroize::Zeroizing;

/// How many times the shares are encrypted.
pub const REPETITIONS: usize = 152;
/// How many of them are opened. `C(152, 44)` is the least above `2¹²⁸` for this many openings, which is what
/// verification costs; fewer openings need more repetitions, which is what a dealing's bytes cost.
pub const OPENED: usize = 44;
const CLOSED: usize = REPETITIONS - OPENED;

/// Those who receive shares: their number fixes the threshold, their keys what they can read.
pub struct Recipients {
    size: ClusterSize,
    keys: Vec<EncryptionKey>,
    /// Multiples of each key: every dealing multiplies the same keys, by [`OPENED`] or more numbers.
    tables: Vec<EdwardsBasepointTable>,
}

impl Recipients {
    /// The recipients by operator index. `None` unless there are 1 to `OPERATORS_MAX` of them.
    #[must_use]
    pub fn new(keys: Vec<EncryptionKey>) -> Option<Self> {
        let size = ClusterSize::new(keys.len())?;
        let tables = keys.iter().map(EncryptionKey::table).collect();
        Some(Self { size, keys, tables })
    }

    /// How many they are.
    #[must_use]
    pub fn size(&self) -> ClusterSize {
        self.size
    }

    /// Their keys.
    #[must_use]
    pub fn keys(&self) -> &[EncryptionKey] {
        &self.keys
    }
}

impl fmt::Debug for Recipients {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Recipients").field("keys", &self.keys).finish_non_exhaustive()
    }
}

/// One operator's dealing. Public.
#[derive(Clone, PartialEq, Eq)]
pub struct Dealing<V: Variant> {
    /// `S₀ … Sₙ`
    commitments: Vec<V::PublicKey>,
    /// `B`
    blinding: V::PublicKey,
    /// `φ`
    response: Scalar,
    /// What chose the opened ones.
    challenge: [u8; HASH_BYTES],
    /// In order; which are opened follows from the challenge.
    opened: Vec<Opening>,
    closed: Vec<Row>,
}

impl<V: Variant> Dealing<V> {
    /// Deals a fresh random secret.
    #[must_use]
    pub fn random(rng: &mut dyn CryptoRng, recipients: &Recipients, ceremony: B256, dealer: OperatorIndex) -> Self {
        loop {
            // A share of zero comes up about once in 2²⁴⁵ dealings.
            let polynomial = Polynomial::random(rng, recipients.size.q());
            if let Some(dealing) = Self::of(rng, &polynomial, recipients, ceremony, dealer) {
                return dealing;
            }
        }
    }

    /// Deals a secret that is there already, and not zero.
    pub(crate) fn of_secret(
        rng: &mut dyn CryptoRng,
        secret: &Scalar,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
    ) -> Self {
        loop {
            let polynomial = Polynomial::through(rng, secret, recipients.size.q());
            if let Some(dealing) = Self::of(rng, &polynomial, recipients, ceremony, dealer) {
                return dealing;
            }
        }
    }

    /// Deals a polynomial's values; `None` when one is zero.
    fn of(
        rng: &mut dyn CryptoRng,
        polynomial: &Polynomial,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
    ) -> Option<Self> {
        let shares: Zeroizing<Vec<Scalar>> =
            Zeroizing::new(recipients.size.operators().map(|index| *polynomial.share(index)).collect());
        let secret = Zeroizing::new(polynomial.at(Scalar::ZERO));
        let commitments = core::iter::once(&*secret).chain(shares.iter()).map(commit::<V>).collect::<Option<_>>()?;
        Self::prove(rng, commitments, &shares, recipients, &Context::new::<V>(recipients, ceremony, dealer))
    }

    /// Encrypts shares and proves that they are what the commitments are to. (If they are not, the proof
    /// fails.)
    fn prove(
        rng: &mut dyn CryptoRng,
        commitments: Vec<V::PublicKey>,
        shares: &[Scalar],
        recipients: &Recipients,
        context: &Context,
    ) -> Option<Self> {
        let blind = Zeroizing::new(Scalar::random(rng));
        let blinding = commit::<V>(&blind)?;
        let seeds: Vec<Seed> = (0..REPETITIONS).map(|_| Seed::random(rng)).collect();
        let pads = rows::pads(context, recipients, &seeds.iter().map(Seed::scalar).collect::<Vec<_>>());
        let rows: Vec<Row> = seeds.iter().zip(&pads).map(|(seed, pads)| seed.row(pads, &blind, shares)).collect();
        let hashes: Vec<_> = rows.iter().map(|row| row.hash(context)).collect();
        let repetitions = pads.iter().zip(&hashes).map(|(pads, hash)| (pads.ephemeral, *hash));
        let commitment = Commitment::new::<V>(context, &commitments, &blinding, repetitions);
        let tau = commitment.tau();
        let response = *blind + rows::at(shares, tau);
        let sums: Vec<Scalar> = pads.iter().map(|pads| pads.sum(tau)).collect();
        let challenge = commitment.challenge(&response, &sums);
        let (mut opened, mut closed) = (Vec::with_capacity(OPENED), Vec::with_capacity(CLOSED));
        for (((choice, seed), row), hash) in transcript::choices(&challenge).iter().zip(&seeds).zip(rows).zip(hashes) {
            match choice {
                Choice::Opened => opened.push(Opening { scalar: *seed.scalar(), hash }),
                Choice::Closed => closed.push(row),
            }
        }
        Some(Self { commitments, blinding, response, challenge, opened, closed })
    }

    /// Checks the dealing of `dealer` in `ceremony`: everybody comes to the same verdict.
    ///
    /// # Errors
    /// [`PeerError::Dealing`], which blames the dealer.
    pub fn verify(
        self,
        backend: Backend,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
    ) -> Result<Verified<Self>, PeerError> {
        if self.commitments.len() != recipients.size.n() + 1 {
            return Err(PeerError::Dealing("it is for another number of operators"));
        }
        let context = Context::new::<V>(recipients, ceremony, dealer);
        let (commitment, tau, sums) = self.replay(recipients, &context);
        if commitment.challenge(&self.response, &sums) != self.challenge {
            return Err(PeerError::Dealing("the proof that its shares are encrypted fails"));
        }
        if !self.commitments_hold(backend, recipients.size, tau, commitment.rho()) {
            return Err(PeerError::Dealing("its commitments are not to one polynomial, or not to what is encrypted"));
        }
        Ok(Verified::new(self))
    }

    /// The dealer's messages as a verifier computes them: the first, its challenge, and the sums of pads.
    fn replay(&self, recipients: &Recipients, context: &Context) -> (Commitment, Scalar, Vec<Scalar>) {
        let scalars: Vec<_> = self.opened.iter().map(|opening| &opening.scalar).collect();
        let pads = rows::pads(context, recipients, &scalars);
        let choices = transcript::choices(&self.challenge);
        let (mut opened, mut closed) = (self.opened.iter().zip(&pads), self.closed.iter());
        let repetitions = choices.iter().filter_map(|choice| match choice {
            Choice::Opened => opened.next().map(|(opening, pads)| (pads.ephemeral, opening.hash)),
            Choice::Closed => closed.next().map(|row| (row.ephemeral, row.hash(context))),
        });
        let commitment = Commitment::new::<V>(context, &self.commitments, &self.blinding, repetitions);
        let tau = commitment.tau();
        let (mut opened, mut closed) = (pads.iter(), self.closed.iter());
        let sums = choices.iter().filter_map(|choice| match choice {
            Choice::Opened => opened.next().map(|pads| pads.sum(tau)),
            Choice::Closed => closed.next().map(|row| row.sum(tau) - self.response),
        });
        (commitment, tau, sums.collect())
    }

    /// `B·Π Sⱼ^(τʲ) = g^φ`, and the commitments are values of one polynomial of degree `q − 1`: two sums that
    /// must be infinity, the second under a random factor.
    fn commitments_hold(&self, backend: Backend, size: ClusterSize, tau: Scalar, rho: Scalar) -> bool {
        let dual = dual_weights(size.n(), size.q(), rho);
        let mut power = Scalar::one();
        let mut weights = vec![rho * dual[0]];
        for dual in &dual[1..] {
            power = power * tau;
            weights.push(power + rho * *dual);
        }
        weights.extend([Scalar::one(), -self.response]);
        let mut points = self.commitments.clone();
        points.extend([self.blinding, generator::<V>()]);
        V::sum_keys(backend, &points, &Weights::from_scalars(&weights)).is_none()
    }

    /// The public key of what is shared: `S₀`.
    #[must_use]
    pub fn public_key(&self) -> V::PublicKey {
        self.commitments[0]
    }

    /// The public key of an operator's share.
    ///
    /// # Panics
    /// When it is none of the recipients.
    #[must_use]
    pub fn share_key(&self, index: OperatorIndex) -> V::PublicKey {
        self.commitments[index.as_usize() + 1]
    }
}

impl<V: Variant> Verified<Dealing<V>> {
    /// The share of operator `index`, whose secret this is. `None` only if the secret is not its.
    #[must_use]
    pub fn decrypt(
        &self,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
        index: OperatorIndex,
        secret: &EncryptionSecret,
    ) -> Option<Zeroizing<Scalar>> {
        let context = Context::new::<V>(recipients, ceremony, dealer);
        let key = &recipients.keys[index.as_usize()];
        let expected = self.share_key(index);
        // The first row of an honest dealer will do; a dishonest one left at least one good one.
        self.closed.iter().find_map(|row| {
            let pad = context.pad(&row.ephemeral, key, &secret.agree(&row.ephemeral), index);
            let share = Zeroizing::new(row.masked[rows::column(index)] - *pad);
            (commit::<V>(&share) == Some(expected)).then_some(share)
        })
    }
}

#[cfg(test)]
impl<V: Variant> Dealing<V> {
    /// A dealer that encrypts a wrong share to one recipient, and otherwise follows the protocol.
    pub(crate) fn wrong_share(
        rng: &mut dyn CryptoRng,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
        victim: OperatorIndex,
    ) -> Self {
        let secret = Scalar::random(rng);
        Self::wrong_share_of(rng, &secret, recipients, ceremony, dealer, victim)
    }

    /// The same, of this secret.
    pub(crate) fn wrong_share_of(
        rng: &mut dyn CryptoRng,
        secret: &Scalar,
        recipients: &Recipients,
        ceremony: B256,
        dealer: OperatorIndex,
        victim: OperatorIndex,
    ) -> Self {
        let polynomial = Polynomial::through(rng, secret, recipients.size.q());
        let mut shares: Vec<Scalar> = recipients.size.operators().map(|index| *polynomial.share(index)).collect();
        let commitments = core::iter::once(&polynomial.at(Scalar::ZERO))
            .chain(&shares)
            .map(|value| commit::<V>(value).expect("not zero"))
            .collect();
        shares[victim.as_usize()] = shares[victim.as_usize()] + Scalar::one();
        let context = Context::new::<V>(recipients, ceremony, dealer);
        Self::prove(rng, commitments, &shares, recipients, &context).expect("not zero")
    }
}

impl<V: Variant> fmt::Debug for Dealing<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Dealing").field("public_key", &self.commitments[0]).finish_non_exhaustive()
    }
}

/// `g^x`; `None` of zero. Constant time.
fn commit<V: Variant>(value: &Scalar) -> Option<V::PublicKey> {
    SecretKey::from_scalar(value).ok().map(|secret| V::public_key(&secret))
}

fn generator<V: Variant>() -> V::PublicKey {
    commit::<V>(&Scalar::one()).expect("one is not zero")
}

#[cfg(test)]
mod tests;
