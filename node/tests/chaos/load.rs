//! Clients: accounts that send a transfer each so often to one operator after another, as a wallet would: again,
//! elsewhere, when nobody took it.
//!
//! What counts as accepted is what an operator answered with the hash. A transaction whose answer never came, and
//! that is known by the time it is sent again, was promised by nobody; it is offered again at the end, and when an
//! operator lacks it, so that those after it are not held up by it.

use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_network::TxSignerSync;
use alloy_primitives::{Address, B256, Bytes, TxKind, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use anyhow::Context;
use phalanx_node::cli::RpcClient;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::task::JoinSet;

/// What a transfer pays at most. Unit: wei per gas.
const FEE_WEI: u128 = 20_000_000_000;
/// How long a client waits after a refusal before it asks elsewhere.
const RETRY: Duration = Duration::from_millis(50);

/// What became of what was sent.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    pub(crate) sent: u64,
    /// By hash, with the operator that accepted it.
    pub(crate) accepted: BTreeMap<B256, u8>,
    /// In the cluster, but nobody said so.
    pub(crate) unacknowledged: Vec<Bytes>,
    /// Refusals that a client cannot expect, and should not see.
    pub(crate) refused: Vec<String>,
}

/// The running clients.
#[derive(Debug)]
pub(crate) struct Load {
    clients: Vec<RpcClient>,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
    senders: JoinSet<anyhow::Result<()>>,
}

/// The accounts of the clients.
pub(crate) fn accounts(count: u16, seed: u64) -> anyhow::Result<Vec<PrivateKeySigner>> {
    let key = |index: u16| keccak256(format!("chaos sender {seed} {index}"));
    (0..count).map(|index| Ok(PrivateKeySigner::from_bytes(&key(index))?)).collect()
}

fn lock(ledger: &Mutex<Ledger>) -> MutexGuard<'_, Ledger> {
    ledger.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Load {
    /// Starts a client for each account; each sends once in `interval`, unless it must wait for an answer.
    pub(crate) fn start(
        clients: Vec<RpcClient>,
        accounts: Vec<PrivateKeySigner>,
        chain_id: u64,
        interval: Duration,
    ) -> Self {
        let (ledger, stop) = (Arc::new(Mutex::new(Ledger::default())), Arc::new(AtomicBool::new(false)));
        let mut senders = JoinSet::new();
        for (place, account) in accounts.into_iter().enumerate() {
            let client = Client {
                account,
                chain_id,
                operators: clients.clone(),
                next_operator: place,
                ledger: Arc::clone(&ledger),
                stop: Arc::clone(&stop),
            };
            senders.spawn(client.send_on(interval));
        }
        Self { clients, ledger, stop, senders }
    }

    /// Stops the clients, each after what it is about to send was taken, and offers again what nobody promised.
    pub(crate) async fn finish(mut self) -> anyhow::Result<Ledger> {
        self.stop.store(true, Ordering::Relaxed);
        while let Some(ended) = self.senders.join_next().await {
            ended.context("a client panicked")??;
        }
        let ledger = std::mem::take(&mut *lock(&self.ledger));
        for raw in &ledger.unacknowledged {
            for client in &self.clients {
                // It may be known, or final; then there is nothing to do.
                let _ = client.call::<B256>("eth_sendRawTransaction", &[json!(raw)]).await;
            }
        }
        Ok(ledger)
    }
}

/// Whether an operator shows a receipt of everything that was accepted.
pub(crate) async fn all_executed(client: &RpcClient, ledger: &Ledger) -> bool {
    let calls: Vec<Vec<Value>> = ledger.accepted.keys().map(|hash| vec![json!(hash)]).collect();
    match client.batch::<Value>("eth_getTransactionReceipt", &calls).await {
        Ok(receipts) => receipts.iter().all(|receipt| receipt.as_ref().is_ok_and(Value::is_object)),
        Err(_) => false,
    }
}

/// What an operator's refusal means to a client.
enum Refusal {
    /// The cluster has it already.
    Had,
    /// Ask again, elsewhere.
    NotNow,
    /// It will never be taken.
    Never,
}

impl Refusal {
    fn of(error: &str) -> Self {
        if error.contains("already known") || error.contains("nonce too low") {
            return Self::Had;
        }
        let refusals = ["insufficient funds", "invalid", "underpriced", "intrinsic gas", "exceeds", "not supported"];
        if refusals.iter().any(|words| error.contains(words)) { Self::Never } else { Self::NotNow }
    }
}

struct Client {
    account: PrivateKeySigner,
    chain_id: u64,
    operators: Vec<RpcClient>,
    next_operator: usize,
    ledger: Arc<Mutex<Ledger>>,
    stop: Arc<AtomicBool>,
}

impl Client {
    async fn send_on(mut self, interval: Duration) -> anyhow::Result<()> {
        let mut ticks = tokio::time::interval(interval);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        for nonce in 0.. {
            ticks.tick().await;
            if self.stop.load(Ordering::Relaxed) {
                break;
            }
            let (hash, raw) = self.transfer(nonce)?;
            lock(&self.ledger).sent += 1;
            self.hand_over(hash, raw).await;
        }
        Ok(())
    }

    fn transfer(&self, nonce: u64) -> anyhow::Result<(B256, Bytes)> {
        let mut transaction = TxEip1559 {
            chain_id: self.chain_id,
            nonce,
            gas_limit: 21_000,
            max_fee_per_gas: FEE_WEI,
            max_priority_fee_per_gas: 1_000_000_000,
            to: TxKind::Call(Address::repeat_byte(0x42)),
            value: U256::ONE,
            ..TxEip1559::default()
        };
        let signature = self.account.sign_transaction_sync(&mut transaction)?;
        let envelope = TxEnvelope::Eip1559(transaction.into_signed(signature));
        Ok((*envelope.hash(), envelope.encoded_2718().into()))
    }

    /// Until somebody takes it: without this nonce no later one of the account can be included.
    async fn hand_over(&mut self, hash: B256, raw: Bytes) {
        loop {
            let operator = self.next_operator % self.operators.len();
            self.next_operator += 1;
            let answer = self.operators[operator].call::<B256>("eth_sendRawTransaction", &[json!(raw)]).await;
            let lacking = match self.note(hash, &raw, operator, answer) {
                ControlFlow::Break(()) => return,
                ControlFlow::Continue(lacking) => lacking,
            };
            for raw in lacking {
                // It may be known, or final; then there is nothing to do.
                let _ = self.operators[operator].call::<B256>("eth_sendRawTransaction", &[json!(raw)]).await;
            }
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Notes an answer. Goes on where nobody took it yet, with what is to be offered before it.
    fn note(
        &self,
        hash: B256,
        raw: &Bytes,
        operator: usize,
        answer: anyhow::Result<B256>,
    ) -> ControlFlow<(), Vec<Bytes>> {
        let mut ledger = lock(&self.ledger);
        match answer {
            Ok(answered) if answered == hash => {
                ledger.accepted.insert(hash, u8::try_from(operator).unwrap_or(u8::MAX));
            }
            Ok(other) => ledger.refused.push(format!("sent {hash}, answered {other}")),
            Err(error) => match Refusal::of(&error.to_string()) {
                Refusal::Had => ledger.unacknowledged.push(raw.clone()),
                Refusal::Never => ledger.refused.push(error.to_string()),
                // What nobody promised may be gone after a crash of all, and hold up those after it.
                Refusal::NotNow if error.to_string().contains("nonce too high") => {
                    return ControlFlow::Continue(ledger.unacknowledged.clone());
                }
                Refusal::NotNow => return ControlFlow::Continue(Vec::new()),
            },
        }
        ControlFlow::Break(())
    }
}
