//! The state file: the flat state of one finalized block, its tries' nodes, and the last block hashes.
//!
//! Invariants: every commit of the file takes the state from one finalized block to a later one, whole;
//! a commit without fsync is undone by a crash, together with all later ones, back to the last durable one.
//! One thread writes; a [`Snapshot`] reads a moment of it from any thread.
//!
//! Left to others: when to write (`engine`), and replaying the blocks above what the file holds (the caller).

mod tables;
mod writer;

pub(super) use writer::{Job, Writer};

use super::state::{AccountRecord, Layer};
use super::{ExecutionError, Genesis};
use alloy_consensus::Header;
use alloy_primitives::{Address, B256, Bytes, U256, keccak256};
use alloy_rlp::Decodable;
use redb::{Builder, Database, DatabaseError, ReadOnlyTable, ReadableDatabase, StorageError};
use revm::bytecode::Bytecode;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use tables::{ACCOUNT_NODES, ACCOUNTS, BLOCK_HASHES, CODES, META, STORAGE, STORAGE_NODES};

/// How many block hashes are kept for the `BLOCKHASH` opcode.
pub const BLOCK_HASHES_MAX: u64 = 256;
/// The file's name in the state directory.
pub const STATE_FILE: &str = "state.redb";
/// The version of the tables. Another one is refused.
const FORMAT: u64 = 1;

/// Turns what redb says into an error that says what to do.
#[derive(Clone, Debug)]
pub(super) struct Blame {
    path: PathBuf,
}

impl Blame {
    /// Something on the way to the disk failed.
    pub(super) fn io(&self, reason: impl fmt::Display) -> ExecutionError {
        ExecutionError::Io { path: self.path.clone(), reason: reason.to_string() }
    }

    /// What the disk holds makes no sense.
    pub(super) fn damaged(&self, reason: impl fmt::Display) -> ExecutionError {
        ExecutionError::IoDamaged { path: self.path.clone(), reason: reason.to_string() }
    }

    /// Whichever of the two `error` is.
    pub(super) fn of(&self, error: impl Into<redb::Error>) -> ExecutionError {
        match error.into() {
            redb::Error::Corrupted(reason) => self.damaged(reason),
            redb::Error::Io(error) if error.kind() == std::io::ErrorKind::InvalidData => self.damaged(error),
            error @ (redb::Error::TableDoesNotExist(_)
            | redb::Error::TableTypeMismatch { .. }
            | redb::Error::TypeDefinitionChanged { .. }
            | redb::Error::UpgradeRequired(_)) => self.damaged(error),
            error => self.io(error),
        }
    }

    fn of_open(&self, error: DatabaseError) -> ExecutionError {
        match error {
            DatabaseError::DatabaseAlreadyOpen => self.io("another process uses it; is this operator running already?"),
            DatabaseError::Storage(StorageError::Corrupted(reason)) => self.damaged(reason),
            error => self.of(error),
        }
    }
}

/// One moment of the file.
pub(super) struct Snapshot {
    blame: Blame,
    accounts: ReadOnlyTable<&'static [u8; 20], &'static [u8; AccountRecord::BYTES]>,
    storage: ReadOnlyTable<&'static [u8; 52], &'static [u8; 32]>,
    codes: ReadOnlyTable<&'static [u8; 32], &'static [u8]>,
    account_nodes: ReadOnlyTable<&'static [u8], &'static [u8]>,
    storage_nodes: ReadOnlyTable<&'static [u8], &'static [u8]>,
    block_hashes: ReadOnlyTable<u64, &'static [u8; 32]>,
}

impl Snapshot {
    fn take(database: &Database, blame: &Blame) -> Result<Self, ExecutionError> {
        let read = database.begin_read().map_err(|error| blame.of(error))?;
        Ok(Self {
            blame: blame.clone(),
            accounts: read.open_table(ACCOUNTS).map_err(|error| blame.of(error))?,
            storage: read.open_table(STORAGE).map_err(|error| blame.of(error))?,
            codes: read.open_table(CODES).map_err(|error| blame.of(error))?,
            account_nodes: read.open_table(ACCOUNT_NODES).map_err(|error| blame.of(error))?,
            storage_nodes: read.open_table(STORAGE_NODES).map_err(|error| blame.of(error))?,
            block_hashes: read.open_table(BLOCK_HASHES).map_err(|error| blame.of(error))?,
        })
    }

    pub(super) fn blame(&self) -> &Blame {
        &self.blame
    }

    pub(super) fn account(&self, address: Address) -> Result<Option<AccountRecord>, ExecutionError> {
        let found = self.accounts.get(&*address.0).map_err(|error| self.blame.of(error))?;
        Ok(found.map(|bytes| AccountRecord::from_bytes(bytes.value())))
    }

    pub(super) fn storage(&self, address: Address, slot: U256) -> Result<U256, ExecutionError> {
        let found = self.storage.get(&tables::slot_key(address, slot)).map_err(|error| self.blame.of(error))?;
        Ok(found.map_or(U256::ZERO, |bytes| U256::from_be_bytes(*bytes.value())))
    }

    pub(super) fn bytecode(&self, code_hash: B256) -> Result<Bytecode, ExecutionError> {
        let found = self.codes.get(&code_hash.0).map_err(|error| self.blame.of(error))?;
        let Some(bytes) = found else {
            return Err(self.blame.damaged(format!("the code {code_hash} is missing")));
        };
        Bytecode::new_raw_checked(Bytes::copy_from_slice(bytes.value()))
            .map_err(|error| self.blame.damaged(format!("the code {code_hash}: {error}")))
    }

    pub(super) fn block_hash(&self, number: u64) -> Result<Option<B256>, ExecutionError> {
        let found = self.block_hashes.get(number).map_err(|error| self.blame.of(error))?;
        Ok(found.map(|bytes| B256::from(bytes.value())))
    }

    pub(super) fn node(&self, owner: Option<Address>, path: &[u8]) -> Result<Option<Bytes>, ExecutionError> {
        let found = match owner {
            None => self.account_nodes.get(path),
            Some(owner) => self.storage_nodes.get(tables::node_key(owner, path).as_slice()),
        };
        Ok(found.map_err(|error| self.blame.of(error))?.map(|bytes| Bytes::copy_from_slice(bytes.value())))
    }
}

impl fmt::Debug for Snapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").field("path", &self.blame.path).finish_non_exhaustive()
    }
}

/// An opened file.
pub(super) struct Opened {
    pub(super) database: Database,
    pub(super) snapshot: Arc<Snapshot>,
    /// The header of the finalized block whose state it holds.
    pub(super) header: Header,
}

/// Opens the file in `directory`, or makes it with the state of `genesis`, which `first` computes.
pub(super) fn open(
    directory: &Path,
    genesis: &Genesis,
    cache_bytes: usize,
    first: impl FnOnce(&Arc<Snapshot>) -> Result<Layer, ExecutionError>,
) -> Result<Opened, ExecutionError> {
    let path = directory.join(STATE_FILE);
    let blame = Blame { path: path.clone() };
    std::fs::create_dir_all(directory).map_err(|error| blame.io(error))?;
    let database = Builder::new()
        .set_cache_size(cache_bytes)
        .set_check_integrity_on_open(true)
        .create(&path)
        .map_err(|error| blame.of_open(error))?;
    if let Some(found) = read_meta(&database, &blame)? {
        let header = found.check(genesis, &blame)?;
        let snapshot = Arc::new(Snapshot::take(&database, &blame)?);
        check_root(&snapshot, &header)?;
        return Ok(Opened { database, snapshot, header });
    }
    writer::create_tables(&database, &blame)?;
    let layer = first(&Arc::new(Snapshot::take(&database, &blame)?))?;
    let header = genesis.header().clone();
    let job = Job { layers: vec![Arc::new(layer)], header: header.clone(), durable: true };
    let marks = writer::Marks { format: FORMAT, genesis: genesis.reference().hash };
    writer::write(&database, &blame, &job, Some(&marks))?;
    let snapshot = Arc::new(Snapshot::take(&database, &blame)?);
    Ok(Opened { database, snapshot, header })
}

/// What the file says of itself.
struct Meta {
    format: u64,
    genesis: B256,
    header: Vec<u8>,
}

impl Meta {
    fn check(&self, genesis: &Genesis, blame: &Blame) -> Result<Header, ExecutionError> {
        if self.format != FORMAT {
            return Err(blame.damaged(format!("format {}, but this release reads format {FORMAT}", self.format)));
        }
        let configured = genesis.reference().hash;
        if self.genesis != configured {
            let (path, stored) = (blame.path.clone(), self.genesis);
            return Err(ExecutionError::MisuseOtherChain { path, stored, configured });
        }
        Header::decode(&mut self.header.as_slice()).map_err(|error| blame.damaged(format!("its header: {error}")))
    }
}

/// `None` for a file that was just made, or whose making was interrupted.
fn read_meta(database: &Database, blame: &Blame) -> Result<Option<Meta>, ExecutionError> {
    let read = database.begin_read().map_err(|error| blame.of(error))?;
    let table = match read.open_table(META) {
        Ok(table) => table,
        Err(redb::TableError::TableDoesNotExist(_)) => return Ok(None),
        Err(error) => return Err(blame.of(error)),
    };
    let value = |key: &str| -> Result<Option<Vec<u8>>, ExecutionError> {
        let found = table.get(key).map_err(|error| blame.of(error))?;
        Ok(found.map(|bytes| bytes.value().to_vec()))
    };
    let Some(format) = value(tables::META_FORMAT)? else { return Ok(None) };
    let format = <[u8; 8]>::try_from(format.as_slice()).map_err(|_| blame.damaged("its format is no number"))?;
    let genesis = value(tables::META_GENESIS)?.ok_or_else(|| blame.damaged("it names no genesis"))?;
    let genesis = B256::try_from(genesis.as_slice()).map_err(|_| blame.damaged("its genesis is no hash"))?;
    let header = value(tables::META_HEADER)?.ok_or_else(|| blame.damaged("it names no finalized block"))?;
    Ok(Some(Meta { format: u64::from_be_bytes(format), genesis, header }))
}

/// The trie's root node must hash to what the header says: the nodes and the header are of one block.
fn check_root(snapshot: &Snapshot, header: &Header) -> Result<(), ExecutionError> {
    let root = match snapshot.node(None, &[])? {
        Some(node) => keccak256(&node),
        None => alloy_consensus::EMPTY_ROOT_HASH,
    };
    if root == header.state_root {
        return Ok(());
    }
    let (number, wanted) = (header.number, header.state_root);
    Err(snapshot.blame.damaged(format!("its state root is {root}, but block {number} has {wanted}")))
}
