//! The `txpool_` namespace.

use super::api::{BySender, PoolContent, PoolCounts, TxpoolServer};
use super::context::Context;
use super::convert;
use super::error::RpcError;
use alloy_consensus::Transaction as _;
use alloy_primitives::{Address, U64};
use alloy_rpc_types_eth::Transaction;
use jsonrpsee::core::async_trait;
use std::collections::BTreeMap;

/// The most transactions that `txpool_content` and `txpool_inspect` show.
pub const POOL_CONTENT_MAX: usize = 4_096;

#[async_trait]
impl TxpoolServer for Context {
    async fn pool_status(&self) -> Result<PoolCounts, RpcError> {
        let status = self.backend.pool_status().await;
        Ok(PoolCounts { pending: U64::from(status.executable), queued: U64::from(status.waiting) })
    }

    async fn pool_content(&self) -> Result<PoolContent<BySender<Transaction>>, RpcError> {
        Ok(self.content(|transaction| transaction).await)
    }

    async fn pool_content_from(&self, sender: Address) -> Result<PoolContent<BTreeMap<String, Transaction>>, RpcError> {
        let mut content = PoolContent::<BTreeMap<String, Transaction>>::default();
        for held in self.backend.pool_transactions(Some(sender), POOL_CONTENT_MAX).await {
            let standing = if held.executable { &mut content.pending } else { &mut content.queued };
            standing.insert(held.transaction.nonce().to_string(), convert::pool_transaction(held));
        }
        Ok(content)
    }

    async fn pool_inspect(&self) -> Result<PoolContent<BySender<String>>, RpcError> {
        Ok(self.content(|transaction| summary(&transaction)).await)
    }
}

impl Context {
    async fn content<T>(&self, show: impl Fn(Transaction) -> T) -> PoolContent<BySender<T>> {
        let mut content = PoolContent::<BySender<T>>::default();
        for held in self.backend.pool_transactions(None, POOL_CONTENT_MAX).await {
            let standing = if held.executable { &mut content.pending } else { &mut content.queued };
            let (sender, nonce) = (held.transaction.signer().to_string(), held.transaction.nonce().to_string());
            standing.entry(sender).or_default().insert(nonce, show(convert::pool_transaction(held)));
        }
        content
    }
}

/// A transaction in one line, as go-ethereum writes it.
fn summary(transaction: &Transaction) -> String {
    let (value, gas, price) = (transaction.value(), transaction.gas_limit(), transaction.max_fee_per_gas());
    let to = transaction.to().map_or_else(|| "contract creation".to_owned(), |to| to.to_string());
    format!("{to}: {value} wei + {gas} gas × {price} wei")
}
