//! What clients of the sequencer talk to: Ethereum JSON-RPC with the `seq_` namespace (HTTP and WebSocket
//! on one port), and the operations endpoints on a port of their own.
//!
//! It knows nothing of the network, the store or execution: the driver implements [`backend::Backend`].
//! Every bound is a named constant beside what it bounds.

pub mod backend;
pub mod events;
pub mod types;
