//! The mempool's threads: one owns the pool, one recovers senders on all cores.
//!
//! Invariants: a client's transaction is acknowledged only when it is durable here, so that it survives
//! this operator's crash as well as the leader's; it is on its way to every other operator by then. Each
//! transaction's sender is recovered once: what the pool holds already is not recovered again, and
//! execution is told the senders. Queues are bounded: what a peer sends beyond them is dropped and comes
//! again, what a client sends is refused with a reason.

use crate::driver::chain_writer::{ChainWriter, Urgency};
use crate::driver::clock::Clock;
use crate::driver::egress::Outlet;
use crate::driver::health::Health;
use crate::execution::{ExecutedBlock, Outcome, RecoveredTransaction, Skip, StateReader, StateView, TransactionSource};
use crate::net::{Lane, TRANSACTION_FRAME_BYTES_MAX};
use crate::rpc::backend::{PoolStatus, PoolTransaction, SendError};
use crate::rpc::events::EventFeed;
use crate::store::Write;
use alloy_consensus::Transaction as _;
use alloy_eips::eip1559::BaseFeeParams;
use alloy_primitives::{Address, B256, Bytes};
use crossbeam::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use crossbeam::queue::ArrayQueue;
use phalanx_mempool::{
    AccountState, AdmissionError, Held, Mempool, Origin, PooledTransaction, Rules, Standing, Verdict, recover,
    transaction_hash,
};
use phalanx_types::{Message, OperatorIndex, PAYLOAD_BYTES_MAX, Wire};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::oneshot;

/// The most requests that wait for the pool's thread.
const POOL_TASKS_MAX: usize = 4_096;
/// The most batches that wait for recovery.
const RECOVERY_BATCHES_MAX: usize = 1_024;
/// The most transactions recovered in one go, so that a client's single one does not wait for long.
const RECOVERED_TOGETHER_MAX: usize = 512;
/// Senders on their way to execution; the oldest are forgotten, and recovered again.
const SENDERS_UNTOLD_MAX: usize = 65_536;
/// How much gas is offered to a block, in blocks: transactions ask for more than they use.
const SELECTED_GAS_BLOCKS: u64 = 4;
/// The most transactions offered to one block.
const SELECTED_TRANSACTIONS_MAX: usize = 16_384;
const MAINTENANCE_INTERVAL: Duration = Duration::from_secs(1);

type Reply<T> = oneshot::Sender<T>;
type SendResults = Vec<Result<B256, SendError>>;

enum Task {
    Submit {
        transactions: Vec<Bytes>,
        reply: Option<Reply<SendResults>>,
    },
    Gossiped {
        from: OperatorIndex,
        transactions: Vec<Bytes>,
    },
    Recovered {
        batch: Batch,
        results: Vec<Result<PooledTransaction, AdmissionError>>,
    },
    Select {
        parent: Box<StateView>,
        gas_limit: u64,
        reply: Sender<Vec<PooledTransaction>>,
    },
    Report(Vec<(B256, Skip)>),
    Committed(Vec<Arc<ExecutedBlock>>),
    Status(Reply<PoolStatus>),
    Get(B256, Reply<Option<PoolTransaction>>),
    Content {
        sender: Option<Address>,
        max: usize,
        reply: Reply<Vec<PoolTransaction>>,
    },
    Nonce(Address, Reply<Option<u64>>),
    /// End both threads.
    Stop,
}

/// Transactions on their way through recovery.
struct Batch {
    origin: Origin,
    transactions: Vec<Bytes>,
    reply: Option<Reply<SendResults>>,
    /// Whether they come from this operator's own disk.
    restored: bool,
}

/// What the pool's threads need.
pub(crate) struct TransactionsConfig {
    pub(crate) rules: Rules,
    pub(crate) limits: phalanx_mempool::Limits,
    pub(crate) clock: Clock,
    pub(crate) reader: StateReader,
    pub(crate) writer: ChainWriter,
    pub(crate) outlet: Outlet,
    pub(crate) feed: EventFeed,
    /// Accepted before the restart, and not final.
    pub(crate) restored: Vec<Bytes>,
    pub(crate) health: Arc<Health>,
}

/// A handle to the pool. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Transactions {
    tasks: Sender<Task>,
    executable: Arc<AtomicUsize>,
    senders: Arc<ArrayQueue<(B256, Address)>>,
}

impl Transactions {
    /// Starts both threads.
    pub(crate) fn spawn(config: TransactionsConfig) -> std::io::Result<(Self, Vec<JoinHandle<()>>)> {
        let (tasks, receiver) = bounded(POOL_TASKS_MAX);
        let (batches, batch_receiver) = bounded(RECOVERY_BATCHES_MAX);
        let handle = Self {
            tasks: tasks.clone(),
            executable: Arc::new(AtomicUsize::new(0)),
            senders: Arc::new(ArrayQueue::new(SENDERS_UNTOLD_MAX)),
        };
        let rules = config.rules;
        let watch = config.health.watch("tx-recovery");
        let recovery = std::thread::Builder::new().name("tx-recovery".to_owned()).spawn(move || {
            let _watch = watch;
            recover_batches(&rules, &batch_receiver, &tasks);
        })?;
        let watch = config.health.watch("mempool");
        let owner = Owner::new(config, &handle, batches);
        let pool = std::thread::Builder::new().name("mempool".to_owned()).spawn(move || {
            let _watch = watch;
            owner.run(&receiver);
        })?;
        Ok((handle, vec![recovery, pool]))
    }

    /// Ends the threads, once they have done what they were asked before. They hold each other's queues, so
    /// letting go of every handle would not end them.
    pub(crate) fn stop(&self) {
        let _ = self.tasks.send(Task::Stop);
    }

    /// Whether there is nothing to put into a block.
    pub(crate) fn is_empty(&self) -> bool {
        self.executable.load(Ordering::Relaxed) == 0
    }

    /// Senders of transactions that were recovered since the last call.
    pub(crate) fn recovered_senders(&self) -> impl Iterator<Item = (B256, Address)> + '_ {
        std::iter::from_fn(|| self.senders.pop()).take(SENDERS_UNTOLD_MAX)
    }

    /// What a block on `parent` is built from. Waits for the pool's thread.
    pub(crate) fn select(&self, parent: StateView, gas_limit: u64) -> Selection {
        let (reply, answer) = bounded(1);
        let task = Task::Select { parent: Box::new(parent), gas_limit, reply };
        let transactions = match self.tasks.send(task) {
            Ok(()) => answer.recv().unwrap_or_default(),
            Err(_) => Vec::new(),
        };
        Selection { transactions: transactions.into_iter(), ..Selection::default() }
    }

    /// What became of a selection.
    pub(crate) fn report(&self, selection: Selection) {
        if !selection.skipped.is_empty() {
            // When the pool is too busy to hear it, the next build finds the same out again.
            let _ = self.tasks.try_send(Task::Report(selection.skipped));
        }
    }

    /// These blocks are final, ascending.
    pub(crate) fn committed(&self, blocks: Vec<Arc<ExecutedBlock>>) {
        let _ = self.tasks.send(Task::Committed(blocks));
    }

    /// A peer offers transactions; false when there was no room.
    pub(crate) fn gossiped(&self, from: OperatorIndex, transactions: Vec<Bytes>) -> bool {
        self.tasks.try_send(Task::Gossiped { from, transactions }).is_ok()
    }

    /// A client sends transactions; answered once they are durable.
    pub(crate) async fn submit(&self, transactions: Vec<Bytes>) -> SendResults {
        let count = transactions.len();
        let (reply, answer) = oneshot::channel();
        match self.tasks.try_send(Task::Submit { transactions, reply: Some(reply) }) {
            Ok(()) => answer.await.unwrap_or_else(|_| refused(count, "this operator is stopping")),
            Err(TrySendError::Full(_)) => refused(count, BUSY),
            Err(TrySendError::Disconnected(_)) => refused(count, "this operator is stopping"),
        }
    }

    pub(crate) async fn status(&self) -> PoolStatus {
        self.ask(Task::Status).await.unwrap_or_default()
    }

    pub(crate) async fn get(&self, hash: B256) -> Option<PoolTransaction> {
        self.ask(|reply| Task::Get(hash, reply)).await.flatten()
    }

    pub(crate) async fn content(&self, sender: Option<Address>, max: usize) -> Vec<PoolTransaction> {
        self.ask(|reply| Task::Content { sender, max, reply }).await.unwrap_or_default()
    }

    pub(crate) async fn nonce(&self, sender: Address) -> Option<u64> {
        self.ask(|reply| Task::Nonce(sender, reply)).await.flatten()
    }

    async fn ask<T>(&self, task: impl FnOnce(Reply<T>) -> Task) -> Option<T> {
        let (reply, answer) = oneshot::channel();
        self.tasks.try_send(task(reply)).ok()?;
        answer.await.ok()
    }
}

const BUSY: &str = "this operator's mempool is busy: send it again in a moment";

fn refused(count: usize, why: &str) -> SendResults {
    vec![Err(SendError::rejected(why)); count]
}

/// Recovers whatever waits, in batches.
fn recover_batches(rules: &Rules, batches: &Receiver<Batch>, tasks: &Sender<Task>) {
    while let Ok(first) = batches.recv() {
        let mut waiting = vec![first];
        let mut count = waiting[0].transactions.len();
        while count < RECOVERED_TOGETHER_MAX {
            let Ok(batch) = batches.try_recv() else { break };
            count += batch.transactions.len();
            waiting.push(batch);
        }
        let all: Vec<Bytes> = waiting.iter().flat_map(|batch| batch.transactions.iter().cloned()).collect();
        let mut results = recover(rules, &all).into_iter();
        for batch in waiting {
            let results = results.by_ref().take(batch.transactions.len()).collect();
            if tasks.send(Task::Recovered { batch, results }).is_err() {
                return;
            }
        }
    }
}

/// The thread that owns the pool.
struct Owner {
    pool: Mempool,
    clock: Clock,
    reader: StateReader,
    writer: ChainWriter,
    outlet: Outlet,
    feed: EventFeed,
    batches: Sender<Batch>,
    executable: Arc<AtomicUsize>,
    senders: Arc<ArrayQueue<(B256, Address)>>,
    restored: Vec<Bytes>,
}

impl Owner {
    fn new(config: TransactionsConfig, handle: &Transactions, batches: Sender<Batch>) -> Self {
        let base_fee = next_base_fee(config.reader.finalized().header());
        Self {
            pool: Mempool::new(config.limits, base_fee),
            clock: config.clock,
            reader: config.reader,
            writer: config.writer,
            outlet: config.outlet,
            feed: config.feed,
            batches,
            executable: Arc::clone(&handle.executable),
            senders: Arc::clone(&handle.senders),
            restored: config.restored,
        }
    }

    fn run(mut self, tasks: &Receiver<Task>) {
        let restored = std::mem::take(&mut self.restored);
        if !restored.is_empty() {
            tracing::info!(transactions = restored.len(), "transactions accepted before the restart are offered again");
            for chunk in restored.chunks(RECOVERED_TOGETHER_MAX) {
                let batch = Batch { origin: Origin::Local, transactions: chunk.to_vec(), reply: None, restored: true };
                let _ = self.batches.send(batch);
            }
        }
        let mut maintained = Instant::now();
        loop {
            let first = match tasks.recv_timeout(MAINTENANCE_INTERVAL) {
                Ok(task) => Some(task),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => return,
            };
            // What waits is taken in before anything is offered, so that offers are batches.
            for task in first.into_iter().chain(tasks.try_iter().take(POOL_TASKS_MAX)) {
                if matches!(task, Task::Stop) {
                    return;
                }
                self.perform(task);
            }
            if maintained.elapsed() >= MAINTENANCE_INTERVAL {
                maintained = Instant::now();
                self.maintain();
            }
            self.gossip();
            self.count();
        }
    }

    fn count(&self) {
        let status = self.pool.status();
        self.executable.store(status.executable, Ordering::Relaxed);
        metrics::gauge!("phalanx_mempool_executable").set(status.executable as f64);
        metrics::gauge!("phalanx_mempool_waiting").set(status.waiting as f64);
        metrics::gauge!("phalanx_mempool_bytes").set(status.bytes as f64);
    }

    fn perform(&mut self, task: Task) {
        match task {
            Task::Submit { transactions, reply } => self.submit(transactions, reply),
            Task::Gossiped { from, mut transactions } => {
                transactions.retain(|bytes| !self.pool.contains(&transaction_hash(bytes)));
                self.enqueue(Batch { origin: Origin::Peer(from), transactions, reply: None, restored: false });
            }
            Task::Recovered { batch, results } => self.admit(batch, results),
            Task::Select { parent, gas_limit, reply } => {
                let _ = reply.send(self.select(&parent, gas_limit));
            }
            Task::Report(skipped) => self.report(skipped),
            Task::Committed(blocks) => self.committed(&blocks),
            Task::Status(reply) => {
                let status = self.pool.status();
                let _ = reply.send(PoolStatus { executable: status.executable, waiting: status.waiting });
            }
            Task::Get(hash, reply) => {
                let _ = reply.send(self.pool.get(&hash).map(pool_transaction));
            }
            Task::Content { sender, max, reply } => {
                let content: Vec<PoolTransaction> = match sender {
                    Some(sender) => self.pool.content_of(&sender).take(max).map(pool_transaction).collect(),
                    None => self.pool.content().take(max).map(pool_transaction).collect(),
                };
                let _ = reply.send(content);
            }
            Task::Nonce(sender, reply) => {
                let _ = reply.send(self.pool.pending_nonce(&sender));
            }
            Task::Stop => {}
        }
    }

    fn submit(&mut self, transactions: Vec<Bytes>, reply: Option<Reply<SendResults>>) {
        self.enqueue(Batch { origin: Origin::Local, transactions, reply, restored: false });
    }

    fn enqueue(&mut self, batch: Batch) {
        if batch.transactions.is_empty() && batch.reply.is_none() {
            return;
        }
        if let Err(error) = self.batches.try_send(batch) {
            let batch = error.into_inner();
            metrics::counter!("phalanx_mempool_dropped_total").increment(batch.transactions.len() as u64);
            if let Some(reply) = batch.reply {
                let _ = reply.send(refused(batch.transactions.len(), BUSY));
            }
        }
    }

    fn admit(&mut self, batch: Batch, results: Vec<Result<PooledTransaction, AdmissionError>>) {
        let state = self.reader.finalized();
        let now = self.clock.now();
        let mut answers: SendResults = Vec::with_capacity(results.len());
        let mut writes = Vec::new();
        for (result, raw) in results.into_iter().zip(&batch.transactions) {
            let admitted = result.and_then(|transaction| {
                let account = account_of(&state, transaction.sender());
                let admitted = self.pool.admit(transaction.clone(), account, batch.origin, now)?;
                Ok((transaction, admitted))
            });
            match admitted {
                Ok((transaction, admitted)) => {
                    let _ = self.senders.force_push((transaction.hash(), transaction.sender()));
                    admitted.executable.iter().for_each(|hash| self.feed.publish_transaction(*hash));
                    if batch.origin == Origin::Local && !batch.restored {
                        writes.push(Write::PutPooled { hash: transaction.hash(), transaction: raw.clone() });
                    }
                    let gone = admitted.replaced.into_iter().chain(admitted.evicted);
                    writes.extend(gone.map(|hash| Write::RemovePooled { hash }));
                    answers.push(Ok(transaction.hash()));
                }
                Err(error) => {
                    if batch.restored && is_unwanted(&error) {
                        let hash = transaction_hash(raw);
                        tracing::debug!(%hash, %error, "a stored transaction is no longer wanted");
                        writes.push(Write::RemovePooled { hash });
                    }
                    answers.push(Err(send_error(&error)));
                }
            }
        }
        // On their way to the others while the disk is at work.
        self.gossip();
        self.count();
        let reply = batch.reply.map(|reply| {
            Box::new(move || {
                let _ = reply.send(answers);
            }) as Box<dyn FnOnce() + Send>
        });
        match (writes.is_empty(), reply) {
            (true, Some(reply)) => reply(),
            (true, None) => {}
            (false, reply) => self.writer.write(writes, Urgency::Now, reply),
        }
    }

    fn select(&self, parent: &StateView, gas_limit: u64) -> Vec<PooledTransaction> {
        let base_fee = next_base_fee(parent.header());
        let gas_max = gas_limit.saturating_mul(SELECTED_GAS_BLOCKS);
        let (mut gas, mut bytes) = (0_u64, 0_usize);
        self.pool
            .select(base_fee, |address| account_of(parent, address).nonce)
            .take_while(|transaction| {
                gas = gas.saturating_add(transaction.transaction().gas_limit());
                bytes += transaction.bytes().len();
                gas <= gas_max && bytes <= PAYLOAD_BYTES_MAX
            })
            .take(SELECTED_TRANSACTIONS_MAX)
            .cloned()
            .collect()
    }

    fn report(&mut self, skipped: Vec<(B256, Skip)>) {
        let now = self.clock.now();
        for (hash, skip) in skipped {
            match skip {
                Skip::Balance => self.pool.verdict(&hash, Verdict::Unpayable, now),
                Skip::Invalid(reason) => {
                    tracing::info!(%hash, reason, "a transaction can never be included and is dropped");
                    self.pool.verdict(&hash, Verdict::Invalid, now);
                    self.writer.write(vec![Write::RemovePooled { hash }], Urgency::Later, None);
                }
                // The final state decides: it removes the first, and the others stay.
                Skip::NonceTooLow { .. } | Skip::NonceGap { .. } | Skip::BaseFee | Skip::BlockFull => {}
            }
        }
    }

    fn committed(&mut self, blocks: &[Arc<ExecutedBlock>]) {
        let Some(newest) = blocks.last() else { return };
        let mut touched = BTreeSet::new();
        for transaction in blocks.iter().flat_map(|block| &block.transactions) {
            touched.insert(transaction.signer());
            let authorizations = transaction.inner().authorization_list().unwrap_or_default();
            touched.extend(authorizations.iter().filter_map(|signed| signed.recover_authority().ok()));
        }
        let state = self.reader.finalized();
        let base_fee = next_base_fee(&newest.header);
        let now = self.clock.now();
        let outcome = self.pool.committed(touched, base_fee, |address| account_of(&state, address), now);
        outcome.executable.iter().for_each(|hash| self.feed.publish_transaction(*hash));
        // The included ones are forgotten with their block; these may be overtaken by another of their nonce.
        self.forget(outcome.removed);
        self.count();
    }

    fn forget(&self, gone: Vec<B256>) {
        if !gone.is_empty() {
            let writes = gone.into_iter().map(|hash| Write::RemovePooled { hash }).collect();
            self.writer.write(writes, Urgency::Later, None);
        }
    }

    fn maintain(&mut self) {
        let state = self.reader.finalized();
        let outcome = self.pool.maintain(|address| account_of(&state, address), self.clock.now());
        if !outcome.expired.is_empty() {
            tracing::info!(transactions = outcome.expired.len(), "transactions waited too long and are dropped");
        }
        outcome.executable.iter().for_each(|hash| self.feed.publish_transaction(*hash));
        self.forget(outcome.expired);
        self.forget(outcome.removed);
    }

    fn gossip(&mut self) {
        loop {
            let batch = self.pool.to_gossip(self.clock.now());
            if batch.is_empty() {
                return;
            }
            let mut transactions = Vec::new();
            let mut bytes = 0;
            for transaction in batch {
                let length = transaction.bytes().len() + 8;
                if bytes + length > TRANSACTION_FRAME_BYTES_MAX - 1_024 {
                    self.broadcast(std::mem::take(&mut transactions));
                    bytes = 0;
                }
                bytes += length;
                transactions.push(transaction.bytes().clone());
            }
            self.broadcast(transactions);
        }
    }

    fn broadcast(&self, transactions: Vec<Bytes>) {
        self.outlet.broadcast(Lane::Transactions, Message::Transactions(transactions).to_wire());
    }
}

fn pool_transaction(held: Held) -> PoolTransaction {
    PoolTransaction {
        transaction: held.transaction.transaction().clone(),
        executable: held.standing == Standing::Executable,
    }
}

/// Whether a transaction that was accepted before the restart need not be kept any longer. One that a peer
/// offered first is held, but only in memory; one without room now may find some after the next restart.
fn is_unwanted(error: &AdmissionError) -> bool {
    !matches!(error, AdmissionError::AlreadyKnown | AdmissionError::PoolFull | AdmissionError::PeerFull { .. })
}

fn send_error(error: &AdmissionError) -> SendError {
    match error {
        AdmissionError::Malformed(_) => SendError::malformed(error.to_string()),
        _ => SendError::rejected(error.to_string()),
    }
}

/// The account in a state; one that cannot be read counts as empty, and nothing of it is admitted.
fn account_of(state: &StateView, address: Address) -> AccountState {
    match state.account(address) {
        Ok(Some(account)) => AccountState { nonce: account.nonce, balance: account.balance },
        Ok(None) => AccountState::default(),
        Err(error) => {
            tracing::error!(%address, %error, "an account cannot be read");
            AccountState::default()
        }
    }
}

/// The base fee of the block after `header` (EIP-1559). Unit: wei per gas.
pub(crate) fn next_base_fee(header: &alloy_consensus::Header) -> u64 {
    header.next_block_base_fee(BaseFeeParams::ethereum()).unwrap_or_default()
}

/// What one build takes its transactions from, and what became of them.
#[derive(Debug, Default)]
pub(crate) struct Selection {
    transactions: std::vec::IntoIter<PooledTransaction>,
    current: Option<B256>,
    passed_over: BTreeSet<Address>,
    skipped: Vec<(B256, Skip)>,
}

impl TransactionSource for Selection {
    fn next(&mut self) -> Option<Arc<RecoveredTransaction>> {
        let passed_over = &self.passed_over;
        let next = self.transactions.find(|transaction| !passed_over.contains(&transaction.sender()))?;
        self.current = Some(next.hash());
        Some(Arc::new(next.transaction().clone()))
    }

    fn outcome(&mut self, transaction: &RecoveredTransaction, outcome: Outcome) {
        if let (Outcome::Skipped(skip), Some(hash)) = (outcome, self.current) {
            // The sender's later ones would leave a gap.
            self.passed_over.insert(transaction.signer());
            self.skipped.push((hash, skip));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_accepted_transaction_stays_on_disk_while_it_may_still_be_included() {
        let kept = [AdmissionError::AlreadyKnown, AdmissionError::PoolFull, AdmissionError::PeerFull { held: 1 }];
        assert!(kept.iter().all(|error| !is_unwanted(error)));
        let gone = [AdmissionError::NonceTooLow { next: 2, have: 1 }, AdmissionError::Signature];
        assert!(gone.iter().all(is_unwanted));
    }
}
