//! Transaction admission, ordering, and what must be proposed again.
//!
//! Two halves. [`recover`] is pure and data-parallel: bytes in, decoded transactions with their senders
//! out, each recovered once for each operator. [`Mempool`] is a single-owner state machine without clock,
//! lock or thread: it admits, orders, offers to peers, and forgets.
//!
//! A held transaction is **executable** (its nonce follows the account's or another executable one of the
//! sender, its fee cap covered the base fee when it became so, and the account could pay) or **waiting**.
//! Invariants:
//! 1. What was accepted as executable stays until the account's nonce has passed it in a *final* block, its
//!    own sender replaces it, execution finds it invalid for ever, or its sender spends the funds
//!    otherwise (then it waits). So it is proposed again when a leader fails.
//! 2. Executable transactions are ordered first come, first served: by when they became executable. A
//!    sender's nonces are in ascending order within that.
//! 3. Only waiting ones expire, and only they are evicted: the newest first, by an executable arrival in a
//!    full pool.
//! 4. Every bound of [`Limits`] holds after every call, whatever peers send.
//! 5. The same calls give the same state: iteration is always in the order of a key.
//!
//! Left to others: account state (the caller looks it up), execution, sending what [`Mempool::to_gossip`]
//! returns, and making anything durable.
#![forbid(unsafe_code)]

mod error;
mod gossip;
mod index;
mod intrinsic;
mod limits;
mod pool;
mod select;
mod transaction;

pub use error::{AdmissionError, Shortfall};
pub use gossip::{GOSSIP_BYTES_MAX, REOFFERS_PER_SECOND_MAX};
pub use limits::{
    BYTES_MAX, Limits, NONCE_GAP_MAX, PEER_TRANSACTIONS_MAX, PRICE_BUMP_PERCENT, RECHECKED_SENDERS_MAX,
    SENDER_TRANSACTIONS_MAX, SENDER_WAITING_MAX, TRANSACTIONS_MAX, WAITING_LIFETIME_S_MAX, WAITING_MAX,
};
pub use pool::{AccountState, Admitted, Committed, Held, Maintained, Mempool, Origin, Standing, Status, Verdict};
pub use select::Selection;
pub use transaction::{PooledTransaction, Rules, recover, transaction_hash};
