//! Building a block on a parent that is held.

use super::super::header::{self, Free};
use super::super::run::{self, Refusal, Run};
use super::super::{
    BuildAttributes, EXTRA_DATA_BYTES_MAX, ExecutedBlock, ExecutionError, Outcome, RecoveredTransaction, Skip,
    TransactionSource, payload,
};
use super::{BLOBS_REFUSED, Embedded};
use alloy_consensus::{Header, Transaction as _};
use alloy_eips::eip2718::Encodable2718;
use alloy_primitives::{B256, Bytes};
use phalanx_types::PAYLOAD_BYTES_MAX;
use revm::context_interface::result::InvalidTransaction;
use std::sync::Arc;
use std::time::Instant;

/// What a block takes beside its transactions, generously. Unit: bytes.
const BLOCK_OVERHEAD_BYTES: usize = 2 << 10;
/// What the cheapest transaction burns. With less left, a block is full. Unit: gas.
const TRANSACTION_GAS_MIN: u64 = 21_000;
/// After this many transactions that did not fit, a block is full.
const MISFITS_MAX: usize = 256;

/// What has been put into a block.
#[derive(Default)]
struct Included {
    transactions: Vec<Arc<RecoveredTransaction>>,
    encoded: Vec<Bytes>,
    bytes: usize,
}

impl Embedded {
    /// Builds a block on `parent_hash` with transactions of `source`, and holds it as valid.
    ///
    /// # Errors
    /// [`ExecutionError::MisuseUnknownBlock`] when the parent is neither the finalized block nor an
    /// unfinalized one that was built or found valid; [`ExecutionError::MisuseUnfinalized`] when too many
    /// blocks wait to become final; and the errors of the state file.
    pub fn build(
        &mut self,
        parent_hash: B256,
        attributes: &BuildAttributes,
        source: &mut dyn TransactionSource,
    ) -> Result<Arc<ExecutedBlock>, ExecutionError> {
        let view = self.state_of(parent_hash).ok_or(ExecutionError::MisuseUnknownBlock(parent_hash))?;
        if !self.make_room(parent_hash) {
            return Err(ExecutionError::MisuseUnfinalized);
        }
        let free = free_fields(view.header(), attributes);
        let mut draft = header::draft(&self.spec, view.header(), parent_hash, free);
        let spec = Arc::clone(&self.spec);
        let mut run = Run::begin(&spec, view.clone(), &mut self.codes, &draft, 0)?.map_err(broken_contracts)?;
        let included = fill(&mut run, &draft, attributes, source)?;
        let finished = run.finish()?.map_err(broken_contracts)?;
        let encoded = Some(included.encoded.as_slice());
        let (receipts, layer) = run::complete(&spec, &mut self.tries, &view, &mut draft, finished, encoded)?;
        let block = payload::assemble(&draft, &included.encoded);
        let executed = ExecutedBlock { block, header: draft, transactions: included.transactions, receipts };
        Ok(self.insert(&view, executed, layer))
    }
}

/// The system calls of a block fail only when genesis put other code at their addresses.
fn broken_contracts(reason: String) -> ExecutionError {
    ExecutionError::MisuseGenesis(format!("its system contracts do not work: {reason}"))
}

fn free_fields(parent: &Header, attributes: &BuildAttributes) -> Free {
    let extra = attributes.extra_data.len().min(EXTRA_DATA_BYTES_MAX);
    Free {
        beneficiary: attributes.beneficiary,
        timestamp_s: attributes.timestamp_s.max(parent.timestamp),
        gas_limit: header::next_gas_limit(parent, attributes.gas_limit),
        extra_data: attributes.extra_data.slice(..extra),
        prev_randao: attributes.prev_randao,
    }
}

/// Offers transactions to the block until it is full, late, or the source is empty.
fn fill(
    run: &mut Run<'_>,
    draft: &Header,
    attributes: &BuildAttributes,
    source: &mut dyn TransactionSource,
) -> Result<Included, ExecutionError> {
    let mut included = Included::default();
    let mut misfits = 0;
    let bytes_max = attributes.payload_bytes_max.min(PAYLOAD_BYTES_MAX).saturating_sub(BLOCK_OVERHEAD_BYTES);
    let is_late = || attributes.deadline.is_some_and(|deadline| Instant::now() >= deadline);
    while misfits < MISFITS_MAX && draft.gas_limit - run.gas_used() >= TRANSACTION_GAS_MIN && !is_late() {
        let Some(transaction) = source.next() else { break };
        let outcome = offer(run, draft, &mut included, bytes_max, &transaction)?;
        misfits += usize::from(outcome == Outcome::Skipped(Skip::BlockFull));
        source.outcome(&transaction, outcome);
    }
    Ok(included)
}

fn offer(
    run: &mut Run<'_>,
    draft: &Header,
    included: &mut Included,
    bytes_max: usize,
    transaction: &Arc<RecoveredTransaction>,
) -> Result<Outcome, ExecutionError> {
    if transaction.is_eip4844() {
        return Ok(Outcome::Skipped(Skip::Invalid(BLOBS_REFUSED.to_owned())));
    }
    let encoded = Bytes::from(transaction.inner().encoded_2718());
    let item_bytes = payload::transaction_item_length(&encoded);
    if included.bytes + item_bytes > bytes_max {
        return Ok(Outcome::Skipped(Skip::BlockFull));
    }
    match run.execute(transaction)? {
        Ok(gas_used) => {
            included.transactions.push(Arc::clone(transaction));
            included.encoded.push(encoded);
            included.bytes += item_bytes;
            Ok(Outcome::Included { gas_used })
        }
        Err(refusal) => Ok(Outcome::Skipped(skip(refusal, transaction.gas_limit() > draft.gas_limit))),
    }
}

fn skip(refusal: Refusal, exceeds_every_block: bool) -> Skip {
    match refusal {
        Refusal::BlockFull if exceeds_every_block => {
            Skip::Invalid("its gas limit exceeds the block's gas limit".to_owned())
        }
        Refusal::BlockFull => Skip::BlockFull,
        Refusal::Transaction(reason) => match *reason {
            InvalidTransaction::NonceTooLow { state, .. } => Skip::NonceTooLow { expected: state },
            InvalidTransaction::NonceTooHigh { state, .. } => Skip::NonceGap { expected: state },
            InvalidTransaction::LackOfFundForMaxFee { .. } => Skip::Balance,
            InvalidTransaction::GasPriceLessThanBasefee => Skip::BaseFee,
            reason => Skip::Invalid(reason.to_string()),
        },
        Refusal::Other(reason) => Skip::Invalid(reason),
    }
}
