//! The way of raw transactions into the operator: one queue, in order of arrival, taken in batches.
//!
//! Whatever queued up while the backend was busy goes to it in one call, whether it came in one JSON-RPC
//! batch or from a thousand clients: so senders are recovered on all cores, and what admission costs is
//! paid once for many.

use super::backend::{Backend, SendError};
use super::error::RpcError;
use alloy_primitives::{B256, Bytes};
use std::sync::Arc;
use tokio::sync::{Semaphore, mpsc, oneshot};

/// The most requests (single ones or batches) that wait for the backend.
pub const SEND_REQUESTS_MAX: usize = 4_096;
/// The backend gets no more transactions than this in one call, unless one request alone has more.
pub const SEND_TRANSACTIONS_PER_CALL_MAX: usize = 1_024;

/// The most calls to the backend at one time: while one waits for the disk, the next is admitted.
pub const SEND_CALLS_MAX: usize = 4;

type Outcome = Vec<Result<B256, SendError>>;

struct Request {
    transactions: Vec<Bytes>,
    reply: oneshot::Sender<Outcome>,
}

/// Cheap to clone; clones are one queue.
#[derive(Clone, Debug)]
pub(super) struct SendQueue {
    requests: mpsc::Sender<Request>,
}

impl SendQueue {
    /// Starts the task that serves the queue; it ends when every clone is dropped.
    pub(super) fn start(backend: Arc<dyn Backend>) -> Self {
        let (requests, queue) = mpsc::channel(SEND_REQUESTS_MAX);
        tokio::spawn(serve(backend, queue));
        Self { requests }
    }

    /// Sends transactions; as many results as transactions, in their order.
    pub(super) async fn send(&self, transactions: Vec<Bytes>) -> Result<Outcome, RpcError> {
        let (reply, outcome) = oneshot::channel();
        self.requests.try_send(Request { transactions, reply }).map_err(|_| RpcError::Busy)?;
        outcome.await.map_err(|_| RpcError::Internal)
    }
}

async fn serve(backend: Arc<dyn Backend>, mut queue: mpsc::Receiver<Request>) {
    let calls = Arc::new(Semaphore::new(SEND_CALLS_MAX));
    loop {
        // A call is free before anything is taken: meanwhile more queues up, and goes along.
        let permit = calls.clone().acquire_owned().await.expect("the calls are never closed");
        let Some(first) = queue.recv().await else { return };
        let mut count = first.transactions.len();
        let mut requests = vec![first];
        while count < SEND_TRANSACTIONS_PER_CALL_MAX {
            let Ok(next) = queue.try_recv() else { break };
            count += next.transactions.len();
            requests.push(next);
        }
        let backend = backend.clone();
        tokio::spawn(async move {
            call(&*backend, requests, count).await;
            drop(permit);
        });
    }
}

/// Sends the transactions of all requests in one call, and gives each request its part of the outcome.
async fn call(backend: &dyn Backend, requests: Vec<Request>, count: usize) {
    let mut all = Vec::with_capacity(count);
    let mut replies = Vec::with_capacity(requests.len());
    for request in requests {
        replies.push((request.transactions.len(), request.reply));
        all.extend(request.transactions);
    }
    let mut outcomes = backend.send_raw_transactions(all).await.into_iter();
    for (count, reply) in replies {
        // A client that hung up does not wait for the answer.
        let _ = reply.send(outcomes.by_ref().take(count).collect());
    }
}
