//! A cluster of four with a toy key, for the tests of each stage.

use crate::counters::Counters;
use crate::ring::{NoWake, Ring, Wake};
use phalanx_consensus::Window;
use phalanx_threshold::toy::{self, ToySigner};
use phalanx_threshold::{Ballot, Domain, Identity, PartialSigner, Verified, Verifier, digest};
use phalanx_types::{
    B256, Block, BlockInspector, BlockRef, Bytes, Certificate, ClusterId, ClusterSize, InspectError, Message,
    OperatorIndex, Position, Proposal, SignedVote, UnsignedProposal, Vote, keccak256,
};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

/// Reads a payload that is a number (8), the parent's hash (32), and anything.
#[derive(Debug)]
pub(crate) struct PlainInspector;

impl BlockInspector for PlainInspector {
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError> {
        let error = || InspectError("shorter than its fixed part".to_owned());
        let (number, rest) = payload.split_first_chunk::<8>().ok_or_else(error)?;
        let (parent, _) = rest.split_first_chunk::<32>().ok_or_else(error)?;
        let reference = BlockRef::new(u64::from_be_bytes(*number), keccak256(&payload));
        Ok(Block { reference, parent_hash: B256::from(parent), timestamp_s: 0, payload: payload.clone() })
    }
}

/// The block `number` on `parent_hash`; `salt` makes siblings.
pub(crate) fn block(number: u64, parent_hash: B256, salt: u8) -> Block {
    let payload = [number.to_be_bytes().as_slice(), parent_hash.as_slice(), &[salt]].concat();
    PlainInspector.inspect(payload.into()).expect("long enough")
}

pub(crate) struct Cluster {
    pub(crate) verifier: Arc<Verifier>,
    pub(crate) signers: Vec<ToySigner>,
    pub(crate) identities: Vec<Arc<Identity>>,
}

pub(crate) fn rng(seed: u8) -> ChaCha20Rng {
    ChaCha20Rng::from_seed([seed; 32])
}

impl Cluster {
    pub(crate) fn new() -> Self {
        let size = ClusterSize::new(4).expect("within range");
        let (scheme, signers) = toy::deal(&mut rng(1), size);
        let identities: Vec<Arc<Identity>> = (0u8..4).map(|seed| Arc::new(Identity::from_seed(&[seed; 32]))).collect();
        let keys = identities.iter().map(|identity| identity.public()).collect();
        let domain = Domain::new(7, ClusterId(B256::repeat_byte(1)));
        let verifier = Verifier::new(domain, size, Arc::new(scheme), keys).expect("four identities");
        Self { verifier: Arc::new(verifier), signers, identities }
    }

    pub(crate) fn vote(&self, signer: u16, vote: Vote) -> SignedVote {
        let partial = self.signers[usize::from(signer)].sign(&digest(self.verifier.domain(), &vote));
        SignedVote { vote, signer: OperatorIndex(signer), partial }
    }

    /// A vote whose partial is another vote's.
    pub(crate) fn lie(&self, signer: u16, vote: Vote) -> SignedVote {
        let other = Vote::nullify(Position::new(99, 99, 99));
        SignedVote { vote, ..self.vote(signer, other) }
    }

    pub(crate) fn certificate(&self, vote: Vote) -> Verified<Certificate> {
        let partials = (0..3).map(|signer| (OperatorIndex(signer), self.vote(signer, vote).partial.into())).collect();
        let mut certified = self.verifier.certify(&mut rng(2), vec![Ballot { vote, partials }]);
        certified.remove(0).certificate.expect("three good partials")
    }

    pub(crate) fn proposal(&self, position: Position, block: &Block, justification: Vec<Certificate>) -> Message {
        let proposal = Box::new(self.signed_proposal(position, block, justification));
        Message::Proposal { proposal, payload: block.payload.clone() }
    }

    pub(crate) fn signed_proposal(
        &self,
        position: Position,
        block: &Block,
        justification: Vec<Certificate>,
    ) -> Proposal {
        let leader = self.verifier.size().leader(position.term);
        let identity = &self.identities[leader.as_usize()];
        identity.sign_proposal(self.verifier.domain(), leader, header(position, block), justification)
    }
}

pub(crate) fn header(position: Position, block: &Block) -> UnsignedProposal {
    UnsignedProposal {
        position,
        parent_position: Position::default(),
        parent_is_genesis: true,
        block: block.reference,
        parent_hash: block.parent_hash,
    }
}

pub(crate) fn notarize(slot: u32) -> Vote {
    Vote::notarize(Position::new(0, 1, slot), block(u64::from(slot) + 1, B256::ZERO, 0).reference)
}

/// Term 1, led by operator 1; nothing notarized yet.
pub(crate) fn window() -> Window {
    Window { epoch: 0, term: 1, slots_per_term: 50, pipeline_depth: 4, ..Window::default() }
}

pub(crate) fn ring<T>(capacity: usize) -> Arc<Ring<T>> {
    let nobody: Arc<dyn Wake> = Arc::new(NoWake);
    Ring::new("test", capacity, &nobody, &nobody)
}

pub(crate) fn counters() -> Arc<Counters> {
    Arc::new(Counters::default())
}

pub(crate) fn drain<T>(ring: &Ring<T>) -> Vec<T> {
    core::iter::from_fn(|| ring.pop()).collect()
}
