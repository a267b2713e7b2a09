//! The log of payloads: found again after crashes, seen by readers, forgotten once final.

use super::{OPTIONS, block, finalize, put};
use crate::store::{ChainStore, PAYLOAD_SEGMENT_BYTES, PayloadLog, StoreError};
use phalanx_types::{Block, PAYLOAD_BYTES_MAX, Position};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

fn open(directory: &Path) -> (ChainStore, PayloadLog) {
    let store = ChainStore::open(&directory.join("chain.redb"), OPTIONS).unwrap();
    let log = PayloadLog::open(&directory.join("payloads"), &store).unwrap();
    (store, log)
}

fn segments(directory: &Path) -> Vec<PathBuf> {
    let mut found: Vec<_> =
        std::fs::read_dir(directory.join("payloads")).unwrap().map(|entry| entry.unwrap().path()).collect();
    found.sort();
    found
}

fn heights(store: &ChainStore) -> Vec<u64> {
    store.reader().view().unwrap().unfinalized(100).unwrap().iter().map(|held| held.block.reference.number).collect()
}

fn at(block: &Block) -> (Block, Option<Position>) {
    (block.clone(), Some(Position::new(0, 1, 2)))
}

fn check_held(store: &ChainStore, expected: &[Block]) {
    let view = store.reader().view().unwrap();
    for logged in expected {
        let found = view.block_by_hash(logged.reference.hash).unwrap().unwrap();
        assert_eq!((&found.block, found.finalized), (logged, false));
        assert_eq!(found.positions, [Position::new(0, 1, 2)]);
    }
    let numbers: Vec<u64> = expected.iter().map(|logged| logged.reference.number).collect();
    assert_eq!(heights(store), numbers);
}

#[test]
fn payloads_are_read_at_once_and_after_a_restart() {
    let directory = tempfile::tempdir().unwrap();
    let blocks: Vec<_> = (1..6).map(|number| block(number, 0, 5_000)).collect();
    let (store, mut log) = open(directory.path());
    log.append(&[at(&blocks[0])]).unwrap();
    let before = store.reader().view().unwrap();
    log.append(&[at(&blocks[1]), at(&blocks[2]), at(&blocks[1])]).unwrap();
    log.append(&[at(&blocks[1])]).unwrap();
    check_held(&store, &blocks[..3]);
    assert_eq!(before.unfinalized(100).unwrap().len(), 1, "a view does not change");
    assert_eq!(store.reader().view().unwrap().unfinalized(2).unwrap().len(), 2);
    drop((before, store, log));

    let (store, mut log) = open(directory.path());
    check_held(&store, &blocks[..3]);
    assert_eq!(store.reader().view().unwrap().block_by_hash(blocks[4].reference.hash).unwrap(), None);
    log.append(&[at(&blocks[3])]).unwrap();
    check_held(&store, &blocks[..4]);
    assert_eq!(segments(directory.path()).len(), 2, "a log is not appended to after a restart");
}

#[test]
fn final_payloads_move_to_the_chain_store() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut log) = open(directory.path());
    let reader = store.reader();
    let (mut writer, _) = store.split();
    let blocks: Vec<_> = (0..3).map(|number| block(number, 0, 100)).collect();
    let sibling = block(1, 1, 100);
    log.append(&[at(&blocks[1]), at(&sibling), at(&blocks[2])]).unwrap();
    let before = reader.view().unwrap();
    writer.apply(&[put(&blocks[0]), finalize(&blocks[0]), put(&blocks[1]), finalize(&blocks[1])]).unwrap();
    let between = reader.view().unwrap();
    assert!(between.block_by_hash(blocks[1].reference.hash).unwrap().unwrap().finalized);
    assert_eq!(between.unfinalized(100).unwrap().len(), 1);
    log.append(&[at(&block(3, 0, 100)), at(&block(1, 2, 100))]).unwrap();
    let view = reader.view().unwrap();
    assert_eq!(view.block_by_hash(sibling.reference.hash).unwrap(), None, "it never will be final");
    assert_eq!(view.block_by_hash(block(1, 2, 100).reference.hash).unwrap(), None, "too late to be logged");
    assert!(view.block_by_hash(blocks[1].reference.hash).unwrap().is_some());
    assert!(before.block_by_hash(blocks[1].reference.hash).unwrap().is_some(), "an older view holds it still");
    drop((before, between, view, reader, writer, log));

    let (store, _log) = open(directory.path());
    assert_eq!(heights(&store), [2, 3]);
}

#[test]
fn segments_are_deleted_once_all_of_them_is_final() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut log) = open(directory.path());
    let (mut writer, reader) = store.split();
    let half = usize::try_from(PAYLOAD_SEGMENT_BYTES / 2).unwrap();
    let blocks: Vec<_> = (0..8).map(|number| block(number, 0, half)).collect();
    for logged in &blocks[1..6] {
        log.append(&[at(logged)]).unwrap();
    }
    assert_eq!(segments(directory.path()).len(), 3);
    for stored in &blocks[..4] {
        writer.apply(&[put(stored), finalize(stored)]).unwrap();
    }
    log.append(&[at(&blocks[6])]).unwrap();
    assert_eq!(segments(directory.path()).len(), 2, "the first held blocks 1 and 2");
    assert_eq!(reader.view().unwrap().unfinalized(9).unwrap().len(), 3);
    for stored in &blocks[4..7] {
        writer.apply(&[put(stored), finalize(stored)]).unwrap();
    }
    drop((writer, reader, log));
    let (_store, _log) = open(directory.path());
    assert!(segments(directory.path()).is_empty());
}

/// Cuts and damages the last segment everywhere: what was whole before stays, and the start goes on.
#[test]
fn a_torn_record_is_passed_over() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut log) = open(directory.path());
    // Bytes that are not zero, so that the end of a record can be told from what was written ahead.
    let blocks: Vec<_> = (1..4).map(|number| block(number, 9, 700)).collect();
    let mut ends = Vec::new();
    let path = directory.path().join("payloads/payloads-00000000000000000000");
    for logged in &blocks {
        log.append(&[at(logged)]).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        ends.push(bytes.iter().rposition(|byte| *byte != 0).unwrap() as u64 + 1);
    }
    drop((store, log));
    let intact = std::fs::read(&path).unwrap();
    for cut in (ends[1]..ends[2]).step_by(37).chain([ends[2] - 1]) {
        std::fs::write(&path, &intact).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(cut).unwrap();
        check_held(&open(directory.path()).0, &blocks[..2]);

        std::fs::write(&path, &intact).unwrap();
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().write_all_at(&[0x5a], cut).unwrap();
        check_held(&open(directory.path()).0, &blocks[..2]);
    }
    std::fs::write(&path, &intact[..7]).unwrap();
    assert_eq!(heights(&open(directory.path()).0), [0; 0], "a crash in the middle of the mark");
}

#[test]
fn foreign_files_and_later_damage_are_errors() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut log) = open(directory.path());
    let logged = block(1, 0, 700);
    log.append(&[at(&logged)]).unwrap();
    let path = &segments(directory.path())[0];
    std::fs::OpenOptions::new().write(true).open(path).unwrap().write_all_at(&[0x5a; 9], 300).unwrap();
    let error = store.reader().view().unwrap().block_by_hash(logged.reference.hash).unwrap_err();
    assert!(matches!(error, StoreError::IoCorrupt { .. }), "{error}");
    assert!(error.to_string().contains("offset 16"), "{error}");

    std::fs::write(path, b"something else entirely").unwrap();
    let error = PayloadLog::open(&directory.path().join("payloads"), &store).unwrap_err();
    assert!(matches!(error, StoreError::IoCorrupt { .. }), "{error}");
}

#[test]
fn the_log_is_bounded_until_a_block_becomes_final() {
    let directory = tempfile::tempdir().unwrap();
    let (store, mut log) = open(directory.path());
    let (mut writer, _) = store.split();
    let error = log.append(&[at(&block(1, 0, PAYLOAD_BYTES_MAX + (5 << 10)))]).unwrap_err();
    assert!(error.is_misuse(), "{error}");

    (log.segment_bytes, log.segments_max) = (100, 3);
    let blocks: Vec<_> = (0..5).map(|number| block(number, 0, 500)).collect();
    for logged in &blocks[1..4] {
        log.append(&[at(logged)]).unwrap();
    }
    let error = log.append(&[at(&blocks[4])]).unwrap_err();
    assert!(error.is_misuse() && error.to_string().contains("3 segments"), "{error}");
    writer.apply(&[put(&blocks[0]), finalize(&blocks[0]), put(&blocks[1]), finalize(&blocks[1])]).unwrap();
    log.append(&[at(&blocks[4])]).unwrap();
}

#[test]
fn after_a_failure_nothing_is_logged() {
    let directory = tempfile::tempdir().unwrap();
    let (_store, mut log) = open(directory.path());
    // The name of the first segment is taken.
    std::fs::create_dir(directory.path().join("payloads/payloads-00000000000000000000")).unwrap();
    let error = log.append(&[at(&block(1, 0, 10))]).unwrap_err();
    assert!(matches!(error, StoreError::IoFailed { .. }) && error.to_string().contains("payloads-0"), "{error}");
    std::fs::remove_dir(directory.path().join("payloads/payloads-00000000000000000000")).unwrap();
    assert!(matches!(log.append(&[at(&block(1, 0, 10))]), Err(StoreError::IoEarlier { .. })));
}
