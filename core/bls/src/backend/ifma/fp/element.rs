//! One element by itself, as memory holds it between batches: where points are chosen one by one, eight are
//! brought together into lanes and taken apart again.
#![allow(unsafe_code, reason = "vector loads and stores take pointers")]

use super::bound::Bound;
use super::{Fp, LIMBS, splat};
use crate::backend::ifma::{LANES, Mask};
use ::blst::blst_fp;
use core::arch::x86_64::{
    __m512i, _mm512_load_si512, _mm512_shuffle_i64x2, _mm512_store_si512, _mm512_unpackhi_epi64, _mm512_unpacklo_epi64,
};

/// One element in the same form as a lane's, of one unit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[repr(C, align(64))]
pub(crate) struct Element([u64; LIMBS]);

/// Rows to columns.
#[inline]
#[target_feature(enable = "avx512ifma")]
fn transposed(rows: [__m512i; LANES]) -> [__m512i; LIMBS] {
    const EVEN: i32 = 0b10_00_10_00;
    const ODD: i32 = 0b11_01_11_01;
    let mut columns = rows;
    let quarters = |pairs: [__m512i; 4]| {
        let (first, second) =
            (_mm512_shuffle_i64x2::<EVEN>(pairs[0], pairs[1]), _mm512_shuffle_i64x2::<EVEN>(pairs[2], pairs[3]));
        let (third, fourth) =
            (_mm512_shuffle_i64x2::<ODD>(pairs[0], pairs[1]), _mm512_shuffle_i64x2::<ODD>(pairs[2], pairs[3]));
        [
            _mm512_shuffle_i64x2::<EVEN>(first, second),
            _mm512_shuffle_i64x2::<EVEN>(third, fourth),
            _mm512_shuffle_i64x2::<ODD>(first, second),
            _mm512_shuffle_i64x2::<ODD>(third, fourth),
        ]
    };
    let (mut low, mut high) = ([rows[0]; 4], [rows[0]; 4]);
    each!(pair in [0 1 2 3] {
        low[pair] = _mm512_unpacklo_epi64(rows[2 * pair], rows[2 * pair + 1]);
        high[pair] = _mm512_unpackhi_epi64(rows[2 * pair], rows[2 * pair + 1]);
    });
    let (even, odd) = (quarters(low), quarters(high));
    each!(pair in [0 1 2 3] {
        columns[2 * pair] = even[pair];
        columns[2 * pair + 1] = odd[pair];
    });
    columns
}

impl Element {
    /// From blst's form.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_blst(element: &blst_fp) -> Self {
        Fp::broadcast(element).to_elements()[0]
    }
}

/// A hexadecimal digit's value.
fn digit(digit: u8) -> u8 {
    char::from(digit).to_digit(16).and_then(|value| u8::try_from(value).ok()).expect("a hexadecimal digit")
}

impl Element {
    /// From a number below the modulus, in hexadecimal.
    ///
    /// # Panics
    /// Of anything else.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_hex(number: &str) -> Self {
        let mut bytes = [0; 48];
        for (index, character) in number.bytes().rev().enumerate() {
            bytes[47 - index / 2] |= digit(character) << (4 * (index % 2));
        }
        let (element, canonical) = Fp::from_be_bytes(&[bytes; LANES]);
        assert!(canonical == Mask::MAX, "below the modulus");
        element.to_elements()[0]
    }
}

impl Fp {
    /// The most that the value of a stored element may reach. Unit: the modulus.
    pub(crate) const STORED_MAX: f64 = 2.25;

    /// The same element in every lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn splat(element: &Element) -> Self {
        let mut all = Self::zero();
        each!(index in [0 1 2 3 4 5 6 7] { all.limbs[index] = splat(element.0[index]); });
        all.bound = Bound::stored();
        all
    }

    /// One element in each lane.
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn from_elements(elements: &[&Element; LANES]) -> Self {
        let mut rows = Self::zero().limbs;
        each!(lane in [0 1 2 3 4 5 6 7] {
            // SAFETY: reads 64 bytes of an array of eight words, which its type aligns.
            rows[lane] = unsafe { _mm512_load_si512(elements[lane].0.as_ptr().cast()) };
        });
        Self { limbs: transposed(rows), bound: Bound::stored() }
    }

    /// The element of each lane, of one unit and up to [`Self::STORED_MAX`].
    #[inline]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn to_elements(self) -> [Element; LANES] {
        self.bound.assert_stored();
        let rows = transposed(self.limbs);
        let mut elements = [Element::default(); LANES];
        each!(lane in [0 1 2 3 4 5 6 7] {
            // SAFETY: writes 64 bytes into an array of eight words, which its type aligns.
            unsafe { _mm512_store_si512(elements[lane].0.as_mut_ptr().cast(), rows[lane]) };
        });
        elements
    }
}
