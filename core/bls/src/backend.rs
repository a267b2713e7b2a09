//! The dispatcher: chooses who does a batch of curve work, and spreads it over the cores.
//!
//! Invariants: every backend answers as [`blst`] does, which is the oracle and the fallback; a batch is
//! split between items, never within one. The choice is a value that is passed along, made once by
//! [`Backend::detect`] or [`Backend::select`]; nothing here reads the environment.

pub(crate) mod blst;
#[cfg(target_arch = "x86_64")]
#[allow(
    dead_code,
    reason = "both groups have all formulas, and some of the tower's are there for tests to compare with"
)]
pub(crate) mod ifma;
/// Elsewhere there are no lanes, and nothing of them.
#[cfg(not(target_arch = "x86_64"))]
pub(crate) mod ifma {
    /// Of which there is no value.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub enum Ifma {}

    impl Ifma {
        /// Never.
        pub(crate) fn detect() -> Option<Self> {
            None
        }
    }
}

use crate::error::BlsError;
use crate::point::{G1, G2, PreparedG2, Subgroup};
#[cfg(target_arch = "x86_64")]
use crate::scalar::Scalar;
use crate::weights::Weights;
use ::blst::blst_fp12;
use core::ops::Range;
use rayon::prelude::*;
#[cfg(target_arch = "x86_64")]
use std::sync::LazyLock;

/// The fewest items of a batch that are spread over the cores; below it, handing work over costs more
/// than it saves. Unit: items.
pub const PARALLEL_ITEMS_MIN: usize = 16;
/// How many items a core takes at a time. A multiple of eight: that is what vector backends fill.
const CHUNK_ITEMS: usize = 8;
/// The most that a core takes at a time where a range shares work. A multiple of eight.
const SHARE_ITEMS_MAX: usize = 128;

/// Every backend built in, by name.
pub const BACKEND_NAMES: [&str; 2] = ["blst", "ifma"];

/// Who does curve work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Backend {
    /// The blst library: scalar code, in assembly where the processor has it.
    Blst,
    /// Eight items at a time by AVX-512 IFMA. What it has no code for, blst does.
    Ifma(ifma::Ifma),
}

impl Backend {
    /// The fastest backend that this processor runs.
    #[must_use]
    pub fn detect() -> Self {
        ifma::Ifma::detect().map_or(Self::Blst, Self::Ifma)
    }

    /// The backend of a name.
    ///
    /// # Errors
    /// [`BlsError::MisuseBackend`] when there is none, [`BlsError::MisuseProcessor`] when this processor cannot
    /// run it.
    pub fn select(name: &str) -> Result<Self, BlsError> {
        match name {
            "blst" => Ok(Self::Blst),
            "ifma" => ifma::Ifma::detect().map(Self::Ifma).ok_or(BlsError::MisuseProcessor("ifma", "AVX-512 IFMA")),
            other => Err(BlsError::MisuseBackend(other.to_owned())),
        }
    }

    /// The name that [`Self::select`] knows it by.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Blst => "blst",
            Self::Ifma(_) => "ifma",
        }
    }

    /// Decodes G1 points, each to its own verdict.
    #[must_use]
    pub fn g1_decode(self, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G1, BlsError>> {
        match self {
            Self::Blst => spread(encodings, |encoding| blst::g1_decode(encoding, subgroup)),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(encodings.len(), |range| lanes.g1_decode(&encodings[range], subgroup)),
        }
    }

    /// Decodes G2 points, each to its own verdict.
    #[must_use]
    pub fn g2_decode(self, encodings: &[&[u8]], subgroup: Subgroup) -> Vec<Result<G2, BlsError>> {
        match self {
            Self::Blst => spread(encodings, |encoding| blst::g2_decode(encoding, subgroup)),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(encodings.len(), |range| lanes.g2_decode(&encodings[range], subgroup)),
        }
    }

    /// Hashes messages to G1 (RFC 9380, SSWU, random oracle).
    #[must_use]
    pub fn g1_hash(self, messages: &[&[u8]], dst: &[u8]) -> Vec<G1> {
        match self {
            Self::Blst => spread_shares(messages.len(), |range| blst::g1_hash_all(&messages[range], dst)),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(messages.len(), |range| lanes.g1_hash(&messages[range], dst)),
        }
    }

    /// Hashes messages to G2 (RFC 9380, SSWU, random oracle).
    #[must_use]
    pub fn g2_hash(self, messages: &[&[u8]], dst: &[u8]) -> Vec<G2> {
        match self {
            Self::Blst => spread_shares(messages.len(), |range| blst::g2_hash_all(&messages[range], dst)),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(messages.len(), |range| lanes.g2_hash(&messages[range], dst)),
        }
    }

    /// Which points have prime order.
    #[must_use]
    pub fn g1_in_subgroup(self, points: &[G1]) -> Vec<bool> {
        match self {
            Self::Blst => spread(points, blst::g1_in_subgroup),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(points.len(), |range| lanes.g1_in_subgroup(&points[range])),
        }
    }

    /// Which points have prime order.
    #[must_use]
    pub fn g2_in_subgroup(self, points: &[G2]) -> Vec<bool> {
        match self {
            Self::Blst => spread(points, blst::g2_in_subgroup),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(points.len(), |range| lanes.g2_in_subgroup(&points[range])),
        }
    }

    /// `Σ wᵢPᵢ` in G1; `None` when that is infinity. Points outside the subgroup give some point of the curve.
    ///
    /// # Panics
    /// When there is not one weight for each point.
    #[must_use]
    pub fn g1_sum(self, points: &[G1], weights: &Weights) -> Option<G1> {
        assert_eq!(points.len(), weights.len(), "one weight for each point");
        match self {
            Self::Blst => blst::g1_sum(points, weights),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => lanes.g1_sum(points, weights),
        }
    }

    /// `Σ wᵢPᵢ` in G2; `None` when that is infinity. Points outside the subgroup give some point of the curve.
    ///
    /// # Panics
    /// When there is not one weight for each point.
    #[must_use]
    pub fn g2_sum(self, points: &[G2], weights: &Weights) -> Option<G2> {
        assert_eq!(points.len(), weights.len(), "one weight for each point");
        match self {
            Self::Blst => blst::g2_sum(points, weights),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => lanes.g2_sum(points, weights),
        }
    }

    /// `Σ wᵢH(mᵢ)` in G1; `None` when that is infinity.
    ///
    /// # Panics
    /// When there is not one weight for each message.
    #[must_use]
    pub fn g1_hash_sum(self, messages: &[&[u8]], dst: &[u8], weights: &Weights) -> Option<G1> {
        assert_eq!(messages.len(), weights.len(), "one weight for each message");
        match self {
            Self::Blst => blst::g1_sum(&self.g1_hash(messages, dst), weights),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => match spread_some(messages.len(), |range| lanes.g1_uncleared(&messages[range], dst)) {
                Some(points) => lanes.g1_sum(&points, weights).and_then(|sum| lanes.g1_cleared(&sum)),
                None => lanes.g1_sum(&self.g1_hash(messages, dst), weights),
            },
        }
    }

    /// `Σ wᵢH(mᵢ)` in G2; `None` when that is infinity.
    ///
    /// # Panics
    /// When there is not one weight for each message.
    #[must_use]
    pub fn g2_hash_sum(self, messages: &[&[u8]], dst: &[u8], weights: &Weights) -> Option<G2> {
        assert_eq!(messages.len(), weights.len(), "one weight for each message");
        match self {
            Self::Blst => blst::g2_sum(&self.g2_hash(messages, dst), weights),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => match spread_some(messages.len(), |range| lanes.g2_uncleared(&messages[range], dst)) {
                Some(points) => lanes.g2_sum(&points, weights).and_then(|sum| lanes.g2_cleared(&sum)),
                None => lanes.g2_sum(&self.g2_hash(messages, dst), weights),
            },
        }
    }

    /// `wᵢPᵢ` in G1, one by one; `None` where that is infinity.
    ///
    /// # Panics
    /// When there is not one weight for each point.
    #[must_use]
    pub fn g1_scale(self, points: &[G1], weights: &Weights) -> Vec<Option<G1>> {
        assert_eq!(points.len(), weights.len(), "one weight for each point");
        match self {
            Self::Blst => spread_ranges(points.len(), |range| {
                let weights = weights.range(range.clone());
                blst::g1_scale(&points[range], &weights)
            }),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => spread_shares(points.len(), |range| {
                let weights = weights.range(range.clone());
                lanes.g1_scale(&points[range], &weights)
            }),
        }
    }

    /// `wᵢH(mᵢ)` in G1, one by one, as a pairing sees them: see [`PairingHashes`].
    ///
    /// # Panics
    /// When there is not one weight for each message.
    pub(crate) fn g1_pairing_hashes(self, messages: &[&[u8]], dst: &[u8], weights: &Weights) -> PairingHashes {
        assert_eq!(messages.len(), weights.len(), "one weight for each message");
        match self {
            Self::Blst => {
                let points = spread_ranges(messages.len(), |range| {
                    let weights = weights.range(range.clone());
                    blst::g1_hash_scaled(&messages[range], dst, &weights)
                });
                PairingHashes { points, against: blst::g2_generator() }
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => {
                let points = spread_shares(messages.len(), |range| {
                    let weights = weights.range(range.clone());
                    lanes.g1_uncleared_scaled(&messages[range], dst, &weights)
                });
                PairingHashes { points, against: *UNCLEARED_GENERATOR }
            }
        }
    }

    /// Whether `e(left, g₂) = e(right, key)`, with `g₂` the generator.
    #[must_use]
    pub fn check_prepared(self, key: &PreparedG2, left: &G1, right: &G1) -> bool {
        match self {
            Self::Blst => blst::check_prepared(key, left, right),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => lanes.check_prepared(key, left, right),
        }
    }

    /// As [`Self::check_prepared`], under a key used once.
    #[must_use]
    pub fn check_once(self, key: &G2, left: &G1, right: &G1) -> bool {
        match self {
            Self::Blst => blst::check_once(key, left, right),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => lanes.check_prepared(&PreparedG2::new(key), left, right),
        }
    }

    /// Whether `e(left₀, left₁) = e(right₀, right₁)`.
    #[must_use]
    pub fn check_pair(self, left: (&G1, &G2), right: (&G1, &G2)) -> bool {
        match self {
            Self::Blst => blst::check_pair(left, right),
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => lanes.check_pair(left, right),
        }
    }

    /// Whether `Π e(leftᵢ, rightᵢ) = 1`. True of no pairs.
    ///
    /// # Panics
    /// When there is not one point in either group for each in the other.
    #[must_use]
    pub fn product_is_one(self, left: &[G1], right: &[G2]) -> bool {
        assert_eq!(left.len(), right.len(), "points come in pairs");
        match self {
            Self::Blst => {
                miller_product(left, right, blst::miller_product).is_none_or(|product| blst::product_is_one(&product))
            }
            #[cfg(target_arch = "x86_64")]
            Self::Ifma(lanes) => miller_product(left, right, |left, right| lanes.miller_product(left, right))
                .is_none_or(|product| lanes.product_is_one(&product)),
        }
    }

    /// Runs the two halves of one check over `items` items, at once when there are enough of them.
    pub(crate) fn join<A: Send, B: Send>(
        self,
        items: usize,
        left: impl FnOnce() -> A + Send,
        right: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        if items < PARALLEL_ITEMS_MIN { (left(), right()) } else { rayon::join(left, right) }
    }
}

/// Hashes to G1, each times its weight, as a pairing sees them: for every `S` of G1, `e(S, against) = Π e(pointsᵢ, Qᵢ)`
/// exactly when `e(S, g₂) = Π e(wᵢH(mᵢ), Qᵢ)`. A point may lie outside the subgroup: what a pairing sees of it is its
/// part inside.
#[derive(Clone, Debug)]
pub(crate) struct PairingHashes {
    /// `None` stands for infinity, or for what was not worked out: such a batch proves nothing.
    pub(crate) points: Vec<Option<G1>>,
    /// A fixed point of G2.
    pub(crate) against: G2,
}

/// The generator of G2 over what clears the cofactor of G1: hashes are that many times the lanes' points.
#[cfg(target_arch = "x86_64")]
static UNCLEARED_GENERATOR: LazyLock<G2> = LazyLock::new(|| {
    let inverse = Scalar::from(ifma::CLEARING).inverse().expect("not a multiple of the order");
    blst::g2_sum(&[blst::g2_generator()], &Weights::from_scalars(&[inverse])).expect("not infinity")
});

/// The ranges into which a batch of pairings is cut: one for each core, so that as many as possible share
/// their squarings.
fn products(pairs: usize) -> impl ParallelIterator<Item = Range<usize>> {
    let share = if pairs < PARALLEL_ITEMS_MIN { pairs } else { pairs.div_ceil(rayon::current_num_threads()) };
    ranges(pairs, share.next_multiple_of(CHUNK_ITEMS).max(CHUNK_ITEMS))
}

/// A product of Miller loops, by those of as many ranges as there are cores; `None` of no pairs.
fn miller_product(left: &[G1], right: &[G2], product: impl Fn(&[G1], &[G2]) -> blst_fp12 + Sync) -> Option<blst_fp12> {
    products(left.len())
        .map(|range| product(&left[range.clone()], &right[range]))
        .reduce_with(|left, right| blst::target_product(&left, &right))
}

/// `0..count` in ranges of `share`.
fn ranges(count: usize, share: usize) -> impl IndexedParallelIterator<Item = Range<usize>> {
    (0..count.div_ceil(share)).into_par_iter().map(move |index| index * share..count.min((index + 1) * share))
}

/// Maps ranges of items in order, over the cores when there are enough of them.
fn spread_ranges<R: Send>(count: usize, work: impl Fn(Range<usize>) -> Vec<R> + Sync + Send) -> Vec<R> {
    if count < PARALLEL_ITEMS_MIN { work(0..count) } else { ranges(count, CHUNK_ITEMS).flat_map_iter(work).collect() }
}

/// As [`spread_ranges`], in larger ranges while there are enough for every core: what a range shares is worth more
/// than an even load.
fn spread_shares<R: Send>(count: usize, work: impl Fn(Range<usize>) -> Vec<R> + Sync + Send) -> Vec<R> {
    if count < PARALLEL_ITEMS_MIN {
        return work(0..count);
    }
    let share = count.div_ceil(rayon::current_num_threads()).next_multiple_of(CHUNK_ITEMS).min(SHARE_ITEMS_MAX);
    ranges(count, share).flat_map_iter(work).collect()
}

/// As [`spread_shares`], of what may fail.
#[cfg(target_arch = "x86_64")]
fn spread_some<R: Send>(count: usize, work: impl Fn(Range<usize>) -> Option<Vec<R>> + Sync + Send) -> Option<Vec<R>> {
    spread_shares(count, |range| match work(range.clone()) {
        Some(results) => results.into_iter().map(Some).collect(),
        None => range.map(|_| None).collect(),
    })
    .into_iter()
    .collect()
}

/// Maps items in order, over the cores when there are enough of them.
fn spread<T: Sync, R: Send>(items: &[T], work: impl Fn(&T) -> R + Sync + Send) -> Vec<R> {
    if items.len() < PARALLEL_ITEMS_MIN {
        items.iter().map(work).collect()
    } else {
        items.par_iter().with_min_len(CHUNK_ITEMS).map(work).collect()
    }
}
