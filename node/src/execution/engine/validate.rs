//! Validating a block that somebody else built, by executing it whole.

use super::super::run::{self, Run};
use super::super::senders::SenderCache;
use super::super::{ExecutedBlock, ExecutionError, RecoveredTransaction, Verdict, header, payload};
use super::{BLOBS_REFUSED, Embedded};
use alloy_consensus::TxEnvelope;
use alloy_consensus::transaction::{Recovered, SignerRecoverable};
use alloy_eips::eip2718::Decodable2718;
use phalanx_types::Block;
use rayon::prelude::*;
use std::sync::Arc;

/// From this many transactions on, they are decoded on all cores.
const PARALLEL_TRANSACTIONS_MIN: usize = 8;

impl Embedded {
    /// Executes `block`, which an inspector made, and compares every field of its header with the result.
    /// A valid block is held. `now_s` is the clock (unit: seconds since the Unix epoch); for a certified
    /// block, which is not early whatever the clock says, `u64::MAX`.
    ///
    /// # Errors
    /// The errors of the state file. Whatever is wrong with the block is a [`Verdict`].
    pub fn validate(&mut self, block: &Block, now_s: u64) -> Result<Verdict, ExecutionError> {
        let hash = block.reference.hash;
        if self.unfinalized.contains_key(&hash) {
            return Ok(Verdict::Valid);
        }
        if block.reference.number <= self.finalized.reference().number
            && let Some(is_final) = self.finalized.view().block_hash(block.reference.number)?
        {
            let conflict = || Verdict::Invalid(format!("block {is_final} is final at its height"));
            return Ok(if is_final == hash { Verdict::Valid } else { conflict() });
        }
        match self.execute(block, now_s)? {
            Ok(()) => Ok(Verdict::Valid),
            Err(verdict) => Ok(verdict),
        }
    }

    fn execute(&mut self, block: &Block, now_s: u64) -> Result<Result<(), Verdict>, ExecutionError> {
        let parent_hash = block.parent_hash;
        let Some(view) = self.state_of(parent_hash) else {
            return Ok(Err(Verdict::MissingParent { parent_hash }));
        };
        if !self.make_room(parent_hash) {
            return Ok(Err(Verdict::Early { acceptable_at_s: now_s.saturating_add(1) }));
        }
        let parsed = match payload::parse(&block.payload) {
            Ok(parsed) => parsed,
            Err(error) => return Ok(Err(Verdict::Invalid(error.to_string()))),
        };
        if parsed.hash != block.reference.hash {
            return Ok(Err(Verdict::Invalid("its payload has another hash".to_owned())));
        }
        if let Err(verdict) = header::check(&self.spec, view.header(), parent_hash, &parsed.header, now_s) {
            return Ok(Err(verdict));
        }
        let transactions = match decode(&parsed.transactions, &self.senders) {
            Ok(transactions) => transactions,
            Err(reason) => return Ok(Err(Verdict::Invalid(reason))),
        };
        let spec = Arc::clone(&self.spec);
        let mut run = match Run::begin(&spec, view.clone(), &mut self.codes, &parsed.header, transactions.len())? {
            Ok(run) => run,
            Err(reason) => return Ok(Err(Verdict::Invalid(reason))),
        };
        for (index, transaction) in transactions.iter().enumerate() {
            if let Err(refusal) = run.execute(transaction)? {
                return Ok(Err(Verdict::Invalid(format!("transaction {index}: {refusal}"))));
            }
        }
        let finished = match run.finish()? {
            Ok(finished) => finished,
            Err(reason) => return Ok(Err(Verdict::Invalid(reason))),
        };
        let mut derived = parsed.header.clone();
        let (receipts, layer) = run::complete(&spec, &mut self.tries, &view, &mut derived, finished, None)?;
        if let Some(reason) = header::difference(&derived, &parsed.header) {
            return Ok(Err(Verdict::Invalid(reason)));
        }
        let executed = ExecutedBlock { block: block.clone(), header: derived, transactions, receipts };
        self.insert(&view, executed, layer);
        Ok(Ok(()))
    }
}

/// Decodes transactions and recovers their senders.
fn decode(encoded: &[&[u8]], senders: &SenderCache) -> Result<Vec<Arc<RecoveredTransaction>>, String> {
    let one = |(index, raw): (usize, &&[u8])| {
        decode_one(raw, senders).map(Arc::new).map_err(|reason| format!("transaction {index}: {reason}"))
    };
    if encoded.len() < PARALLEL_TRANSACTIONS_MIN {
        encoded.iter().enumerate().map(one).collect()
    } else {
        encoded.par_iter().enumerate().map(one).collect()
    }
}

fn decode_one(mut raw: &[u8], senders: &SenderCache) -> Result<RecoveredTransaction, String> {
    let transaction = TxEnvelope::decode_2718(&mut raw).map_err(|error| error.to_string())?;
    if !raw.is_empty() {
        return Err(format!("{} bytes after its end", raw.len()));
    }
    if transaction.is_eip4844() {
        return Err(BLOBS_REFUSED.to_owned());
    }
    let sender = match senders.get(transaction.tx_hash()) {
        Some(sender) => sender,
        None => transaction.recover_signer().map_err(|error| error.to_string())?,
    };
    Ok(Recovered::new_unchecked(transaction, sender))
}
