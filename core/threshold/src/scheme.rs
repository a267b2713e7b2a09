//! What a threshold signature scheme does, as a port: the protocol above knows digests, operator indexes
//! and bytes, never points.
//!
//! Invariant: an implementation is deterministic in its arguments (randomness included), and never calls
//! a wrong signature right except with probability 2⁻⁶³ for each batch, over the randomness injected.

pub(crate) mod bls;
pub(crate) mod partial;
#[cfg(feature = "toy-scheme")]
pub mod toy;

use alloy_primitives::B256;
use core::fmt;
pub use partial::Partial;
use phalanx_types::{OperatorIndex, SignatureBytes};
use rand::CryptoRng;

/// A threshold scheme with the public keys of one cluster: `q` partials of one digest make its signature.
///
/// Methods that take partials of *one* digest take at most one for each operator; indexes lie within the
/// cluster. [`Verifier`](crate::Verifier) sees to it.
pub trait ThresholdScheme: Send + Sync + fmt::Debug {
    /// The name that the cluster file and `seq_clusterStatus` show.
    fn name(&self) -> &'static str;

    /// Whether each signature is the cluster's over its digest. One batch; only a failure is bisected.
    fn verify(&self, rng: &mut dyn CryptoRng, items: &[(B256, SignatureBytes)]) -> Vec<bool>;

    /// Decodes partials ahead of their recovery, all of them together; whether each has the form of one. Their
    /// subgroup is not checked: recovery does that to its result. What is decoded already is left alone.
    fn decode(&self, partials: &mut [Partial]) -> Vec<bool>;

    /// Recovers the signature of each digest from *exactly* `q` of its partials, which need no check of
    /// their own, and checks the results together. `None` where the result is no signature: then some
    /// partial of that item is bad.
    fn recover(&self, rng: &mut dyn CryptoRng, items: &[Partials<'_>]) -> Vec<Option<SignatureBytes>>;

    /// Whether each partial of one digest is its operator's: bisected, on the understanding that
    /// [`Self::recover`] failed and so some partial is bad.
    fn verify_partials(&self, rng: &mut dyn CryptoRng, item: Partials<'_>) -> Vec<bool>;
}

/// Partials of one digest.
#[derive(Clone, Copy, Debug)]
pub struct Partials<'a> {
    /// What they sign.
    pub digest: B256,
    /// Who signed, and the partial.
    pub partials: &'a [(OperatorIndex, Partial)],
}

/// An operator's side: makes partials with its share.
pub trait PartialSigner: Send + Sync + fmt::Debug {
    /// Whose share it is.
    fn index(&self) -> OperatorIndex;

    /// The partial of a digest. Constant time in the share.
    fn sign(&self, digest: &B256) -> SignatureBytes;
}
