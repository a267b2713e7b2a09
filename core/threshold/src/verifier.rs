//! The verify stage's work: from decoded values to [`Verified`] ones, in batches, cheapest first.
//!
//! Invariants: nothing leaves as `Verified` whose signature was not checked here; a culprit is named only
//! after its own partial failed its own check. What is said about other fields (placement, justification)
//! is the engine's to judge.

use crate::digest::{Domain, digest};
use crate::error::{MisuseError, PeerError};
use crate::identity::{Identity, IdentityKey};
use crate::scheme::{Partial, Partials, ThresholdScheme};
use crate::verified::Verified;
use alloy_primitives::B256;
use phalanx_types::{
    Certificate, ClusterSize, Equivocation, OperatorIndex, Position, Proposal, SignatureBytes, UnsignedProposal, Vote,
};
use rand::CryptoRng;
use std::sync::Arc;

/// The most items that are checked as one batch; a longer call is done in several. Unit: items.
pub const BATCH_ITEMS_MAX: usize = 1_024;

/// One vote with the partials that arrived for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ballot {
    /// What they say.
    pub vote: Vote,
    /// Who said it, and the partial. Nothing is certified by fewer than `q`. The first of an operator's
    /// partials counts, and indexes outside the cluster do not.
    pub partials: Vec<(OperatorIndex, Partial)>,
}

/// What became of a [`Ballot`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certified {
    /// The certificate, when `q` good partials were there.
    pub certificate: Option<Verified<Certificate>>,
    /// Whose partials are bad, each by its own check. Empty when recovery succeeded at once, though then
    /// too a partial that was not needed may be bad.
    pub culprits: Vec<OperatorIndex>,
    /// When there are culprits, the partials that are good, each by its own check: keep these when there is
    /// no certificate yet. Empty otherwise.
    pub good: Vec<(OperatorIndex, Partial)>,
}

/// Checks everything that comes from peers of one cluster in one epoch.
#[derive(Clone, Debug)]
pub struct Verifier {
    domain: Domain,
    size: ClusterSize,
    scheme: Arc<dyn ThresholdScheme>,
    identities: Vec<IdentityKey>,
}

impl Verifier {
    /// A verifier for a cluster.
    ///
    /// # Errors
    /// [`MisuseError::Count`] when there is not one identity for each operator.
    pub fn new(
        domain: Domain,
        size: ClusterSize,
        scheme: Arc<dyn ThresholdScheme>,
        identities: Vec<IdentityKey>,
    ) -> Result<Self, MisuseError> {
        if identities.len() != size.n() {
            return Err(MisuseError::Count { what: "identity keys", actual: identities.len(), expected: size.n() });
        }
        Ok(Self { domain, size, scheme, identities })
    }

    /// For which chain and cluster.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.domain
    }

    /// How many operators.
    #[must_use]
    pub fn size(&self) -> ClusterSize {
        self.size
    }

    /// With which scheme.
    #[must_use]
    pub fn scheme(&self) -> &Arc<dyn ThresholdScheme> {
        &self.scheme
    }

    /// The identity of an operator; `None` outside the cluster.
    #[must_use]
    pub fn identity(&self, operator: OperatorIndex) -> Option<&IdentityKey> {
        self.identities.get(operator.as_usize())
    }

    /// Checks certificates as one batch, each to its own verdict, in order.
    pub fn certificates(
        &self,
        rng: &mut dyn CryptoRng,
        certificates: Vec<Certificate>,
    ) -> Vec<Result<Verified<Certificate>, PeerError>> {
        certificates.chunks(BATCH_ITEMS_MAX).flat_map(|batch| self.certificates_batch(rng, batch)).collect()
    }

    fn certificates_batch(
        &self,
        rng: &mut dyn CryptoRng,
        batch: &[Certificate],
    ) -> Vec<Result<Verified<Certificate>, PeerError>> {
        let items: Vec<(B256, SignatureBytes)> = batch
            .iter()
            .filter(|certificate| certificate.vote.is_well_formed())
            .map(|certificate| (digest(&self.domain, &certificate.vote), certificate.signature))
            .collect();
        let mut verdicts = self.scheme.verify(rng, &items).into_iter();
        batch
            .iter()
            .map(|certificate| {
                if !certificate.vote.is_well_formed() {
                    return Err(PeerError::VoteMalformed);
                }
                let good = verdicts.next().expect("a scheme gives one verdict for each item");
                if good { Ok(Verified::new(*certificate)) } else { Err(PeerError::Signature) }
            })
            .collect()
    }

    /// Makes certificates out of partials, each ballot to its own result, in order: [`Self::recover`], and where that
    /// fails [`Self::find_culprits`].
    pub fn certify(&self, rng: &mut dyn CryptoRng, ballots: Vec<Ballot>) -> Vec<Certified> {
        let recovered = self.recover(rng, &ballots);
        ballots
            .iter()
            .zip(recovered)
            .map(|(ballot, certificate)| match certificate {
                None => self.find_culprits(rng, ballot),
                certificate => Certified { certificate, culprits: Vec::new(), good: Vec::new() },
            })
            .collect()
    }

    /// Makes certificates out of partials, each ballot to its own result, in order.
    ///
    /// The first `q` partials of a ballot are combined without a check of their own, and the signatures so
    /// recovered are checked together. Nothing where there are fewer, or where one of them is bad.
    pub fn recover(&self, rng: &mut dyn CryptoRng, ballots: &[Ballot]) -> Vec<Option<Verified<Certificate>>> {
        ballots.chunks(BATCH_ITEMS_MAX).flat_map(|batch| self.recover_batch(rng, batch)).collect()
    }

    fn recover_batch(&self, rng: &mut dyn CryptoRng, batch: &[Ballot]) -> Vec<Option<Verified<Certificate>>> {
        let quorum = self.size.q();
        let admitted: Vec<Vec<(OperatorIndex, Partial)>> = batch.iter().map(|ballot| self.admit(ballot)).collect();
        let items: Vec<Partials<'_>> = batch
            .iter()
            .zip(&admitted)
            .filter(|(_, partials)| partials.len() >= quorum)
            .map(|(ballot, partials)| Partials {
                digest: digest(&self.domain, &ballot.vote),
                partials: &partials[..quorum],
            })
            .collect();
        let mut recovered = self.scheme.recover(rng, &items).into_iter();
        let signed = |(ballot, partials): (&Ballot, &Vec<_>)| {
            if partials.len() < quorum {
                return None;
            }
            let signature = recovered.next().expect("a scheme gives one result for each item")?;
            Some(Verified::new(Certificate { vote: ballot.vote, signature }))
        };
        batch.iter().zip(&admitted).map(signed).collect()
    }

    /// One partial for each operator, of operators only; none at all under a malformed vote. The first `q`
    /// are in the order of indexes, so that equal sets of signers look equal.
    fn admit(&self, ballot: &Ballot) -> Vec<(OperatorIndex, Partial)> {
        if !ballot.vote.is_well_formed() {
            return Vec::new();
        }
        let mut seen = vec![false; self.size.n()];
        let mut partials: Vec<_> = ballot
            .partials
            .iter()
            .filter(|(signer, _)| seen.get_mut(signer.as_usize()).is_some_and(|seen| !core::mem::replace(seen, true)))
            .copied()
            .collect();
        let first = partials.len().min(self.size.q());
        partials[..first].sort_unstable_by_key(|(signer, _)| *signer);
        partials
    }

    /// Bisects the partials of a ballot whose recovery failed, names the culprits, and recovers the signature from
    /// good ones if there are `q`. A ballot with fewer partials is not looked at.
    pub fn find_culprits(&self, rng: &mut dyn CryptoRng, ballot: &Ballot) -> Certified {
        let (vote, partials) = (ballot.vote, self.admit(ballot));
        if partials.len() < self.size.q() {
            return Certified { certificate: None, culprits: Vec::new(), good: Vec::new() };
        }
        let digest = digest(&self.domain, &vote);
        let verdicts = self.scheme.verify_partials(rng, Partials { digest, partials: &partials });
        let mut good = Vec::with_capacity(partials.len());
        let mut culprits = Vec::new();
        for (partial, verdict) in partials.iter().zip(verdicts) {
            if verdict {
                good.push(*partial);
            } else {
                culprits.push(partial.0);
            }
        }
        let quorum = self.size.q();
        let signature = if good.len() < quorum {
            None
        } else {
            let item = Partials { digest, partials: &good[..quorum] };
            self.scheme.recover(rng, &[item]).pop().flatten()
        };
        let certificate = signature.map(|signature| Verified::new(Certificate { vote, signature }));
        Certified { certificate, culprits, good }
    }

    /// Checks that a proposal is by the leader of its term, and its signature.
    ///
    /// The justification is *not* checked: its certificates are hints, to be checked with
    /// [`Self::certificates`] before they are believed.
    ///
    /// # Errors
    /// [`PeerError::NotLeader`] or [`PeerError::IdentitySignature`].
    pub fn proposal(&self, proposal: Proposal) -> Result<Verified<Proposal>, PeerError> {
        self.leads(proposal.leader, proposal.header.position)?;
        self.signed(proposal.leader, &proposal.header, &proposal.signature)?;
        Ok(Verified::new(proposal))
    }

    /// Checks that one leader signed two different headers for one position of its own.
    ///
    /// # Errors
    /// [`PeerError::DifferentPositions`], [`PeerError::SameProposal`], [`PeerError::NotLeader`] or
    /// [`PeerError::IdentitySignature`].
    pub fn equivocation(&self, evidence: Equivocation) -> Result<Verified<Equivocation>, PeerError> {
        let Equivocation { leader, first, first_signature, second, second_signature } = &evidence;
        if first.position != second.position {
            return Err(PeerError::DifferentPositions(first.position, second.position));
        }
        if first == second {
            return Err(PeerError::SameProposal(first.position));
        }
        self.leads(*leader, first.position)?;
        self.signed(*leader, first, first_signature)?;
        self.signed(*leader, second, second_signature)?;
        Ok(Verified::new(evidence))
    }

    /// Signs a proposal of our own, which so is verified.
    ///
    /// # Errors
    /// [`MisuseError::NotOurTerm`] when the identity is not that of the position's leader.
    pub fn own_proposal(
        &self,
        identity: &Identity,
        header: UnsignedProposal,
        justification: Vec<Certificate>,
    ) -> Result<Verified<Proposal>, MisuseError> {
        let leader = self.size.leader(header.position.term);
        if self.identity(leader) != Some(&identity.public()) {
            return Err(MisuseError::NotOurTerm { position: header.position, leader });
        }
        Ok(Verified::new(identity.sign_proposal(&self.domain, leader, header, justification)))
    }

    fn leads(&self, operator: OperatorIndex, position: Position) -> Result<(), PeerError> {
        let expected = self.size.leader(position.term);
        if operator == expected { Ok(()) } else { Err(PeerError::NotLeader { position, expected, actual: operator }) }
    }

    fn signed(
        &self,
        operator: OperatorIndex,
        header: &UnsignedProposal,
        signature: &phalanx_types::IdentitySignature,
    ) -> Result<(), PeerError> {
        let valid = self.identity(operator).is_some_and(|key| key.verifies(&self.domain, header, signature));
        if valid { Ok(()) } else { Err(PeerError::IdentitySignature(operator)) }
    }
}
