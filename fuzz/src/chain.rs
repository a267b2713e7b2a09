//! What the targets of states share: the keys of a cluster of four under the linear scheme, and blocks.

use phalanx_threshold::{Ballot, Domain, Identity, PartialSigner, Verified, Verifier, digest, toy};
use phalanx_types::{
    B256, Block, BlockRef, Bytes, Certificate, ClusterId, ClusterSize, OperatorIndex, Proposal, SignedVote,
    UnsignedProposal, Vote, keccak256,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::{Arc, LazyLock};

/// The one cluster of all scripts.
pub(crate) static KEYS: LazyLock<Keys> = LazyLock::new(Keys::new);

pub(crate) fn genesis() -> BlockRef {
    BlockRef::new(0, B256::repeat_byte(0xee))
}

/// A block on a parent; `salt` tells siblings apart.
pub(crate) fn block(parent: BlockRef, salt: u8) -> Arc<Block> {
    let number = parent.number + 1;
    let mut payload = parent.hash.to_vec();
    payload.extend(number.to_be_bytes());
    payload.push(salt);
    let reference = BlockRef::new(number, keccak256(&payload));
    Arc::new(Block { reference, parent_hash: parent.hash, timestamp_s: number, payload: Bytes::from(payload) })
}

pub(crate) struct Keys {
    pub(crate) size: ClusterSize,
    verifier: Verifier,
    signers: Vec<toy::ToySigner>,
    identities: Vec<Identity>,
}

impl Keys {
    fn new() -> Self {
        let size = ClusterSize::new(4).expect("four operators");
        let mut rng = ChaCha12Rng::seed_from_u64(1);
        let (scheme, signers) = toy::deal(&mut rng, size);
        let identities: Vec<Identity> = size.operators().map(|_| Identity::generate(&mut rng)).collect();
        let public = identities.iter().map(Identity::public).collect();
        let domain = Domain::new(1, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, Arc::new(scheme), public).expect("four identities");
        Self { size, verifier, signers, identities }
    }

    pub(crate) fn sign(&self, signer: OperatorIndex, vote: Vote) -> SignedVote {
        let partial = self.signers[signer.as_usize()].sign(&digest(self.verifier.domain(), &vote));
        SignedVote { vote, signer, partial }
    }

    /// What all of them make who say `vote`.
    pub(crate) fn certificate(&self, vote: Vote) -> Verified<Certificate> {
        let partials = self.size.operators().map(|signer| (signer, self.sign(signer, vote).partial.into())).collect();
        let mut made = self.verifier.certify(&mut ChaCha12Rng::seed_from_u64(2), vec![Ballot { vote, partials }]);
        made.pop().and_then(|made| made.certificate).expect("everyone is a quorum")
    }

    /// A proposal by the leader of its term.
    pub(crate) fn propose(&self, header: UnsignedProposal, justification: Vec<Certificate>) -> Verified<Proposal> {
        let leader = self.size.leader(header.position.term);
        let identity = &self.identities[leader.as_usize()];
        self.verifier.own_proposal(identity, header, justification).expect("the leader's own identity")
    }
}
