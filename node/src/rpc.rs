//! What clients of the sequencer talk to: Ethereum JSON-RPC with the `seq_` namespace (HTTP and WebSocket
//! on one port), and the operations endpoints on a port of their own.
//!
//! It knows nothing of the network, the store or execution: the driver implements [`backend::Backend`].
//! Every bound is a named constant beside what it bounds. Slow reads run on blocking threads, at most
//! [`SLOW_READS_MAX`] at one time; nothing here makes the chain wait.
//!
//! What is shown as included is final: receipts and transactions by hash speak of the final chain only,
//! `latest` is the newest final block, and `pending` the newest notarized one.

mod api;
pub mod backend;
mod context;
mod convert;
mod error;
mod eth;
pub mod events;
mod fees;
mod logs;
mod middleware;
pub mod ops;
mod send;
mod seq;
mod server;
mod subscribe;
#[cfg(test)]
mod tests;
mod txpool;
pub mod types;

pub use context::{SLOW_READ_WAIT_S_MAX, SLOW_READS_MAX};
pub use eth::CALL_GAS_MAX;
pub use fees::{FEE_HISTORY_BLOCKS_MAX, FEE_HISTORY_PERCENTILES_MAX};
pub use logs::{FILTER_ITEMS_MAX, LOG_RANGE_BLOCKS_MAX, LOGS_MAX};
pub use send::{SEND_CALLS_MAX, SEND_REQUESTS_MAX, SEND_TRANSACTIONS_PER_CALL_MAX};
pub use seq::ANCESTRY_HEADERS_MAX;
pub use server::{
    BATCH_ENTRIES_MAX, CONNECTIONS_MAX, FIRST_REQUEST_S_MAX, MESSAGES_PER_CONNECTION_MAX, REQUEST_BYTES_MAX,
    RESPONSE_BYTES_MAX, RpcServer, SUBSCRIPTIONS_PER_CONNECTION_MAX, serve,
};
pub use subscribe::SUBSCRIBER_STALL_S_MAX;
pub use txpool::POOL_CONTENT_MAX;
