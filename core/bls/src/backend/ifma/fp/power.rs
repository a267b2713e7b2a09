//! Powers by fixed exponents: inverses, square roots, Legendre symbols.
//!
//! Roots and symbols come from one power, `c = a^((p−3)/4)`: as `p ≡ 3 mod 4`, `a·c` is a square root of `a` if
//! there is one, and `a·c²` is the Legendre symbol. `a·c⁴` would be the inverse, but one inversion of all lanes'
//! product takes a ninth of that.
#![allow(unsafe_code, reason = "blst inverts one element")]

use super::constants::MODULUS_WORDS;
use super::{Fp, Permutation};
use crate::backend::ifma::Mask;
use ::blst as ffi;
use ::blst::blst_fp;

/// Bits of the window.
const WINDOW_BITS: usize = 5;
/// Odd powers held: `a¹, a³, … a³¹`.
const POWERS: usize = 1 << (WINDOW_BITS - 1);
/// Room for the windows of one exponent.
const WINDOWS_MAX: usize = 80;

/// Of an exponent, from its highest bit: square so many times, then multiply by an odd power.
struct Windows {
    steps: [(usize, usize); WINDOWS_MAX],
    count: usize,
    /// Squarings after the last multiplication.
    rest: usize,
}

/// `(p − 3) / 4`. The modulus ends in binary …1011.
const EXPONENT: [u64; 6] = {
    let mut words = [0; 6];
    let mut index = 0;
    while index < 6 {
        let above = if index < 5 { MODULUS_WORDS[index + 1] } else { 0 };
        words[index] = MODULUS_WORDS[index] >> 2 | above << 62;
        index += 1;
    }
    words
};

/// The lanes one, two and four further, in turn and back.
const NEIGHBOURS: [Permutation; 3] = [[1, 0, 3, 2, 5, 4, 7, 6], [2, 3, 0, 1, 6, 7, 4, 5], [4, 5, 6, 7, 0, 1, 2, 3]];

static WINDOWS: Windows = windows(&EXPONENT);

const fn bit(words: &[u64; 6], index: usize) -> usize {
    (words[index / 64] >> (index % 64) & 1) as usize
}

const fn windows(words: &[u64; 6]) -> Windows {
    let mut windows = Windows { steps: [(0, 0); WINDOWS_MAX], count: 0, rest: 0 };
    let mut position = 384;
    while position > 0 {
        if bit(words, position - 1) == 0 {
            position -= 1;
            windows.rest += 1;
            continue;
        }
        let mut width = if position < WINDOW_BITS { position } else { WINDOW_BITS };
        while bit(words, position - width) == 0 {
            width -= 1;
        }
        let (mut digit, mut taken) = (0, 0);
        while taken < width {
            position -= 1;
            taken += 1;
            digit = 2 * digit + bit(words, position);
        }
        windows.steps[windows.count] = (windows.rest + width, digit / 2);
        windows.count += 1;
        windows.rest = 0;
    }
    windows
}

impl Fp {
    /// `a^((p−3)/4)`. Up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn root_candidate(&self) -> Self {
        let base = self.carried();
        let square = base.square();
        let mut powers = [base; POWERS];
        for index in 1..POWERS {
            powers[index] = powers[index - 1].mul(&square);
        }
        let mut power = powers[WINDOWS.steps[0].1];
        for (squarings, odd) in &WINDOWS.steps[1..WINDOWS.count] {
            power = power.square_times(*squarings).mul(&powers[*odd]);
        }
        power.square_times(WINDOWS.rest)
    }

    /// A square root, and which lanes have one (zero does); the others hold garbage.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn sqrt(&self) -> (Self, Mask) {
        let root = self.mul(&self.root_candidate());
        (root, root.square().equals(self))
    }

    /// Which lanes are squares, zero included.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn is_square(&self) -> Mask {
        let symbol = self.root_candidate().square().mul(self);
        !symbol.add(&Self::one()).is_zero()
    }

    /// The inverse; zero of zero. Up to four units.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        let zero = self.is_zero();
        let inverse = Self::one().select(zero, self).invert_all();
        Self::zero().select(zero, &inverse)
    }

    /// The inverses of lanes none of which is zero: of their product, by blst, and from there back down the tree
    /// of products. A power would take the lanes nine times as long.
    #[target_feature(enable = "avx512ifma")]
    fn invert_all(&self) -> Self {
        let pairs = self.mul(&self.permuted(&NEIGHBOURS[0]));
        let fours = pairs.mul(&pairs.permuted(&NEIGHBOURS[1]));
        let product = fours.mul(&fours.permuted(&NEIGHBOURS[2]));
        let mut inverse = blst_fp::default();
        // SAFETY: reads one element and writes one.
        unsafe { ffi::blst_fp_eucl_inverse(&mut inverse, &product.to_blst()[0]) };
        let inverse = Self::broadcast(&inverse);
        let fours = inverse.mul(&fours.permuted(&NEIGHBOURS[2]));
        let pairs = fours.mul(&pairs.permuted(&NEIGHBOURS[1]));
        pairs.mul(&self.permuted(&NEIGHBOURS[0]))
    }
}

/// Inverts every lane of every element, zero to zero, at the cost of one inversion and three
/// multiplications for each element; whether none was zero. Elements have up to four units.
#[target_feature(enable = "avx512ifma")]
pub(crate) fn invert_batch(elements: &mut [Fp]) -> bool {
    let mut below = Vec::with_capacity(elements.len());
    let mut product = products_below(elements, &mut below);
    let mut zeros = Vec::new();
    if product.is_zero() != 0 {
        zeros.extend(elements.iter().map(|element| element.is_zero()));
        for (element, zero) in elements.iter_mut().zip(&zeros) {
            *element = Fp::one().select(*zero, element);
        }
        product = products_below(elements, &mut below);
    }
    let mut inverse = product.invert_all();
    for (element, below) in elements.iter_mut().zip(&below).rev() {
        let inverted = inverse.mul(below);
        inverse = inverse.mul(element);
        *element = inverted;
    }
    for (element, zero) in elements.iter_mut().zip(&zeros) {
        *element = Fp::zero().select(*zero, element);
    }
    zeros.is_empty()
}

/// For each element, the product of those before it; the product of all.
#[target_feature(enable = "avx512ifma")]
fn products_below(elements: &[Fp], below: &mut Vec<Fp>) -> Fp {
    below.clear();
    elements.iter().fold(Fp::one(), |product, element| {
        below.push(product);
        product.mul(element)
    })
}
