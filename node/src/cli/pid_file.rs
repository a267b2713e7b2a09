//! The pid file of a running operator: who runs it, and proof that it still does.
//!
//! Invariant: the process whose id stands in the file holds an exclusive lock on it for as long as it
//! lives; the system releases the lock however the process ends. So a stale file is never mistaken for a
//! live operator, and a reused process id never for ours.

use anyhow::{Context, bail};
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// Whoever looks whether an operator runs holds the lock for a moment: so long is waited for it.
const CLAIM_WAIT_MAX: Duration = Duration::from_secs(1);
const CLAIM_POLL: Duration = Duration::from_millis(10);
/// The longest content that is read. Unit: bytes.
const PID_BYTES_MAX: u64 = 32;

/// Held for as long as the operator runs.
#[derive(Debug)]
pub struct PidFile {
    file: File,
    path: PathBuf,
}

impl PidFile {
    /// Writes this process's id to `path`, making its directory where there is none.
    ///
    /// # Errors
    /// When another process holds it (its id is in the message), or it cannot be written.
    pub fn claim(path: &Path) -> anyhow::Result<Self> {
        let unwritable = || format!("cannot write the pid file {}", path.display());
        if let Some(directory) = path.parent() {
            std::fs::create_dir_all(directory).with_context(unwritable)?;
        }
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path)
            .with_context(unwritable)?;
        let start = Instant::now();
        loop {
            match file.try_lock() {
                Ok(()) => break,
                Err(TryLockError::WouldBlock) if start.elapsed() < CLAIM_WAIT_MAX => std::thread::sleep(CLAIM_POLL),
                Err(TryLockError::WouldBlock) => {
                    let holder = read_pid(&file).map_or_else(String::new, |pid| format!(" (process {pid})"));
                    bail!(
                        "this operator is running already{holder}: {} is locked. Two processes must never use one \
                         share; stop the other first",
                        path.display()
                    );
                }
                Err(TryLockError::Error(error)) => return Err(error).with_context(unwritable),
            }
        }
        file.set_len(0).with_context(unwritable)?;
        file.rewind().with_context(unwritable)?;
        writeln!(file, "{}", std::process::id()).with_context(unwritable)?;
        Ok(Self { file, path: path.to_owned() })
    }

    /// The process that holds the file at `path`, if one does.
    #[must_use]
    pub fn holder(path: &Path) -> Option<u32> {
        let file = File::open(path).ok()?;
        match file.try_lock_shared() {
            Err(TryLockError::WouldBlock) => read_pid(&file),
            Ok(()) | Err(TryLockError::Error(_)) => None,
        }
    }
}

impl Drop for PidFile {
    fn drop(&mut self) {
        // Emptied, not removed: somebody may be waiting for the lock of this very file.
        if let Err(error) = self.file.set_len(0) {
            tracing::debug!(path = %self.path.display(), %error, "the pid file could not be emptied");
        }
    }
}

fn read_pid(mut file: &File) -> Option<u32> {
    let mut text = String::new();
    file.rewind().ok()?;
    file.take(PID_BYTES_MAX).read_to_string(&mut text).ok()?;
    text.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_holder_at_a_time_and_none_afterwards() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("operator/pid");
        assert_eq!(PidFile::holder(&path), None);
        let held = PidFile::claim(&path).expect("free");
        assert_eq!(PidFile::holder(&path), Some(std::process::id()));
        let refusal = PidFile::claim(&path).expect_err("held").to_string();
        assert!(refusal.contains(&format!("process {}", std::process::id())), "{refusal}");
        drop(held);
        assert_eq!(PidFile::holder(&path), None);
        PidFile::claim(&path).expect("free again");
    }

    #[test]
    fn a_stale_file_is_no_holder() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("pid");
        std::fs::write(&path, "1\n").expect("written");
        assert_eq!(PidFile::holder(&path), None);
        let _held = PidFile::claim(&path).expect("nobody holds it");
        assert_eq!(std::fs::read_to_string(&path).expect("read").trim(), std::process::id().to_string());
    }
}
