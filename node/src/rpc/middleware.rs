//! What stands between the wire and the methods: raw transactions of one JSON-RPC batch go to the operator
//! together, unknown methods are refused by name, and every call is counted and timed.

use super::error::RpcError;
use super::send::SendQueue;
use alloy_primitives::Bytes;
use jsonrpsee::core::middleware::{Batch, BatchEntry, Notification, RpcServiceT};
use jsonrpsee::core::server::{BatchResponseBuilder, MethodResponse, ResponsePayload};
use jsonrpsee::types::error::METHOD_NOT_FOUND_CODE;
use jsonrpsee::types::{ErrorObjectOwned, Id, Params, Request};
use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Instant;

const SEND_METHOD: &str = "eth_sendRawTransaction";

/// What all connections share.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) sends: SendQueue,
    /// The names of all methods.
    pub(super) methods: Arc<BTreeSet<&'static str>>,
    /// Unit: bytes.
    pub(super) response_bytes_max: usize,
}

/// The middleware over the methods.
#[derive(Clone)]
pub(super) struct Middleware<S> {
    pub(super) inner: S,
    pub(super) shared: Shared,
}

impl<S> RpcServiceT for Middleware<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Clone
        + Send
        + Sync
        + 'static,
{
    type MethodResponse = MethodResponse;
    type BatchResponse = MethodResponse;
    type NotificationResponse = MethodResponse;

    fn call<'a>(&self, request: Request<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move { this.call_counted(request).await }
    }

    fn batch<'a>(&self, batch: Batch<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        let this = self.clone();
        async move { this.answer_batch(batch).await }
    }

    fn notification<'a>(&self, notification: Notification<'a>) -> impl Future<Output = MethodResponse> + Send + 'a {
        self.inner.notification(notification)
    }
}

impl<S> Middleware<S>
where
    S: RpcServiceT<
            MethodResponse = MethodResponse,
            BatchResponse = MethodResponse,
            NotificationResponse = MethodResponse,
        > + Send
        + Sync,
{
    async fn call_counted(&self, request: Request<'_>) -> MethodResponse {
        let Some(&method) = self.shared.methods.get(request.method_name()) else {
            metrics::counter!("rpc_requests_total", "method" => "unknown").increment(1);
            return MethodResponse::error(request.id.clone(), method_unknown(request.method_name()));
        };
        let start = Instant::now();
        let response = self.inner.call(request).await;
        observe(method, start, 1, u64::from(response.is_error()));
        response
    }

    /// Answers the entries in order; adjacent raw transactions go to the operator in one call.
    async fn answer_batch(&self, batch: Batch<'_>) -> MethodResponse {
        let mut answers = BatchResponseBuilder::new_with_limit(self.shared.response_bytes_max);
        let mut notified = false;
        let mut entries = batch.into_iter().peekable();
        while let Some(entry) = entries.next() {
            let mut answered = Vec::new();
            match entry {
                Ok(BatchEntry::Call(request)) if request.method_name() == SEND_METHOD => {
                    let mut sends = vec![request];
                    while let Some(Ok(BatchEntry::Call(next))) = entries.next_if(
                        |entry| matches!(entry, Ok(BatchEntry::Call(next)) if next.method_name() == SEND_METHOD),
                    ) {
                        sends.push(next);
                    }
                    answered = self.send_all(sends).await;
                }
                Ok(BatchEntry::Call(request)) => answered.push(self.call_counted(request).await),
                Ok(BatchEntry::Notification(notification)) => {
                    notified = true;
                    self.inner.notification(notification).await;
                }
                Err(error) => {
                    let (error, id) = error.into_parts();
                    answered.push(MethodResponse::error(id, error));
                }
            }
            for answer in answered {
                if let Err(too_big) = answers.append(answer) {
                    return too_big;
                }
            }
        }
        if answers.is_empty() && notified {
            return MethodResponse::notification();
        }
        MethodResponse::from_batch(answers.finish())
    }

    /// Sends the transactions of many requests at once; as many answers as requests, in their order.
    async fn send_all(&self, requests: Vec<Request<'_>>) -> Vec<MethodResponse> {
        let start = Instant::now();
        let parsed: Vec<(Id<'_>, Result<Bytes, ErrorObjectOwned>)> = requests
            .into_iter()
            .map(|request| {
                let params = Params::new(request.params.as_ref().map(|params| params.get()));
                let bytes = params.sequence().next::<Bytes>();
                (request.id, bytes)
            })
            .collect();
        let transactions: Vec<Bytes> = parsed.iter().filter_map(|(_, bytes)| bytes.clone().ok()).collect();
        let count = parsed.len() as u64;
        let mut outcomes = self.shared.sends.send(transactions).await.map(Vec::into_iter);
        let answers: Vec<MethodResponse> = parsed
            .into_iter()
            .map(|(id, bytes)| {
                let outcome = bytes.and_then(|_| match &mut outcomes {
                    Ok(outcomes) => {
                        let next = outcomes.next().ok_or(RpcError::Internal).and_then(|sent| Ok(sent?));
                        next.map_err(ErrorObjectOwned::from)
                    }
                    Err(RpcError::Busy) => Err(RpcError::Busy.into()),
                    Err(_) => Err(RpcError::Internal.into()),
                });
                let payload = match outcome {
                    Ok(hash) => ResponsePayload::success(hash),
                    Err(error) => ResponsePayload::error(error),
                };
                MethodResponse::response(id, payload, self.shared.response_bytes_max)
            })
            .collect();
        let errors = answers.iter().filter(|answer| answer.is_error()).count() as u64;
        observe(SEND_METHOD, start, count, errors);
        answers
    }
}

fn method_unknown(method: &str) -> ErrorObjectOwned {
    let message = format!("the method {method} does not exist/is not available");
    ErrorObjectOwned::owned(METHOD_NOT_FOUND_CODE, message, None::<()>)
}

fn observe(method: &'static str, start: Instant, count: u64, errors: u64) {
    metrics::counter!("rpc_requests_total", "method" => method).increment(count);
    if errors > 0 {
        metrics::counter!("rpc_errors_total", "method" => method).increment(errors);
    }
    metrics::histogram!("rpc_request_seconds", "method" => method).record(start.elapsed());
}
