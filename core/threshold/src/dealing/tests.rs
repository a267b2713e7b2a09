//! Dealings: what an honest one opens to, and that each way of damaging one is refused.

use super::*;
use phalanx_bls::{MinSig, Point};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

type TestDealing = Dealing<MinSig>;

const CEREMONY: B256 = B256::repeat_byte(7);
const DEALER: OperatorIndex = OperatorIndex(1);

fn rng(seed: u64) -> ChaCha12Rng {
    ChaCha12Rng::seed_from_u64(seed)
}

fn recipients(n: u8) -> (Recipients, Vec<EncryptionSecret>) {
    let secrets: Vec<_> = (1..=n).map(|seed| EncryptionSecret::from_bytes(&[seed; 32])).collect();
    let recipients = Recipients::new(secrets.iter().map(EncryptionSecret::public).collect()).expect("not too many");
    (recipients, secrets)
}

fn verify(dealing: TestDealing, recipients: &Recipients) -> Result<Verified<TestDealing>, PeerError> {
    dealing.verify(Backend::detect(), recipients, CEREMONY, DEALER)
}

#[test]
fn everybody_verifies_and_decrypts_its_own_share() {
    for n in [1, 2, 4, 7] {
        let (recipients, secrets) = recipients(n);
        let polynomial = Polynomial::random(&mut rng(n.into()), recipients.size().q());
        let dealing =
            TestDealing::of(&mut rng(9), &polynomial, &recipients, CEREMONY, DEALER).expect("no share is zero");
        let bytes = dealing.to_bytes();
        assert_eq!(bytes.len(), TestDealing::bytes(n.into()));
        let decoded = TestDealing::from_bytes(&bytes).expect("its own encoding");
        assert_eq!(decoded, dealing);
        let dealing = verify(decoded, &recipients).expect("an honest dealing");
        for index in recipients.size().operators() {
            let decrypt =
                |index, secret| dealing.decrypt(&recipients, CEREMONY, DEALER, index, secret).map(|share| *share);
            assert_eq!(decrypt(index, &secrets[index.as_usize()]), Some(*polynomial.share(index)));
            if n > 1 {
                assert_eq!(decrypt(index, &secrets[(index.as_usize() + 1) % usize::from(n)]), None, "not its secret");
            }
        }
    }
}

#[test]
fn the_public_key_is_that_of_the_secret() {
    let (recipients, _) = recipients(4);
    let polynomial = Polynomial::random(&mut rng(3), 3);
    let dealing = TestDealing::of(&mut rng(9), &polynomial, &recipients, CEREMONY, DEALER).expect("no zero");
    assert_eq!(Some(dealing.public_key()), commit::<MinSig>(&polynomial.at(Scalar::ZERO)));
}

#[test]
fn a_dealing_means_nothing_elsewhere() {
    let (four, _) = recipients(4);
    let dealing = TestDealing::random(&mut rng(1), &four, CEREMONY, DEALER);
    let check = |recipients: &Recipients, ceremony, dealer| {
        dealing.clone().verify(Backend::detect(), recipients, ceremony, dealer).is_ok()
    };
    assert!(check(&four, CEREMONY, DEALER));
    assert!(!check(&four, B256::ZERO, DEALER));
    assert!(!check(&four, CEREMONY, OperatorIndex(2)));
    assert!(!check(&recipients(5).0, CEREMONY, DEALER));
    let mut keys = four.keys().to_vec();
    keys.swap(0, 1);
    assert!(!check(&Recipients::new(keys).expect("four"), CEREMONY, DEALER));
}

#[test]
fn no_bit_of_a_dealing_can_change() {
    let (recipients, _) = recipients(1);
    let bytes = TestDealing::random(&mut rng(1), &recipients, CEREMONY, DEALER).to_bytes();
    // Every field is met: the stride is smaller than the smallest and no divisor of their lengths.
    for place in (0..bytes.len()).step_by(29) {
        let mut changed = bytes.clone();
        changed[place] ^= 1 << (place % 8);
        let verdict = TestDealing::from_bytes(&changed).and_then(|dealing| verify(dealing, &recipients));
        assert!(verdict.is_err(), "byte {place}");
    }
}

#[test]
fn what_is_too_long_or_too_short_is_refused() {
    let (recipients, _) = recipients(2);
    let bytes = TestDealing::random(&mut rng(1), &recipients, CEREMONY, DEALER).to_bytes();
    for length in [0, 1, 2, 3, 100, bytes.len() - 1] {
        assert!(TestDealing::from_bytes(&bytes[..length]).is_err(), "{length} bytes");
    }
    let mut longer = bytes.clone();
    longer.push(0);
    assert!(TestDealing::from_bytes(&longer).is_err());
    let mut none = bytes;
    none[1..3].fill(0);
    assert!(TestDealing::from_bytes(&none).is_err(), "no recipients");
}

#[test]
fn a_wrong_share_fails_whoever_it_is_for() {
    let (recipients, _) = recipients(4);
    for victim in recipients.size().operators() {
        let dealing = TestDealing::wrong_share(&mut rng(5), &recipients, CEREMONY, DEALER, victim);
        let refused = verify(dealing, &recipients);
        assert!(matches!(refused, Err(PeerError::Dealing(reason)) if reason.contains("encrypted")), "{refused:?}");
    }
}

#[test]
fn commitments_to_a_polynomial_of_higher_degree_fail() {
    let (recipients, _) = recipients(4);
    for coefficients in [4, 5] {
        let polynomial = Polynomial::random(&mut rng(4), coefficients);
        let dealing = TestDealing::of(&mut rng(9), &polynomial, &recipients, CEREMONY, DEALER).expect("no zero");
        let refused = verify(dealing, &recipients);
        assert!(matches!(refused, Err(PeerError::Dealing(reason)) if reason.contains("polynomial")), "{refused:?}");
    }
}

#[test]
fn commitments_to_other_shares_than_the_encrypted_ones_fail() {
    let (recipients, _) = recipients(4);
    let mut dealing = TestDealing::random(&mut rng(1), &recipients, CEREMONY, DEALER);
    let other = TestDealing::random(&mut rng(2), &recipients, CEREMONY, DEALER);
    dealing.commitments = other.commitments;
    assert!(verify(dealing, &recipients).is_err());
}

/// One good row is enough, and a dealing that verifies has one.
#[test]
fn bad_rows_are_skipped_by_their_recipient() {
    let (recipients, secrets) = recipients(4);
    let dealing = TestDealing::random(&mut rng(1), &recipients, CEREMONY, DEALER);
    let mut dealing = verify(dealing, &recipients).expect("honest").into_inner();
    let victim = OperatorIndex(2);
    let rows = dealing.closed.len();
    for row in &mut dealing.closed[..rows - 1] {
        row.masked[rows::column(victim)] = Scalar::one();
    }
    let expected = dealing.share_key(victim);
    let share =
        Verified::new(dealing).decrypt(&recipients, CEREMONY, DEALER, victim, &secrets[2]).expect("the last row");
    assert_eq!(commit::<MinSig>(&share).map(|key| key.to_bytes()), Some(expected.to_bytes()));
}
