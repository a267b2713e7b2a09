//! Points of the two groups, parsed strictly from their compressed encodings (ZCash's, as in the IETF BLS
//! draft): 48 bytes for G1, 96 for G2, most significant byte first, three flag bits on top.

use crate::backend::blst as oracle;
use crate::error::BlsError;
use blst::{blst_fp6, blst_p1_affine, blst_p2_affine};
use core::fmt;

/// A compressed G1 point. Unit: bytes.
pub const G1_BYTES: usize = 48;
/// A compressed G2 point. Unit: bytes.
pub const G2_BYTES: usize = 96;
/// The lines of one Miller loop over a fixed G2 point.
pub(crate) const LINES: usize = 68;

/// Whether a decoder checks that a point has prime order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subgroup {
    /// Refuse points outside the subgroup.
    Checked,
    /// The caller checks what it computes from the point: both in subgroup and by pairing.
    Skipped,
}

/// A group whose elements come as compressed points.
pub trait Point: Copy + Eq + fmt::Debug + Send + Sync + 'static {
    /// The length of the compressed encoding. Unit: bytes.
    const BYTES: usize;

    /// Decodes one point, its subgroup checked.
    ///
    /// # Errors
    /// [`BlsError`], a `Peer…` variant, for whatever is no canonical encoding of such a point.
    fn from_bytes(bytes: &[u8]) -> Result<Self, BlsError>;

    /// The compressed encoding, [`Self::BYTES`] long.
    fn to_bytes(&self) -> Vec<u8>;
}

/// A point of G1 other than infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct G1(pub(crate) blst_p1_affine);

/// A point of G2 other than infinity.
#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(transparent)]
pub struct G2(pub(crate) blst_p2_affine);

impl G1 {
    /// The compressed encoding.
    #[must_use]
    pub fn to_compressed(&self) -> [u8; G1_BYTES] {
        oracle::g1_compress(self)
    }
}

impl G2 {
    /// The compressed encoding.
    #[must_use]
    pub fn to_compressed(&self) -> [u8; G2_BYTES] {
        oracle::g2_compress(self)
    }
}

impl Point for G1 {
    const BYTES: usize = G1_BYTES;

    fn from_bytes(bytes: &[u8]) -> Result<Self, BlsError> {
        oracle::g1_decode(bytes, Subgroup::Checked)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_compressed().to_vec()
    }
}

impl Point for G2 {
    const BYTES: usize = G2_BYTES;

    fn from_bytes(bytes: &[u8]) -> Result<Self, BlsError> {
        oracle::g2_decode(bytes, Subgroup::Checked)
    }

    fn to_bytes(&self) -> Vec<u8> {
        self.to_compressed().to_vec()
    }
}

/// A fixed G2 point (a key, the generator) with the lines of its Miller loop computed once: a pairing with
/// it costs about half.
#[derive(Clone)]
pub struct PreparedG2 {
    pub(crate) point: G2,
    pub(crate) lines: Box<[blst_fp6; LINES]>,
    /// The lines as the eight-lane backend takes them, once it has been asked.
    #[cfg(target_arch = "x86_64")]
    pub(crate) segments: std::sync::OnceLock<Box<crate::backend::ifma::Segments>>,
}

impl PreparedG2 {
    /// Prepares a point.
    #[must_use]
    pub fn new(point: &G2) -> Self {
        Self {
            point: *point,
            lines: oracle::g2_lines(point),
            #[cfg(target_arch = "x86_64")]
            segments: std::sync::OnceLock::new(),
        }
    }

    /// The point itself.
    #[must_use]
    pub fn point(&self) -> &G2 {
        &self.point
    }
}

fn hex(f: &mut fmt::Formatter<'_>, bytes: &[u8]) -> fmt::Result {
    f.write_str("0x")?;
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

impl fmt::Debug for G1 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.to_compressed())
    }
}

impl fmt::Debug for G2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex(f, &self.to_compressed())
    }
}

impl fmt::Debug for PreparedG2 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("PreparedG2").field(&self.point).finish()
    }
}
