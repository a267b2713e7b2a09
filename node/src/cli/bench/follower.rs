//! Follows the chain: learns from one operator's notifications which blocks are notarized and final, and
//! moves to another operator when that one is gone.
//!
//! Invariants: a notification's time is taken when it arrives, before anything is asked about its block;
//! every final block is looked at once, in order of height, also across a change of operator.

use super::Event;
use crate::cli::RpcClient;
use crate::rpc::types::{CertificateEvent, ClusterStatus};
use alloy_primitives::B256;
use anyhow::Context;
use jsonrpsee::core::client::{Subscription, SubscriptionClientT};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde::Deserialize;
use serde_json::json;
use std::collections::HashMap;
use std::time::{Duration, Instant};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

/// The most notifications that wait until their blocks are looked at.
const NOTIFICATIONS_MAX: usize = 16_384;
/// The most blocks whose transactions are remembered until they are final.
const BLOCKS_REMEMBERED_MAX: usize = 4_096;
/// How long before the next operator is tried.
const RETRY_WAIT: Duration = Duration::from_millis(200);
/// How long connecting may take.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(2);

/// A notification and when it arrived.
struct Notification {
    finalized: bool,
    event: CertificateEvent,
    at: Instant,
}

/// A block as `eth_getBlockByHash` and `eth_getBlockByNumber` give it without its transactions' contents.
#[derive(Debug, Deserialize)]
struct Hashes {
    transactions: Vec<B256>,
}

/// Starts following; the first connection is made before it returns.
pub(super) async fn start(clients: Vec<RpcClient>, events: mpsc::Sender<Event>) -> anyhow::Result<JoinHandle<()>> {
    let first = clients.first().context("--rpc names no operator")?;
    let status: ClusterStatus = first.call("seq_clusterStatus", &[]).await?;
    let mut feed = Feed::connect(first).await?;
    let mut follower =
        Follower { client: first.clone(), events, known: HashMap::new(), final_height: status.heights.finalized };
    Ok(tokio::spawn(async move {
        let mut turn = 0;
        loop {
            follower.follow(&mut feed).await;
            drop(feed);
            feed = loop {
                turn += 1;
                let client = &clients[turn % clients.len()];
                match Feed::connect(client).await {
                    Ok(feed) => {
                        follower.note(format!("following {} now", client.url())).await;
                        follower.client = client.clone();
                        break feed;
                    }
                    Err(_) => tokio::time::sleep(RETRY_WAIT).await,
                }
            };
        }
    }))
}

/// Both subscriptions of one operator, read by a task of its own so that arrival times are true.
struct Feed {
    notifications: mpsc::Receiver<Notification>,
    reader: JoinHandle<()>,
}

impl Feed {
    async fn connect(client: &RpcClient) -> anyhow::Result<Self> {
        let url = client.websocket_url();
        let websocket = WsClientBuilder::new()
            .connection_timeout(CONNECT_WAIT_MAX)
            .max_buffer_capacity_per_subscription(NOTIFICATIONS_MAX)
            .build(&url)
            .await
            .with_context(|| format!("cannot open a WebSocket to {url}"))?;
        let notarized = subscribe(&websocket, "notarized").await?;
        let finalized = subscribe(&websocket, "finalized").await?;
        let (sender, notifications) = mpsc::channel(NOTIFICATIONS_MAX);
        let reader = tokio::spawn(read(websocket, notarized, finalized, sender));
        Ok(Self { notifications, reader })
    }
}

impl Drop for Feed {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

async fn subscribe(websocket: &WsClient, what: &str) -> anyhow::Result<Subscription<CertificateEvent>> {
    let mut params = ArrayParams::new();
    params.insert(what)?;
    Ok(websocket.subscribe("seq_subscribe", params, "seq_unsubscribe").await?)
}

/// Passes notifications on until one of the subscriptions ends.
async fn read(
    websocket: WsClient,
    mut notarized: Subscription<CertificateEvent>,
    mut finalized: Subscription<CertificateEvent>,
    sender: mpsc::Sender<Notification>,
) {
    // The subscriptions live as long as their connection.
    let _websocket = websocket;
    loop {
        let (next, is_final) = tokio::select! {
            next = notarized.next() => (next, false),
            next = finalized.next() => (next, true),
        };
        let Some(Ok(event)) = next else { return };
        let notification = Notification { finalized: is_final, event, at: Instant::now() };
        if sender.send(notification).await.is_err() {
            return;
        }
    }
}

struct Follower {
    client: RpcClient,
    events: mpsc::Sender<Event>,
    /// The transactions of notarized blocks, until they are final.
    known: HashMap<B256, Vec<B256>>,
    final_height: u64,
}

impl Follower {
    /// Until the feed ends.
    async fn follow(&mut self, feed: &mut Feed) {
        while let Some(Notification { finalized, event, at }) = feed.notifications.recv().await {
            if finalized {
                self.finalized(&event, at).await;
            } else {
                self.notarized(&event, at).await;
            }
        }
    }

    async fn notarized(&mut self, event: &CertificateEvent, at: Instant) {
        if event.transaction_count == 0 || self.known.contains_key(&event.block.hash) {
            return;
        }
        let Ok(hashes) = self.transactions_of(event.block.hash).await else { return };
        self.send(Event::Included(hashes.clone(), at)).await;
        if self.known.len() < BLOCKS_REMEMBERED_MAX {
            self.known.insert(event.block.hash, hashes);
        }
    }

    async fn finalized(&mut self, event: &CertificateEvent, at: Instant) {
        let number = event.block.number;
        if number <= self.final_height {
            return;
        }
        // Notifications that were missed while an operator was away.
        for missed in self.final_height + 1..number {
            let params = [json!(format!("{missed:#x}")), json!(false)];
            let Ok(Some(block)) = self.client.call::<Option<Hashes>>("eth_getBlockByNumber", &params).await else {
                return;
            };
            self.send(Event::Final(block.transactions, at)).await;
            self.final_height = missed;
        }
        let hashes = match self.known.remove(&event.block.hash) {
            Some(hashes) => hashes,
            None if event.transaction_count == 0 => Vec::new(),
            None => match self.transactions_of(event.block.hash).await {
                Ok(hashes) => hashes,
                Err(_) => return,
            },
        };
        if !hashes.is_empty() {
            self.send(Event::Final(hashes, at)).await;
        }
        self.final_height = number;
        if self.known.len() == BLOCKS_REMEMBERED_MAX {
            // Notarized blocks that were never finalized here.
            self.known.clear();
        }
    }

    async fn transactions_of(&self, hash: B256) -> anyhow::Result<Vec<B256>> {
        let block: Option<Hashes> = self.client.call("eth_getBlockByHash", &[json!(hash), json!(false)]).await?;
        Ok(block.with_context(|| format!("{} does not know block {hash}", self.client.url()))?.transactions)
    }

    async fn note(&self, text: String) {
        self.send(Event::Note(text)).await;
    }

    async fn send(&self, event: Event) {
        // An error says that the run is over.
        let _ = self.events.send(event).await;
    }
}
