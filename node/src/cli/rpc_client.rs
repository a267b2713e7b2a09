//! A JSON-RPC client whose errors say which address, and what to do about it.

use anyhow::{Context, bail};
use core::time::Duration;
use jsonrpsee::core::ClientError;
use jsonrpsee::core::client::{BatchResponse, ClientT};
use jsonrpsee::core::params::{ArrayParams, BatchRequestBuilder};
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::types::ErrorObjectOwned;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// A request that takes longer has failed.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(15);
/// The largest response that is read. Unit: bytes.
const RESPONSE_BYTES_MAX: u32 = 256 << 20;
/// The most requests that are put into one batch: servers bound theirs.
pub(super) const BATCH_MAX: usize = 200;

/// One operator's JSON-RPC server.
#[derive(Clone, Debug)]
pub struct RpcClient {
    http: HttpClient,
    url: String,
}

impl RpcClient {
    /// A client of the server at `url`. Does not connect yet.
    ///
    /// # Errors
    /// When `url` is no HTTP URL.
    pub fn new(url: &str) -> anyhow::Result<Self> {
        Self::with_timeout(url, REQUEST_TIMEOUT)
    }

    /// The same; a request that takes longer than `timeout` has failed.
    ///
    /// # Errors
    /// When `url` is no HTTP URL.
    pub fn with_timeout(url: &str, timeout: Duration) -> anyhow::Result<Self> {
        if !url.starts_with("http://") && !url.starts_with("https://") {
            bail!("\"{url}\" is no HTTP URL; one looks like http://127.0.0.1:8545");
        }
        let http = HttpClientBuilder::new()
            .request_timeout(timeout)
            .max_response_size(RESPONSE_BYTES_MAX)
            .max_request_size(RESPONSE_BYTES_MAX)
            .build(url)
            .with_context(|| format!("\"{url}\" is no HTTP URL; one looks like http://127.0.0.1:8545"))?;
        Ok(Self { http, url: url.to_owned() })
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The same server's WebSocket address.
    #[must_use]
    pub fn websocket_url(&self) -> String {
        self.url.replacen("http", "ws", 1)
    }

    /// Calls `method` with the positional `params`.
    ///
    /// # Errors
    /// A sentence with the address, the method and the server's words.
    pub async fn call<T: DeserializeOwned>(&self, method: &str, params: &[Value]) -> anyhow::Result<T> {
        self.http.request(method, positional(params)).await.map_err(|error| self.explain(method, error))
    }

    /// Calls `method` once for each of `params`, in one request for each [`BATCH_MAX`]; answers in order.
    ///
    /// # Errors
    /// When a whole request fails. What single calls answer is in the result.
    pub async fn batch<T: DeserializeOwned + core::fmt::Debug + Send + 'static>(
        &self,
        method: &str,
        params: &[Vec<Value>],
    ) -> anyhow::Result<Vec<Result<T, ErrorObjectOwned>>> {
        let mut answers = Vec::with_capacity(params.len());
        for chunk in params.chunks(BATCH_MAX) {
            let mut request = BatchRequestBuilder::new();
            for one in chunk {
                request.insert(method, positional(one)).context("the parameters are no JSON")?;
            }
            let response: BatchResponse<'_, T> =
                self.http.batch_request(request).await.map_err(|error| self.explain(method, error))?;
            answers.extend(response.into_iter().map(|entry| entry.map_err(|error| error.into_owned())));
        }
        if answers.len() != params.len() {
            bail!("{}: {} answers to {} calls of {method}", self.url, answers.len(), params.len());
        }
        Ok(answers)
    }

    fn explain(&self, method: &str, error: ClientError) -> anyhow::Error {
        let url = &self.url;
        match error {
            ClientError::Call(object) => {
                anyhow::anyhow!("{url}: {method} was refused: {} (code {})", object.message(), object.code())
            }
            ClientError::RequestTimeout => anyhow::anyhow!("{url}: no answer to {method} in time"),
            ClientError::ParseError(error) => {
                anyhow::anyhow!("{url}: {method} was answered with something else: {error}")
            }
            error => anyhow::anyhow!(
                "cannot reach {url}: {}. Is an operator running there? `phalanx devnet` starts four; --rpc names another",
                innermost(&error)
            ),
        }
    }
}

fn positional(params: &[Value]) -> ArrayParams {
    let mut array = ArrayParams::new();
    for param in params {
        array.insert(param).expect("a JSON value is JSON");
    }
    array
}

/// The last cause, which says the most ("Connection refused").
fn innermost(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(deeper) = cause.source() {
        cause = deeper;
    }
    cause.to_string()
}
