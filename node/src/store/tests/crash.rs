//! Crashes that lose and tear unsynced writes, and disks that fail.
#![allow(clippy::cast_possible_truncation, reason = "offsets in a disk that lives in memory fit its addresses")]

use super::{OPTIONS, block, certificate, finalize, put};
use crate::store::{ChainStore, StoreError, Write};
use phalanx_types::{Position, Vote};
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use redb::StorageBackend;
use std::io;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// What a disk may still do to a write that no sync has followed.
#[derive(Clone, Debug)]
enum Pending {
    Length(usize),
    Bytes(usize, Vec<u8>),
}

/// A disk in memory that forgets and tears what was not synced.
#[derive(Clone, Debug, Default)]
struct Platter {
    seen: Vec<u8>,
    durable: Vec<u8>,
    pending: Vec<Pending>,
    operations: usize,
    /// The operation from which on the machine is dead.
    dies_at: Option<usize>,
    /// Writes beyond this offset find no space.
    space: Option<usize>,
}

#[derive(Clone, Debug, Default)]
struct TornBackend(Arc<Mutex<Platter>>);

const SECTOR: usize = 512;

fn place(bytes: &mut Vec<u8>, offset: usize, data: &[u8]) {
    if bytes.len() < offset + data.len() {
        bytes.resize(offset + data.len(), 0);
    }
    bytes[offset..offset + data.len()].copy_from_slice(data);
}

impl Platter {
    fn step(&mut self) -> io::Result<()> {
        self.operations += 1;
        match self.dies_at {
            Some(at) if self.operations >= at => Err(io::Error::other("the machine is dead")),
            _ => Ok(()),
        }
    }

    /// The disk after a crash: any of the unsynced writes, in part, in any order of sectors.
    fn crash(&self, rng: &mut StdRng) -> Self {
        let mut durable = self.durable.clone();
        for pending in &self.pending {
            match pending {
                Pending::Length(length) if rng.random_bool(0.5) => durable.resize(*length, 0),
                Pending::Length(_) => {}
                Pending::Bytes(offset, data) => {
                    let keep = [0.0, 0.5, 1.0][rng.random_range(0..3)];
                    for (sector, part) in data.chunks(SECTOR).enumerate() {
                        if rng.random_bool(keep) && offset + sector * SECTOR + part.len() <= self.seen.len() {
                            place(&mut durable, offset + sector * SECTOR, part);
                        }
                    }
                }
            }
        }
        Self { seen: durable.clone(), durable, ..Self::default() }
    }
}

impl StorageBackend for TornBackend {
    fn len(&self) -> io::Result<u64> {
        Ok(self.0.lock().unwrap().seen.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let platter = self.0.lock().unwrap();
        let offset = offset as usize;
        let found = platter.seen.get(offset..offset + out.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.step()?;
        platter.seen.resize(len as usize, 0);
        platter.pending.push(Pending::Length(len as usize));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.step()?;
        platter.durable = platter.seen.clone();
        platter.pending.clear();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut platter = self.0.lock().unwrap();
        platter.step()?;
        let offset = offset as usize;
        if platter.space.is_some_and(|space| offset + data.len() > space) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        place(&mut platter.seen, offset, data);
        platter.pending.push(Pending::Bytes(offset, data.to_vec()));
        Ok(())
    }
}

fn open(backend: &TornBackend) -> Result<ChainStore, StoreError> {
    ChainStore::open_on(backend.clone(), Path::new("chain.redb"), OPTIONS)
}

/// One block a batch, all of it together.
fn batch(number: u64) -> Vec<Write> {
    let block = block(number, 0, 3_000);
    let finalization = certificate(Vote::finalize(Position::new(0, number, 0), block.reference));
    vec![put(&block), finalize(&block), Write::PutCertificate(finalization)]
}

/// Writes until the machine dies, crashes it, and checks the next start. True when it died on the way.
fn dies_at(operation: usize, rng: &mut StdRng) -> bool {
    let backend = TornBackend::default();
    drop(open(&backend).unwrap());
    let first = backend.0.lock().unwrap().operations;
    backend.0.lock().unwrap().dies_at = Some(first + operation);
    let mut acknowledged = None;
    let mut died = false;
    match open(&backend) {
        Ok(store) => {
            let (mut writer, _) = store.split();
            for number in 0..6 {
                match writer.apply(&batch(number)) {
                    Ok(()) => acknowledged = Some(number),
                    Err(_) => {
                        died = true;
                        assert!(matches!(writer.apply(&batch(number)), Err(StoreError::IoEarlier { .. })));
                        break;
                    }
                }
            }
        }
        Err(_) => died = true,
    }
    let after = backend.0.lock().unwrap().crash(rng);
    let survivor = TornBackend(Arc::new(Mutex::new(after)));
    let (mut writer, reader) = open(&survivor).unwrap().split();
    let view = reader.view().unwrap();
    let held = view.latest_finalized().unwrap().map(|latest| latest.number);
    assert!(held >= acknowledged, "operation {operation}: {acknowledged:?} was acknowledged, {held:?} is held");
    let next = held.map_or(0, |held| held + 1);
    assert!(next <= acknowledged.map_or(0, |number| number + 1) + 1, "at most the batch in flight is there too");
    for number in 0..next {
        let expected = block(number, 0, 3_000);
        assert_eq!(view.block_by_number(number).unwrap().unwrap().block, expected, "operation {operation}");
        assert!(view.receipts(number).unwrap().is_some() && view.finalization(number).unwrap().is_some());
    }
    assert_eq!((view.finalization(next).unwrap(), view.unfinalized(9).unwrap().len()), (None, 0), "all or none");
    for number in next..next + 3 {
        writer.apply(&batch(number)).unwrap();
    }
    died
}

#[test]
fn every_acknowledged_batch_survives_a_crash_at_every_operation() {
    let mut rng = StdRng::seed_from_u64(1);
    let mut operation = 1;
    while dies_at(operation, &mut rng) {
        for _ in 0..3 {
            dies_at(operation, &mut rng);
        }
        operation += 1;
    }
    assert!(operation > 50, "the crash moved through {operation} operations");
}

#[test]
fn a_full_disk_is_a_clear_error_and_loses_nothing() {
    let backend = TornBackend::default();
    let (mut writer, reader) = open(&backend).unwrap().split();
    writer.apply(&batch(0)).unwrap();
    let length = backend.0.lock().unwrap().seen.len();
    backend.0.lock().unwrap().space = Some(length);
    let big = block(1, 0, 4 << 20);
    let error = writer.apply(&[put(&big), finalize(&big)]).unwrap_err();
    assert!(matches!(error, StoreError::IoFull { .. }), "{error}");
    let text = error.to_string();
    assert!(text.contains("chain.redb") && text.contains("at offset") && text.contains("make room"), "{text}");
    assert!(matches!(writer.apply(&batch(1)), Err(StoreError::IoEarlier { .. })), "nothing is written after it");
    drop((writer, reader));

    backend.0.lock().unwrap().space = None;
    let (mut writer, reader) = open(&backend).unwrap().split();
    assert_eq!(reader.view().unwrap().latest_finalized().unwrap(), Some(block(0, 0, 8).reference));
    writer.apply(&[put(&big), finalize(&big)]).unwrap();
    assert_eq!(reader.view().unwrap().block_by_number(1).unwrap().unwrap().block, big);
}
