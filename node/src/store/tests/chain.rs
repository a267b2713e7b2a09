//! What is written is read, bounded, after reopening too; foreign, newer and corrupt files are refused.

use super::{OPTIONS, block, certificate, finalize, put, transaction_hash};
use crate::store::{
    ChainOptions, ChainStore, PRUNED_HEIGHTS_PER_WRITE_MAX, StoreError, TransactionPlace, WRITES_PER_BATCH_MAX, Write,
};
use phalanx_types::{B256, Bytes, ClusterId, Position, Vote};
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Blocks `0..=last`, final, with finalizations of the even ones.
fn fill(path: &Path, last: u64) -> ChainStore {
    let (mut writer, _) = ChainStore::open(path, OPTIONS).unwrap().split();
    for number in 0..=last {
        let block = block(number, 0, 1_000);
        let mut writes = vec![put(&block), finalize(&block)];
        if number % 2 == 0 {
            let position = Position::new(0, number / 4, (number % 4) as u32);
            writes.push(Write::PutCertificate(certificate(Vote::finalize(position, block.reference))));
        }
        writer.apply(&writes).unwrap();
    }
    drop(writer);
    ChainStore::open(path, OPTIONS).unwrap()
}

#[test]
fn everything_is_there_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let view = fill(&directory.path().join("chain.redb"), 9).reader().view().unwrap();
    assert_eq!(view.latest_finalized().unwrap(), Some(block(9, 0, 8).reference));
    for number in 0..=9 {
        let expected = block(number, 0, 1_000);
        let stored = view.block_by_number(number).unwrap().unwrap();
        assert_eq!(stored.block, expected);
        assert!(stored.finalized);
        assert_eq!(stored.positions, [Position::new(0, number / 4, (number % 4) as u32)]);
        assert_eq!(view.block_by_hash(expected.reference.hash).unwrap(), Some(stored));
        assert_eq!(view.receipts(number).unwrap().unwrap(), Bytes::from(format!("receipts of {number}").into_bytes()));
        let place = view.transaction(transaction_hash(number, 2)).unwrap();
        assert_eq!(place, Some(TransactionPlace { number, index: 2 }));
        assert_eq!(view.finalization(number).unwrap().is_some(), number % 2 == 0);
    }
    assert_eq!(view.finalization_at_or_above(3).unwrap().unwrap().block().number, 4);
    assert_eq!(view.finalization_at_or_below(3).unwrap().unwrap().block().number, 2);
    assert_eq!(view.finalization_at_or_above(9).unwrap(), None);
    assert_eq!(view.highest_finalization().unwrap().unwrap().block().number, 8);
    assert_eq!(view.block_by_number(10).unwrap(), None);
    assert_eq!(view.block_by_hash(B256::ZERO).unwrap(), None);
    assert_eq!(view.transaction(B256::ZERO).unwrap(), None);
}

#[test]
fn ranges_are_bounded_by_count_and_by_bytes() {
    let directory = tempfile::tempdir().unwrap();
    let view = fill(&directory.path().join("chain.redb"), 9).reader().view().unwrap();
    let heights = |range, count, bytes| -> Vec<u64> {
        view.blocks(range, count, bytes).unwrap().iter().map(|found| found.block.reference.number).collect()
    };
    assert_eq!(heights(2..=5, 100, 1 << 20), [2, 3, 4, 5]);
    assert_eq!(heights(2..=u64::MAX, 3, 1 << 20), [2, 3, 4]);
    assert_eq!(heights(2..=9, 100, 3_500), [2, 3, 4]);
    assert_eq!(heights(2..=9, 100, 1), [2], "the first always fits");
    assert_eq!(heights(2..=9, 0, 1 << 20), [0; 0]);
    assert_eq!(heights(8..=20, 100, 1 << 20), [8, 9]);
    let receipts = view.receipts_range(7..=99, 2, 1 << 20).unwrap();
    assert_eq!(receipts.iter().map(|(number, _)| *number).collect::<Vec<_>>(), [7, 8]);
}

#[test]
fn unfinalized_siblings_are_kept_until_pruned() {
    let directory = tempfile::tempdir().unwrap();
    let (mut writer, reader) = ChainStore::open(&directory.path().join("chain.redb"), OPTIONS).unwrap().split();
    let (genesis, left, right) = (block(0, 0, 64), block(1, 0, 64), block(1, 1, 64));
    writer.apply(&[put(&genesis), finalize(&genesis), put(&left), put(&right), put(&block(2, 0, 64))]).unwrap();
    let again = Position::new(0, 3, 0);
    writer.apply(&[Write::PutPayload { block: left.clone(), position: Some(again) }]).unwrap();
    for (position, sibling) in [(Position::new(0, 0, 1), &left), (Position::new(0, 0, 2), &right)] {
        let held = certificate(Vote::notarize(position, sibling.reference));
        writer.apply(&[Write::PutCertificate(held)]).unwrap();
    }
    let view = reader.view().unwrap();
    let held: Vec<u64> = view.unfinalized(10).unwrap().iter().map(|found| found.block.reference.number).collect();
    assert_eq!(held, [1, 1, 2]);
    assert_eq!(view.unfinalized(2).unwrap().len(), 2);
    assert_eq!(view.notarizations_above_finalized(10).unwrap().len(), 2);
    assert_eq!(view.block_by_hash(left.reference.hash).unwrap().unwrap().positions, [Position::new(0, 0, 1), again]);
    assert_eq!(view.certificate_of(right.reference).unwrap().unwrap().block(), right.reference);

    writer.apply(&[finalize(&left), Write::PruneUnfinalized { below: 2 }]).unwrap();
    assert_eq!(view.unfinalized(10).unwrap().len(), 3, "a view does not change");
    let view = reader.view().unwrap();
    assert_eq!(view.block_by_hash(right.reference.hash).unwrap(), None);
    assert_eq!(view.certificate_of(right.reference).unwrap(), None);
    assert!(view.block_by_hash(left.reference.hash).unwrap().unwrap().finalized);
    assert_eq!(view.unfinalized(10).unwrap().len(), 1, "what is above the latest final block stays");

    writer.apply(&[put(&right)]).unwrap();
    assert_eq!(reader.view().unwrap().block_by_hash(right.reference.hash).unwrap(), None, "too late to be kept");
}

#[test]
fn pruning_goes_on_where_it_stopped() {
    let directory = tempfile::tempdir().unwrap();
    let (mut writer, reader) = ChainStore::open(&directory.path().join("chain.redb"), OPTIONS).unwrap().split();
    let last = PRUNED_HEIGHTS_PER_WRITE_MAX + 5;
    let mut writes = Vec::new();
    for number in 0..=last {
        let block = block(number, 0, 8);
        writes.extend([put(&block), put(&super::block(number, 1, 8)), finalize(&block)]);
    }
    writer.apply(&writes).unwrap();
    let held = |number| reader.view().unwrap().block_by_hash(block(number, 1, 8).reference.hash).unwrap().is_some();
    writer.apply(&[Write::PruneUnfinalized { below: u64::MAX }]).unwrap();
    assert!(!held(PRUNED_HEIGHTS_PER_WRITE_MAX - 1) && held(PRUNED_HEIGHTS_PER_WRITE_MAX));
    writer.apply(&[Write::PruneUnfinalized { below: u64::MAX }]).unwrap();
    assert!(!held(last));
}

#[test]
fn what_ended_terms_is_found_by_term() {
    let directory = tempfile::tempdir().unwrap();
    let (mut writer, reader) = ChainStore::open(&directory.path().join("chain.redb"), OPTIONS).unwrap().split();
    let votes = [
        Vote::notarize(Position::new(0, 1, 3), block(4, 0, 8).reference),
        Vote::notarize(Position::new(0, 1, 2), block(3, 0, 8).reference),
        Vote::nullify(Position::new(0, 2, 0)),
        Vote::nullify(Position::new(0, 3, 2)),
        Vote::finalize(Position::new(0, 4, 3), block(9, 0, 8).reference),
        Vote::nullify(Position::new(1, 2, 0)),
    ];
    writer.apply(&votes.map(|vote| Write::PutCertificate(certificate(vote)))).unwrap();
    let view = reader.view().unwrap();
    let found: Vec<Vote> = view.terms(0, 0..=9, 100).unwrap().iter().map(|held| held.vote).collect();
    assert_eq!(found, [votes[0], votes[2], votes[3], votes[4]]);
    assert_eq!(view.terms(0, 2..=3, 100).unwrap().len(), 2);
    assert_eq!(view.terms(0, 0..=9, 1).unwrap().len(), 1);
    assert_eq!(view.terms(1, 0..=9, 100).unwrap().len(), 1);
    assert_eq!(view.notarizations(3).unwrap().len(), 1);
}

#[test]
fn writes_that_cannot_be_change_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let (mut writer, reader) = ChainStore::open(&directory.path().join("chain.redb"), OPTIONS).unwrap().split();
    let genesis = block(0, 0, 8);
    writer.apply(&[put(&genesis), finalize(&genesis)]).unwrap();
    let refused = [
        vec![put(&block(1, 0, 8)), finalize(&block(2, 0, 8))],
        vec![put(&block(2, 0, 8)), finalize(&block(2, 0, 8))],
        vec![put(&block(1, 0, 8)), finalize(&block(1, 0, 8)), put(&block(1, 1, 8)), finalize(&block(1, 1, 8))],
        vec![
            Write::PutCertificate(certificate(Vote::finalize(Position::new(0, 0, 1), block(1, 0, 8).reference))),
            Write::PutCertificate(certificate(Vote::finalize(Position::new(0, 1, 1), block(1, 1, 8).reference))),
        ],
        vec![Write::PruneUnfinalized { below: 0 }; WRITES_PER_BATCH_MAX + 1],
    ];
    for writes in refused {
        let error = writer.apply(&writes).unwrap_err();
        assert!(error.is_misuse(), "{error}");
        let view = reader.view().unwrap();
        assert_eq!(view.latest_finalized().unwrap(), Some(genesis.reference));
        assert_eq!((view.unfinalized(9).unwrap().len(), view.finalization(1).unwrap()), (0, None));
    }
    writer.apply(&[finalize(&genesis), put(&block(1, 0, 8)), finalize(&block(1, 0, 8))]).unwrap();
}

#[test]
fn foreign_and_newer_files_are_refused_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    drop(fill(&path, 1));
    let foreign = ChainOptions { cluster: ClusterId(B256::repeat_byte(8)), ..OPTIONS };
    let error = ChainStore::open(&path, foreign).unwrap_err();
    assert!(matches!(error, StoreError::OperatorForeignCluster { .. }), "{error}");
    assert!(error.to_string().contains("chain.redb"), "{error}");

    let database = redb::Database::open(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    let newer = (crate::store::CHAIN_VERSION + 1).to_be_bytes();
    let mut meta = transaction.open_table(crate::store::tables::META).unwrap();
    meta.insert(crate::store::tables::META_VERSION, newer.as_slice()).unwrap();
    drop(meta);
    transaction.commit().unwrap();
    drop(database);
    let error = ChainStore::open(&path, OPTIONS).unwrap_err();
    assert!(matches!(error, StoreError::OperatorNewerLayout { found: 2, known: 1, .. }), "{error}");
}

#[test]
fn a_file_that_is_open_is_not_opened_again() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    let _open = fill(&path, 1);
    let error = ChainStore::open(&path, OPTIONS).unwrap_err();
    assert!(matches!(error, StoreError::OperatorLocked { .. }), "{error}");
}

#[test]
fn files_that_are_no_chain_store_are_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    std::fs::write(&path, b"not a database, but long enough to be taken for one".repeat(500)).unwrap();
    let error = ChainStore::open(&path, OPTIONS).unwrap_err();
    assert!(matches!(error, StoreError::IoCorrupt { .. }), "{error}");
    assert!(error.to_string().contains("chain.redb") && error.to_string().contains("fetches the chain"), "{error}");

    let path = directory.path().join("other.redb");
    let database = redb::Database::create(&path).unwrap();
    let transaction = database.begin_write().unwrap();
    transaction.open_table(redb::TableDefinition::<u64, u64>::new("other")).unwrap();
    transaction.commit().unwrap();
    drop(database);
    let error = ChainStore::open(&path, OPTIONS).unwrap_err();
    assert!(matches!(error, StoreError::IoCorrupt { .. }), "{error}");
}

#[test]
fn a_truncated_file_is_corrupt() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    drop(fill(&path, 50));
    let length = std::fs::metadata(&path).unwrap().len();
    for kept in [length / 2, 4_096, 100] {
        std::fs::OpenOptions::new().write(true).open(&path).unwrap().set_len(kept).unwrap();
        let error = ChainStore::open(&path, OPTIONS).unwrap_err();
        assert!(matches!(error, StoreError::IoCorrupt { .. }), "{kept} bytes: {error}");
    }
}

/// Overwrites each stretch of the file in turn: every read ends in the right answer or in a clear error.
#[test]
fn damaged_pages_end_in_errors_and_never_in_wrong_blocks() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    drop(fill(&path, 30));
    let intact = std::fs::read(&path).unwrap();
    let mut corrupt = 0;
    for offset in (0..intact.len() as u64).step_by(4_096 * 13) {
        std::fs::write(&path, &intact).unwrap();
        let file = std::fs::OpenOptions::new().write(true).open(&path).unwrap();
        file.write_all_at(&[0xa5; 4_096], offset).unwrap();
        let read = || -> Result<(), StoreError> {
            let view = ChainStore::open(&path, OPTIONS)?.reader().view()?;
            for number in 0..=30 {
                if let Some(found) = view.block_by_number(number)? {
                    assert_eq!(found.block.payload, block(number, 0, 1_000).payload, "damaged at {offset}");
                }
                if let Some(found) = view.receipts(number)? {
                    assert_eq!(found, Bytes::from(format!("receipts of {number}").into_bytes()), "damaged at {offset}");
                }
            }
            Ok(())
        };
        match read() {
            Ok(()) => {}
            Err(StoreError::IoCorrupt { .. }) => corrupt += 1,
            Err(error) => panic!("damaged at {offset}: {error}"),
        }
    }
    assert!(corrupt > 0, "some damage must have been seen");
}

#[test]
fn accepted_transactions_are_held_until_they_are_final() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("chain.redb");
    let (mut writer, reader) = ChainStore::open(&path, OPTIONS).unwrap().split();
    let genesis = block(0, 0, 10);
    let pooled = |hash, byte: u8| Write::PutPooled { hash, transaction: Bytes::from(vec![byte; 100]) };
    let (included, stays, dropped) = (transaction_hash(0, 1), B256::repeat_byte(0xaa), B256::repeat_byte(0xbb));
    writer.apply(&[pooled(included, 1), pooled(stays, 2), pooled(dropped, 3)]).unwrap();
    assert_eq!(reader.view().unwrap().pooled(100).unwrap().len(), 3);
    assert_eq!(reader.view().unwrap().pooled(2).unwrap().len(), 2);
    writer.apply(&[put(&genesis), finalize(&genesis), Write::RemovePooled { hash: dropped }]).unwrap();
    drop((writer, reader));
    let view = ChainStore::open(&path, OPTIONS).unwrap().reader().view().unwrap();
    assert_eq!(view.pooled(100).unwrap(), [Bytes::from(vec![2; 100])]);
}
