//! Raw transactions from users and from other operators.

use phalanx_mempool::{PooledTransaction, Rules, transaction_hash};
use phalanx_types::Bytes;

/// An encoded transaction. Addressed to chain 31337, that of the devnet.
///
/// # Panics
/// When a transaction is taken for another one.
pub fn transaction(data: &[u8]) {
    let rules = Rules { chain_id: 31_337, block_gas_limit: 30_000_000, unprotected_allowed: false };
    match PooledTransaction::recover(&rules, Bytes::copy_from_slice(data)) {
        Ok(taken) => {
            assert_eq!(taken.hash(), transaction_hash(data), "its hash is that of its bytes");
            assert_eq!(taken.bytes()[..], *data);
            assert!(taken.footprint_bytes() >= data.len());
            assert!(taken.fee_cap() >= taken.tip_cap());
        }
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}
