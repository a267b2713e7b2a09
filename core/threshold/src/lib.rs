//! Threshold signatures over votes, identity signatures over proposals, and [`Verified`], the only way
//! into the engine.
//!
//! Invariants: a [`Verified`] value is made here and nowhere else, after its signature was checked (or
//! by signing it ourselves); errors name who is at fault ([`PeerError`]: whoever sent it,
//! [`MisuseError`]: whoever called or configured). Randomness is an argument; nothing is secret-dependent
//! but signing, which is constant time through `phalanx-bls`; secrets are wiped when dropped.
//!
//! Left to others: which votes to collect and when to give up on a peer (`phalanx-pipeline`), whether a
//! verified value is correctly placed (`phalanx-consensus`), where keys rest (the node).
#![forbid(unsafe_code)]

mod dealer;
mod dealing;
mod digest;
pub mod dkg;
mod error;
mod identity;
mod keys;
mod lagrange;
pub mod reshare;
mod scheme;
mod verified;
mod verifier;

pub use dealer::{Deal, deal};
pub use dealing::{
    DEALING_BYTES_MAX, Dealing, ENCRYPTION_KEY_BYTES, EncryptionKey, EncryptionSecret, OPENED, REPETITIONS, Recipients,
};
pub use digest::{DOMAIN_NAME, DOMAIN_VERSION, Domain, digest, proposal_digest};
pub use error::{MisuseError, PeerError};
pub use identity::{Identity, IdentityKey};
pub use keys::{ClusterPublicKey, PublicKey, SecretShare, SharePublicKey};
pub use rand::CryptoRng;
pub use scheme::bls::{Bls, BlsMinPk, BlsMinSig, BlsSigner};
#[cfg(feature = "toy-scheme")]
pub use scheme::toy;
pub use scheme::{Partial, PartialSigner, Partials, ThresholdScheme};
pub use verified::Verified;
pub use verifier::{BATCH_ITEMS_MAX, Ballot, Certified, Verifier};
