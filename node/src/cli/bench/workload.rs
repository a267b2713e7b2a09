//! The accounts that send, and their transfers, signed ahead on all cores.
//!
//! Every account is a fresh key of its own (derived from its number, so that a second run finds it funded),
//! and transfers go round robin, so that one account's nonces lie far apart in time.

use crate::cli::RpcClient;
use crate::cli::accounts::TEST_ACCOUNTS;
use alloy_consensus::{SignableTransaction, TxEip1559, TxEnvelope};
use alloy_eips::eip2718::Encodable2718;
use alloy_network::TxSignerSync;
use alloy_primitives::{B256, Bytes, TxKind, U64, U256, keccak256};
use alloy_signer_local::PrivateKeySigner;
use anyhow::{Context, bail, ensure};
use crossbeam::channel::{Receiver, bounded};
use rayon::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

/// How many transactions are signed at a time.
const CHUNK: u64 = 1_000;
/// How many chunks are signed before the run begins; the rest follows while it goes on.
const CHUNKS_AHEAD_MAX: usize = 200;
/// What a transfer costs at most. Unit: wei per gas.
const MAX_FEE_WEI: u128 = 20_000_000_000;
const TRANSFER_GAS: u64 = 21_000;
/// What each account is funded with. Unit: wei (2 ether).
const FUND_WEI: u128 = 2_000_000_000_000_000_000;
/// An account with less is funded again. Unit: wei (0.5 ether).
const FUND_WEI_MIN: u128 = 500_000_000_000_000_000;
/// How long funding may take.
const FUND_WAIT_MAX: Duration = Duration::from_secs(60);
const FUND_POLL: Duration = Duration::from_millis(100);

/// A transfer, ready to be sent.
#[derive(Clone, Debug)]
pub(super) struct Signed {
    /// Counted from 0 in the order of sending.
    pub(super) index: usize,
    /// Its hash.
    pub(super) hash: B256,
    /// EIP-2718 bytes.
    pub(super) raw: Bytes,
    /// How often it was refused for reasons that pass.
    pub(super) attempts: u32,
}

/// Funded accounts and the nonces that they go on from.
#[derive(Debug)]
pub(super) struct Accounts {
    chain_id: u64,
    tip_wei: u128,
    accounts: Vec<(PrivateKeySigner, u64)>,
}

impl Accounts {
    /// Derives `count` accounts and funds those that need it.
    pub(super) async fn prepare(client: &RpcClient, count: u32) -> anyhow::Result<Self> {
        let chain_id: U64 = client.call("eth_chainId", &[]).await?;
        let tip: U256 = client.call("eth_maxPriorityFeePerGas", &[]).await?;
        let tip_wei = u128::try_from(tip).unwrap_or(MAX_FEE_WEI).min(MAX_FEE_WEI);
        let signers: Vec<_> = (0..count).into_par_iter().map(signer).collect();
        let chain_id = chain_id.to();
        fund(client, chain_id, tip_wei, &signers).await?;
        let nonces = quantities(client, "eth_getTransactionCount", &signers, "pending").await?;
        let nonces = nonces.into_iter().map(|nonce| u64::try_from(nonce).context("a nonce beyond 64 bits"));
        let accounts = signers.into_iter().zip(nonces).map(|(signer, nonce)| Ok((signer, nonce?)));
        Ok(Self { chain_id, tip_wei, accounts: accounts.collect::<anyhow::Result<_>>()? })
    }

    /// The transfer `index`: of the account whose turn it is, one wei to its neighbour.
    fn transfer(&self, index: u64) -> anyhow::Result<Signed> {
        let count = self.accounts.len() as u64;
        let at = |index: u64| usize::try_from(index % count).expect("below the number of accounts");
        let (signer, nonce) = &self.accounts[at(index)];
        let to = self.accounts[at(index + 1)].0.address();
        let nonce = nonce + index / count;
        let (hash, raw) = sign(signer, self.chain_id, nonce, self.tip_wei, to, U256::ONE)?;
        Ok(Signed { index: usize::try_from(index)?, hash, raw, attempts: 0 })
    }
}

fn signer(number: u32) -> PrivateKeySigner {
    let seed = keccak256([b"phalanx bench account ".as_slice(), &number.to_be_bytes()].concat());
    PrivateKeySigner::from_bytes(&seed).expect("a hash is no key with probability 2^-128")
}

fn sign(
    signer: &PrivateKeySigner,
    chain_id: u64,
    nonce: u64,
    tip_wei: u128,
    to: alloy_primitives::Address,
    value: U256,
) -> anyhow::Result<(B256, Bytes)> {
    let mut transaction = TxEip1559 {
        chain_id,
        nonce,
        gas_limit: TRANSFER_GAS,
        max_fee_per_gas: MAX_FEE_WEI,
        max_priority_fee_per_gas: tip_wei,
        to: TxKind::Call(to),
        value,
        ..TxEip1559::default()
    };
    let signature = signer.sign_transaction_sync(&mut transaction)?;
    let envelope = TxEnvelope::Eip1559(transaction.into_signed(signature));
    Ok((*envelope.hash(), envelope.encoded_2718().into()))
}

/// One number for each account.
async fn quantities(
    client: &RpcClient,
    method: &str,
    signers: &[PrivateKeySigner],
    tag: &str,
) -> anyhow::Result<Vec<U256>> {
    let params: Vec<_> = signers.iter().map(|signer| vec![json!(signer.address()), json!(tag)]).collect();
    let answers = client.batch::<U256>(method, &params).await?;
    let answers = answers.into_iter().map(|answer| {
        answer.map_err(|error| anyhow::anyhow!("{}: {method} was refused: {}", client.url(), error.message()))
    });
    answers.collect()
}

/// Gives every account that has too little its fund, from the test accounts in turn, and waits until all
/// have it for certain.
async fn fund(client: &RpcClient, chain_id: u64, tip_wei: u128, signers: &[PrivateKeySigner]) -> anyhow::Result<()> {
    let balances = quantities(client, "eth_getBalance", signers, "latest").await?;
    let poor: Vec<_> =
        signers.iter().zip(balances).filter(|(_, balance)| *balance < U256::from(FUND_WEI_MIN)).collect();
    if poor.is_empty() {
        return Ok(());
    }
    let funders: Vec<_> = TEST_ACCOUNTS
        .iter()
        .map(|account| PrivateKeySigner::from_bytes(&account.private_key).context("a test account's key"))
        .collect::<anyhow::Result<_>>()?;
    let rich = quantities(client, "eth_getBalance", &funders, "latest").await?;
    let share = U256::from(FUND_WEI) * U256::from(poor.len().div_ceil(funders.len()) + 1);
    ensure!(
        rich.iter().all(|balance| *balance >= share),
        "Foundry's test accounts hold too little on the chain of {}: bench runs where they are funded, as on a devnet",
        client.url()
    );
    let mut nonces = quantities(client, "eth_getTransactionCount", &funders, "pending").await?;
    let mut params = Vec::new();
    for (turn, (signer, _)) in poor.iter().enumerate() {
        let at = turn % funders.len();
        let nonce = u64::try_from(nonces[at]).context("a nonce beyond 64 bits")?;
        nonces[at] += U256::ONE;
        let (_, raw) = sign(&funders[at], chain_id, nonce, tip_wei, signer.address(), U256::from(FUND_WEI))?;
        params.push(vec![json!(raw)]);
    }
    for answer in client.batch::<B256>("eth_sendRawTransaction", &params).await? {
        if let Err(error) = answer {
            bail!("{} refuses to fund an account: {}", client.url(), error.message());
        }
    }
    let start = Instant::now();
    let waiting: Vec<_> = poor.iter().map(|(signer, _)| (*signer).clone()).collect();
    while start.elapsed() < FUND_WAIT_MAX {
        let balances = quantities(client, "eth_getBalance", &waiting, "latest").await?;
        if balances.iter().all(|balance| *balance >= U256::from(FUND_WEI_MIN)) {
            return Ok(());
        }
        tokio::time::sleep(FUND_POLL).await;
    }
    bail!("the accounts are not funded after {}: does the chain advance?", humantime::format_duration(FUND_WAIT_MAX))
}

/// Transfers in order, signed by other threads.
#[derive(Debug)]
pub(super) struct SignedAhead {
    chunks: Receiver<anyhow::Result<Vec<Signed>>>,
    ready: std::vec::IntoIter<Signed>,
}

/// Signs `total` transfers; returns when as many as fit ahead are signed.
pub(super) fn sign_ahead(accounts: Accounts, total: u64) -> SignedAhead {
    let (sender, chunks) = bounded(CHUNKS_AHEAD_MAX);
    let wanted = usize::try_from(total.div_ceil(CHUNK)).unwrap_or(usize::MAX).min(CHUNKS_AHEAD_MAX);
    rayon::spawn(move || {
        let starts = (0..total).step_by(usize::try_from(CHUNK).expect("a small number"));
        for start in starts {
            let end = total.min(start + CHUNK);
            let chunk: anyhow::Result<Vec<_>> =
                (start..end).into_par_iter().map(|index| accounts.transfer(index)).collect();
            let failed = chunk.is_err();
            if sender.send(chunk).is_err() || failed {
                return;
            }
        }
    });
    while chunks.len() < wanted {
        std::thread::sleep(Duration::from_millis(5));
    }
    SignedAhead { chunks, ready: Vec::new().into_iter() }
}

impl SignedAhead {
    /// The next one; `None` after the last.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<Signed>> {
        if let Some(next) = self.ready.next() {
            return Ok(Some(next));
        }
        match self.chunks.recv() {
            Ok(chunk) => self.ready = chunk?.into_iter(),
            Err(_) => return Ok(None),
        }
        Ok(self.ready.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloy_consensus::Transaction;
    use alloy_consensus::transaction::SignerRecoverable;
    use alloy_eips::eip2718::Decodable2718;

    #[test]
    fn transfers_come_in_order_with_gapless_nonces() {
        let accounts: Vec<_> = (0..3).map(|number| (signer(number), u64::from(number) * 10)).collect();
        let addresses: Vec<_> = accounts.iter().map(|(signer, _)| signer.address()).collect();
        let mut ahead = sign_ahead(Accounts { chain_id: 7, tip_wei: 1, accounts }, 1_500);
        let mut next = [0, 10, 20];
        let mut count = 0;
        while let Some(signed) = ahead.next().expect("signed") {
            assert_eq!(signed.index, count);
            let envelope = TxEnvelope::decode_2718(&mut &signed.raw[..]).expect("a transaction");
            assert_eq!(*envelope.hash(), signed.hash);
            let turn = count % 3;
            assert_eq!(envelope.recover_signer().expect("a signature"), addresses[turn]);
            assert_eq!(envelope.nonce(), next[turn]);
            next[turn] += 1;
            count += 1;
        }
        assert_eq!(count, 1_500);
    }
}
