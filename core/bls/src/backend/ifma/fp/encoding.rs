//! Between lanes and numbers: blst's form, big-endian bytes, and comparison of the numbers themselves.
#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

use super::bound::Bound;
use super::constants::{
    FROM_BLST, FROM_INTEGER, FROM_INTEGER_HIGH, LIMB_BITS, LIMBS, MODULUS, MODULUS_WORDS, TO_BLST, to_limbs,
};
use super::{Fp, settled, splat};
use crate::backend::ifma::{LANES, Mask};
use ::blst::blst_fp;
use core::arch::x86_64::{
    __m512i, _mm512_cmpeq_epi64_mask, _mm512_cmplt_epi64_mask, _mm512_loadu_si512, _mm512_mask_blend_epi64,
    _mm512_or_si512, _mm512_setzero_si512, _mm512_storeu_si512, _mm512_sub_epi64, _mm512_test_epi64_mask,
};

/// An element's length in bytes.
const BYTES: usize = 48;
/// What is hashed to an element. Unit: bytes.
const WIDE_BYTES: usize = 64;
/// An element's length in 64-bit words.
const WORDS: usize = 6;

/// `(p + 1) / 2`.
const MODULUS_HALF: [u64; LIMBS] = {
    let mut words = [0; 7];
    let mut index = 0;
    while index < WORDS {
        let above = if index + 1 < WORDS { MODULUS_WORDS[index + 1] } else { 0 };
        words[index] = MODULUS_WORDS[index] >> 1 | above << 63;
        index += 1;
    }
    words[0] += 1;
    to_limbs(&words)
};

/// Eight numbers below `p`, out of Montgomery form.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Integer([__m512i; LIMBS]);

/// The limbs less a constant, settled, and where that is negative.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn less(limbs: &[__m512i; LIMBS], constant: &[u64; LIMBS]) -> ([__m512i; LIMBS], Mask) {
    let mut difference = *limbs;
    each!(index in [0 1 2 3 4 5 6 7] {
        difference[index] = _mm512_sub_epi64(limbs[index], splat(constant[index]));
    });
    let difference = settled(&difference);
    let zero = _mm512_setzero_si512();
    (difference, _mm512_cmplt_epi64_mask(difference[LIMBS - 1], zero))
}

/// The number below `p`, of one below `2p`.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn canonical(limbs: &[__m512i; LIMBS]) -> [__m512i; LIMBS] {
    let limbs = settled(limbs);
    let (difference, below) = less(&limbs, &MODULUS);
    let mut canonical = limbs;
    each!(index in [0 1 2 3 4 5 6 7] {
        canonical[index] = _mm512_mask_blend_epi64(below, difference[index], limbs[index]);
    });
    canonical
}

/// From rows of one limb of every lane.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn load(rows: &[[u64; LANES]; LIMBS]) -> [__m512i; LIMBS] {
    let mut limbs = [_mm512_setzero_si512(); LIMBS];
    for (limb, row) in limbs.iter_mut().zip(rows) {
        // SAFETY: reads 64 bytes of an array of eight words, at any alignment.
        *limb = unsafe { _mm512_loadu_si512(row.as_ptr().cast()) };
    }
    limbs
}

/// To rows of one limb of every lane.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn store(limbs: &[__m512i; LIMBS]) -> [[u64; LANES]; LIMBS] {
    let mut rows = [[0; LANES]; LIMBS];
    for (limb, row) in limbs.iter().zip(&mut rows) {
        // SAFETY: writes 64 bytes into an array of eight words, at any alignment.
        unsafe { _mm512_storeu_si512(row.as_mut_ptr().cast(), *limb) };
    }
    rows
}

/// Numbers below `2³⁸⁴` by their words, the lowest first.
#[target_feature(enable = "avx512ifma")]
fn from_words(lanes: &[[u64; WORDS]; LANES]) -> Fp {
    let mut rows = [[0; LANES]; LIMBS];
    for (lane, words) in lanes.iter().enumerate() {
        let limbs = to_limbs(&[words[0], words[1], words[2], words[3], words[4], words[5], 0]);
        for (row, limb) in rows.iter_mut().zip(limbs) {
            row[lane] = limb;
        }
    }
    Fp { limbs: load(&rows), bound: Bound::INTEGER }
}

/// The words of numbers below `2³⁸⁴`, the lowest first.
#[target_feature(enable = "avx512ifma")]
fn to_words(limbs: &[__m512i; LIMBS]) -> [[u64; WORDS]; LANES] {
    let rows = store(limbs);
    let mut lanes = [[0; WORDS]; LANES];
    for (lane, words) in lanes.iter_mut().enumerate() {
        for (index, row) in rows.iter().enumerate() {
            let (word, shift) = (index * LIMB_BITS / 64, index * LIMB_BITS % 64);
            words[word] |= row[lane] << shift;
            if shift > 64 - LIMB_BITS && word + 1 < WORDS {
                words[word + 1] |= row[lane] >> (64 - shift);
            }
        }
    }
    lanes
}

/// The words of big-endian bytes, the lowest first.
fn be_words(lanes: &[[u8; BYTES]; LANES]) -> [[u64; WORDS]; LANES] {
    let mut words = [[0; WORDS]; LANES];
    for (words, bytes) in words.iter_mut().zip(lanes) {
        for (word, bytes) in words.iter_mut().rev().zip(bytes.as_chunks().0) {
            *word = u64::from_be_bytes(*bytes);
        }
    }
    words
}

impl Fp {
    /// From blst's Montgomery form.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_blst(lanes: &[blst_fp; LANES]) -> Self {
        from_words(&lanes.map(|lane| lane.l)).mul(&Self::constant(&FROM_BLST))
    }

    /// To blst's Montgomery form.
    #[expect(clippy::wrong_self_convention, reason = "it is 512 bytes large")]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_blst(&self) -> [blst_fp; LANES] {
        let scaled = self.mul(&Self::constant(&TO_BLST));
        to_words(&canonical(&scaled.limbs)).map(|l| blst_fp { l })
    }

    /// The same element in every lane.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn broadcast(element: &blst_fp) -> Self {
        Self::from_blst(&[*element; LANES])
    }

    /// From big-endian bytes, and which lanes were below `p`; the others hold the number modulo `p`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_be_bytes(lanes: &[[u8; BYTES]; LANES]) -> (Self, Mask) {
        let integers = from_words(&be_words(lanes));
        let (_, below) = less(&integers.limbs, &MODULUS);
        (integers.mul(&Self::constant(&FROM_INTEGER)), below)
    }

    /// From big-endian bytes of a number below `2⁵¹²`, modulo `p`.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_wide_be_bytes(lanes: &[[u8; WIDE_BYTES]; LANES]) -> Self {
        let (mut low, mut high) = ([[0; BYTES]; LANES], [[0; BYTES]; LANES]);
        for (lane, bytes) in lanes.iter().enumerate() {
            high[lane][2 * BYTES - WIDE_BYTES..].copy_from_slice(&bytes[..WIDE_BYTES - BYTES]);
            low[lane].copy_from_slice(&bytes[WIDE_BYTES - BYTES..]);
        }
        let (low, high) = (from_words(&be_words(&low)), from_words(&be_words(&high)));
        let (one, shift) = (Self::constant(&FROM_INTEGER), Self::constant(&FROM_INTEGER_HIGH));
        Self::product_sum((&low, &one), (&high, &shift))
    }

    /// The numbers that the elements stand for. Up to four units.
    #[expect(clippy::wrong_self_convention, reason = "it is 512 bytes large")]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_integer(&self) -> Integer {
        Integer(canonical(&self.divided_by_radix().limbs))
    }
}

impl Integer {
    /// Which lanes are zero.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn is_zero(&self) -> Mask {
        let any = self.0[1..].iter().fold(self.0[0], |any, limb| _mm512_or_si512(any, *limb));
        _mm512_cmpeq_epi64_mask(any, _mm512_setzero_si512())
    }

    /// Which lanes are odd.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn is_odd(&self) -> Mask {
        _mm512_test_epi64_mask(self.0[0], splat(1))
    }

    /// Which lanes are above `(p − 1) / 2`: larger than their negative.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn exceeds_half(&self) -> Mask {
        !less(&self.0, &MODULUS_HALF).1
    }

    /// Big-endian bytes.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_be_bytes(self) -> [[u8; BYTES]; LANES] {
        to_words(&self.0).map(|words| {
            let mut bytes = [0; BYTES];
            for (word, bytes) in words.iter().rev().zip(bytes.as_chunks_mut().0) {
                *bytes = word.to_be_bytes();
            }
            bytes
        })
    }
}
