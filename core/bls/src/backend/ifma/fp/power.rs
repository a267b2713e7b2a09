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

/// Where the addition chain of the exponent begins: each number is the sum of two before it, from one on. A search
/// (annealing over such sets, the digits that cut the exponent best found by dynamic programming for each) came to no
/// shorter chain than this: with [`DIGITS`], 70 products besides the squarings, where windows of five bits take 78.
const NUMBERS: [u16; 20] = [1, 2, 4, 5, 9, 11, 13, 15, 17, 21, 34, 51, 85, 119, 123, 204, 217, 225, 255, 459];

/// The exponent's digits, from its highest bit, with zeros between them: each is one of [`NUMBERS`].
const DIGITS: [u16; 52] = [
    13, 17, 15, 5, 459, 255, 13, 13, 1, 11, 13, 13, 15, 217, 13, 5, 13, 51, 5, 217, 119, 9, 225, 15, 225, 17, 5, 15,
    217, 51, 13, 21, 123, 11, 123, 9, 15, 85, 255, 255, 11, 21, 255, 255, 119, 255, 255, 255, 255, 255, 21, 85,
];

/// Of a power, from the exponent's highest bit: square so many times, then multiply by the power of one of
/// [`NUMBERS`], by its place there.
struct Chain {
    steps: [(usize, usize); DIGITS.len()],
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

/// For each of [`NUMBERS`] but the first, the places of two that add up to it.
static SUMMANDS: [(usize, usize); NUMBERS.len() - 1] = {
    let mut summands = [(0, 0); NUMBERS.len() - 1];
    let mut place = 1;
    while place < NUMBERS.len() {
        let (mut first, mut second) = (0, 0);
        while NUMBERS[first] + NUMBERS[second] != NUMBERS[place] {
            second += 1;
            if second == place {
                first += 1;
                second = first;
            }
            assert!(first < place, "a sum of two before it");
        }
        summands[place - 1] = (first, second);
        place += 1;
    }
    summands
};

static CHAIN: Chain = chain(&EXPONENT);

const fn bit(words: &[u64; 6], index: usize) -> usize {
    (words[index / 64] >> (index % 64) & 1) as usize
}

/// Where a number is.
const fn place(number: u16) -> usize {
    let mut place = 0;
    while NUMBERS[place] != number {
        place += 1;
    }
    place
}

/// Follows the digits through the exponent, whose bits they must be.
const fn chain(words: &[u64; 6]) -> Chain {
    let mut chain = Chain { steps: [(0, 0); DIGITS.len()], rest: 0 };
    let (mut position, mut next) = (384, 0);
    while position > 0 {
        if bit(words, position - 1) == 0 {
            position -= 1;
            chain.rest += 1;
            continue;
        }
        let digit = DIGITS[next];
        let mut left = u16::BITS - digit.leading_zeros();
        chain.steps[next] = (chain.rest + left as usize, place(digit));
        chain.rest = 0;
        next += 1;
        while left > 0 {
            position -= 1;
            left -= 1;
            assert!(bit(words, position) == (digit >> left & 1) as usize, "the exponent's bits");
        }
    }
    assert!(next == DIGITS.len(), "all of them");
    chain
}

impl Fp {
    /// `a^((p−3)/4)`. Up to four units.
    #[inline(never)]
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn root_candidate(&self) -> Self {
        let mut powers = [self.carried(); NUMBERS.len()];
        for (place, (first, second)) in (1..).zip(&SUMMANDS) {
            powers[place] =
                if first == second { powers[*first].square() } else { powers[*first].mul(&powers[*second]) };
        }
        let mut power = powers[CHAIN.steps[0].1];
        for (squarings, place) in &CHAIN.steps[1..] {
            power = power.square_times_mul(*squarings, &powers[*place]);
        }
        (0..CHAIN.rest).fold(power, |power, _| power.square())
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
