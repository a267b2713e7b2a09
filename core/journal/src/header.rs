//! The start of a segment: whose journal it is, which generation, and the seal of what a compaction wrote
//! together with it.
//!
//! A segment is complete when its header is whole and so are the bytes that the header seals. A segment
//! that is not complete was never live: it is what a crash left of a compaction, or it is damaged.
//!
//! Layout, integers big-endian: magic (8), format (2), generation (8), sealed length (8), checksum of the
//! sealed bytes (4), cluster id (32), operator (2), length of the share key (2), share key, checksum of all
//! of this (4).

use crate::JournalError;
use phalanx_types::{B256, Bytes, ClusterId, OperatorIndex};

/// The format of the journal that this release writes and reads.
pub const JOURNAL_VERSION: u16 = 1;
/// The longest encoded share public key. Unit: bytes.
pub const SHARE_KEY_BYTES_MAX: usize = 96;

const MAGIC: [u8; 8] = *b"PHXVOTES";
const FIXED_BYTES: usize = 8 + 2 + 8 + 8 + 4 + 32 + 2 + 2;
const CHECKSUM_BYTES: usize = 4;

/// Whose journal it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JournalHeader {
    /// The cluster.
    pub cluster: ClusterId,
    /// The operator's seat.
    pub operator: OperatorIndex,
    /// The public key of the operator's share, encoded; at most [`SHARE_KEY_BYTES_MAX`]. A new share is a
    /// new voter, and gets a new journal.
    pub share_public_key: Bytes,
}

impl JournalHeader {
    /// Refuses the journal of somebody else.
    pub(crate) fn check_owner(&self, found: &Self) -> Result<(), JournalError> {
        let differs = |what, expected: String, found: String| JournalError::MisuseForeign { what, expected, found };
        if self.cluster != found.cluster {
            return Err(differs("cluster id", self.cluster.to_string(), found.cluster.to_string()));
        }
        if self.operator != found.operator {
            return Err(differs("operator index", self.operator.to_string(), found.operator.to_string()));
        }
        if self.share_public_key != found.share_public_key {
            let (expected, found) = (&self.share_public_key, &found.share_public_key);
            return Err(differs("share public key", expected.to_string(), found.to_string()));
        }
        Ok(())
    }
}

/// The decoded start of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct SegmentHeader {
    pub(crate) owner: JournalHeader,
    /// Grows by one with each compaction.
    pub(crate) generation: u64,
    /// How many bytes after the header were written with it. Unit: bytes.
    pub(crate) sealed: u64,
    /// Their checksum.
    pub(crate) sealed_checksum: u32,
}

/// Why bytes are not the start of a segment.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum HeaderError {
    Version(u16),
    Damaged(&'static str),
}

impl SegmentHeader {
    /// The header of a journal's first segment, which seals nothing.
    pub(crate) fn first(owner: JournalHeader) -> Self {
        Self { owner, generation: 1, sealed: 0, sealed_checksum: crc32fast::hash(&[]) }
    }

    /// What the checksums of the segment's frames begin with. It does not depend on the sealed bytes,
    /// which are frames themselves.
    pub(crate) fn salt(&self) -> u32 {
        let unsealed = Self { sealed: 0, sealed_checksum: 0, ..self.clone() };
        crc32fast::hash(&unsealed.encode())
    }

    pub(crate) fn encode(&self) -> Vec<u8> {
        let key = &self.owner.share_public_key;
        assert!(key.len() <= SHARE_KEY_BYTES_MAX, "a share public key has at most {SHARE_KEY_BYTES_MAX} bytes");
        let key_length = u16::try_from(key.len()).expect("the bound of a share key fits in 16 bits");
        let mut out = Vec::with_capacity(FIXED_BYTES + key.len() + CHECKSUM_BYTES);
        out.extend(MAGIC);
        out.extend(JOURNAL_VERSION.to_be_bytes());
        out.extend(self.generation.to_be_bytes());
        out.extend(self.sealed.to_be_bytes());
        out.extend(self.sealed_checksum.to_be_bytes());
        out.extend(self.owner.cluster.0);
        out.extend(self.owner.operator.0.to_be_bytes());
        out.extend(key_length.to_be_bytes());
        out.extend(key);
        out.extend(crc32fast::hash(&out).to_be_bytes());
        out
    }

    /// The header at the start of `bytes` and its length.
    pub(crate) fn decode(bytes: &[u8]) -> Result<(Self, usize), HeaderError> {
        let mut reader = Reader(bytes);
        if reader.take::<8>()? != MAGIC {
            return Err(HeaderError::Damaged("this is not the start of a vote journal"));
        }
        let version = u16::from_be_bytes(reader.take()?);
        let generation = u64::from_be_bytes(reader.take()?);
        let sealed = u64::from_be_bytes(reader.take()?);
        let sealed_checksum = u32::from_be_bytes(reader.take()?);
        let cluster = ClusterId(B256::from(reader.take::<32>()?));
        let operator = OperatorIndex(u16::from_be_bytes(reader.take()?));
        let key_length = usize::from(u16::from_be_bytes(reader.take()?));
        if key_length > SHARE_KEY_BYTES_MAX {
            return Err(HeaderError::Damaged("the header names a share key longer than any"));
        }
        let share_public_key = Bytes::copy_from_slice(reader.slice(key_length)?);
        let length = FIXED_BYTES + key_length;
        if u32::from_be_bytes(reader.take()?) != crc32fast::hash(&bytes[..length]) {
            return Err(HeaderError::Damaged("the header's checksum is wrong"));
        }
        if version != JOURNAL_VERSION {
            return Err(HeaderError::Version(version));
        }
        let owner = JournalHeader { cluster, operator, share_public_key };
        Ok((Self { owner, generation, sealed, sealed_checksum }, length + CHECKSUM_BYTES))
    }
}

struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn slice(&mut self, length: usize) -> Result<&'a [u8], HeaderError> {
        let (taken, rest) = self.0.split_at_checked(length).ok_or(HeaderError::Damaged("the header is cut short"))?;
        self.0 = rest;
        Ok(taken)
    }

    fn take<const N: usize>(&mut self) -> Result<[u8; N], HeaderError> {
        let taken = self.slice(N)?;
        Ok(taken.try_into().expect("a slice of N bytes is an array of N bytes"))
    }
}
