//! The steps of a ceremony on disk: appended, each synced before it counts.
//!
//! Layout: for each step its length and a checksum (four bytes each, big-endian), then the message. What a crash
//! left half written is cut off. Nothing in it is secret.

use anyhow::Context;
use phalanx_threshold::dkg::{CEREMONY_MESSAGE_BYTES_MAX, CeremonyMessage, Envelope};
use std::fs::{File, OpenOptions};
use std::io::{Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

const HEAD_BYTES: usize = 8;
/// The most steps of a log, for each operator: its own four, and what convicts it.
const STEPS_PER_OPERATOR_MAX: usize = 8;

/// An open log.
#[derive(Debug)]
pub struct CeremonyLog {
    file: File,
    path: PathBuf,
}

impl CeremonyLog {
    /// Opens the log at `path`, of a ceremony of `n` operators, and reads what it holds.
    ///
    /// # Errors
    /// When the disk fails, or the file is larger than any log.
    pub fn open(path: &Path, n: usize) -> anyhow::Result<(Self, Vec<Envelope>)> {
        let context = || format!("the ceremony's log {}", path.display());
        let mut file =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path).with_context(context)?;
        let max = n * STEPS_PER_OPERATOR_MAX * (CEREMONY_MESSAGE_BYTES_MAX + HEAD_BYTES);
        let mut bytes = Vec::new();
        (&mut file).take(max as u64 + 1).read_to_end(&mut bytes).with_context(context)?;
        anyhow::ensure!(bytes.len() <= max, "{} is larger than any: it is something else", path.display());
        let (steps, whole) = decode_log(&bytes, n);
        file.set_len(whole as u64).and_then(|()| file.seek(SeekFrom::End(0))).with_context(context)?;
        Ok((Self { file, path: path.to_owned() }, steps))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Adds a step, durably.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn append(&mut self, envelope: &Envelope) -> anyhow::Result<()> {
        let bytes = CeremonyMessage::Envelope(envelope.clone()).to_bytes();
        let length = u32::try_from(bytes.len()).expect("messages are bounded far below 4 GiB");
        let frame = [&length.to_be_bytes()[..], &crc32fast::hash(&bytes).to_be_bytes(), &bytes].concat();
        let written = self.file.write_all(&frame).and_then(|()| self.file.sync_data());
        written.with_context(|| format!("writing the ceremony's log {}", self.path.display()))
    }
}

/// The whole steps at the start of `bytes`, and how many bytes they take.
#[must_use]
pub fn decode_log(bytes: &[u8], n: usize) -> (Vec<Envelope>, usize) {
    let (mut steps, mut whole) = (Vec::new(), 0);
    while let Some((envelope, length)) = bytes.get(whole..).and_then(|rest| decode_step(rest, n)) {
        steps.push(envelope);
        whole += length;
    }
    (steps, whole)
}

fn decode_step(bytes: &[u8], n: usize) -> Option<(Envelope, usize)> {
    let (length, rest) = bytes.split_first_chunk::<4>()?;
    let (checksum, rest) = rest.split_first_chunk::<4>()?;
    let message = rest.get(..usize::try_from(u32::from_be_bytes(*length)).ok()?)?;
    if crc32fast::hash(message) != u32::from_be_bytes(*checksum) {
        return None;
    }
    match CeremonyMessage::from_bytes(message, n) {
        Ok(CeremonyMessage::Envelope(envelope)) => Some((envelope, HEAD_BYTES + message.len())),
        Ok(CeremonyMessage::Have(_)) | Err(_) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use phalanx_threshold::dkg::Body;
    use phalanx_types::{IdentitySignature, OperatorIndex};

    fn envelope(byte: u8) -> Envelope {
        let signature = IdentitySignature([byte; 64].into());
        Envelope { from: OperatorIndex(1), body: Body::Commit([byte; 32].into()), signature }
    }

    #[test]
    fn steps_survive_and_what_is_torn_is_cut_off() {
        let directory = tempfile::tempdir().expect("a directory");
        let path = directory.path().join("log");
        let (mut log, steps) = CeremonyLog::open(&path, 4).expect("made");
        assert!(steps.is_empty());
        log.append(&envelope(1)).expect("written");
        log.append(&envelope(2)).expect("written");
        drop(log);
        let whole = std::fs::read(&path).expect("there");
        for cut in [whole.len() - 1, whole.len() / 2 + 1, whole.len() / 2 + 9] {
            std::fs::write(&path, &whole[..cut]).expect("written");
            let (mut log, steps) = CeremonyLog::open(&path, 4).expect("opened");
            assert_eq!(steps, [envelope(1)]);
            log.append(&envelope(3)).expect("written");
            let (_, steps) = CeremonyLog::open(&path, 4).expect("opened");
            assert_eq!(steps, [envelope(1), envelope(3)]);
        }
    }
}
