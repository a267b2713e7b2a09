//! The bounds of the pool, with their defaults.

use core::time::Duration;
use phalanx_types::TRANSACTION_BYTES_MAX;

/// The most transactions held.
pub const TRANSACTIONS_MAX: usize = 65_536;
/// The most memory that held transactions may take, by [`crate::PooledTransaction::footprint_bytes`].
pub const BYTES_MAX: usize = 192 << 20;
/// The most waiting transactions held, not counting those that were executable once.
pub const WAITING_MAX: usize = 8_192;
/// The most transactions held of one sender.
pub const SENDER_TRANSACTIONS_MAX: usize = 4_096;
/// The most waiting transactions held of one sender, not counting those that were executable once.
pub const SENDER_WAITING_MAX: usize = 256;
/// How far above the next executable nonce a waiting transaction's nonce may lie.
pub const NONCE_GAP_MAX: u64 = 1_024;
/// The most transactions held that one peer offered: no peer fills the pool alone.
pub const PEER_TRANSACTIONS_MAX: usize = TRANSACTIONS_MAX / 2;
/// How much more a replacement must offer, in both fees. Unit: percent.
pub const PRICE_BUMP_PERCENT: u128 = 10;
/// How long a transaction may wait. Unit: seconds.
pub const WAITING_LIFETIME_S_MAX: u64 = 3 * 60 * 60;
/// The most senders whose accounts one call of [`crate::Mempool::maintain`] looks up.
pub const RECHECKED_SENDERS_MAX: usize = 256;

/// The bounds of one pool.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// See [`TRANSACTIONS_MAX`].
    pub transactions_max: usize,
    /// See [`BYTES_MAX`].
    pub bytes_max: usize,
    /// See [`WAITING_MAX`].
    pub waiting_max: usize,
    /// See [`SENDER_TRANSACTIONS_MAX`].
    pub sender_transactions_max: usize,
    /// See [`SENDER_WAITING_MAX`].
    pub sender_waiting_max: usize,
    /// See [`NONCE_GAP_MAX`].
    pub nonce_gap_max: u64,
    /// See [`PEER_TRANSACTIONS_MAX`].
    pub peer_transactions_max: usize,
    /// See [`PRICE_BUMP_PERCENT`].
    pub price_bump_percent: u128,
    /// The least tip (or gas price) that is taken. Unit: wei per gas.
    pub tip_min: u128,
    /// See [`WAITING_LIFETIME_S_MAX`].
    pub waiting_lifetime_max: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            transactions_max: TRANSACTIONS_MAX,
            bytes_max: BYTES_MAX,
            waiting_max: WAITING_MAX,
            sender_transactions_max: SENDER_TRANSACTIONS_MAX,
            sender_waiting_max: SENDER_WAITING_MAX,
            nonce_gap_max: NONCE_GAP_MAX,
            peer_transactions_max: PEER_TRANSACTIONS_MAX,
            price_bump_percent: PRICE_BUMP_PERCENT,
            tip_min: 0,
            waiting_lifetime_max: Duration::from_secs(WAITING_LIFETIME_S_MAX),
        }
    }
}

const _: () = assert!(BYTES_MAX > TRANSACTION_BYTES_MAX * 64, "the pool holds many of the largest transactions");
