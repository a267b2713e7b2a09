//! Powers by fixed exponents: inverses, square roots, Legendre symbols.
//!
//! All three come from one power, `c = a^((p−3)/4)`: as `p ≡ 3 mod 4`, `a·c` is a square root of `a` if there
//! is one, `a·c²` is the Legendre symbol, and `a·c⁴` is the inverse.

use super::Fp;
use super::constants::MODULUS_WORDS;
use crate::backend::ifma::Mask;

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

    /// The inverse; zero of zero.
    #[target_feature(enable = "avx512ifma")]
    pub(crate) fn invert(&self) -> Self {
        self.root_candidate().square_times(2).mul(self)
    }
}

/// Inverts every lane of every element, zero to zero, at the cost of one inversion and three
/// multiplications for each element. Elements have up to four units.
#[target_feature(enable = "avx512ifma")]
pub(crate) fn invert_batch(elements: &mut [Fp]) {
    let one = Fp::one();
    let mut products = Vec::with_capacity(elements.len());
    let mut product = one;
    for element in elements.iter() {
        let zero = element.is_zero();
        products.push((product, zero));
        product = product.mul(&one.select(zero, element));
    }
    let mut inverse = product.invert();
    for (element, (below, zero)) in elements.iter_mut().zip(&products).rev() {
        let inverted = Fp::zero().select(*zero, &inverse.mul(below));
        inverse = inverse.mul(&one.select(*zero, element));
        *element = inverted;
    }
}
