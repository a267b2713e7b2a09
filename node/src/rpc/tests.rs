//! The server as its clients meet it: on a loopback port, over HTTP and WebSocket, before a chain of a few
//! blocks in memory.

mod cast;
mod chain;
mod fixture;
mod ops;
mod reads;
mod send;
mod seq;
mod subscriptions;

use super::{RpcServer, serve};
use fixture::Fixture;
use jsonrpsee::core::client::{ClientT, Error};
use jsonrpsee::core::params::ArrayParams;
use jsonrpsee::http_client::{HttpClient, HttpClientBuilder};
use jsonrpsee::types::ErrorObjectOwned;
use jsonrpsee::ws_client::{WsClient, WsClientBuilder};
use serde_json::Value;
use std::sync::Arc;

/// A server before a chain, and a client of it.
struct Served {
    chain: Arc<Fixture>,
    server: RpcServer,
    http: HttpClient,
}

impl Served {
    async fn start() -> Self {
        let chain = Arc::new(Fixture::new());
        let server = serve("127.0.0.1:0".parse().unwrap(), chain.clone()).await.unwrap();
        let http = HttpClientBuilder::default().build(format!("http://{}", server.address())).unwrap();
        Self { chain, server, http }
    }

    async fn ask(&self, method: &str, params: Value) -> Value {
        self.try_ask(method, params).await.unwrap_or_else(|error| panic!("{method}: {error}"))
    }

    async fn refusal(&self, method: &str, params: Value) -> ErrorObjectOwned {
        match self.try_ask(method, params).await {
            Err(Error::Call(object)) => object,
            other => panic!("{method} should be refused, and gave {other:?}"),
        }
    }

    async fn try_ask(&self, method: &str, params: Value) -> Result<Value, Error> {
        let mut array = ArrayParams::new();
        for param in params.as_array().expect("parameters are an array") {
            array.insert(param).unwrap();
        }
        self.http.request(method, array).await
    }

    async fn websocket(&self) -> WsClient {
        WsClientBuilder::default().build(format!("ws://{}", self.server.address())).await.unwrap()
    }
}

/// The names of an object's fields, sorted.
fn keys(value: &Value) -> Vec<&str> {
    let mut keys: Vec<&str> = value.as_object().expect("an object").keys().map(String::as_str).collect();
    keys.sort_unstable();
    keys
}
