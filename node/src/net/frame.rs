//! Frames on a lane: one byte that names the lane, then for each frame its length (four bytes, big-endian)
//! and its bytes.

use crate::net::Lane;
use bytes::{BufMut, Bytes, BytesMut};
use quinn::{ReadError, RecvStream};

/// Bytes before each frame.
pub(super) const LENGTH_BYTES: usize = 4;
/// A frame up to this size is copied next to others, a larger one is sent from where it is. Unit: bytes.
const COPIED_BYTES_MAX: usize = 4 << 10;
/// How much is taken from a stream at once. Unit: bytes.
const CHUNK_BYTES_MAX: usize = 256 << 10;

/// The byte that opens a lane's stream.
pub(super) const fn tag(lane: Lane) -> u8 {
    match lane {
        Lane::Votes => 1,
        Lane::Blocks => 2,
        Lane::Transactions => 3,
    }
}

/// Why there are no more frames.
#[derive(Debug, thiserror::Error)]
pub(super) enum FrameFault {
    #[error("a frame of {length} bytes on the {lane} lane, at most {max}")]
    Oversized { lane: Lane, length: usize, max: usize },
    #[error("a stream for no lane (tag {0})")]
    UnknownLane(u8),
    #[error("a stream that ends within a frame")]
    Truncated,
    #[error("the stream ended: {0}")]
    Lost(#[from] ReadError),
}

/// Reads frames from one stream.
pub(super) struct FrameReader {
    stream: RecvStream,
    chunk: Bytes,
}

impl FrameReader {
    pub(super) fn new(stream: RecvStream) -> Self {
        Self { stream, chunk: Bytes::new() }
    }

    /// The lane that the stream is for.
    pub(super) async fn lane(&mut self) -> Result<Lane, FrameFault> {
        let mut byte = [0];
        if !self.fill(&mut byte).await? {
            return Err(FrameFault::Truncated);
        }
        Lane::ALL.into_iter().find(|lane| tag(*lane) == byte[0]).ok_or(FrameFault::UnknownLane(byte[0]))
    }

    /// The next frame; `None` at the end of the stream. Memory for a frame is taken as its bytes arrive.
    pub(super) async fn next(&mut self, lane: Lane, max: usize) -> Result<Option<Bytes>, FrameFault> {
        let mut length = [0; LENGTH_BYTES];
        if !self.fill(&mut length).await? {
            return Ok(None);
        }
        let length = usize::try_from(u32::from_be_bytes(length)).unwrap_or(usize::MAX);
        if length > max {
            return Err(FrameFault::Oversized { lane, length, max });
        }
        let mut frame = Vec::with_capacity(length);
        while frame.len() < length {
            if self.chunk.is_empty() && !self.refill().await? {
                return Err(FrameFault::Truncated);
            }
            let taken = self.chunk.split_to(self.chunk.len().min(length - frame.len()));
            frame.extend_from_slice(&taken);
        }
        Ok(Some(Bytes::from(frame)))
    }

    /// Fills `out`; false when the stream ended before its first byte.
    async fn fill(&mut self, out: &mut [u8]) -> Result<bool, FrameFault> {
        let mut filled = 0;
        while filled < out.len() {
            if self.chunk.is_empty() && !self.refill().await? {
                return if filled == 0 { Ok(false) } else { Err(FrameFault::Truncated) };
            }
            let taken = self.chunk.split_to(self.chunk.len().min(out.len() - filled));
            out[filled..filled + taken.len()].copy_from_slice(&taken);
            filled += taken.len();
        }
        Ok(true)
    }

    async fn refill(&mut self) -> Result<bool, FrameFault> {
        match self.stream.read_chunk(CHUNK_BYTES_MAX, true).await? {
            Some(chunk) => {
                self.chunk = chunk.bytes;
                Ok(true)
            }
            None => Ok(false),
        }
    }
}

/// Gathers frames into few chunks: small ones side by side, large ones without a copy.
#[derive(Debug, Default)]
pub(super) struct FrameWriter {
    gathered: BytesMut,
    chunks: Vec<Bytes>,
    bytes: usize,
}

impl FrameWriter {
    /// Adds a frame; its length fits in four bytes, since every lane's bound does.
    pub(super) fn push(&mut self, frame: &Bytes) {
        let length = u32::try_from(frame.len()).expect("a lane's frames are bounded far below 4 GiB");
        self.gathered.put_u32(length);
        if frame.len() <= COPIED_BYTES_MAX {
            self.gathered.extend_from_slice(frame);
        } else {
            self.chunks.push(self.gathered.split().freeze());
            self.chunks.push(frame.clone());
        }
        self.bytes += LENGTH_BYTES + frame.len();
    }

    /// Bytes gathered since the last [`FrameWriter::take`].
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    /// What was gathered, in order.
    pub(super) fn take(&mut self) -> Vec<Bytes> {
        if !self.gathered.is_empty() {
            self.chunks.push(self.gathered.split().freeze());
        }
        self.bytes = 0;
        std::mem::take(&mut self.chunks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_frames_share_a_chunk_and_large_ones_are_not_copied() {
        let mut writer = FrameWriter::default();
        let large = Bytes::from(vec![7; COPIED_BYTES_MAX + 1]);
        for frame in [&Bytes::from_static(b"a"), &Bytes::from_static(b"bc"), &large, &Bytes::from_static(b"d")] {
            writer.push(frame);
        }
        assert_eq!(writer.bytes(), 4 * LENGTH_BYTES + 4 + large.len());
        let chunks = writer.take();
        assert_eq!(chunks.len(), 3);
        assert_eq!(chunks[1].as_ptr(), large.as_ptr());
        let mut expected = b"\0\0\0\x01a\0\0\0\x02bc\0\0\x10\x01".to_vec();
        expected.extend_from_slice(&large);
        expected.extend_from_slice(b"\0\0\0\x01d");
        assert_eq!(chunks.concat(), expected);
        assert_eq!((writer.bytes(), writer.take().len()), (0, 0));
    }
}
