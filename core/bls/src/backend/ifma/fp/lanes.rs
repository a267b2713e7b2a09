//! What looks at single lanes: permutations of them, and subtracting in each as many multiples of the modulus as
//! go into its value.
#![allow(unsafe_code, reason = "vector loads take pointers")]

use super::constants::{BY_HIGHEST_LIMB, MULTIPLES};
use super::{Fp, LIMBS, settled, splat};
use crate::backend::ifma::{LANES, Mask};
use core::arch::x86_64::{
    __m512i, _mm512_loadu_si512, _mm512_madd52hi_epu64, _mm512_mask_add_epi64, _mm512_permutex2var_epi64,
    _mm512_permutexvar_epi64, _mm512_setzero_si512, _mm512_sub_epi64,
};

/// For each lane, where it comes from.
pub(crate) type Permutation = [u64; LANES];

#[inline]
#[target_feature(enable = "avx512ifma")]
pub(super) fn load(row: &[u64; LANES]) -> __m512i {
    // SAFETY: reads 64 bytes of an array of eight words, at any alignment.
    unsafe { _mm512_loadu_si512(row.as_ptr().cast()) }
}

impl Fp {
    /// Lane `i` from lane `from[i]`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn permuted(&self, from: &Permutation) -> Self {
        let mut permuted = *self;
        let from = load(from);
        each!(index in [0 1 2 3 4 5 6 7] {
            permuted.limbs[index] = _mm512_permutexvar_epi64(from, self.limbs[index]);
        });
        permuted
    }

    /// Lane `i` from lane `from[i]` of `self`, or, from 8 on, from lane `from[i] − 8` of `other`.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn permuted_with(&self, other: &Self, from: &Permutation) -> Self {
        let mut permuted = *self;
        let from = load(from);
        each!(index in [0 1 2 3 4 5 6 7] {
            permuted.limbs[index] = _mm512_permutex2var_epi64(self.limbs[index], from, other.limbs[index]);
        });
        permuted.bound = self.bound.either(other.bound);
        permuted
    }

    /// The sum where the mask has a one, `self` elsewhere, uncarried.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn add_where(&self, mask: Mask, other: &Self) -> Self {
        let mut sum = *self;
        each!(index in [0 1 2 3 4 5 6 7] {
            sum.limbs[index] = _mm512_mask_add_epi64(self.limbs[index], mask, self.limbs[index], other.limbs[index]);
        });
        sum.bound = self.bound.add(other.bound);
        sum
    }

    /// The same element, of one unit and below 2.01p. It has up to four units and is below 15.9p.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn lowered(&self) -> Self {
        let limbs = settled(&self.limbs);
        let zero = _mm512_setzero_si512();
        let times = _mm512_madd52hi_epu64(zero, limbs[LIMBS - 1], splat(BY_HIGHEST_LIMB));
        let mut lowered = limbs;
        each!(index in [0 1 2 3 4 5 6 7] {
            let (few, many) = MULTIPLES[index].split_at(LANES);
            let (few, many) = (load(&few.try_into().expect("eight")), load(&many.try_into().expect("eight")));
            let multiple = _mm512_permutex2var_epi64(few, times, many);
            lowered[index] = _mm512_sub_epi64(limbs[index], multiple);
        });
        Self { limbs: settled(&lowered), bound: self.bound.lowered() }
    }
}
