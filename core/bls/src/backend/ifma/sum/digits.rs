//! Signed digits of weights, and the buckets that they put points into.

use crate::weights::Weights;

/// The narrowest and the widest window. Unit: bits.
const WINDOW_BITS: (usize, usize) = (3, 13);
/// What a bucket costs, in additions of points.
const BUCKET_COST: usize = 4;

/// How weights are cut into windows: digits of `window_bits` bits, from `−2^(window_bits − 1)` up to that.
#[derive(Clone, Copy, Debug)]
pub(in crate::backend::ifma) struct Windows {
    pub(super) bits: usize,
    pub(in crate::backend::ifma) count: usize,
}

impl Windows {
    pub(in crate::backend::ifma) fn of(bits: usize, weight_bits: usize) -> Self {
        // One bit more, for what the highest digit carries.
        Self { bits, count: (weight_bits + 1).div_ceil(bits) }
    }

    /// The cheapest for so many points: fewer windows mean fewer additions, and more buckets. Buckets are summed for
    /// eight windows at once.
    pub(super) fn cheapest(points: usize, weight_bits: usize) -> Self {
        let cost = |windows: &Self| {
            points * windows.count + BUCKET_COST * (windows.buckets() * windows.count.next_multiple_of(8))
        };
        let all = (WINDOW_BITS.0..=WINDOW_BITS.1).map(|bits| Self::of(bits, weight_bits));
        all.min_by_key(cost).expect("some widths")
    }

    /// Buckets of one window: for each magnitude of a digit but zero.
    pub(super) fn buckets(self) -> usize {
        1 << (self.bits - 1)
    }
}

/// Up to 64 bits of a weight from a bit on; zeros beyond its end.
fn bits_from(magnitude: &[u8], first: usize) -> u64 {
    let mut word = [0; 16];
    let bytes = magnitude.get(first / 8..).unwrap_or(&[]);
    let count = bytes.len().min(word.len());
    word[..count].copy_from_slice(&bytes[..count]);
    #[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
    let low = (u128::from_le_bytes(word) >> (first % 8)) as u64;
    low
}

/// The digits of every weight: of the first window for all points, then of the next.
pub(in crate::backend::ifma) fn digits(weights: &Weights, windows: Windows) -> Vec<i16> {
    let (points, bytes) = (weights.len(), weights.bits.div_ceil(8));
    let mut digits = vec![0; points * windows.count];
    let mask = (1 << windows.bits) - 1;
    for (index, magnitude) in weights.magnitudes.chunks_exact(bytes).enumerate() {
        let mut carry = 0;
        for window in 0..windows.count {
            let digit = (bits_from(magnitude, window * windows.bits) & mask) + carry;
            carry = u64::from(digit > windows.buckets() as u64);
            let digit = i16::try_from(digit).expect("13 bits") - (i16::try_from(carry).expect("a bit") << windows.bits);
            digits[window * points + index] = if weights.negative[index] { -digit } else { digit };
        }
        assert!(carry == 0, "the highest digit carries nothing");
    }
    digits
}

/// Lists of points, one for each bucket, one behind the other.
#[derive(Clone, Debug, Default)]
pub(super) struct Lists {
    /// Where points are kept, by their places.
    pub(super) places: Vec<u32>,
    /// How many are in each bucket.
    pub(super) lengths: Vec<u32>,
}

impl Lists {
    /// Sorts points into the buckets of some windows by their digits: point `i` is at place `2i`, its negative at
    /// `2i + 1`.
    pub(super) fn new(digits: &[i16], points: usize, windows: Windows) -> Self {
        let buckets = windows.buckets();
        let bucket = |window: usize, digit: i16| window * buckets + usize::from(digit.unsigned_abs()) - 1;
        let each = || {
            digits.chunks_exact(points).enumerate().flat_map(|(window, digits)| {
                let there = digits.iter().zip(0_u32..).filter(|(digit, _)| **digit != 0);
                there.map(move |(digit, index)| (window, *digit, index))
            })
        };
        let mut lengths = vec![0_u32; digits.len() / points * buckets];
        for (window, digit, _) in each() {
            lengths[bucket(window, digit)] += 1;
        }
        let mut next: Vec<u32> = Vec::with_capacity(lengths.len());
        let total = lengths.iter().fold(0, |sum, length| {
            next.push(sum);
            sum + length
        });
        let mut places = vec![0; total as usize];
        for (window, digit, index) in each() {
            let next = &mut next[bucket(window, digit)];
            places[*next as usize] = 2 * index + u32::from(digit < 0);
            *next += 1;
        }
        Self { places, lengths }
    }

    /// Pairs up the points of each bucket. The sum of the `k`-th pair will be at place `base + k`, and takes the
    /// pair's place here.
    pub(super) fn pair(&mut self, base: u32) -> Vec<[u32; 2]> {
        let (mut pairs, mut places, mut read) = (Vec::new(), Vec::with_capacity(self.places.len()), 0);
        for length in &mut self.lengths {
            let bucket = &self.places[read..read + *length as usize];
            read += bucket.len();
            for pair in bucket.chunks(2) {
                if let [first, second] = pair {
                    places.push(base + u32::try_from(pairs.len()).expect("far fewer"));
                    pairs.push([*first, *second]);
                } else {
                    places.push(pair[0]);
                }
            }
            *length = length.div_ceil(2);
        }
        self.places = places;
        pairs
    }

    /// Takes out the places given, in ascending order.
    pub(super) fn remove(&mut self, gone: &[u32]) {
        let mut read = 0;
        for length in &mut self.lengths {
            let bucket = &self.places[read..read + *length as usize];
            read += bucket.len();
            let left = bucket.iter().filter(|place| gone.binary_search(place).is_err()).count();
            *length = u32::try_from(left).expect("no more than there were");
        }
        self.places.retain(|place| gone.binary_search(place).is_err());
    }
}
