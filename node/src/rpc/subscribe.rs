//! Subscriptions: `eth_subscribe` and `seq_subscribe`, over WebSocket only.
//!
//! A subscriber that does not read is dropped, and told why where that is still possible: after
//! [`SUBSCRIBER_STALL_S_MAX`] without room for a message, or when it lags behind by more events than the
//! feed holds. Nobody waits for it.

use super::context::Context;
use super::error::RpcError;
use super::events::BlockEvent;
use super::types::CertificateEvent;
use super::{convert, logs};
use alloy_rpc_types_eth::{Filter, pubsub};
use jsonrpsee::core::{SubscriptionError, SubscriptionResult};
use jsonrpsee::{PendingSubscriptionSink, SubscriptionSink};
use serde::Serialize;
use serde_json::value::to_raw_value;
use std::time::Duration;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;

/// How long a message waits for a subscriber to make room. Unit: seconds.
pub const SUBSCRIBER_STALL_S_MAX: u64 = 10;

/// Why a subscription ends before its client ends it.
const LAGGED: &str = "the subscriber is too slow: events were lost, subscribe again";

/// `eth_subscribe`.
pub(super) async fn eth(
    context: &Context,
    pending: PendingSubscriptionSink,
    kind: pubsub::SubscriptionKind,
    params: pubsub::Params,
) -> SubscriptionResult {
    let feed = context.backend.events();
    match (kind, params) {
        (pubsub::SubscriptionKind::NewHeads, _) => {
            let blocks = feed.listen_blocks();
            let heads = |event| match event {
                BlockEvent::Finalized(block, _) => vec![convert::header(&block)],
                BlockEvent::Notarized(..) => Vec::new(),
            };
            forward(pending.accept().await?, blocks, heads).await
        }
        (pubsub::SubscriptionKind::Logs, params) => {
            let filter = match params {
                pubsub::Params::Logs(filter) => *filter,
                _ => Filter::default(),
            };
            if let Err(error) = logs::check(&filter) {
                pending.reject(error).await;
                return Ok(());
            }
            let blocks = feed.listen_blocks();
            let found = move |event| match event {
                BlockEvent::Finalized(block, _) => logs::matching(&block, &filter).collect(),
                BlockEvent::Notarized(..) => Vec::new(),
            };
            forward(pending.accept().await?, blocks, found).await
        }
        (pubsub::SubscriptionKind::NewPendingTransactions, pubsub::Params::Bool(true)) => {
            reject(pending, "full pending transactions are not served; subscribe to their hashes").await
        }
        (pubsub::SubscriptionKind::NewPendingTransactions, _) => {
            let transactions = feed.listen_transactions();
            forward(pending.accept().await?, transactions, |hash| vec![hash]).await
        }
        (other, _) => {
            reject(pending, &format!("no \"{other}\" subscription; there are newHeads, logs, newPendingTransactions"))
                .await
        }
    }
}

/// `seq_subscribe`.
pub(super) async fn certificates(
    context: &Context,
    pending: PendingSubscriptionSink,
    kind: &str,
) -> SubscriptionResult {
    let finalized = match kind {
        "finalized" => true,
        "notarized" => false,
        other => return reject(pending, &format!("no \"{other}\" subscription; there are notarized, finalized")).await,
    };
    let blocks = context.backend.events().listen_blocks();
    let events = move |event| {
        let (block, certificate) = match event {
            BlockEvent::Finalized(block, certificate) if finalized => (block, certificate),
            BlockEvent::Notarized(block, certificate) if !finalized => (block, certificate),
            BlockEvent::Finalized(..) | BlockEvent::Notarized(..) => return Vec::new(),
        };
        vec![CertificateEvent {
            block: block.reference(),
            parent_hash: block.block.header.parent_hash,
            timestamp_s: block.block.header.timestamp,
            transaction_count: block.block.body.transactions.len(),
            certificate,
        }]
    };
    forward(pending.accept().await?, blocks, events).await
}

async fn reject(pending: PendingSubscriptionSink, message: &str) -> SubscriptionResult {
    pending.reject(RpcError::Params(message.into())).await;
    Ok(())
}

/// Sends what `show` makes of each event until the subscription ends.
async fn forward<E: Clone, T: Serialize>(
    sink: SubscriptionSink,
    mut events: Receiver<E>,
    mut show: impl FnMut(E) -> Vec<T>,
) -> SubscriptionResult {
    loop {
        let event = tokio::select! {
            () = sink.closed() => return Ok(()),
            event = events.recv() => event,
        };
        let event = match event {
            Ok(event) => event,
            Err(RecvError::Closed) => return Ok(()),
            Err(RecvError::Lagged(_)) => return Err(SubscriptionError::from(LAGGED)),
        };
        for item in show(event) {
            let message = to_raw_value(&item)?;
            let stall = Duration::from_secs(SUBSCRIBER_STALL_S_MAX);
            if sink.send_timeout(message, stall).await.is_err() {
                return Err(SubscriptionError::from(LAGGED));
            }
        }
    }
}
