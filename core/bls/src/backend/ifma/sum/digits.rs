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

/// Words of the longest weight, and one of zeros above.
const WORDS: usize = 5;

/// A weight as words, the lowest first.
fn words(magnitude: &[u8]) -> [u64; WORDS] {
    let mut bytes = [0; 8 * WORDS];
    bytes[..magnitude.len()].copy_from_slice(magnitude);
    let (words, _) = bytes.as_chunks();
    core::array::from_fn(|index| u64::from_le_bytes(words[index]))
}

/// Up to 64 bits of a weight from a bit on; zeros beyond its end.
fn bits_from(words: &[u64; WORDS], first: usize) -> u64 {
    let (index, shift) = (first / 64, first % 64);
    let above = words.get(index + 1).copied().unwrap_or(0);
    words.get(index).map_or(0, |word| word >> shift | (above << 1) << (63 - shift))
}

/// The digits of every weight: of the first window for all points, then of the next.
pub(in crate::backend::ifma) fn digits(weights: &Weights, windows: Windows) -> Vec<i16> {
    let (points, bytes) = (weights.len(), weights.bits.div_ceil(8));
    let mut digits = vec![0; points * windows.count];
    let mask = (1 << windows.bits) - 1;
    for (index, magnitude) in weights.magnitudes.chunks_exact(bytes).enumerate() {
        let words = words(magnitude);
        let (sign, mut carry) = (if weights.negative[index] { -1 } else { 1 }, 0);
        for window in 0..windows.count {
            let digit = (bits_from(&words, window * windows.bits) & mask) + carry;
            carry = u64::from(digit > windows.buckets() as u64);
            #[expect(clippy::cast_possible_truncation, reason = "at most 13 bits")]
            let digit = digit as i16 - ((carry as i16) << windows.bits);
            digits[window * points + index] = sign * digit;
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
