//! Other operators under the same key: the old ones deal their shares to the new ones.
//!
//! The scheme is that of decision 0012. An old operator deals its share `sᵢ` by a polynomial `gᵢ` of degree `q' − 1` with
//! `gᵢ(0) = sᵢ`; any `q` such dealings make the new shares `s'ⱼ = Σ λᵢ gᵢ(j)`, and since `Σ λᵢ sᵢ` is the secret, the key
//! stays. Which dealings count is decided by the order in which consensus finalizes them: the first `q` valid ones, of
//! different dealers. With less than that at the deadline the change is dropped, and the old shares go on.
//!
//! Invariants: a pure function of what was ordered, so all replicas agree; dealings are publicly verifiable
//! ([`Dealing`]), so whatever is malformed, wrong or missing is so for everybody, and no share is ever published; the
//! threshold is that of the new set, computed. With one recipient its share is the whole secret.
//!
//! Left to others: who may propose a change, to order and to store dealings, when the new epoch begins, and to erase the
//! old shares.

use crate::dealing::{Dealing, EncryptionSecret, Recipients};
use crate::error::{MisuseError, PeerError};
use crate::keys::{PublicKey, SecretShare};
use crate::lagrange::lambdas;
use crate::scheme::bls::Bls;
use crate::verified::Verified;
use alloy_primitives::B256;
use core::fmt;
use phalanx_bls::{Backend, Scalar, Variant, Weights};
use phalanx_types::{ClusterSize, OperatorIndex};
use rand::CryptoRng;
use std::sync::Arc;
use zeroize::Zeroizing;

/// A change of operators that was decided on.
#[derive(Debug)]
pub struct Change<V: Variant> {
    id: B256,
    old: ClusterSize,
    public_key: PublicKey<V>,
    share_keys: Vec<PublicKey<V>>,
    recipients: Recipients,
    deadline: u64,
    backend: Backend,
}

impl<V: Variant> Change<V> {
    /// The change named `id`, from the operators with these share keys to the recipients. `deadline` is the last
    /// height whose block may order a dealing.
    ///
    /// # Errors
    /// [`MisuseError`] when the share keys are not those of a cluster with this public key.
    pub fn new(
        id: B256,
        public_key: PublicKey<V>,
        share_keys: Vec<PublicKey<V>>,
        recipients: Recipients,
        deadline: u64,
        backend: Backend,
    ) -> Result<Self, MisuseError> {
        let (what, actual) = ("share keys", share_keys.len());
        let old = ClusterSize::new(actual).ok_or(MisuseError::Count { what, actual, expected: 1 })?;
        Bls::new(backend, old, public_key, share_keys.clone())?;
        Ok(Self { id, old, public_key, share_keys, recipients, deadline, backend })
    }

    /// An old operator's dealing of its share, as bytes.
    ///
    /// # Errors
    /// [`MisuseError::NotOurSeat`] when the share is not that of its operator in the old set.
    pub fn deal(&self, rng: &mut dyn CryptoRng, share: &SecretShare) -> Result<Vec<u8>, MisuseError> {
        let index = share.index();
        if self.share_keys.get(index.as_usize()) != Some(&share.public_key()) {
            return Err(MisuseError::NotOurSeat(index));
        }
        let secret = Zeroizing::new(Scalar::from_bytes(&share.to_bytes()).map_err(|_| MisuseError::SecretShare)?);
        Ok(Dealing::<V>::of_secret(rng, &secret, &self.recipients, self.id, index).to_bytes())
    }

    /// Whether this is a dealing of its dealer's share: the same verdict everywhere. An operator checks so before it
    /// votes for a block that orders it.
    ///
    /// # Errors
    /// [`PeerError::Dealing`], which blames the dealer.
    pub fn check(&self, dealer: OperatorIndex, bytes: &[u8]) -> Result<Verified<Dealing<V>>, PeerError> {
        let key = self.share_keys.get(dealer.as_usize()).ok_or(PeerError::Dealing("its dealer has no share"))?;
        let dealing = Dealing::<V>::from_bytes(bytes)?;
        if dealing.public_key() != key.0 {
            return Err(PeerError::Dealing("it deals something else than the dealer's share"));
        }
        dealing.verify(self.backend, &self.recipients, self.id, dealer)
    }
}

/// How far a change is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Progress {
    /// Not enough have dealt; these have not.
    Dealing(Vec<OperatorIndex>),
    /// The dealings of the block at this height made it enough: the new shares are fixed.
    Fixed(u64),
    /// The deadline, this height, has passed without enough of them: the old epoch goes on.
    Dropped(u64),
}

/// The public keys that a change makes. The cluster's own stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewKeys<V: Variant> {
    /// The same as before.
    pub public_key: PublicKey<V>,
    /// By new operator index.
    pub share_keys: Vec<PublicKey<V>>,
}

/// One replica's view of a change: fed with what is final, in order.
pub struct Reshare<V: Variant> {
    change: Change<V>,
    /// Never more than the old quorum.
    dealings: Vec<(OperatorIndex, Arc<Verified<Dealing<V>>>)>,
    ended: Option<Progress>,
}

impl<V: Variant> Reshare<V> {
    /// Before anything was ordered.
    #[must_use]
    pub fn new(change: Change<V>) -> Self {
        Self { change, dealings: Vec::new(), ended: None }
    }

    /// The change itself.
    #[must_use]
    pub fn change(&self) -> &Change<V> {
        &self.change
    }

    /// Takes a dealing that the final block at `height` orders. What comes after the end changes nothing.
    ///
    /// # Errors
    /// [`PeerError::Dealing`] for one that does not count, which blames its dealer; nothing has changed then.
    pub fn order(&mut self, height: u64, dealer: OperatorIndex, bytes: &[u8]) -> Result<(), PeerError> {
        if let Some(before) = height.checked_sub(1) {
            self.pass(before);
        }
        if self.ended.is_some() {
            return Ok(());
        }
        if self.dealings.iter().any(|(known, _)| *known == dealer) {
            return Err(PeerError::Dealing("its dealer has dealt already"));
        }
        let dealing = self.change.check(dealer, bytes)?;
        self.dealings.push((dealer, Arc::new(dealing)));
        if self.dealings.len() == self.change.old.q() {
            self.ended = Some(Progress::Fixed(height));
        }
        Ok(())
    }

    /// The block at `height` is final, with all that it orders.
    pub fn pass(&mut self, height: u64) {
        if self.ended.is_none() && height >= self.change.deadline {
            self.ended = Some(Progress::Dropped(self.change.deadline));
        }
    }

    /// How far it is.
    #[must_use]
    pub fn progress(&self) -> Progress {
        let dealt = |index: &OperatorIndex| self.dealings.iter().any(|(dealer, _)| dealer == index);
        let missing = || self.change.old.operators().filter(|index| !dealt(index)).collect();
        self.ended.clone().unwrap_or_else(|| Progress::Dealing(missing()))
    }

    fn is_fixed(&self) -> bool {
        matches!(self.ended, Some(Progress::Fixed(_)))
    }

    fn dealers(&self) -> Vec<OperatorIndex> {
        self.dealings.iter().map(|(dealer, _)| *dealer).collect()
    }

    /// The new keys, once they are fixed.
    #[must_use]
    pub fn keys(&self) -> Option<NewKeys<V>> {
        if !self.is_fixed() {
            return None;
        }
        let weights = Weights::from_scalars(&lambdas(&self.dealers()));
        let share_keys = self.change.recipients.size().operators().map(|index| {
            let keys: Vec<_> = self.dealings.iter().map(|(_, dealing)| dealing.share_key(index)).collect();
            PublicKey(
                V::sum_keys(self.change.backend, &keys, &weights)
                    .expect("dealers know what they deal, so a sum with an honest part is zero once in 2²⁵⁴"),
            )
        });
        Some(NewKeys { public_key: self.change.public_key, share_keys: share_keys.collect() })
    }

    /// The share of the new operator `index`, whose secret this is, once it is fixed.
    ///
    /// # Errors
    /// [`MisuseError::NotOurSeat`] when the secret is not that operator's.
    pub fn share(&self, index: OperatorIndex, secret: &EncryptionSecret) -> Result<Option<SecretShare>, MisuseError> {
        let (change, recipients) = (&self.change, &self.change.recipients);
        if recipients.keys().get(index.as_usize()) != Some(&secret.public()) {
            return Err(MisuseError::NotOurSeat(index));
        }
        if !self.is_fixed() {
            return Ok(None);
        }
        let mut sum = Zeroizing::new(Scalar::ZERO);
        for ((dealer, dealing), lambda) in self.dealings.iter().zip(lambdas(&self.dealers())) {
            let part = dealing
                .decrypt(recipients, change.id, *dealer, index, secret)
                .expect("a dealing that verifies gives every recipient its share");
            *sum = *sum + lambda * *part;
        }
        SecretShare::from_scalar(index, &sum).map(Some)
    }
}

impl<V: Variant> fmt::Debug for Reshare<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reshare")
            .field("id", &self.change.id)
            .field("progress", &self.progress())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
