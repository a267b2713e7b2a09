//! Changes of operators, played from seeds: dealers that are absent or wrong in every way, in any order, among the old
//! ones. The key, and so every signature, stays.

use super::*;
use crate::scheme::{Partial, PartialSigner, Partials, ThresholdScheme};
use crate::{BlsSigner, deal};
use phalanx_bls::MinSig;
use phalanx_types::SignatureBytes;
use rand::RngExt;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::SeedableRng;

const DIGEST: B256 = B256::repeat_byte(0x5d);
const DEADLINE: u64 = 100;

/// A set of operators and all of its secrets.
struct Epoch {
    public_key: PublicKey<MinSig>,
    share_keys: Vec<PublicKey<MinSig>>,
    shares: Vec<SecretShare>,
}

impl Epoch {
    fn first(rng: &mut ChaCha12Rng, n: usize) -> Self {
        let deal = deal(rng, ClusterSize::new(n).expect("few"));
        Self { public_key: deal.public_key, share_keys: deal.share_keys, shares: deal.shares }
    }

    fn size(&self) -> ClusterSize {
        ClusterSize::new(self.shares.len()).expect("few")
    }

    fn change(&self, rng: &mut ChaCha12Rng, n: usize) -> (Change<MinSig>, Vec<EncryptionSecret>) {
        let secrets: Vec<_> = (0..n).map(|_| EncryptionSecret::generate(rng)).collect();
        let recipients = Recipients::new(secrets.iter().map(EncryptionSecret::public).collect()).expect("few");
        let id = B256::from(rng.random::<[u8; 32]>());
        let share_keys = self.share_keys.clone();
        let change = Change::new(id, self.public_key, share_keys, recipients, DEADLINE, Backend::detect());
        (change.expect("one cluster's keys"), secrets)
    }

    fn partial(&self, index: usize) -> (OperatorIndex, Partial) {
        let share = self.shares[index].clone();
        (share.index(), BlsSigner::<MinSig>::new(share).sign(&DIGEST).into())
    }

    fn scheme(&self) -> Bls<MinSig> {
        Bls::new(Backend::detect(), self.size(), self.public_key, self.share_keys.clone()).expect("one polynomial")
    }

    /// By a random quorum.
    fn signature(&self, rng: &mut ChaCha12Rng) -> SignatureBytes {
        let mut signers: Vec<_> = (0..self.shares.len()).collect();
        signers.shuffle(rng);
        let partials: Vec<_> = signers[..self.size().q()].iter().map(|index| self.partial(*index)).collect();
        self.recover(rng, &partials).expect("a quorum signs")
    }

    fn recover(&self, rng: &mut ChaCha12Rng, partials: &[(OperatorIndex, Partial)]) -> Option<SignatureBytes> {
        self.scheme().recover(rng, &[Partials { digest: DIGEST, partials }]).remove(0)
    }
}

/// What a faulty old operator has ordered in its name.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Absent,
    AnotherSecret,
    WrongShare,
    Malformed,
    AnothersDealing,
    OfAnotherChange,
}

const FAULTS: [Fault; 6] = [
    Fault::Absent,
    Fault::AnotherSecret,
    Fault::WrongShare,
    Fault::Malformed,
    Fault::AnothersDealing,
    Fault::OfAnotherChange,
];

fn faulty(
    rng: &mut ChaCha12Rng,
    epoch: &Epoch,
    change: &Change<MinSig>,
    fault: Fault,
    dealer: OperatorIndex,
) -> Option<Vec<u8>> {
    let own = &epoch.shares[dealer.as_usize()];
    let n = change.recipients.size().n();
    match fault {
        Fault::Absent => None,
        Fault::AnotherSecret => Some(Dealing::<MinSig>::random(rng, &change.recipients, change.id, dealer).to_bytes()),
        Fault::WrongShare => {
            let secret = Scalar::from_bytes(&own.to_bytes()).expect("a share");
            let victim = OperatorIndex(rng.random_range(0..u16::try_from(n).expect("few")));
            let wrong = Dealing::<MinSig>::wrong_share_of(rng, &secret, &change.recipients, change.id, dealer, victim);
            Some(wrong.to_bytes())
        }
        Fault::Malformed => {
            let mut bytes = change.deal(rng, own).expect("its own share");
            let place = rng.random_range(0..bytes.len());
            bytes[place] ^= 1 << rng.random_range(0..8);
            Some(bytes)
        }
        Fault::AnothersDealing => {
            let other = &epoch.shares[(dealer.as_usize() + 1) % epoch.shares.len()];
            Some(change.deal(rng, other).expect("its own share"))
        }
        Fault::OfAnotherChange => {
            let (other, _) = epoch.change(rng, n);
            Some(other.deal(rng, own).expect("its own share"))
        }
    }
}

/// Plays one change with `faults` faulty old operators; the new epoch, if there is one.
fn play(rng: &mut ChaCha12Rng, old: &Epoch, n: usize, faults: usize, fault: Fault) -> Option<Epoch> {
    let (change, secrets) = old.change(rng, n);
    let mut order: Vec<_> = old.size().operators().collect();
    order.shuffle(rng);
    let (bad, good) = order.split_at(faults);
    let mut ordered = Vec::new();
    for dealer in bad {
        ordered.extend(faulty(rng, old, &change, fault, *dealer).map(|bytes| (*dealer, bytes, false)));
    }
    for dealer in good {
        let bytes = change.deal(rng, &old.shares[dealer.as_usize()]).expect("its own share");
        ordered.push((*dealer, bytes, true));
    }
    ordered.shuffle(rng);
    let mut reshare = Reshare::new(change);
    for (height, (dealer, bytes, is_good)) in (1..).zip(&ordered) {
        let open = matches!(reshare.progress(), Progress::Dealing(_));
        let taken = reshare.order(height, *dealer, bytes);
        assert!(!open || taken.is_ok() == *is_good, "{fault:?} of {dealer}: {taken:?}");
        if matches!(reshare.progress(), Progress::Dealing(_)) && *is_good {
            assert!(reshare.order(height, *dealer, bytes).is_err(), "twice");
        }
    }
    reshare.pass(DEADLINE);
    let Some(keys) = reshare.keys() else {
        assert_eq!(reshare.progress(), Progress::Dropped(DEADLINE));
        assert!(reshare.share(OperatorIndex(0), &secrets[0]).expect("its secret").is_none());
        return None;
    };
    let shares = (0..).map(OperatorIndex).zip(&secrets);
    let shares = shares.map(|(index, secret)| reshare.share(index, secret).expect("its secret").expect("fixed"));
    let new = Epoch { public_key: keys.public_key, share_keys: keys.share_keys, shares: shares.collect() };
    for (share, key) in new.shares.iter().zip(&new.share_keys) {
        assert_eq!(share.public_key::<MinSig>(), *key);
    }
    Some(new)
}

#[test]
fn one_key_from_one_operator_to_seven_and_back() {
    let rng = &mut ChaCha12Rng::seed_from_u64(1);
    let mut epoch = Epoch::first(rng, 1);
    let (key, signature) = (epoch.public_key, epoch.signature(rng));
    // The last but one is a refresh.
    for n in [4, 7, 4, 4, 1] {
        let faults = epoch.size().f();
        epoch = play(rng, &epoch, n, faults, Fault::Absent).expect("enough are there");
        assert_eq!((epoch.public_key, epoch.shares.len()), (key, n));
        assert_eq!(epoch.signature(rng), signature, "every epoch signs the same");
    }
}

#[test]
fn whatever_f_old_operators_do_the_change_completes_and_with_more_it_is_dropped() {
    for (seed, fault) in (0..).zip(FAULTS) {
        let rng = &mut ChaCha12Rng::seed_from_u64(seed);
        let old = Epoch::first(rng, 4);
        let signature = old.signature(rng);
        let new = play(rng, &old, 7, 1, fault).expect("f are tolerated");
        assert_eq!(new.signature(rng), signature, "{fault:?}");
        assert!(play(rng, &old, 4, 2, fault).is_none(), "{fault:?}: fewer than q have dealt");
    }
}

#[test]
fn old_shares_and_new_ones_do_not_sign_together() {
    let rng = &mut ChaCha12Rng::seed_from_u64(9);
    let old = Epoch::first(rng, 4);
    let new = play(rng, &old, 4, 0, Fault::Absent).expect("all are there");
    let mixed = [new.partial(0), new.partial(1), old.partial(2)];
    assert_eq!(new.recover(rng, &mixed), None);
    assert_eq!(old.recover(rng, &mixed), None);
}

#[test]
fn nothing_counts_after_the_deadline_and_nothing_more_once_it_is_fixed() {
    let rng = &mut ChaCha12Rng::seed_from_u64(10);
    let old = Epoch::first(rng, 4);
    let (change, _) = old.change(rng, 4);
    let dealings: Vec<_> = old.shares.iter().map(|share| change.deal(rng, share).expect("its own")).collect();
    let fed = |heights: [u64; 4]| {
        let recipients = Recipients::new(change.recipients.keys().to_vec()).expect("few");
        let again =
            Change::new(change.id, old.public_key, old.share_keys.clone(), recipients, DEADLINE, change.backend);
        let mut reshare = Reshare::new(again.expect("the same"));
        for ((index, bytes), height) in (0..).map(OperatorIndex).zip(&dealings).zip(heights) {
            reshare.order(height, index, bytes).expect("a good dealing");
        }
        reshare
    };
    assert_eq!(fed([1, 2, DEADLINE, DEADLINE]).progress(), Progress::Fixed(DEADLINE), "at the deadline is not after");
    assert_eq!(fed([1, 2, DEADLINE + 1, DEADLINE + 2]).progress(), Progress::Dropped(DEADLINE));
    let fixed = fed([1, 2, 3, 4]);
    assert_eq!((fixed.progress(), fixed.dealings.len()), (Progress::Fixed(3), 3), "the fourth is too many");
    let foreign = fixed.share(OperatorIndex(0), &EncryptionSecret::generate(rng));
    assert!(matches!(foreign, Err(MisuseError::NotOurSeat(_))));
}

#[test]
fn a_share_of_another_cluster_is_not_dealt() {
    let rng = &mut ChaCha12Rng::seed_from_u64(11);
    let (old, other) = (Epoch::first(rng, 4), Epoch::first(rng, 4));
    let (change, _) = old.change(rng, 4);
    assert_eq!(change.deal(rng, &other.shares[0]), Err(MisuseError::NotOurSeat(OperatorIndex(0))));
}
