//! Keys of a cluster under the toy scheme, dealt once for each size.

use phalanx_threshold::{Ballot, Domain, Identity, PartialSigner, Verified, Verifier, digest, toy};
use phalanx_types::{
    B256, Certificate, ClusterId, ClusterSize, OperatorIndex, Position, Proposal, SignedVote, UnsignedProposal, Vote,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

#[derive(Clone, Debug)]
pub(crate) struct Keys {
    pub(crate) verifier: Arc<Verifier>,
    signers: Arc<Vec<toy::ToySigner>>,
    identities: Arc<Vec<Identity>>,
}

impl Keys {
    pub(crate) fn new(n: usize) -> Self {
        let size = ClusterSize::new(n).unwrap();
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let (scheme, signers) = toy::deal(&mut rng, size);
        let identities: Vec<Identity> = size.operators().map(|_| Identity::generate(&mut rng)).collect();
        let public = identities.iter().map(Identity::public).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, Arc::new(scheme), public).unwrap();
        Self { verifier: Arc::new(verifier), signers: Arc::new(signers), identities: Arc::new(identities) }
    }

    pub(crate) fn sign(&self, signer: OperatorIndex, vote: Vote) -> SignedVote {
        let partial = self.signers[signer.as_usize()].sign(&digest(self.verifier.domain(), &vote));
        SignedVote { vote, signer, partial }
    }

    /// The certificate that `votes` for one thing make, if they are a quorum.
    pub(crate) fn certify(&self, votes: &[SignedVote]) -> Option<Verified<Certificate>> {
        let ballot = Ballot {
            vote: votes[0].vote,
            partials: votes.iter().map(|vote| (vote.signer, vote.partial.into())).collect(),
        };
        let mut rng = ChaCha12Rng::seed_from_u64(2);
        self.verifier.certify(&mut rng, vec![ballot]).pop().unwrap().certificate
    }

    /// What a quorum that says `vote` makes.
    pub(crate) fn certificate(&self, vote: Vote) -> Verified<Certificate> {
        let votes: Vec<_> = self.verifier.size().operators().map(|signer| self.sign(signer, vote)).collect();
        self.certify(&votes).expect("everyone is a quorum")
    }

    pub(crate) fn checked(&self, certificate: Certificate) -> Verified<Certificate> {
        let mut rng = ChaCha12Rng::seed_from_u64(3);
        self.verifier.certificates(&mut rng, vec![certificate]).pop().unwrap().unwrap()
    }

    /// A proposal by the leader of its term.
    pub(crate) fn propose(&self, header: UnsignedProposal, justification: Vec<Certificate>) -> Verified<Proposal> {
        let leader = self.leader(header.position);
        self.verifier.own_proposal(&self.identities[leader.as_usize()], header, justification).unwrap()
    }

    fn leader(&self, position: Position) -> OperatorIndex {
        self.verifier.size().leader(position.term)
    }
}
