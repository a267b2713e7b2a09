//! Digests against an independent EIP-712 implementation, and as fixed vectors for other languages.

use alloy_primitives::{B256, b256, keccak256};
use alloy_sol_types::{Eip712Domain, SolStruct, eip712_domain, sol};
use phalanx_threshold::{Domain, digest, proposal_digest};
use phalanx_types::{BlockRef, ClusterId, Position, UnsignedProposal, Vote};

sol! {
    struct Notarize { uint64 epoch; uint64 term; uint32 slot; uint64 blockNumber; bytes32 blockHash; }
    struct Nullify { uint64 epoch; uint64 term; uint32 slot; }
    struct Finalize { uint64 epoch; uint64 term; uint32 slot; uint64 blockNumber; bytes32 blockHash; }
    struct Proposal {
        uint64 epoch; uint64 term; uint32 slot;
        uint64 parentEpoch; uint64 parentTerm; uint32 parentSlot; bool parentIsGenesis;
        uint64 blockNumber; bytes32 blockHash; bytes32 parentHash;
    }
}

const CHAIN_ID: u64 = 901;
const SALT: B256 = B256::repeat_byte(0x11);
const POSITION: Position = Position::new(1, 0x0102_0304_0506_0708, 9);
const BLOCK: BlockRef = BlockRef::new(77, B256::repeat_byte(0x22));

fn ours() -> Domain {
    Domain::new(CHAIN_ID, ClusterId(SALT))
}

fn theirs() -> Eip712Domain {
    eip712_domain! { name: "Phalanx", version: "1", chain_id: CHAIN_ID, salt: SALT }
}

fn header() -> UnsignedProposal {
    UnsignedProposal {
        position: POSITION,
        parent_position: Position::new(1, 3, 4),
        parent_is_genesis: false,
        block: BLOCK,
        parent_hash: B256::repeat_byte(0x33),
    }
}

#[test]
fn votes_are_eip_712_structs() {
    let Position { epoch, term, slot } = POSITION;
    let (number, hash) = (BLOCK.number, BLOCK.hash);
    assert_eq!(ours().separator(), theirs().hash_struct());
    let notarize = Notarize { epoch, term, slot, blockNumber: number, blockHash: hash };
    assert_eq!(digest(&ours(), &Vote::notarize(POSITION, BLOCK)), notarize.eip712_signing_hash(&theirs()));
    let finalize = Finalize { epoch, term, slot, blockNumber: number, blockHash: hash };
    assert_eq!(digest(&ours(), &Vote::finalize(POSITION, BLOCK)), finalize.eip712_signing_hash(&theirs()));
    let nullify = Nullify { epoch, term, slot };
    assert_eq!(digest(&ours(), &Vote::nullify(POSITION)), nullify.eip712_signing_hash(&theirs()));
}

#[test]
fn proposals_are_eip_712_structs() {
    for parent_is_genesis in [false, true] {
        let header = UnsignedProposal { parent_is_genesis, ..header() };
        let proposal = Proposal {
            epoch: header.position.epoch,
            term: header.position.term,
            slot: header.position.slot,
            parentEpoch: header.parent_position.epoch,
            parentTerm: header.parent_position.term,
            parentSlot: header.parent_position.slot,
            parentIsGenesis: parent_is_genesis,
            blockNumber: header.block.number,
            blockHash: header.block.hash,
            parentHash: header.parent_hash,
        };
        assert_eq!(proposal_digest(&ours(), &header), proposal.eip712_signing_hash(&theirs()));
    }
}

#[test]
fn a_digest_takes_a_few_lines_to_recompute() {
    let word = |number: u64| B256::left_padding_from(&number.to_be_bytes());
    let hash = |words: &[B256]| keccak256(words.iter().flat_map(|word| word.0).collect::<Vec<u8>>());
    let domain = hash(&[
        keccak256("EIP712Domain(string name,string version,uint256 chainId,bytes32 salt)"),
        keccak256("Phalanx"),
        keccak256("1"),
        word(CHAIN_ID),
        SALT,
    ]);
    let vote = hash(&[
        keccak256("Notarize(uint64 epoch,uint64 term,uint32 slot,uint64 blockNumber,bytes32 blockHash)"),
        word(POSITION.epoch),
        word(POSITION.term),
        word(POSITION.slot.into()),
        word(BLOCK.number),
        BLOCK.hash,
    ]);
    let signed = keccak256([&[0x19, 0x01][..], domain.as_slice(), vote.as_slice()].concat());
    assert_eq!(digest(&ours(), &Vote::notarize(POSITION, BLOCK)), signed);
}

/// What clients in other languages test themselves with. A change here breaks every certificate made so far.
#[test]
fn fixed_vectors() {
    assert_eq!(ours().separator(), b256!("37aa91bf1768cbbdb26eac12906a0f346cd3fc71452fca1934953053977eb133"));
    let vectors = [
        (
            digest(&ours(), &Vote::notarize(POSITION, BLOCK)),
            b256!("e3e439b82a98b46293d9bfe5a5a6f1327148abc549593ef62b95bbb6f1dce319"),
        ),
        (
            digest(&ours(), &Vote::nullify(POSITION)),
            b256!("78bd6883dbcc7b7e680ba68c81dd5447a47ca4186393dad6ff305519e425f52e"),
        ),
        (
            digest(&ours(), &Vote::finalize(POSITION, BLOCK)),
            b256!("2906c05d0ae6a8561cba1aa70ca38e7e9785aad857da64912bca3f55ded433cf"),
        ),
        (
            proposal_digest(&ours(), &header()),
            b256!("f8acb3674575d4015071da79490470c87c132aaf739678cceb2f86a4752f5fa0"),
        ),
    ];
    for (actual, expected) in vectors {
        assert_eq!(actual, expected);
    }
}

#[test]
fn every_field_and_kind_changes_the_digest() {
    let other = Position::new(POSITION.epoch, POSITION.term, POSITION.slot + 1);
    let mut digests = vec![
        digest(&ours(), &Vote::notarize(POSITION, BLOCK)),
        digest(&ours(), &Vote::finalize(POSITION, BLOCK)),
        digest(&ours(), &Vote::nullify(POSITION)),
        proposal_digest(&ours(), &header()),
        digest(&ours(), &Vote::notarize(other, BLOCK)),
        digest(&ours(), &Vote::notarize(POSITION, BlockRef::new(78, BLOCK.hash))),
        digest(&ours(), &Vote::notarize(POSITION, BlockRef::new(77, B256::repeat_byte(0x23)))),
        digest(&Domain::new(902, ClusterId(SALT)), &Vote::notarize(POSITION, BLOCK)),
        digest(&Domain::new(CHAIN_ID, ClusterId(B256::ZERO)), &Vote::notarize(POSITION, BLOCK)),
        proposal_digest(&ours(), &UnsignedProposal { parent_hash: B256::ZERO, ..header() }),
        proposal_digest(&ours(), &UnsignedProposal { parent_position: other, ..header() }),
    ];
    let all = digests.len();
    digests.sort_unstable();
    digests.dedup();
    assert_eq!(digests.len(), all);
}
