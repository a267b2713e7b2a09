//! Opening the chain store: one redb file that belongs to one cluster.

use crate::store::backend::PlacingBackend;
use crate::store::fault::{ChainFile, Fault};
use crate::store::payload_log::Logged;
use crate::store::tables::{META, META_CLUSTER, META_VERSION};
use crate::store::writer::Tables;
use crate::store::{Reader, StoreError, Writer};
use phalanx_types::{B256, ClusterId};
use redb::backends::FileBackend;
use redb::{Database, ReadableDatabase, StorageBackend, TableHandle};
use std::fs::{File, OpenOptions};
use std::path::Path;
use std::sync::Arc;

/// The layout that this release writes; a file with a higher one is refused.
pub const CHAIN_VERSION: u64 = 1;
/// The most memory that the store's page cache takes. Unit: bytes.
pub const CHAIN_CACHE_BYTES_MAX: usize = 16 << 20;

/// What the store is told when it is opened.
#[derive(Clone, Copy, Debug)]
pub struct ChainOptions {
    /// The cluster whose chain it holds.
    pub cluster: ClusterId,
    /// `W`: fixes which notarizations end a term.
    pub slots_per_term: u32,
}

/// An open chain store. Closed when the writer and every reader are dropped.
#[derive(Debug)]
pub struct ChainStore {
    writer: Writer,
    reader: Reader,
}

impl ChainStore {
    /// Opens the file at `path`, making it where there is none.
    ///
    /// # Errors
    /// [`StoreError`] when the file belongs to another cluster or a newer release, is corrupt, is open
    /// elsewhere, or the disk fails.
    pub fn open(path: &Path, options: ChainOptions) -> Result<Self, StoreError> {
        let new = !path.exists();
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .map_err(|error| StoreError::from_io(path, "opening it", error))?;
        let backend = ChainFile::new(path).guard("opening it", || Ok(FileBackend::new(file)?))?;
        let store = Self::open_on(backend, path, options)?;
        if new {
            sync_parent(path)?;
        }
        Ok(store)
    }

    /// Opens the store on any backend; `path` only names it in errors.
    pub(super) fn open_on(
        backend: impl StorageBackend,
        path: &Path,
        options: ChainOptions,
    ) -> Result<Self, StoreError> {
        let file = ChainFile::new(path);
        let database = file.guard("opening it", || {
            let database = Database::builder()
                .set_cache_size(CHAIN_CACHE_BYTES_MAX)
                .set_repair_callback(|repair| {
                    tracing::warn!(progress = repair.progress(), "repairing the chain store after a crash");
                })
                .create_with_backend(PlacingBackend(backend))?;
            adopt(&database, &file, options.cluster)?;
            Ok(Arc::new(database))
        })?;
        let logged = Arc::new(Logged::default());
        let reader = Reader::new(Arc::clone(&database), file.clone(), Arc::clone(&logged));
        let latest = reader.view()?.latest_finalized()?;
        logged.finalize_through(latest.map(|latest| latest.number));
        Ok(Self { writer: Writer::new(database, file, options.slots_per_term, logged), reader })
    }

    /// A handle for reading; clone it freely.
    #[must_use]
    pub fn reader(&self) -> Reader {
        self.reader.clone()
    }

    pub(super) fn logged(&self) -> &Arc<Logged> {
        self.reader.logged()
    }

    /// The one writer, and a reader.
    #[must_use]
    pub fn split(self) -> (Writer, Reader) {
        (self.writer, self.reader)
    }
}

/// Makes an empty file this cluster's, or checks that the file is.
fn adopt(database: &Database, file: &ChainFile, cluster: ClusterId) -> Result<(), Fault> {
    let view = database.begin_read()?;
    let names: Vec<String> = view.list_tables()?.map(|table| table.name().to_owned()).collect();
    if names.is_empty() {
        drop(view);
        let mut transaction = database.begin_write()?;
        transaction.set_quick_repair(true);
        let mut tables = Tables::open(&transaction)?;
        tables.meta.insert(META_VERSION, CHAIN_VERSION.to_be_bytes().as_slice())?;
        tables.meta.insert(META_CLUSTER, cluster.0.as_slice())?;
        drop(tables);
        return Ok(transaction.commit()?);
    }
    if !names.iter().any(|name| name == META.name()) {
        return Err(Fault::Damaged("a database, but not a chain store".to_owned()));
    }
    let meta = view.open_table(META)?;
    let version = meta.get(META_VERSION)?.and_then(|held| <[u8; 8]>::try_from(held.value()).ok());
    let Some(found) = version.map(u64::from_be_bytes) else {
        return Err(Fault::Damaged("no layout version".to_owned()));
    };
    let path = file.path().to_path_buf();
    if found > CHAIN_VERSION {
        return Err(StoreError::OperatorNewerLayout { file: path, found, known: CHAIN_VERSION }.into());
    }
    let held = meta.get(META_CLUSTER)?.and_then(|held| B256::try_from(held.value()).ok());
    let Some(found) = held.map(ClusterId) else {
        return Err(Fault::Damaged("no cluster id".to_owned()));
    };
    if found != cluster {
        return Err(StoreError::OperatorForeignCluster { file: path, expected: cluster, found }.into());
    }
    Ok(())
}

/// Makes the file's name durable.
fn sync_parent(path: &Path) -> Result<(), StoreError> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(parent)
        .and_then(|directory| directory.sync_all())
        .map_err(|error| StoreError::from_io(parent, "making a new file's name durable", error))
}
