//! What a ceremony is about, who takes part, and what comes of it.

use super::envelope::{CeremonyMessage, Envelope, Step};
use crate::dealing::{Dealing, EncryptionSecret, Recipients};
use crate::error::{MisuseError, PeerError};
use crate::identity::{Identity, IdentityKey};
use crate::keys::{PublicKey, SecretShare};
use crate::verified::Verified;
use alloy_primitives::B256;
use core::fmt;
use phalanx_bls::{Backend, Variant};
use phalanx_types::{IdentitySignature, OperatorIndex, SignatureBytes};
use std::sync::Arc;

/// Hashes what a ceremony made: the public key, and the share keys by operator index.
pub type Attest<V> = Arc<dyn Fn(&PublicKey<V>, &[PublicKey<V>]) -> B256 + Send + Sync>;

/// Decodes and verifies an operator's dealing.
pub(super) type Check<V> =
    Arc<dyn Fn(&[u8], OperatorIndex) -> Result<Arc<Verified<Dealing<V>>>, PeerError> + Send + Sync>;

/// What all operators of a ceremony agree on beforehand.
#[derive(Clone)]
pub struct Ceremony<V: Variant> {
    pub(super) id: B256,
    pub(super) identities: Vec<IdentityKey>,
    pub(super) recipients: Arc<Recipients>,
    pub(super) backend: Backend,
    pub(super) attest: Attest<V>,
    pub(super) check: Check<V>,
}

impl<V: Variant> Ceremony<V> {
    /// A ceremony: `id` names it (a hash of the definition), `identities` stand in the order of the recipients,
    /// `attest` makes of the outcome what all sign at the end.
    ///
    /// # Errors
    /// [`MisuseError::Count`] unless there are as many identities as recipients.
    pub fn new(
        id: B256,
        identities: Vec<IdentityKey>,
        recipients: Recipients,
        backend: Backend,
        attest: Attest<V>,
    ) -> Result<Self, MisuseError> {
        let expected = recipients.size().n();
        if identities.len() != expected {
            return Err(MisuseError::Count { what: "identities", actual: identities.len(), expected });
        }
        let recipients = Arc::new(recipients);
        let check: Check<V> = {
            let recipients = Arc::clone(&recipients);
            Arc::new(move |bytes, dealer| {
                Dealing::<V>::from_bytes(bytes)?.verify(backend, &recipients, id, dealer).map(Arc::new)
            })
        };
        Ok(Self { id, identities, recipients, backend, attest, check })
    }

    /// What names it.
    #[must_use]
    pub fn id(&self) -> B256 {
        self.id
    }
}

impl<V: Variant> fmt::Debug for Ceremony<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ceremony").field("id", &self.id).field("identities", &self.identities).finish_non_exhaustive()
    }
}

/// Who takes part.
#[derive(Debug)]
pub struct Participant {
    /// Its seat.
    pub index: OperatorIndex,
    /// Signs its steps.
    pub identity: Arc<Identity>,
    /// Decrypts its shares.
    pub encryption: EncryptionSecret,
}

/// What is to be done, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Make this durable before anything after it is sent.
    Store(Envelope),
    /// Send to one.
    Send(OperatorIndex, CeremonyMessage),
    /// Send to all others.
    Broadcast(CeremonyMessage),
}

/// Why a ceremony must stop: signed evidence against one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Abort {
    /// Who.
    pub culprit: OperatorIndex,
    /// What it did.
    pub reason: String,
    /// Its signed steps that show it.
    pub evidence: Vec<Envelope>,
}

/// What a ceremony made, as one operator has it.
pub struct Outcome<V: Variant> {
    /// The key.
    pub public_key: PublicKey<V>,
    /// By operator index.
    pub share_keys: Vec<PublicKey<V>>,
    /// One's own share.
    pub share: SecretShare,
    /// What all have signed.
    pub digest: B256,
    /// The new key's signature of it: made of a quorum's partials.
    pub signature: SignatureBytes,
    /// The identities' signatures of its [`attestation_digest`], by operator index.
    pub attestations: Vec<IdentitySignature>,
}

impl<V: Variant> fmt::Debug for Outcome<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outcome").field("public_key", &self.public_key).finish_non_exhaustive()
    }
}

/// How far a ceremony is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// These have not sent their step yet.
    Waiting(Step, Vec<OperatorIndex>),
    /// It must stop.
    Aborted(Abort),
    /// There is an outcome; these others may still need to be served.
    Finished(Vec<OperatorIndex>),
}
