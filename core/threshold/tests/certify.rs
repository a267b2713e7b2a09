//! Certificates from partials, under the real scheme and the toy one: what good quorums make, what bad
//! partials cannot, and who is blamed.

#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use alloy_primitives::B256;
use blst::BLST_ERROR;
use blst::min_sig;
use phalanx_bls::{Backend, G1, MinSig, Subgroup, Variant, Weights};
use phalanx_threshold::{
    Ballot, BlsMinSig, BlsSigner, Certified, ClusterPublicKey, Domain, Identity, MisuseError, PartialSigner, PeerError,
    ThresholdScheme, Verifier, deal, digest, toy,
};
use phalanx_types::{BlockRef, Certificate, ClusterId, ClusterSize, OperatorIndex, Position, SignatureBytes, Vote};
use proptest::prelude::*;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;
use std::collections::BTreeSet;
use std::sync::{Arc, LazyLock};

struct Cluster {
    verifier: Verifier,
    signers: Vec<Box<dyn PartialSigner>>,
    /// Of the real scheme only.
    key: Option<ClusterPublicKey>,
}

type Partial = (OperatorIndex, phalanx_threshold::Partial);

impl Cluster {
    fn real(n: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(n as u64);
        let deal = deal(&mut rng, size(n));
        let scheme = BlsMinSig::new(Backend::detect(), size(n), deal.public_key, deal.share_keys).unwrap();
        let signers = deal.shares.into_iter().map(|share| Box::new(BlsSigner::<MinSig>::new(share)) as _).collect();
        Self { verifier: verifier(&mut rng, n, Arc::new(scheme)), signers, key: Some(deal.public_key) }
    }

    fn toy(n: usize) -> Self {
        let mut rng = ChaCha12Rng::seed_from_u64(n as u64);
        let (scheme, signers) = toy::deal(&mut rng, size(n));
        let signers = signers.into_iter().map(|signer| Box::new(signer) as _).collect();
        Self { verifier: verifier(&mut rng, n, Arc::new(scheme)), signers, key: None }
    }

    fn q(&self) -> usize {
        self.verifier.size().q()
    }

    fn partial(&self, vote: &Vote, operator: usize) -> Partial {
        let signer = &self.signers[operator];
        (signer.index(), signer.sign(&digest(self.verifier.domain(), vote)).into())
    }

    fn ballot(&self, vote: Vote, operators: &[usize]) -> Ballot {
        Ballot { vote, partials: operators.iter().map(|operator| self.partial(&vote, *operator)).collect() }
    }

    fn certify(&self, ballot: Ballot) -> Certified {
        self.verifier.certify(&mut rng(), vec![ballot]).pop().expect("one result for one ballot")
    }

    /// Whether the signature is the cluster's, by blst's own verification where it is real.
    fn is_true(&self, certificate: &Certificate) -> bool {
        let verdict = self.verifier.certificates(&mut rng(), vec![*certificate]).pop().expect("one verdict");
        if let Some(key) = &self.key {
            let key = min_sig::PublicKey::from_bytes(&key.to_bytes()).unwrap();
            let digest = digest(self.verifier.domain(), &certificate.vote);
            let independent = min_sig::Signature::from_bytes(certificate.signature.as_slice()).is_ok_and(|signature| {
                let code = signature.verify(true, digest.as_slice(), MinSig::DST.as_bytes(), &[], &key, true);
                code == BLST_ERROR::BLST_SUCCESS
            });
            assert_eq!(verdict.is_ok(), independent, "blst and we disagree on {certificate}");
        }
        verdict.is_ok()
    }
}

fn rng() -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(77)
}

fn size(n: usize) -> ClusterSize {
    ClusterSize::new(n).unwrap()
}

fn verifier(rng: &mut ChaCha12Rng, n: usize, scheme: Arc<dyn ThresholdScheme>) -> Verifier {
    let identities = (0..n).map(|_| Identity::generate(rng).public()).collect();
    Verifier::new(Domain::new(1, ClusterId(B256::repeat_byte(1))), size(n), scheme, identities).unwrap()
}

fn vote(number: u64) -> Vote {
    Vote::notarize(Position::new(0, 2, 1), BlockRef::new(number, B256::repeat_byte(5)))
}

fn operators(indexes: &[usize]) -> Vec<OperatorIndex> {
    indexes.iter().map(|index| OperatorIndex(u16::try_from(*index).unwrap())).collect()
}

static REAL_FOUR: LazyLock<Cluster> = LazyLock::new(|| Cluster::real(4));
static REAL_SEVEN: LazyLock<Cluster> = LazyLock::new(|| Cluster::real(7));
static TOY_TEN: LazyLock<Cluster> = LazyLock::new(|| Cluster::toy(10));
static TOY_HUNDRED: LazyLock<Cluster> = LazyLock::new(|| Cluster::toy(100));

fn any_quorum_certifies(cluster: &Cluster) {
    let mut rng = rng();
    let mut everyone: Vec<usize> = (0..cluster.signers.len()).collect();
    let mut signatures = BTreeSet::new();
    for _ in 0..4 {
        everyone.shuffle(&mut rng);
        let certified = cluster.certify(cluster.ballot(vote(1), &everyone[..cluster.q()]));
        let certificate = certified.certificate.expect("a quorum of good partials");
        assert!(certified.culprits.is_empty() && certified.good.is_empty());
        assert!(cluster.is_true(&certificate));
        signatures.insert(certificate.signature);
        let short = cluster.certify(cluster.ballot(vote(1), &everyone[..cluster.q() - 1]));
        assert_eq!(short, Certified { certificate: None, culprits: vec![], good: vec![] });
    }
    assert_eq!(signatures.len(), 1, "the signature does not depend on who signed");
}

#[test]
fn any_quorum_certifies_at_every_size() {
    for n in [1, 2, 3, 4, 7, 10, 100] {
        any_quorum_certifies(&Cluster::real(n));
        any_quorum_certifies(&Cluster::toy(n));
    }
    any_quorum_certifies(&Cluster::toy(1_024));
}

#[test]
fn every_quorum_of_four_certifies() {
    for quorum in [[0, 1, 2], [0, 1, 3], [0, 2, 3], [1, 2, 3], [3, 0, 1], [2, 1, 0]] {
        assert!(REAL_FOUR.certify(REAL_FOUR.ballot(vote(1), &quorum)).certificate.is_some(), "{quorum:?}");
    }
}

/// What can be wrong with a partial.
#[derive(Clone, Copy, Debug)]
enum Fault {
    /// Another vote's.
    OtherVote,
    /// Another operator's.
    OtherOperator,
    /// The point at infinity.
    Infinity,
    /// The right point plus one outside the subgroup.
    OutsideSubgroup,
    /// No point.
    Garbage,
    /// The length of the other variant.
    Length,
    /// The right point negated.
    Negated,
}

const FAULTS: [Fault; 7] = [
    Fault::OtherVote,
    Fault::OtherOperator,
    Fault::Infinity,
    Fault::OutsideSubgroup,
    Fault::Garbage,
    Fault::Length,
    Fault::Negated,
];

/// A point on the curve, outside the subgroup.
fn outside_subgroup() -> G1 {
    let encodings = (1..=u8::MAX).map(|last| {
        let mut bytes = [0; 48];
        (bytes[0], bytes[47]) = (0x80, last);
        bytes
    });
    let point = encodings.into_iter().find_map(|bytes| decode(&bytes)).expect("some small coordinate");
    assert_eq!(MinSig::in_subgroup(Backend::Blst, &[point]), [false]);
    point
}

fn decode(bytes: &[u8]) -> Option<G1> {
    MinSig::decode(Backend::Blst, &[bytes], Subgroup::Skipped).pop()?.ok()
}

/// `signature + factor · point`.
fn plus(signature: &SignatureBytes, factor: i64, point: G1) -> SignatureBytes {
    let weights = Weights::from_integers(&[(false, [1, 0, 0, 0]), (factor < 0, [factor.unsigned_abs(), 0, 0, 0])]);
    let own = decode(signature.as_slice()).unwrap();
    MinSig::sum(Backend::Blst, &[own, point], &weights).unwrap().to_compressed().into()
}

impl Fault {
    fn commit(self, cluster: &Cluster, partial: &mut Partial) {
        let operator = partial.0.as_usize();
        let real = cluster.key.is_some();
        let bytes: SignatureBytes = match self {
            Self::OtherOperator if cluster.signers.len() > 1 => {
                *cluster.partial(&vote(1), (operator + 1) % cluster.signers.len()).1.bytes()
            }
            Self::OtherVote | Self::OtherOperator => *cluster.partial(&vote(2), operator).1.bytes(),
            Self::Infinity if real => core::array::from_fn::<u8, 48, _>(|index| [0xc0, 0][index.min(1)]).into(),
            Self::Infinity => [0; 48].into(),
            Self::OutsideSubgroup if real => plus(partial.1.bytes(), 1, outside_subgroup()),
            Self::Garbage | Self::OutsideSubgroup => [0xaa; 48].into(),
            Self::Length => [1; 96].into(),
            Self::Negated => {
                let mut bytes: [u8; 48] = partial.1.bytes().as_slice().try_into().unwrap();
                bytes[0] ^= 0x20;
                bytes.into()
            }
        };
        partial.1 = bytes.into();
    }
}

/// Faults in some of the partials of some operators: no false certificate, and exactly the guilty blamed.
fn faults_are_found(cluster: &Cluster, everyone: &[usize], faulty: &[(usize, Fault)]) {
    let mut ballot = cluster.ballot(vote(1), everyone);
    for (place, fault) in faulty {
        fault.commit(cluster, &mut ballot.partials[*place]);
    }
    let places: BTreeSet<usize> = faulty.iter().map(|(place, _)| *place).collect();
    let guilty: BTreeSet<OperatorIndex> = places.iter().map(|place| ballot.partials[*place].0).collect();
    let innocent: Vec<Partial> =
        ballot.partials.iter().filter(|(operator, _)| !guilty.contains(operator)).copied().collect();
    let certified = cluster.certify(ballot);
    let needed_a_bad_one = places.first().is_some_and(|place| *place < cluster.q());
    if everyone.len() >= cluster.q() && needed_a_bad_one {
        assert_eq!(certified.culprits.iter().copied().collect::<BTreeSet<_>>(), guilty);
        assert_eq!(
            certified.good.iter().map(|(operator, _)| *operator).collect::<BTreeSet<_>>(),
            innocent.iter().map(|(operator, _)| *operator).collect()
        );
        assert_eq!(certified.certificate.is_some(), innocent.len() >= cluster.q());
    } else {
        assert!(certified.culprits.is_empty());
        assert_eq!(certified.certificate.is_some(), everyone.len() >= cluster.q());
    }
    if let Some(certificate) = certified.certificate {
        assert!(cluster.is_true(&certificate));
    }
}

#[test]
fn each_fault_at_each_place_is_found() {
    for fault in FAULTS {
        for place in 0..4 {
            faults_are_found(&REAL_FOUR, &[0, 1, 2, 3], &[(place, fault)]);
        }
        for place in 0..3 {
            faults_are_found(&REAL_FOUR, &[3, 0, 1], &[(place, fault)]);
        }
        faults_are_found(&Cluster::real(1), &[0], &[(0, fault)]);
    }
}

fn faults(n: usize) -> impl Strategy<Value = (Vec<usize>, usize, Vec<(usize, Fault)>)> {
    let everyone: Vec<usize> = (0..n).collect();
    (Just(everyone).prop_shuffle(), 0..=n, prop::collection::btree_map(0..n, prop::sample::select(&FAULTS[..]), 0..=n))
        .prop_map(|(everyone, present, faults)| {
            let faults = faults.into_iter().filter(|(place, _)| *place < present).collect();
            (everyone, present, faults)
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn no_faults_make_a_false_certificate((everyone, present, faults) in faults(7)) {
        faults_are_found(&REAL_SEVEN, &everyone[..present], &faults);
    }

    #[test]
    fn nor_in_the_toy_scheme((everyone, present, faults) in faults(10)) {
        faults_are_found(&TOY_TEN, &everyone[..present], &faults);
    }

    #[test]
    fn nor_in_a_large_cluster((everyone, present, faults) in faults(100)) {
        faults_are_found(&TOY_HUNDRED, &everyone[..present], &faults);
    }
}

#[test]
fn some_faults_in_a_large_real_cluster_are_found() {
    let cluster = Cluster::real(100);
    let everyone: Vec<usize> = (0..100).collect();
    faults_are_found(&cluster, &everyone[..67], &[(66, Fault::OtherVote)]);
    let many: Vec<(usize, Fault)> = (0..100).step_by(4).map(|place| (place, FAULTS[place / 4 % 7])).collect();
    faults_are_found(&cluster, &everyone, &many);
}

/// Coefficients of operators 0, 1, 2 are 3, −3, 1: the same error in the first two cancels in the sum.
#[test]
fn errors_that_cancel_make_a_true_certificate() {
    let cluster = &*REAL_FOUR;
    let straight = cluster.certify(cluster.ballot(vote(1), &[0, 1, 2])).certificate.unwrap();
    let in_subgroup = decode(cluster.partial(&vote(9), 3).1.bytes().as_slice()).unwrap();
    for error in [in_subgroup, outside_subgroup()] {
        let mut ballot = cluster.ballot(vote(1), &[0, 1, 2]);
        for partial in &mut ballot.partials[..2] {
            partial.1 = plus(partial.1.bytes(), 1, error).into();
        }
        let verdicts = cluster.certify(ballot.clone());
        assert_eq!(verdicts.certificate, Some(straight), "wrong partials, right sum");
        assert!(verdicts.culprits.is_empty());
        // The same errors under other coefficients do not cancel, and are found.
        ballot.partials[1] = (OperatorIndex(3), ballot.partials[1].1);
        let verdicts = cluster.certify(ballot);
        assert_eq!(verdicts.certificate, None);
        assert_eq!(verdicts.culprits, operators(&[0, 3]));
    }
}

/// Three times a point of order three is infinity, and the first coefficient is three.
#[test]
fn a_point_of_order_three_cannot_hide_under_a_multiple_of_three() {
    let cluster = &*REAL_FOUR;
    let third = order_three();
    let mut ballot = cluster.ballot(vote(1), &[0, 1, 2]);
    ballot.partials[0].1 = plus(ballot.partials[0].1.bytes(), 1, third).into();
    let certified = cluster.certify(ballot.clone());
    assert!(cluster.is_true(&certified.certificate.unwrap()), "3T = 0: the sum is right after all");
    // In the last place its coefficient is 1: the sum leaves the subgroup, and the culprit is found.
    let mut ballot = cluster.ballot(vote(1), &[0, 1, 2]);
    ballot.partials[2].1 = plus(ballot.partials[2].1.bytes(), 1, third).into();
    let certified = cluster.certify(ballot);
    assert_eq!(certified.certificate, None);
    assert_eq!(certified.culprits, operators(&[2]));
}

/// `(r·h/3)·P` for a point of the curve, with `r` the group's order and `h` the cofactor; `h/3` as in
/// `(z−1)²/9`, `z` the curve's parameter.
fn order_three() -> G1 {
    // r = 0x73ed…0001 and (z − 1)²/9 with z = −0xd201000000010000, as little-endian limbs.
    let order = [0xffff_ffff_0000_0001, 0x53bd_a402_fffe_5bfe, 0x3339_d808_09a1_d805, 0x73ed_a753_299d_7d48_u64];
    let third = 0xd201_0000_0001_0001_u64 / 3;
    let third = u128::from(third) * u128::from(third);
    let low = u64::try_from(third & u128::from(u64::MAX)).unwrap();
    let high = u64::try_from(third >> 64).unwrap();
    let times = |point: G1, limbs: [u64; 4]| {
        // Two points, so that the sum is generic and takes no endomorphism of the subgroup.
        let weights = Weights::from_integers(&[(false, limbs), (false, [0; 4])]);
        MinSig::sum(Backend::Blst, &[point, point], &weights)
    };
    let order_minus_one = [order[0] - 1, order[1], order[2], order[3]];
    (1..=u8::MAX)
        .filter_map(|last| {
            let mut bytes = [0; 48];
            (bytes[0], bytes[47]) = (0x80, last);
            decode(&bytes)
        })
        .find_map(|point| {
            let multiple = times(point, order_minus_one)?;
            let unit = [1, 0, 0, 0];
            let ones = Weights::from_integers(&[(false, unit), (false, unit)]);
            let cleared = MinSig::sum(Backend::Blst, &[multiple, point], &ones)?;
            times(cleared, [low, high, 0, 0])
        })
        .expect("two thirds of all points have a part of order three")
}

#[test]
fn a_ballot_counts_each_operator_once_and_nobody_else() {
    let cluster = &*REAL_FOUR;
    let mut ballot = cluster.ballot(vote(1), &[0, 0, 1, 1, 0]);
    ballot.partials.push((OperatorIndex(4), cluster.partial(&vote(1), 2).1));
    ballot.partials.push((OperatorIndex(u16::MAX), cluster.partial(&vote(1), 3).1));
    assert_eq!(cluster.certify(ballot.clone()).certificate, None, "two operators and strangers");
    ballot.partials.push(cluster.partial(&vote(1), 2));
    assert!(cluster.certify(ballot).certificate.is_some());
}

#[test]
fn a_malformed_vote_is_never_certified() {
    let cluster = &*REAL_FOUR;
    let nullify = Vote::nullify(Position::new(0, 2, 1));
    let certificate = cluster.certify(cluster.ballot(nullify, &[0, 1, 2])).certificate.unwrap().into_inner();
    // The digest of a Nullify does not cover a block, so a vote with one must not share its signature.
    let malformed = Vote { block: BlockRef::new(1, B256::repeat_byte(1)), ..nullify };
    let forged = Certificate { vote: malformed, ..certificate };
    let spoiled = Certificate { signature: *cluster.partial(&nullify, 0).1.bytes(), ..forged };
    let verdicts = cluster.verifier.certificates(&mut rng(), vec![forged, spoiled, certificate]);
    assert_eq!(verdicts[..2], [Err(PeerError::VoteMalformed), Err(PeerError::VoteMalformed)]);
    assert!(verdicts[2].is_ok(), "its verdict is its own");
    assert_eq!(cluster.certify(cluster.ballot(malformed, &[0, 1, 2])).certificate, None);
}

fn many_certificates(cluster: &Cluster, count: u64) -> Vec<Certificate> {
    let quorum: Vec<usize> = (0..cluster.q()).collect();
    let ballots = (1..=count).map(|number| cluster.ballot(vote(number), &quorum)).collect();
    let certified = cluster.verifier.certify(&mut rng(), ballots);
    certified.into_iter().map(|one| one.certificate.unwrap().into_inner()).collect()
}

fn bad_certificates_are_found(cluster: &Cluster, count: usize, bad: &BTreeSet<usize>) {
    let mut certificates = many_certificates(cluster, count as u64);
    for index in bad {
        certificates[*index].signature = *cluster.partial(&certificates[*index].vote, 0).1.bytes();
    }
    let verdicts = cluster.verifier.certificates(&mut rng(), certificates.clone());
    assert_eq!(verdicts.len(), count);
    for (index, verdict) in verdicts.into_iter().enumerate() {
        match verdict {
            Ok(verified) => assert!(*verified == certificates[index] && !bad.contains(&index)),
            Err(error) => assert!(error == PeerError::Signature && bad.contains(&index)),
        }
    }
}

#[test]
fn bad_certificates_are_found_in_batches() {
    let cluster = &*REAL_FOUR;
    bad_certificates_are_found(cluster, 0, &BTreeSet::new());
    bad_certificates_are_found(cluster, 1, &BTreeSet::from([0]));
    bad_certificates_are_found(cluster, 40, &BTreeSet::new());
    bad_certificates_are_found(cluster, 40, &BTreeSet::from([0, 17, 39]));
    // Beyond one batch.
    bad_certificates_are_found(&TOY_TEN, 2_500, &BTreeSet::from([0, 1_023, 1_024, 2_499]));
}

#[test]
fn certificates_that_swap_signatures_fail_though_their_sum_is_right() {
    let cluster = &*REAL_FOUR;
    let mut certificates = many_certificates(cluster, 2);
    let (first, second) = (certificates[0].signature, certificates[1].signature);
    (certificates[0].signature, certificates[1].signature) = (second, first);
    let verdicts = cluster.verifier.certificates(&mut rng(), certificates);
    assert_eq!(verdicts, [Err(PeerError::Signature), Err(PeerError::Signature)]);
}

#[test]
fn one_bad_ballot_does_not_spoil_the_others() {
    let cluster = &*REAL_FOUR;
    let mut random = rng();
    let mut ballots: Vec<Ballot> = (1..=20).map(|number| cluster.ballot(vote(number), &[0, 1, 2, 3])).collect();
    ballots[3].partials.truncate(2);
    let bad = random.random_range(4..20);
    Fault::OtherOperator.commit(cluster, &mut ballots[bad].partials[1]);
    for (index, certified) in cluster.verifier.certify(&mut rng(), ballots).into_iter().enumerate() {
        assert_eq!(certified.certificate.is_some(), index != 3, "ballot {index}");
        assert_eq!(certified.culprits, if index == bad { operators(&[1]) } else { vec![] });
    }
}

#[test]
fn keys_of_another_cluster_or_order_are_refused() {
    let size = size(7);
    let new = |key, shares| BlsMinSig::new(Backend::detect(), size, key, shares).map(|_| ());
    let ours = deal(&mut ChaCha12Rng::seed_from_u64(1), size);
    let other = deal(&mut ChaCha12Rng::seed_from_u64(2), size);
    assert_eq!(new(ours.public_key, ours.share_keys.clone()), Ok(()));
    assert_eq!(new(other.public_key, ours.share_keys.clone()), Err(MisuseError::Inconsistent));
    for place in 0..7 {
        let mut shares = ours.share_keys.clone();
        shares[place] = other.share_keys[place];
        assert_eq!(new(ours.public_key, shares), Err(MisuseError::Inconsistent));
    }
    let mut swapped = ours.share_keys.clone();
    swapped.swap(2, 5);
    assert_eq!(new(ours.public_key, swapped), Err(MisuseError::Inconsistent));
    assert_eq!(
        new(ours.public_key, ours.share_keys[..6].to_vec()),
        Err(MisuseError::Count { what: "share keys", actual: 6, expected: 7 })
    );
}
