//! Random sequences of everything that can happen to a pool, against a naive model that recomputes all of
//! it from a list, and against the invariants of the crate's page.

use super::*;
use alloy_primitives::U512;
use proptest::prelude::*;

const SENDERS: u8 = 4;
const LIMITS: Limits = Limits {
    transactions_max: 12,
    bytes_max: 30_000,
    waiting_max: 6,
    sender_transactions_max: 6,
    sender_waiting_max: 3,
    nonce_gap_max: 4,
    peer_transactions_max: 5,
    price_bump_percent: 10,
    tip_min: 2,
    waiting_lifetime_max: Duration::from_secs(20),
};

#[derive(Clone, Debug)]
enum Step {
    /// A transaction is offered, its nonce counted from the account's.
    Admit { sender: u8, ahead: u64, cap: u128, tip: u128, data_bytes: usize, peer: Option<u16> },
    /// A leader includes this many, and its block becomes final; others may move nonces besides.
    /// Whether the pool is told of such a nonce at once is `told`.
    Commit { included: usize, elsewhere: Option<u8>, told: bool, base_fee: u64 },
    /// A sender's balance becomes this many times what a usual transaction costs; maintenance sees it.
    Fund { sender: u8, transactions: u64 },
    /// Execution judges the first transaction that is selected.
    Judge { invalid: bool },
    /// Time passes.
    Wait { seconds: u64 },
    /// Gossip is collected.
    Gossip,
}

fn step() -> impl Strategy<Value = Step> {
    let caps = prop::sample::select(vec![40u128, 100, 120, 140, 200]);
    let tips = prop::sample::select(vec![1u128, 2, 5, 8, 20]);
    prop_oneof![
        12 => (0..SENDERS, 0u64..7, caps, tips, 0usize..900, prop::option::of(0u16..2)).prop_map(
            |(sender, ahead, cap, tip, data_bytes, peer)| Step::Admit { sender, ahead, cap, tip, data_bytes, peer }
        ),
        3 => (
            0usize..5,
            prop::option::weighted(0.3, 0..SENDERS),
            any::<bool>(),
            prop::sample::select(vec![30u64, 100, 130])
        )
            .prop_map(|(included, elsewhere, told, base_fee)| Step::Commit { included, elsewhere, told, base_fee }),
        1 => (0..SENDERS, prop::sample::select(vec![0u64, 1, 3, 1_000]))
            .prop_map(|(sender, transactions)| Step::Fund { sender, transactions }),
        1 => any::<bool>().prop_map(|invalid| Step::Judge { invalid }),
        1 => (1u64..15).prop_map(|seconds| Step::Wait { seconds }),
        1 => Just(Step::Gossip),
    ]
}

/// One transaction in the model.
#[derive(Clone)]
struct Entry {
    transaction: PooledTransaction,
    origin: Origin,
    executable: bool,
    since: Time,
}

impl Entry {
    fn nonce(&self) -> u64 {
        self.transaction.nonce()
    }
}

/// The rules, from a list. Its order is the order in which entries came to their standing.
struct Model {
    entries: Vec<Entry>,
    accounts: BTreeMap<Address, AccountState>,
    /// What the pool was last told; it may lag behind `accounts`.
    known: BTreeMap<Address, AccountState>,
    base_fee: u64,
    now: Time,
}

impl Model {
    fn new() -> Self {
        let accounts: BTreeMap<_, _> = (0..SENDERS).map(|sender| (super::address(sender), RICH)).collect();
        Self { entries: Vec::new(), known: accounts.clone(), accounts, base_fee: BASE_FEE, now: Time::ZERO }
    }

    fn of(&self, sender: Address) -> Vec<&Entry> {
        let mut found: Vec<&Entry> = self.entries.iter().filter(|entry| entry.transaction.sender() == sender).collect();
        found.sort_by_key(|entry| entry.nonce());
        found
    }

    fn next(&self, sender: Address) -> u64 {
        let last = self.of(sender).iter().filter(|entry| entry.executable).map(|entry| entry.nonce() + 1).max();
        last.unwrap_or(0).max(self.known[&sender].nonce)
    }

    /// Moves an entry to the end with another standing.
    fn restand(&mut self, hash: B256, executable: bool) {
        let at = self.entries.iter().position(|entry| entry.transaction.hash() == hash).unwrap();
        let mut entry = self.entries.remove(at);
        entry.executable = executable;
        entry.since = self.now;
        self.entries.push(entry);
    }

    fn promote(&mut self, sender: Address) {
        loop {
            let next = self.next(sender);
            let known = self.known[&sender];
            let before: U512 = self
                .of(sender)
                .into_iter()
                .filter(|entry| entry.executable && entry.nonce() >= known.nonce)
                .fold(U512::ZERO, |sum, entry| sum + entry.transaction.cost());
            let ready = self.of(sender).into_iter().find(|entry| {
                entry.nonce() == next
                    && !entry.executable
                    && before + entry.transaction.cost() <= U512::from(known.balance)
                    && entry.transaction.fee_cap() >= u128::from(self.base_fee)
            });
            let Some(hash) = ready.map(|entry| entry.transaction.hash()) else { return };
            self.restand(hash, true);
        }
    }

    fn demote_from(&mut self, sender: Address, nonce: u64) {
        let hashes: Vec<B256> = self
            .of(sender)
            .into_iter()
            .filter(|entry| entry.executable && entry.nonce() >= nonce)
            .map(|entry| entry.transaction.hash())
            .collect();
        for hash in hashes {
            self.restand(hash, false);
        }
    }

    fn refuses(&self, transaction: &PooledTransaction, origin: Origin) -> bool {
        let sender = transaction.sender();
        let account = self.accounts[&sender];
        let own = self.of(sender);
        let old = own.iter().find(|entry| entry.nonce() == transaction.nonce());
        let others: U512 = own
            .iter()
            .filter(|entry| entry.nonce() >= account.nonce && entry.nonce() != transaction.nonce())
            .fold(U512::ZERO, |sum, entry| sum + entry.transaction.cost());
        let peer_full = origin != Origin::Local
            && self.entries.iter().filter(|entry| entry.origin == origin).count() >= LIMITS.peer_transactions_max;
        if self.entries.iter().any(|entry| entry.transaction.hash() == transaction.hash())
            || transaction.tip_cap() < LIMITS.tip_min
            || transaction.nonce() < account.nonce
            || others + transaction.cost() > U512::from(account.balance)
        {
            return true;
        }
        let bytes: usize = self.entries.iter().map(|entry| entry.transaction.footprint_bytes()).sum();
        if let Some(old) = old {
            let outbids = |new: u128, old: u128| new > old && new * 100 >= old * 110 - (old * 110) % 100;
            return !outbids(transaction.fee_cap(), old.transaction.fee_cap())
                || !outbids(transaction.tip_cap(), old.transaction.tip_cap())
                || (old.origin != origin && peer_full)
                || bytes - old.transaction.footprint_bytes() + transaction.footprint_bytes() > LIMITS.bytes_max;
        }
        let next = self.next(sender).max(account.nonce);
        let waits = transaction.nonce() != next || transaction.fee_cap() < u128::from(self.base_fee);
        let waiting = |entry: &&Entry| !entry.executable;
        let (counted, counted_bytes) = if waits {
            (self.entries.len(), bytes)
        } else {
            let kept = self.entries.iter().filter(|entry| entry.executable);
            (kept.clone().count(), kept.map(|entry| entry.transaction.footprint_bytes()).sum())
        };
        peer_full
            || transaction.nonce() > next + LIMITS.nonce_gap_max
            || own.len() >= LIMITS.sender_transactions_max
            || (waits && own.iter().filter(|entry| !entry.executable).count() >= LIMITS.sender_waiting_max)
            || (waits && self.entries.iter().filter(waiting).count() >= LIMITS.waiting_max)
            || counted >= LIMITS.transactions_max
            || counted_bytes + transaction.footprint_bytes() > LIMITS.bytes_max
    }

    /// Takes in what is not refused.
    fn admit(&mut self, transaction: PooledTransaction, origin: Origin) {
        let sender = transaction.sender();
        self.known.insert(sender, self.accounts[&sender]);
        let hash = transaction.hash();
        let nonce = transaction.nonce();
        let entry = Entry { transaction, origin, executable: false, since: self.now };
        let old = self.entries.iter_mut().find(|entry| entry.transaction.sender() == sender && entry.nonce() == nonce);
        if let Some(old) = old {
            *old = Entry { executable: old.executable, since: old.since, ..entry };
        } else {
            let next = self.next(sender);
            if nonce == next && entry.transaction.fee_cap() >= u128::from(self.base_fee) {
                self.make_room(entry.transaction.footprint_bytes());
            }
            self.entries.push(entry);
        }
        debug_assert!(self.entries.iter().any(|entry| entry.transaction.hash() == hash));
        self.promote(sender);
    }

    fn make_room(&mut self, bytes: usize) {
        loop {
            let held: usize = self.entries.iter().map(|entry| entry.transaction.footprint_bytes()).sum();
            if self.entries.len() < LIMITS.transactions_max && held + bytes <= LIMITS.bytes_max {
                return;
            }
            let newest = self.entries.iter().rposition(|entry| !entry.executable).unwrap();
            self.entries.remove(newest);
        }
    }

    /// The pool looks an account up.
    fn recheck(&mut self, sender: Address) {
        let account = self.accounts[&sender];
        self.known.insert(sender, account);
        self.entries.retain(|entry| entry.transaction.sender() != sender || entry.nonce() >= account.nonce);
        let mut misplaced = None;
        let mut spent = U512::ZERO;
        let executable = self.of(sender).into_iter().filter(|entry| entry.executable);
        for (expected, entry) in (account.nonce..).zip(executable) {
            spent += entry.transaction.cost();
            if misplaced.is_none() && (entry.nonce() != expected || spent > U512::from(account.balance)) {
                misplaced = Some(entry.nonce());
            }
        }
        if let Some(nonce) = misplaced {
            self.demote_from(sender, nonce);
        }
        self.promote(sender);
    }

    fn order(&self) -> Vec<B256> {
        self.entries.iter().filter(|entry| entry.executable).map(|entry| entry.transaction.hash()).collect()
    }

    fn held(&self) -> BTreeMap<B256, Standing> {
        let standing = |entry: &Entry| if entry.executable { Standing::Executable } else { Standing::Waiting };
        self.entries.iter().map(|entry| (entry.transaction.hash(), standing(entry))).collect()
    }
}

/// The pool and the model, side by side.
struct Run {
    pool: Mempool,
    model: Model,
    /// What was accepted as executable and must be there still.
    promised: BTreeMap<B256, (Address, u64)>,
}

impl Run {
    fn apply(&mut self, step: Step) {
        match step {
            Step::Admit { sender, ahead, cap, tip, data_bytes, peer } => {
                let nonce = (self.model.accounts[&super::address(sender)].nonce + ahead).saturating_sub(1);
                let draft = Draft { sender, nonce, cap, tip: tip.min(cap), value: 1, data_bytes };
                self.admit(draft.make(), peer.map_or(Origin::Local, |peer| Origin::Peer(OperatorIndex(peer))));
            }
            Step::Commit { included, elsewhere, told, base_fee } => self.commit(included, elsewhere, told, base_fee),
            Step::Fund { sender, transactions } => {
                let cost = U256::from(Draft::new(sender, 0).make().cost());
                let account = self.model.accounts.get_mut(&super::address(sender)).unwrap();
                account.balance = cost * U256::from(transactions);
                // What the sender can no longer pay is promised no more.
                self.promised.retain(|_, (by, _)| *by != super::address(sender));
                self.maintain();
            }
            Step::Judge { invalid } => self.judge(invalid),
            Step::Wait { seconds } => {
                self.model.now = self.model.now + Duration::from_secs(seconds);
                self.maintain();
            }
            Step::Gossip => {
                for offered in self.pool.to_gossip(self.model.now) {
                    assert!(self.pool.contains(&offered.hash()), "only what is held is offered");
                }
            }
        }
    }

    fn admit(&mut self, transaction: PooledTransaction, origin: Origin) {
        let account = self.model.accounts[&transaction.sender()];
        let before = self.model.held();
        let refused = self.model.refuses(&transaction, origin);
        let outcome = self.pool.admit(transaction.clone(), account, origin, self.model.now);
        assert_eq!(outcome.is_err(), refused, "{outcome:?}");
        match outcome {
            Ok(admitted) => {
                let gone: BTreeSet<B256> = admitted.replaced.iter().chain(&admitted.evicted).copied().collect();
                self.check_gone(&before, &gone);
                self.model.admit(transaction, origin);
                if let Some(replaced) = admitted.replaced {
                    self.promised.remove(&replaced);
                }
                self.promise(&admitted.executable);
            }
            Err(_) => assert_eq!(held(&self.pool), before, "a refusal changes nothing"),
        }
    }

    /// Whatever left the pool was named: its owner may keep it elsewhere too.
    fn check_gone(&self, before: &BTreeMap<B256, Standing>, named: &BTreeSet<B256>) {
        let gone: BTreeSet<B256> = before.keys().filter(|hash| !self.pool.contains(hash)).copied().collect();
        assert_eq!(&gone, named);
    }

    fn promise(&mut self, hashes: &[B256]) {
        for hash in hashes {
            let held = self.pool.get(hash).expect("what became executable is held");
            assert_eq!(held.standing, Standing::Executable);
            let (sender, nonce) = (held.transaction.sender(), held.transaction.nonce());
            // A nonce that was used unseen binds nobody.
            if nonce >= self.model.accounts[&sender].nonce {
                self.promised.insert(*hash, (sender, nonce));
            }
        }
    }

    fn commit(&mut self, included: usize, elsewhere: Option<u8>, told: bool, base_fee: u64) {
        let accounts = self.model.accounts.clone();
        let block: Vec<PooledTransaction> =
            self.pool.select(self.model.base_fee, |address| accounts[&address].nonce).take(included).cloned().collect();
        let mut touched: BTreeSet<Address> = block.iter().map(PooledTransaction::sender).collect();
        for transaction in &block {
            let account = self.model.accounts.get_mut(&transaction.sender()).unwrap();
            assert_eq!(account.nonce, transaction.nonce(), "a block's nonces follow each other");
            account.nonce += 1;
            account.balance = account.balance.saturating_sub(U256::from(transaction.cost()));
        }
        if let Some(sender) = elsewhere {
            let address = super::address(sender);
            self.model.accounts.get_mut(&address).unwrap().nonce += 1;
            if told {
                touched.insert(address);
            }
        }
        let fell = base_fee < self.model.base_fee;
        self.model.base_fee = base_fee;
        for &sender in &touched {
            self.model.recheck(sender);
        }
        if fell {
            let waiting: Vec<Address> = self
                .model
                .entries
                .iter()
                .filter(|entry| !entry.executable)
                .map(|entry| entry.transaction.sender())
                .collect();
            for sender in waiting {
                self.model.promote(sender);
            }
        }
        let accounts = self.model.accounts.clone();
        self.promised.retain(|_, (sender, nonce)| *nonce >= accounts[sender].nonce);
        let before = held(&self.pool);
        let committed = self.pool.committed(touched, base_fee, |address| accounts[&address], self.model.now);
        self.check_gone(&before, &committed.removed.iter().copied().collect());
        self.promise(&committed.executable);
    }

    fn maintain(&mut self) {
        let now = self.model.now;
        let lifetime = LIMITS.waiting_lifetime_max;
        self.model.entries.retain(|entry| entry.executable || now.saturating_since(entry.since) < lifetime);
        // In a circle from where the last round ended, which visits all: with so few, in order.
        let senders: BTreeSet<Address> = self.model.entries.iter().map(|entry| entry.transaction.sender()).collect();
        let after = senders.iter().filter(|&&sender| sender > self.pool.cursor);
        let before = senders.iter().filter(|&&sender| sender <= self.pool.cursor);
        for &sender in after.chain(before) {
            self.model.recheck(sender);
        }
        let accounts = self.model.accounts.clone();
        let before = held(&self.pool);
        let maintained = self.pool.maintain(|address| accounts[&address], now);
        self.check_gone(&before, &maintained.removed.iter().chain(&maintained.expired).copied().collect());
        self.promise(&maintained.executable);
    }

    fn judge(&mut self, invalid: bool) {
        let accounts = self.model.accounts.clone();
        let first = self.pool.select(self.model.base_fee, |address| accounts[&address].nonce).next().cloned();
        let Some(first) = first else { return };
        let verdict = if invalid { Verdict::Invalid } else { Verdict::Unpayable };
        self.pool.verdict(&first.hash(), verdict, self.model.now);
        self.model.demote_from(first.sender(), first.nonce());
        if invalid {
            self.model.entries.retain(|entry| entry.transaction.hash() != first.hash());
        }
        self.promised.retain(|_, (sender, nonce)| *sender != first.sender() || *nonce < first.nonce());
    }

    fn check(&self) {
        assert_eq!(held(&self.pool), self.model.held());
        let order: Vec<B256> = self.pool.index.order.values().map(PooledTransaction::hash).collect();
        assert_eq!(order, self.model.order(), "first come, first served");
        for hash in self.promised.keys() {
            let held = self.pool.get(hash).expect("nothing that is promised is lost");
            assert_eq!(held.standing, Standing::Executable);
        }
        self.check_bounds();
        self.check_index();
    }

    fn check_bounds(&self) {
        let status = self.pool.status();
        assert!(status.executable + status.waiting <= LIMITS.transactions_max);
        // What is demoted waits besides: only admission is bounded by `waiting_max`.
        assert!(status.bytes <= LIMITS.bytes_max);
        for sender in self.pool.senders.values() {
            assert!(sender.slots.len() <= LIMITS.sender_transactions_max);
        }
        for peer in 0..2 {
            assert!(self.pool.held_of_peer(OperatorIndex(peer)) <= LIMITS.peer_transactions_max);
        }
    }

    /// Every index and total says what the slots say.
    fn check_index(&self) {
        let index = &self.pool.index;
        let slots: Vec<&Slot> = self.pool.senders.values().flat_map(|sender| sender.slots.values()).collect();
        let footprint = |slots: &[&Slot]| slots.iter().map(|slot| slot.transaction.footprint_bytes()).sum::<usize>();
        let (executable, waiting): (Vec<&Slot>, Vec<&Slot>) =
            slots.iter().partition(|slot| slot.standing == Standing::Executable);
        assert_eq!((index.order.len(), index.waiting.len()), (executable.len(), waiting.len()));
        assert_eq!((index.bytes, index.waiting_bytes), (footprint(&slots), footprint(&waiting)));
        assert_eq!(index.due.len(), executable.len());
        for slot in &slots {
            assert_eq!(index.by_hash[&slot.transaction.hash()], slot.place());
        }
        assert_eq!(index.by_hash.len(), slots.len());
        for hash in index.fresh.values() {
            assert!(index.by_hash.contains_key(hash), "only what is held is fresh");
        }
        assert!(self.pool.senders.values().all(|sender| !sender.slots.is_empty()));
    }
}

fn held(pool: &Mempool) -> BTreeMap<B256, Standing> {
    pool.content().map(|held| (held.transaction.hash(), held.standing)).collect()
}

proptest! {
    #[test]
    fn any_sequence_agrees_with_the_model(steps in proptest::collection::vec(step(), 1..120)) {
        let mut run = Run { pool: Mempool::new(LIMITS, BASE_FEE), model: Model::new(), promised: BTreeMap::new() };
        for step in steps {
            run.apply(step);
            run.check();
        }
    }

    #[test]
    fn the_same_sequence_gives_the_same_pool(steps in proptest::collection::vec(step(), 1..60)) {
        let run = |steps: Vec<Step>| {
            let mut run = Run { pool: Mempool::new(LIMITS, BASE_FEE), model: Model::new(), promised: BTreeMap::new() };
            for step in steps {
                run.apply(step);
            }
            format!("{:?}", run.pool)
        };
        prop_assert_eq!(run(steps.clone()), run(steps));
    }
}
