//! The journal's disk on real files, and the lock on the directory.

use crate::store::{AHEAD_BYTES, DirLock, FileDisk, LOCK_FILE, StoreError};
use phalanx_journal::{Disk, DiskError, Segment};
use std::io;

const FIRST: Segment = Segment::First;

fn read(disk: &mut FileDisk, segment: Segment) -> Vec<u8> {
    let mut bytes = disk.read(segment).unwrap();
    let end = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    bytes.truncate(end);
    bytes
}

#[test]
fn what_is_appended_is_read_after_reopening() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = FileDisk::open(directory.path()).unwrap();
    assert_eq!(disk.read(FIRST).unwrap(), [0_u8; 0]);
    disk.sync(FIRST).unwrap();
    disk.write(FIRST, 0, b"one").unwrap();
    disk.write(FIRST, 3, b"two").unwrap();
    disk.sync(FIRST).unwrap();
    let length = std::fs::metadata(directory.path().join("journal-0")).unwrap().len();
    assert_eq!(length, 3 + AHEAD_BYTES, "written ahead");
    disk.write(FIRST, 6, b"three").unwrap();
    disk.sync(FIRST).unwrap();
    assert_eq!(std::fs::metadata(directory.path().join("journal-0")).unwrap().len(), length, "room was there");

    let mut disk = FileDisk::open(directory.path()).unwrap();
    assert_eq!(read(&mut disk, FIRST), b"onetwothree");
    disk.write(FIRST, 11, &vec![7; 1 << 20]).unwrap();
    disk.sync(FIRST).unwrap();
    assert_eq!(read(&mut FileDisk::open(directory.path()).unwrap(), FIRST).len(), 11 + (1 << 20));
    assert_eq!(read(&mut disk, Segment::Second), [0_u8; 0]);
}

#[test]
fn segments_are_replaced_dropped_and_cut() {
    let directory = tempfile::tempdir().unwrap();
    let mut disk = FileDisk::open(directory.path()).unwrap();
    disk.write(FIRST, 0, b"old and long").unwrap();
    disk.replace(FIRST, b"new").unwrap();
    assert_eq!(disk.read(FIRST).unwrap(), b"new", "exactly the new bytes");
    disk.write(FIRST, 3, b"er").unwrap();
    disk.sync(FIRST).unwrap();
    disk.truncate(FIRST, 4).unwrap();
    assert_eq!(disk.read(FIRST).unwrap(), b"newe");
    disk.write(FIRST, 4, b"st").unwrap();
    assert_eq!(read(&mut disk, FIRST), b"newest");
    disk.replace(Segment::Second, b"other").unwrap();
    disk.replace(FIRST, b"").unwrap();
    let mut disk = FileDisk::open(directory.path()).unwrap();
    assert_eq!(disk.read(FIRST).unwrap(), [0_u8; 0]);
    assert_eq!(read(&mut disk, Segment::Second), b"other");
    disk.truncate(FIRST, 0).unwrap();
    let names: Vec<_> = std::fs::read_dir(directory.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["journal-1"]);
}

#[test]
fn a_full_disk_is_said_and_nothing_is_written_after_it() {
    let directory = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink("/dev/full", directory.path().join("journal-0")).unwrap();
    let mut disk = FileDisk::open(directory.path()).unwrap();
    let error = disk.write(FIRST, 0, b"vote").unwrap_err();
    let DiskError::IoFull(text) = &error else { panic!("{error}") };
    assert!(text.contains("journal-0") && text.contains("4 bytes at offset 0") && text.contains("make room"), "{text}");
    assert!(disk.sync(FIRST).is_err(), "a later sync must not claim otherwise");
    assert!(disk.write(Segment::Second, 0, b"vote").is_err());
}

#[test]
fn a_segment_that_cannot_be_opened_is_named() {
    let directory = tempfile::tempdir().unwrap();
    std::fs::create_dir(directory.path().join("journal-1")).unwrap();
    let error = FileDisk::open(directory.path()).unwrap_err();
    assert!(error.to_string().contains("journal-1"), "{error}");
}

#[test]
fn system_errors_are_sorted_by_what_to_do() {
    let sort = |kind: io::ErrorKind| StoreError::from_io("/data/chain.redb".as_ref(), "opening it", kind.into());
    assert!(matches!(sort(io::ErrorKind::PermissionDenied), StoreError::IoDenied { .. }));
    assert!(matches!(sort(io::ErrorKind::StorageFull), StoreError::IoFull { .. }));
    assert!(matches!(sort(io::ErrorKind::TimedOut), StoreError::IoFailed { .. }));
}

#[test]
fn a_locked_directory_names_its_holder() {
    let directory = tempfile::tempdir().unwrap();
    let data = directory.path().join("operator-0");
    let held = DirLock::acquire(&data).unwrap();
    let error = DirLock::acquire(&data).unwrap_err();
    assert!(matches!(error, StoreError::OperatorLocked { .. }), "{error}");
    assert!(error.to_string().contains(&format!("process {}", std::process::id())), "{error}");
    drop(held);
    let _again = DirLock::acquire(&data).unwrap();
    let text = std::fs::read_to_string(data.join(LOCK_FILE)).unwrap();
    assert_eq!(text.trim(), std::process::id().to_string());
}
