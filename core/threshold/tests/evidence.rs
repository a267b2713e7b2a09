//! Proposals, equivocation, and keys as text.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use alloy_primitives::{B256, hex};
use phalanx_threshold::{
    ClusterPublicKey, Domain, Identity, IdentityKey, MisuseError, PeerError, SecretShare, Verified, Verifier, deal, toy,
};
use phalanx_types::{
    BlockRef, ClusterId, ClusterSize, Equivocation, IdentitySignature, OperatorIndex, Position, Proposal,
    UnsignedProposal,
};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::sync::Arc;

/// The leader of the term used here.
const LEADER: OperatorIndex = OperatorIndex(2);

fn cluster() -> (Verifier, Vec<Identity>) {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let size = ClusterSize::new(4).unwrap();
    let identities: Vec<Identity> = (0..4).map(|_| Identity::generate(&mut rng)).collect();
    let public = identities.iter().map(Identity::public).collect();
    let scheme = Arc::new(toy::deal(&mut rng, size).0);
    (Verifier::new(Domain::new(1, ClusterId::default()), size, scheme, public).unwrap(), identities)
}

fn header(slot: u32, number: u64) -> UnsignedProposal {
    UnsignedProposal {
        position: Position::new(0, 6, slot),
        parent_position: Position::new(0, 5, 1),
        parent_is_genesis: false,
        block: BlockRef::new(number, B256::repeat_byte(1)),
        parent_hash: B256::repeat_byte(2),
    }
}

fn equivocation(
    verifier: &Verifier,
    first: (UnsignedProposal, &Identity),
    second: (UnsignedProposal, &Identity),
) -> Equivocation {
    let sign = |(header, identity): (_, &Identity)| identity.sign_proposal(verifier.domain(), LEADER, header, vec![]);
    let (first, second): (Proposal, Proposal) = (sign(first), sign(second));
    Equivocation {
        leader: LEADER,
        first: first.header,
        first_signature: first.signature,
        second: second.header,
        second_signature: second.signature,
    }
}

#[test]
fn a_proposal_is_by_the_leader_of_its_term() {
    let (verifier, identities) = cluster();
    let sign =
        |operator: usize, leader| identities[operator].sign_proposal(verifier.domain(), leader, header(0, 9), vec![]);
    assert!(verifier.proposal(sign(2, LEADER)).is_ok());
    assert_eq!(verifier.proposal(sign(1, LEADER)), Err(PeerError::IdentitySignature(LEADER)));
    assert_eq!(
        verifier.proposal(sign(1, OperatorIndex(1))),
        Err(PeerError::NotLeader { position: header(0, 9).position, expected: LEADER, actual: OperatorIndex(1) })
    );
    let mut tampered = sign(2, LEADER);
    tampered.header.block.number += 1;
    assert_eq!(verifier.proposal(tampered), Err(PeerError::IdentitySignature(LEADER)));
    let elsewhere = identities[2].sign_proposal(&Domain::new(2, ClusterId::default()), LEADER, header(0, 9), vec![]);
    assert_eq!(verifier.proposal(elsewhere), Err(PeerError::IdentitySignature(LEADER)));
}

#[test]
fn our_own_proposal_is_verified_by_signing_it() {
    let (verifier, identities) = cluster();
    let own = verifier.own_proposal(&identities[2], header(0, 9), vec![]).unwrap();
    assert_eq!(verifier.proposal(own.clone().into_inner()), Ok(own));
    assert_eq!(
        verifier.own_proposal(&identities[1], header(0, 9), vec![]),
        Err(MisuseError::NotOurTerm { position: header(0, 9).position, leader: LEADER })
    );
}

#[test]
fn signatures_are_not_malleable() {
    let (verifier, identities) = cluster();
    let mut proposal = identities[2].sign_proposal(verifier.domain(), LEADER, header(0, 9), vec![]);
    // s + L, the order of Ed25519's group, satisfies the equation as s does.
    let order = hex!("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
    let mut carry = 0_u16;
    for (byte, addend) in proposal.signature.0.0[32..].iter_mut().zip(order) {
        carry += u16::from(*byte) + u16::from(addend);
        *byte = carry.to_le_bytes()[0];
        carry >>= 8;
    }
    assert_eq!(verifier.proposal(proposal), Err(PeerError::IdentitySignature(LEADER)));
}

#[test]
fn two_proposals_for_one_position_convict_their_leader() {
    let (verifier, identities) = cluster();
    let leader = &identities[2];
    let guilty = equivocation(&verifier, (header(1, 9), leader), (header(1, 10), leader));
    assert_eq!(verifier.equivocation(guilty.clone()).map(|verified| verified.into_inner()), Ok(guilty.clone()));

    let proposal = |number| verifier.own_proposal(leader, header(1, number), vec![]).unwrap();
    assert_eq!(Verified::between(&proposal(9), &proposal(10)).as_deref(), Some(&guilty));
    assert_eq!(Verified::between(&proposal(9), &proposal(9)), None);

    let other_parent = UnsignedProposal { parent_hash: B256::ZERO, ..header(1, 9) };
    let guilty_too = equivocation(&verifier, (header(1, 9), leader), (other_parent, leader));
    assert!(verifier.equivocation(guilty_too).is_ok());
}

#[test]
fn evidence_without_guilt_is_refused() {
    let (verifier, identities) = cluster();
    let (leader, other) = (&identities[2], &identities[1]);
    let same = equivocation(&verifier, (header(1, 9), leader), (header(1, 9), leader));
    assert_eq!(verifier.equivocation(same), Err(PeerError::SameProposal(header(1, 9).position)));
    let apart = equivocation(&verifier, (header(1, 9), leader), (header(2, 10), leader));
    assert_eq!(
        verifier.equivocation(apart),
        Err(PeerError::DifferentPositions(header(1, 9).position, header(2, 10).position))
    );
    for (first, second) in [(leader, other), (other, leader)] {
        let framed = equivocation(&verifier, (header(1, 9), first), (header(1, 10), second));
        assert_eq!(verifier.equivocation(framed), Err(PeerError::IdentitySignature(LEADER)));
    }
    let mut blamed = equivocation(&verifier, (header(1, 9), other), (header(1, 10), other));
    blamed.leader = OperatorIndex(1);
    assert!(matches!(verifier.equivocation(blamed), Err(PeerError::NotLeader { .. })));
    let forged = Equivocation {
        leader: LEADER,
        first: header(1, 9),
        first_signature: IdentitySignature::from_zeros(),
        second: header(1, 10),
        second_signature: IdentitySignature::from_zeros(),
    };
    assert_eq!(verifier.equivocation(forged), Err(PeerError::IdentitySignature(LEADER)));
}

trait FromZeros {
    fn from_zeros() -> Self;
}

impl FromZeros for IdentitySignature {
    fn from_zeros() -> Self {
        Self([0; 64].into())
    }
}

#[test]
fn identities_are_counted() {
    let mut rng = ChaCha12Rng::seed_from_u64(1);
    let size = ClusterSize::new(4).unwrap();
    let scheme = Arc::new(toy::deal(&mut rng, size).0);
    let few = (0..3).map(|_| Identity::generate(&mut rng).public()).collect();
    let error = Verifier::new(Domain::new(1, ClusterId::default()), size, scheme, few).map(|_| ()).unwrap_err();
    assert_eq!(error, MisuseError::Count { what: "identity keys", actual: 3, expected: 4 });
}

#[test]
fn weak_identities_are_refused() {
    let mut neutral = [0; 32];
    neutral[0] = 1;
    assert_eq!(IdentityKey::from_bytes(&neutral), Err(MisuseError::IdentityKey));
    assert_eq!(IdentityKey::from_bytes(&[0; 32]), Err(MisuseError::IdentityKey), "a point of order four");
    assert_eq!("0x00".parse::<IdentityKey>(), Err(MisuseError::Hex { what: "an identity key", expected: 32 }));
}

#[test]
fn keys_survive_text_and_secrets_do_not_show() {
    let mut rng = ChaCha12Rng::seed_from_u64(3);
    let identity = Identity::generate(&mut rng);
    let text = serde_json::to_string(&identity.public()).unwrap();
    assert_eq!(serde_json::from_str::<IdentityKey>(&text).unwrap(), identity.public());
    assert_eq!(Identity::from_seed(&identity.to_seed()).public(), identity.public());
    assert!(!format!("{identity:?}").contains(&hex::encode(identity.to_seed().as_slice())));

    let deal = deal(&mut rng, ClusterSize::new(4).unwrap());
    let text = serde_json::to_string(&deal.public_key).unwrap();
    assert_eq!(text.len(), 2 + 2 + 2 * 96, "quotes, 0x, and 96 bytes");
    assert_eq!(serde_json::from_str::<ClusterPublicKey>(&text).unwrap(), deal.public_key);
    for (share, key) in deal.shares.iter().zip(&deal.share_keys) {
        let again = SecretShare::from_bytes(share.index(), &share.to_bytes()).unwrap();
        assert_eq!(again.public_key(), *key);
        assert!(!format!("{share:?}").contains(&hex::encode(share.to_bytes().as_slice())));
        assert_eq!(format!("{share:?}"), format!("SecretShare {{ index: OperatorIndex({}), .. }}", share.index()));
    }
    assert!(!format!("{deal:?}").contains(&hex::encode(deal.shares[0].to_bytes().as_slice())));
}

#[test]
fn bad_keys_are_refused_with_a_reason() {
    let index = OperatorIndex(0);
    assert_eq!(SecretShare::from_bytes(index, &[0; 32]).map(|_| ()), Err(MisuseError::SecretShare));
    assert_eq!(SecretShare::from_bytes(index, &[0xff; 32]).map(|_| ()), Err(MisuseError::SecretShare));
    let mut infinity = [0; 96];
    infinity[0] = 0xc0;
    let refused = |bytes: &[u8]| ClusterPublicKey::from_bytes(bytes).unwrap_err().to_string();
    assert_eq!(refused(&infinity), "not a public key: the point at infinity");
    assert_eq!(refused(&[0; 96]), "not a public key: not a canonical compressed point");
    assert_eq!(refused(&[0; 48]), "not a public key: an encoding of 48 bytes, where 96 are expected");
}
