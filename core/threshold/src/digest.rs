//! The 32 bytes that are signed, after EIP-712: `keccak256(0x1901 ‖ domainSeparator ‖ structHash)`.
//!
//! Solidity, TypeScript and Go recompute them from the type strings below. The domain is
//! `EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)` with [`DOMAIN_NAME`],
//! [`DOMAIN_VERSION`], the L2's chain id, and the cluster id as salt. Every kind of vote has a struct type
//! of its own, and so has a proposal: no two kinds share a digest.

use alloy_primitives::{B256, U256, keccak256};
use phalanx_types::{ClusterId, Position, UnsignedProposal, Vote, VoteKind};
use std::sync::LazyLock;

/// The `name` of the EIP-712 domain.
pub const DOMAIN_NAME: &str = "Phalanx";
/// The `version` of the EIP-712 domain.
pub const DOMAIN_VERSION: &str = "1";

const DOMAIN_TYPE: &str = "EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)";
const NOTARIZE_TYPE: &str = "Notarize(uint64 epoch,uint64 term,uint32 slot,uint64 blockNumber,bytes32 blockHash)";
const NULLIFY_TYPE: &str = "Nullify(uint64 epoch,uint64 term,uint32 slot)";
const FINALIZE_TYPE: &str = "Finalize(uint64 epoch,uint64 term,uint32 slot,uint64 blockNumber,bytes32 blockHash)";
const PROPOSAL_TYPE: &str = "Proposal(uint64 epoch,uint64 term,uint32 slot,uint64 parentEpoch,uint64 parentTerm,\
uint32 parentSlot,bool parentIsGenesis,uint64 blockNumber,bytes32 blockHash,bytes32 parentHash)";

static NOTARIZE_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(NOTARIZE_TYPE));
static NULLIFY_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(NULLIFY_TYPE));
static FINALIZE_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(FINALIZE_TYPE));
static PROPOSAL_HASH: LazyLock<B256> = LazyLock::new(|| keccak256(PROPOSAL_TYPE));

/// For which chain and cluster something is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Domain {
    chain_id: u64,
    cluster_id: ClusterId,
    separator: B256,
}

impl Domain {
    /// The domain of a cluster that sequences the chain `chain_id`.
    #[must_use]
    pub fn new(chain_id: u64, cluster_id: ClusterId) -> Self {
        let separator = Words::of(keccak256(DOMAIN_TYPE))
            .word(keccak256(DOMAIN_NAME))
            .word(keccak256(DOMAIN_VERSION))
            .number(chain_id)
            .word(cluster_id.0)
            .hash();
        Self { chain_id, cluster_id, separator }
    }

    /// The L2's chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.chain_id
    }

    /// The cluster.
    #[must_use]
    pub fn cluster_id(&self) -> ClusterId {
        self.cluster_id
    }

    /// EIP-712's `domainSeparator`.
    #[must_use]
    pub fn separator(&self) -> B256 {
        self.separator
    }

    fn digest(&self, struct_hash: B256) -> B256 {
        let mut bytes = [0; 66];
        bytes[..2].copy_from_slice(&[0x19, 0x01]);
        bytes[2..34].copy_from_slice(self.separator.as_slice());
        bytes[34..].copy_from_slice(struct_hash.as_slice());
        keccak256(bytes)
    }
}

/// What operators sign with their shares for a vote.
#[must_use]
pub fn digest(domain: &Domain, vote: &Vote) -> B256 {
    let words = match vote.kind {
        VoteKind::Nullify => Words::of(*NULLIFY_HASH).position(vote.position),
        VoteKind::Notarize => {
            Words::of(*NOTARIZE_HASH).position(vote.position).number(vote.block.number).word(vote.block.hash)
        }
        VoteKind::Finalize => {
            Words::of(*FINALIZE_HASH).position(vote.position).number(vote.block.number).word(vote.block.hash)
        }
    };
    domain.digest(words.hash())
}

/// What a leader signs with its identity key for a proposal.
#[must_use]
pub fn proposal_digest(domain: &Domain, header: &UnsignedProposal) -> B256 {
    let words = Words::of(*PROPOSAL_HASH)
        .position(header.position)
        .position(header.parent_position)
        .number(u64::from(header.parent_is_genesis))
        .number(header.block.number)
        .word(header.block.hash)
        .word(header.parent_hash);
    domain.digest(words.hash())
}

/// The longest struct: the type's hash and ten members.
const WORDS_MAX: usize = 11;

/// `abi.encode` of static members: 32 bytes each, numbers big-endian.
struct Words {
    bytes: [u8; 32 * WORDS_MAX],
    used: usize,
}

impl Words {
    fn of(type_hash: B256) -> Self {
        Self { bytes: [0; 32 * WORDS_MAX], used: 0 }.word(type_hash)
    }

    fn word(mut self, word: B256) -> Self {
        self.bytes[self.used..self.used + 32].copy_from_slice(word.as_slice());
        self.used += 32;
        self
    }

    fn number(self, number: u64) -> Self {
        self.word(U256::from(number).into())
    }

    fn position(self, position: Position) -> Self {
        self.number(position.epoch).number(position.term).number(u64::from(position.slot))
    }

    fn hash(self) -> B256 {
        keccak256(&self.bytes[..self.used])
    }
}
