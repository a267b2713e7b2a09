//! The server: HTTP and WebSocket on one port, every bound named.

use super::api::{EthServer, NetServer, SeqServer, TxpoolServer, Web3Server};
use super::backend::Backend;
use super::context::Context;
use super::middleware::{Middleware, Shared};
use jsonrpsee::RpcModule;
use jsonrpsee::core::middleware::RpcServiceBuilder;
use jsonrpsee::server::{BatchRequestConfig, PingConfig, Server, ServerConfig, ServerHandle};
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

/// The most HTTP requests in progress and WebSocket connections together.
pub const CONNECTIONS_MAX: u32 = 1_024;
/// The largest request. Unit: bytes.
pub const REQUEST_BYTES_MAX: u32 = 10 << 20;
/// The largest response. Unit: bytes.
pub const RESPONSE_BYTES_MAX: u32 = 32 << 20;
/// The most entries in one batch.
pub const BATCH_ENTRIES_MAX: u32 = 2_000;
/// The most subscriptions of one connection.
pub const SUBSCRIPTIONS_PER_CONNECTION_MAX: u32 = 64;
/// The most messages that wait for one connection to read them.
pub const MESSAGES_PER_CONNECTION_MAX: u32 = 256;
/// How long a new connection may stay silent. Unit: seconds.
pub const FIRST_REQUEST_S_MAX: u64 = 30;

/// A running server. Dropping it stops it.
#[derive(Debug)]
pub struct RpcServer {
    address: SocketAddr,
    handle: ServerHandle,
}

impl RpcServer {
    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Stops it, and waits until its connections are closed.
    pub async fn stop(self) {
        // An error says that it has stopped already.
        let _ = self.handle.stop();
        self.handle.stopped().await;
    }
}

/// Starts the server. Must be called within a tokio runtime.
///
/// # Errors
/// When the address cannot be bound.
pub async fn serve(address: SocketAddr, backend: Arc<dyn Backend>) -> io::Result<RpcServer> {
    let context = Context::new(backend);
    let sends = context.sends.clone();
    let module = methods(context);
    let shared = Shared {
        sends,
        methods: Arc::new(module.method_names().collect()),
        response_bytes_max: RESPONSE_BYTES_MAX as usize,
    };
    let config = ServerConfig::builder()
        .max_connections(CONNECTIONS_MAX)
        .max_request_body_size(REQUEST_BYTES_MAX)
        .max_response_body_size(RESPONSE_BYTES_MAX)
        .max_subscriptions_per_connection(SUBSCRIPTIONS_PER_CONNECTION_MAX)
        .set_message_buffer_capacity(MESSAGES_PER_CONNECTION_MAX)
        .set_batch_request_config(BatchRequestConfig::Limit(BATCH_ENTRIES_MAX))
        .set_first_request_timeout(Some(Duration::from_secs(FIRST_REQUEST_S_MAX)))
        .set_tcp_no_delay(true)
        .enable_ws_ping(PingConfig::new())
        .build();
    let middleware = RpcServiceBuilder::new().layer_fn(move |inner| Middleware { inner, shared: shared.clone() });
    let server = Server::builder().set_config(config).set_rpc_middleware(middleware).build(address).await?;
    let address = server.local_addr()?;
    Ok(RpcServer { address, handle: server.start(module) })
}

fn methods(context: Context) -> RpcModule<()> {
    let mut module = RpcModule::new(());
    let parts = [
        module.merge(EthServer::into_rpc(context.clone())),
        module.merge(NetServer::into_rpc(context.clone())),
        module.merge(Web3Server::into_rpc(context.clone())),
        module.merge(TxpoolServer::into_rpc(context.clone())),
        module.merge(SeqServer::into_rpc(context)),
    ];
    for part in parts {
        part.expect("every method has its own name");
    }
    module
}
