//! The pool's rules one by one, and (in `model`) all of them together against a naive model.

mod model;

use super::*;
use crate::{AdmissionError, GOSSIP_BYTES_MAX, REOFFERS_PER_SECOND_MAX};
use alloy_consensus::transaction::Recovered;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{Bytes, Signature, TxKind};
use core::time::Duration;
use phalanx_types::{TRANSACTIONS_PER_MESSAGE_MAX, Time};

const BASE_FEE: u64 = 100;
const RICH: AccountState = AccountState { nonce: 0, balance: U256::from_limbs([u64::MAX, 0, 0, 0]) };

/// A transaction of a sender, as if recovered.
#[derive(Clone, Copy)]
pub(super) struct Draft {
    pub(super) sender: u8,
    pub(super) nonce: u64,
    pub(super) cap: u128,
    pub(super) tip: u128,
    pub(super) value: u64,
    pub(super) data_bytes: usize,
}

impl Draft {
    pub(super) fn new(sender: u8, nonce: u64) -> Self {
        Self { sender, nonce, cap: 200, tip: 10, value: 1, data_bytes: 0 }
    }

    fn priced(self, cap: u128, tip: u128) -> Self {
        Self { cap, tip, ..self }
    }

    pub(super) fn make(self) -> PooledTransaction {
        let unsigned = TxEip1559 {
            nonce: self.nonce,
            gas_limit: 21_000,
            max_fee_per_gas: self.cap,
            max_priority_fee_per_gas: self.tip,
            to: TxKind::Call(Address::ZERO),
            value: U256::from(self.value),
            input: vec![7; self.data_bytes].into(),
            ..TxEip1559::default()
        };
        // The sender enters the signature, so that no two senders' transactions share a hash.
        let signature = Signature::new(U256::from(self.sender) + U256::from(1), U256::from(1), false);
        let transaction = TxEnvelope::from(unsigned.into_signed(signature));
        let bytes = Bytes::from(transaction.encoded_2718());
        PooledTransaction::new(Recovered::new_unchecked(transaction, address(self.sender)), bytes)
    }
}

pub(super) fn address(sender: u8) -> Address {
    Address::left_padding_from(&[1, sender])
}

fn seconds(seconds: u64) -> Time {
    Time::ZERO + Duration::from_secs(seconds)
}

fn pool() -> Mempool {
    Mempool::new(Limits::default(), BASE_FEE)
}

fn admit(pool: &mut Mempool, draft: Draft) -> Result<Admitted, AdmissionError> {
    pool.admit(draft.make(), RICH, Origin::Local, Time::ZERO)
}

/// Senders and nonces, in the order in which a leader would include them.
fn selected(pool: &Mempool, parent: impl Fn(Address) -> u64) -> Vec<(u8, u64)> {
    pool.select(BASE_FEE, parent).map(|found| (found.sender()[19], found.nonce())).collect()
}

#[test]
fn executable_ones_are_selected_in_the_order_in_which_they_came() {
    let mut pool = pool();
    for (sender, nonce) in [(3, 0), (1, 0), (3, 1), (2, 0), (1, 1)] {
        admit(&mut pool, Draft::new(sender, nonce)).unwrap();
    }
    assert_eq!(selected(&pool, |_| 0), [(3, 0), (1, 0), (3, 1), (2, 0), (1, 1)]);
}

#[test]
fn a_gap_waits_and_takes_its_place_when_it_is_filled() {
    let mut pool = pool();
    assert_eq!(admit(&mut pool, Draft::new(1, 2)).unwrap().executable, Vec::<B256>::new());
    assert_eq!(admit(&mut pool, Draft::new(1, 1)).unwrap().executable, Vec::<B256>::new());
    admit(&mut pool, Draft::new(2, 0)).unwrap();
    assert_eq!((pool.status().executable, pool.status().waiting), (1, 2));
    assert_eq!(pool.pending_nonce(&address(1)), None);
    let filled = admit(&mut pool, Draft::new(1, 0)).unwrap();
    let hashes: Vec<B256> = (0..3).map(|nonce| Draft::new(1, nonce).make().hash()).collect();
    assert_eq!(filled.executable, hashes);
    assert_eq!(selected(&pool, |_| 0), [(2, 0), (1, 0), (1, 1), (1, 2)]);
    assert_eq!(pool.pending_nonce(&address(1)), Some(3));
}

#[test]
fn what_unfinalized_ancestors_include_is_passed_over_and_kept() {
    let mut pool = pool();
    for nonce in 0..4 {
        admit(&mut pool, Draft::new(1, nonce)).unwrap();
    }
    assert_eq!(selected(&pool, |_| 2), [(1, 2), (1, 3)]);
    // The leader fails: the next one builds on an older parent, and nothing is missing.
    assert_eq!(selected(&pool, |_| 0).len(), 4);
}

#[test]
fn only_what_the_final_state_has_passed_is_removed() {
    let mut pool = pool();
    for nonce in 0..4 {
        admit(&mut pool, Draft::new(1, nonce)).unwrap();
    }
    let committed = pool.committed([address(1)], BASE_FEE, |_| AccountState { nonce: 3, ..RICH }, Time::ZERO);
    let removed: Vec<B256> = (0..3).map(|nonce| Draft::new(1, nonce).make().hash()).collect();
    assert_eq!(committed.removed, removed);
    assert_eq!(selected(&pool, |_| 3), [(1, 3)]);
    assert_eq!(admit(&mut pool, Draft::new(1, 2)), Err(AdmissionError::NonceTooLow { next: 3, have: 2 }));
}

#[test]
fn a_nonce_used_elsewhere_makes_what_follows_executable() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 2)).unwrap();
    let committed = pool.committed([address(1)], BASE_FEE, |_| AccountState { nonce: 2, ..RICH }, Time::ZERO);
    assert_eq!(committed.executable, [Draft::new(1, 2).make().hash()]);
}

#[test]
fn a_known_transaction_is_refused() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    assert_eq!(admit(&mut pool, Draft::new(1, 0)), Err(AdmissionError::AlreadyKnown));
}

#[test]
fn a_replacement_outbids_in_both_fees_and_keeps_its_turn() {
    let mut pool = pool();
    let first = Draft::new(1, 0).priced(200, 10);
    admit(&mut pool, first).unwrap();
    admit(&mut pool, Draft::new(2, 0)).unwrap();
    for (cap, tip) in [(219, 11), (220, 10), (200, 20), (300, 10)] {
        let refused = admit(&mut pool, Draft::new(1, 0).priced(cap, tip));
        assert_eq!(refused, Err(AdmissionError::ReplacementUnderpriced), "{cap} {tip}");
    }
    let second = Draft::new(1, 0).priced(220, 11);
    let admitted = admit(&mut pool, second).unwrap();
    assert_eq!(admitted.replaced, Some(first.make().hash()));
    assert_eq!(admitted.executable, [second.make().hash()]);
    assert_eq!(selected(&pool, |_| 0), [(1, 0), (2, 0)]);
    assert!(!pool.contains(&first.make().hash()));
    assert_eq!(pool.status().executable, 2);
}

#[test]
fn an_account_must_be_able_to_pay_for_all_that_it_wants() {
    let mut pool = pool();
    let one = u64::try_from(Draft::new(1, 0).make().cost()).unwrap();
    let account = AccountState { nonce: 0, balance: U256::from(2 * one) };
    let mut admit = |draft: Draft| pool.admit(draft.make(), account, Origin::Local, Time::ZERO);
    admit(Draft::new(1, 0)).unwrap();
    admit(Draft::new(1, 1)).unwrap();
    let refused = admit(Draft::new(1, 2)).unwrap_err();
    let AdmissionError::InsufficientFunds(shortfall) = refused else { panic!("{refused}") };
    assert_eq!(u64::try_from(shortfall.overshot).unwrap(), one);
    assert_eq!(u64::try_from(shortfall.queued).unwrap(), 2 * one);
    // A replacement does not count what it replaces.
    let refused = admit(Draft::new(1, 1).priced(400, 20)).unwrap_err();
    assert!(matches!(refused, AdmissionError::InsufficientFunds(_)));
    admit(Draft { value: 0, ..Draft::new(1, 1) }.priced(201, 12)).unwrap_err();
}

#[test]
fn a_transaction_below_the_base_fee_waits_until_it_falls() {
    let mut pool = pool();
    let cheap = Draft::new(1, 0).priced(50, 10);
    assert_eq!(admit(&mut pool, cheap).unwrap().executable, Vec::<B256>::new());
    let committed = pool.committed([], 50, |_| RICH, Time::ZERO);
    assert_eq!(committed.executable, [cheap.make().hash()]);
    // Once executable it stays so; it is only passed over while it cannot pay.
    pool.committed([], 100, |_| RICH, Time::ZERO);
    assert_eq!(selected(&pool, |_| 0), []);
    assert_eq!(pool.select(50, |_| 0).count(), 1);
}

#[test]
fn a_sender_that_cannot_pay_the_base_fee_is_passed_over_as_a_whole() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 0).priced(100, 10)).unwrap();
    admit(&mut pool, Draft::new(1, 1).priced(900, 10)).unwrap();
    admit(&mut pool, Draft::new(2, 0).priced(900, 10)).unwrap();
    let found: Vec<u8> = pool.select(101, |_| 0).map(|found| found.sender()[19]).collect();
    assert_eq!(found, [2]);
}

#[test]
fn a_skipped_sender_gives_nothing_more_to_this_block() {
    let mut pool = pool();
    for (sender, nonce) in [(1, 0), (1, 1), (2, 0)] {
        admit(&mut pool, Draft::new(sender, nonce)).unwrap();
    }
    let mut selection = pool.select(BASE_FEE, |_| 0);
    assert_eq!(selection.next().unwrap().sender(), address(1));
    selection.skip_sender(address(1));
    assert_eq!(selection.next().unwrap().sender(), address(2));
    assert!(selection.next().is_none());
}

#[test]
fn a_full_pool_refuses_but_waiting_ones_make_room_for_executable_ones() {
    let limits = Limits { transactions_max: 3, ..Limits::default() };
    let mut pool = Mempool::new(limits, BASE_FEE);
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    let older = Draft::new(2, 5);
    let newer = Draft::new(3, 5);
    admit(&mut pool, older).unwrap();
    admit(&mut pool, newer).unwrap();
    assert_eq!(admit(&mut pool, Draft::new(4, 5)), Err(AdmissionError::PoolFull));
    assert_eq!(admit(&mut pool, Draft::new(4, 0)).unwrap().evicted, [newer.make().hash()]);
    assert!(pool.contains(&older.make().hash()) && !pool.contains(&newer.make().hash()));
    admit(&mut pool, Draft::new(5, 0)).unwrap();
    assert_eq!(admit(&mut pool, Draft::new(6, 0)), Err(AdmissionError::PoolFull));
    assert_eq!(selected(&pool, |_| 0), [(1, 0), (4, 0), (5, 0)]);
}

#[test]
fn no_peer_holds_more_than_its_share() {
    let limits = Limits { peer_transactions_max: 2, ..Limits::default() };
    let mut pool = Mempool::new(limits, BASE_FEE);
    let peer = Origin::Peer(OperatorIndex(7));
    for nonce in 0..2 {
        pool.admit(Draft::new(1, nonce).make(), RICH, peer, Time::ZERO).unwrap();
    }
    let refused = pool.admit(Draft::new(1, 2).make(), RICH, peer, Time::ZERO);
    assert_eq!(refused, Err(AdmissionError::PeerFull { held: 2 }));
    pool.admit(Draft::new(1, 2).make(), RICH, Origin::Peer(OperatorIndex(8)), Time::ZERO).unwrap();
    admit(&mut pool, Draft::new(1, 3)).unwrap();
    pool.committed([address(1)], BASE_FEE, |_| AccountState { nonce: 4, ..RICH }, Time::ZERO);
    assert_eq!(pool.held_of_peer(OperatorIndex(7)), 0);
    assert_eq!(pool.status(), Status::default());
}

#[test]
fn a_sender_is_bounded_in_count_in_waiting_ones_and_in_distance() {
    let limits = Limits { sender_transactions_max: 3, sender_waiting_max: 1, nonce_gap_max: 5, ..Limits::default() };
    let mut pool = Mempool::new(limits, BASE_FEE);
    let far = AdmissionError::NonceTooFar { next: 0, have: 6, limit: 5 };
    assert_eq!(admit(&mut pool, Draft::new(1, 6)), Err(far));
    admit(&mut pool, Draft::new(1, 5)).unwrap();
    assert_eq!(admit(&mut pool, Draft::new(1, 4)), Err(AdmissionError::SenderFull { held: 1, limit: 1 }));
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    admit(&mut pool, Draft::new(1, 1)).unwrap();
    assert_eq!(admit(&mut pool, Draft::new(1, 2)), Err(AdmissionError::SenderFull { held: 3, limit: 3 }));
}

#[test]
fn only_waiting_ones_expire() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    let waits = Draft::new(2, 3);
    admit(&mut pool, waits).unwrap();
    let lifetime = crate::WAITING_LIFETIME_S_MAX;
    assert_eq!(pool.maintain(|_| RICH, seconds(lifetime - 1)), Maintained::default());
    assert_eq!(pool.maintain(|_| RICH, seconds(lifetime)).expired, [waits.make().hash()]);
    assert_eq!(selected(&pool, |_| 0), [(1, 0)]);
}

#[test]
fn maintenance_finds_accounts_that_changed_by_themselves() {
    let mut pool = pool();
    for nonce in 0..3 {
        admit(&mut pool, Draft::new(1, nonce)).unwrap();
    }
    // An EIP-7702 authorization used a nonce.
    let maintained = pool.maintain(|_| AccountState { nonce: 1, ..RICH }, seconds(1));
    assert_eq!(maintained.removed, [Draft::new(1, 0).make().hash()]);
    // The funds went another way: the transactions wait, and come back with the funds.
    pool.maintain(|_| AccountState { nonce: 1, balance: U256::ZERO }, seconds(2));
    assert_eq!((pool.status().executable, pool.status().waiting), (0, 2));
    assert_eq!(pool.maintain(|_| AccountState { nonce: 1, ..RICH }, seconds(3)).executable.len(), 2);
    assert_eq!(selected(&pool, |_| 1), [(1, 1), (1, 2)]);
}

#[test]
fn maintenance_reaches_every_sender_in_turn() {
    let mut pool = pool();
    let senders = 2 * crate::RECHECKED_SENDERS_MAX + 10;
    for sender in 0..senders {
        let mut transaction = Draft::new(0, 0);
        transaction.value = sender as u64;
        let made = transaction.make();
        let address = Address::left_padding_from(&sender.to_be_bytes());
        let recovered = Recovered::new_unchecked(made.transaction().inner().clone(), address);
        let made = PooledTransaction::new(recovered, made.bytes().clone());
        pool.admit(made, RICH, Origin::Local, Time::ZERO).unwrap();
    }
    let mut seen = BTreeSet::new();
    for _ in 0..3 {
        pool.maintain(
            |address| {
                seen.insert(address);
                RICH
            },
            Time::ZERO,
        );
    }
    assert_eq!(seen.len(), senders);
}

#[test]
fn verdicts_park_or_drop() {
    let mut pool = pool();
    for nonce in 0..3 {
        admit(&mut pool, Draft::new(1, nonce)).unwrap();
    }
    let second = Draft::new(1, 1).make().hash();
    pool.verdict(&second, Verdict::Unpayable, Time::ZERO);
    assert_eq!(selected(&pool, |_| 0), [(1, 0)]);
    assert!(pool.contains(&second));
    let back = pool.committed([address(1)], BASE_FEE, |_| RICH, Time::ZERO);
    assert_eq!(back.executable.len(), 2);
    pool.verdict(&second, Verdict::Invalid, Time::ZERO);
    assert!(!pool.contains(&second));
    assert_eq!((pool.status().executable, pool.status().waiting), (1, 1));
    pool.verdict(&second, Verdict::Invalid, Time::ZERO);
}

#[test]
fn local_transactions_are_sent_once_and_peers_transactions_are_not_sent_on() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    admit(&mut pool, Draft::new(1, 7)).unwrap();
    pool.admit(Draft::new(2, 0).make(), RICH, Origin::Peer(OperatorIndex(1)), Time::ZERO).unwrap();
    let sent: Vec<u64> = pool.to_gossip(Time::ZERO).iter().map(PooledTransaction::nonce).collect();
    assert_eq!(sent, [0, 7], "waiting ones too: any leader may get what they wait for");
    assert!(pool.to_gossip(seconds(1)).is_empty());
}

#[test]
fn what_is_not_final_is_offered_again_ever_more_rarely() {
    let mut pool = pool();
    admit(&mut pool, Draft::new(1, 0)).unwrap();
    pool.admit(Draft::new(2, 0).make(), RICH, Origin::Peer(OperatorIndex(1)), Time::ZERO).unwrap();
    pool.to_gossip(Time::ZERO);
    let mut offers = Vec::new();
    for second in 1..=200 {
        for offered in pool.to_gossip(seconds(second)) {
            offers.push((second, offered.sender()[19]));
        }
    }
    let of = |sender| offers.iter().filter(|(_, by)| *by == sender).map(|(second, _)| *second).collect::<Vec<_>>();
    assert_eq!(of(1), [2, 6, 14, 30, 62, 126, 190]);
    assert_eq!(of(2), [6, 18, 42, 90, 186]);
    pool.committed([address(1)], BASE_FEE, |_| AccountState { nonce: 1, ..RICH }, seconds(201));
    assert!(pool.to_gossip(seconds(255)).is_empty(), "what is final is not offered");
}

#[test]
fn gossip_keeps_its_bounds() {
    let mut pool = pool();
    let count = TRANSACTIONS_PER_MESSAGE_MAX as u64;
    for sender in 0..2 {
        for nonce in 0..count {
            admit(&mut pool, Draft::new(sender, nonce)).unwrap();
        }
    }
    let mut batches = Vec::new();
    loop {
        let batch = pool.to_gossip(Time::ZERO);
        if batch.is_empty() {
            break;
        }
        batches.push(batch);
    }
    assert_eq!(batches.iter().map(Vec::len).sum::<usize>() as u64, 2 * count);
    for batch in batches {
        let bytes: usize = batch.iter().map(|transaction| transaction.bytes().len()).sum();
        assert!(batch.len() <= TRANSACTIONS_PER_MESSAGE_MAX && bytes <= GOSSIP_BYTES_MAX);
    }
    let mut again = 0;
    for _ in 0..10 {
        again += pool.to_gossip(seconds(10)).len();
    }
    assert_eq!(again, REOFFERS_PER_SECOND_MAX as usize);
    assert!(!pool.to_gossip(seconds(11)).is_empty());
}

#[test]
fn content_is_shown_in_order_of_sender_and_nonce() {
    let mut pool = pool();
    for (sender, nonce) in [(2, 0), (1, 4), (1, 0)] {
        admit(&mut pool, Draft::new(sender, nonce)).unwrap();
    }
    let shown: Vec<(u8, u64, Standing)> =
        pool.content().map(|held| (held.transaction.sender()[19], held.transaction.nonce(), held.standing)).collect();
    assert_eq!(shown, [(1, 0, Standing::Executable), (1, 4, Standing::Waiting), (2, 0, Standing::Executable)]);
    assert_eq!(pool.content_of(&address(1)).count(), 2);
    assert_eq!(pool.get(&Draft::new(1, 4).make().hash()).unwrap().standing, Standing::Waiting);
}
