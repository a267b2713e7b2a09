//! The keys of a whole cluster, made by a dealer.

use phalanx_bls::Backend;
use phalanx_threshold::{BlsMinSig, BlsSigner, Domain, Identity, PartialSigner, Verifier, deal, digest};
use phalanx_types::{
    B256, BlockRef, ClusterId, ClusterSize, OperatorIndex, SignatureBytes, SignedVote, UnsignedProposal, Vote,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

/// All keys of a cluster.
#[derive(Debug)]
pub struct Cluster {
    /// Checks what its operators say.
    pub verifier: Arc<Verifier>,
    /// The operators' shares.
    pub signers: Vec<Arc<BlsSigner>>,
    /// The operators' identities.
    pub identities: Vec<Arc<Identity>>,
}

impl Cluster {
    /// `n` operators.
    ///
    /// # Panics
    /// When there is no cluster of that size.
    #[must_use]
    pub fn new(n: usize, backend: Backend) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let size = ClusterSize::new(n).expect("a size within bounds");
        let deal = deal(&mut rng, size);
        let scheme = BlsMinSig::new(backend, size, deal.public_key, deal.share_keys);
        let scheme = Arc::new(scheme.expect("a dealer's keys are consistent"));
        let identities: Vec<_> = (0..n).map(|_| Arc::new(Identity::generate(&mut rng))).collect();
        let keys = identities.iter().map(|identity| identity.public()).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(7)));
        let verifier = Verifier::new(domain, size, scheme, keys).expect("one identity for each operator");
        let signers = deal.shares.into_iter().map(|share| Arc::new(BlsSigner::new(share))).collect();
        Self { verifier: Arc::new(verifier), signers, identities }
    }

    /// How many.
    #[must_use]
    pub fn size(&self) -> ClusterSize {
        self.verifier.size()
    }

    /// What `signer` sends to vote.
    #[must_use]
    pub fn vote(&self, signer: OperatorIndex, vote: Vote) -> SignedVote {
        SignedVote { vote, signer, partial: self.partial(signer, &vote) }
    }

    /// What a liar sends: a valid point that is no partial of this vote.
    #[must_use]
    pub fn lie(&self, signer: OperatorIndex, vote: Vote) -> SignedVote {
        let other = Vote { block: BlockRef::new(vote.block.number ^ 1, vote.block.hash), ..vote };
        SignedVote { vote, signer, partial: self.partial(signer, &other) }
    }

    fn partial(&self, signer: OperatorIndex, vote: &Vote) -> SignatureBytes {
        self.signers[signer.as_usize()].sign(&digest(self.verifier.domain(), vote))
    }

    /// A signed proposal without justification.
    #[must_use]
    pub fn proposal(&self, leader: OperatorIndex, header: UnsignedProposal) -> phalanx_types::Proposal {
        self.identities[leader.as_usize()].sign_proposal(self.verifier.domain(), leader, header, Vec::new())
    }
}
