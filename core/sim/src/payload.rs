//! The simulator's execution block: number, parent hash, timestamp, a salt, and transactions as they came.
//!
//! Invariant: the hash is Keccak-256 of all bytes, and the encoding is canonical, so that one hash names one
//! sequence of bytes. The salt lets a Byzantine leader make different blocks out of nothing.

use phalanx_types::{B256, Block, BlockInspector, BlockRef, Bytes, InspectError, keccak256};

const HEADER_BYTES: usize = 8 + 32 + 8 + 8 + 4;
const LENGTH_BYTES: usize = 4;

/// What a payload holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Payload {
    /// The block's number.
    pub number: u64,
    /// The hash of the block below it.
    pub parent_hash: B256,
    /// Unit: seconds since the Unix epoch.
    pub timestamp_s: u64,
    /// Anything.
    pub salt: u64,
    /// Zeros that only take room. Unit: bytes.
    pub padding: u32,
    /// EIP-2718 encoded transactions, in order.
    pub transactions: Vec<Bytes>,
}

impl Payload {
    /// The block of this payload.
    #[must_use]
    pub fn to_block(&self) -> Block {
        let payload = self.encode();
        Block {
            reference: BlockRef::new(self.number, keccak256(&payload)),
            parent_hash: self.parent_hash,
            timestamp_s: self.timestamp_s,
            payload,
        }
    }

    fn encode(&self) -> Bytes {
        let mut out = Vec::with_capacity(HEADER_BYTES);
        out.extend(self.number.to_be_bytes());
        out.extend(self.parent_hash);
        out.extend(self.timestamp_s.to_be_bytes());
        out.extend(self.salt.to_be_bytes());
        out.extend(self.padding.to_be_bytes());
        out.resize(out.len() + self.padding as usize, 0);
        for transaction in &self.transactions {
            let length = u32::try_from(transaction.len()).expect("a transaction is far smaller than 4 GB");
            out.extend(length.to_be_bytes());
            out.extend_from_slice(transaction);
        }
        out.into()
    }

    /// The content of encoded bytes; transactions share their memory.
    ///
    /// # Errors
    /// [`InspectError`] when the bytes end in the middle of something.
    pub fn decode(bytes: &Bytes) -> Result<Self, InspectError> {
        let mut reader = Reader { bytes, at: 0 };
        let mut payload = Self {
            number: reader.number()?,
            parent_hash: B256::from_slice(&reader.take(32)?),
            timestamp_s: reader.number()?,
            salt: reader.number()?,
            padding: reader.length()?,
            transactions: Vec::new(),
        };
        if reader.take(payload.padding as usize)?.iter().any(|byte| *byte != 0) {
            return Err(InspectError("its padding is not zero".to_owned()));
        }
        while reader.at < bytes.len() {
            let length = reader.length()? as usize;
            payload.transactions.push(reader.take(length)?);
        }
        Ok(payload)
    }
}

struct Reader<'a> {
    bytes: &'a Bytes,
    at: usize,
}

impl Reader<'_> {
    fn take(&mut self, length: usize) -> Result<Bytes, InspectError> {
        let end = self.at.checked_add(length).filter(|end| *end <= self.bytes.len());
        let end = end.ok_or_else(|| InspectError("it ends in the middle of a field".to_owned()))?;
        let taken = self.bytes.slice(self.at..end);
        self.at = end;
        Ok(taken)
    }

    fn length(&mut self) -> Result<u32, InspectError> {
        let bytes = self.take(LENGTH_BYTES)?;
        Ok(u32::from_be_bytes(bytes[..].try_into().expect("four bytes were taken")))
    }

    fn number(&mut self) -> Result<u64, InspectError> {
        let bytes = self.take(8)?;
        Ok(u64::from_be_bytes(bytes[..].try_into().expect("eight bytes were taken")))
    }
}

/// Reads payloads.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inspector;

impl BlockInspector for Inspector {
    fn inspect(&self, payload: Bytes) -> Result<Block, InspectError> {
        let Payload { number, parent_hash, timestamp_s, .. } = Payload::decode(&payload)?;
        Ok(Block { reference: BlockRef::new(number, keccak256(&payload)), parent_hash, timestamp_s, payload })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_survives_its_encoding_and_its_hash_binds_every_byte() {
        let payload = Payload {
            number: 7,
            parent_hash: B256::repeat_byte(3),
            timestamp_s: 11,
            salt: 13,
            padding: 5,
            transactions: vec![Bytes::from_static(b"one"), Bytes::new(), Bytes::from_static(b"three")],
        };
        let block = payload.to_block();
        assert_eq!(Payload::decode(&block.payload), Ok(payload));
        assert_eq!(Inspector.inspect(block.payload.clone()), Ok(block.clone()));
        for at in 0..block.payload.len() {
            let mut bytes = block.payload.to_vec();
            bytes[at] ^= 1;
            let changed = Inspector.inspect(bytes.into()).map(|changed| changed.reference.hash);
            assert_ne!(changed, Ok(block.reference.hash));
            let whole = [5, 12, 16].map(|transactions| HEADER_BYTES + transactions);
            assert!(Inspector.inspect(block.payload.slice(..at)).is_err() || whole.contains(&at), "cut at {at}");
        }
    }
}
