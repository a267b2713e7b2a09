//! One block's state, for reading.

use super::super::ExecutionError;
use super::super::genesis::ChainSpec;
use super::super::store::{Blame, Snapshot};
use super::{AccountRecord, Layer};
use alloy_consensus::Header;
use alloy_consensus::constants::KECCAK_EMPTY;
use alloy_primitives::{Address, B256, Bytes, U256};
use phalanx_types::BlockRef;
use revm::bytecode::Bytecode;
use std::fmt;
use std::sync::Arc;

/// One block's state. Cheap to clone; whoever holds one keeps that state readable.
#[derive(Clone)]
pub struct StateView {
    inner: Arc<Inner>,
}

struct Inner {
    reference: BlockRef,
    header: Header,
    spec: Arc<ChainSpec>,
    /// Newest first.
    layers: Vec<Arc<Layer>>,
    base: Arc<Snapshot>,
}

impl StateView {
    /// The state of block `reference`: `layers`, newest first, over `base`.
    pub(in crate::execution) fn new(
        reference: BlockRef,
        header: Header,
        spec: Arc<ChainSpec>,
        layers: Vec<Arc<Layer>>,
        base: Arc<Snapshot>,
    ) -> Self {
        Self { inner: Arc::new(Inner { reference, header, spec, layers, base }) }
    }

    /// The state of the child `reference`, which changes `layer`.
    pub(in crate::execution) fn extend(&self, reference: BlockRef, header: Header, layer: Arc<Layer>) -> Self {
        let mut layers = Vec::with_capacity(1 + self.inner.layers.len());
        layers.push(layer);
        layers.extend_from_slice(&self.inner.layers);
        Self::new(reference, header, Arc::clone(&self.inner.spec), layers, Arc::clone(&self.inner.base))
    }

    /// The block whose state this is.
    #[must_use]
    pub fn reference(&self) -> BlockRef {
        self.inner.reference
    }

    /// That block's header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.inner.header
    }

    /// The EIP-155 chain id.
    #[must_use]
    pub fn chain_id(&self) -> u64 {
        self.inner.spec.chain_id()
    }

    pub(in crate::execution) fn blame(&self) -> &Blame {
        self.inner.base.blame()
    }

    pub(in crate::execution) fn spec(&self) -> &Arc<ChainSpec> {
        &self.inner.spec
    }

    /// An account; `None` when it does not exist.
    ///
    /// # Errors
    /// [`ExecutionError::Io`] and [`ExecutionError::IoDamaged`] when the file cannot be read.
    pub fn account(&self, address: Address) -> Result<Option<AccountRecord>, ExecutionError> {
        for layer in &self.inner.layers {
            if let Some(record) = layer.accounts.get(&address) {
                return Ok(*record);
            }
        }
        self.inner.base.account(address)
    }

    /// A storage slot; zero when it was never written.
    ///
    /// # Errors
    /// As [`Self::account`].
    pub fn storage(&self, address: Address, slot: U256) -> Result<U256, ExecutionError> {
        for layer in &self.inner.layers {
            if let Some(value) = layer.storage.get(&(address, slot)) {
                return Ok(*value);
            }
            if layer.wiped.contains(&address) {
                return Ok(U256::ZERO);
            }
        }
        self.inner.base.storage(address, slot)
    }

    /// The code of an account; empty when it has none.
    ///
    /// # Errors
    /// As [`Self::account`].
    pub fn code(&self, address: Address) -> Result<Bytes, ExecutionError> {
        match self.account(address)? {
            Some(record) => Ok(self.bytecode(record.code_hash)?.original_bytes()),
            None => Ok(Bytes::new()),
        }
    }

    /// Analysed code by its hash.
    pub(in crate::execution) fn bytecode(&self, code_hash: B256) -> Result<Bytecode, ExecutionError> {
        if code_hash == KECCAK_EMPTY {
            return Ok(Bytecode::default());
        }
        for layer in &self.inner.layers {
            if let Some(code) = layer.codes.get(&code_hash) {
                return Ok(code.clone());
            }
        }
        self.inner.base.bytecode(code_hash)
    }

    /// The hash of a block at or below this one; `None` when it is above, or more than
    /// [`BLOCK_HASHES_MAX`](super::super::store::BLOCK_HASHES_MAX) below.
    ///
    /// # Errors
    /// As [`Self::account`].
    pub fn block_hash(&self, number: u64) -> Result<Option<B256>, ExecutionError> {
        for layer in &self.inner.layers {
            let Some(&(first, _)) = layer.blocks.first() else { continue };
            if let Some(offset) = number.checked_sub(first)
                && let Some(&(_, hash)) = usize::try_from(offset).ok().and_then(|offset| layer.blocks.get(offset))
            {
                return Ok(Some(hash));
            }
        }
        self.inner.base.block_hash(number)
    }

    /// A node of the account trie (`owner` is `None`) or of an account's storage trie.
    pub(in crate::execution) fn node(
        &self,
        owner: Option<Address>,
        path: &[u8],
    ) -> Result<Option<Bytes>, ExecutionError> {
        for layer in &self.inner.layers {
            let nodes = match owner {
                None => Some(&layer.account_nodes),
                Some(owner) => layer.storage_nodes.get(&owner),
            };
            if let Some(node) = nodes.and_then(|nodes| nodes.get(path)) {
                return Ok(Some(node.clone()));
            }
        }
        self.inner.base.node(owner, path)
    }
}

impl fmt::Debug for StateView {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StateView")
            .field("reference", &self.inner.reference)
            .field("layers", &self.inner.layers.len())
            .finish_non_exhaustive()
    }
}
