//! The modulus and what follows from it, computed by the compiler from the modulus alone.

/// Bits of a limb, as shifts take it.
pub(super) const LIMB_SHIFT: u32 = 49;
/// Bits of a limb.
pub(super) const LIMB_BITS: usize = LIMB_SHIFT as usize;
/// Limbs of an element.
pub(crate) const LIMBS: usize = 8;
/// Bits of all limbs: Montgomery form is by `2³⁹²`.
pub(super) const RADIX_BITS: usize = LIMBS * LIMB_BITS;
/// The low [`LIMB_BITS`] bits.
pub(super) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// The modulus, in 64-bit words, the lowest first.
pub(crate) const MODULUS_WORDS: [u64; 6] = [
    0xb9fe_ffff_ffff_aaab,
    0x1eab_fffe_b153_ffff,
    0x6730_d2a0_f6b0_f624,
    0x6477_4b84_f385_12bf,
    0x4b1b_a7b6_434b_acd7,
    0x1a01_11ea_397f_e69a,
];

/// The modulus `p`.
pub(super) const MODULUS: [u64; LIMBS] = to_limbs(&widen(&MODULUS_WORDS));

/// `κ = p⁻¹ mod 2⁴⁹`, by Newton's iteration. It has 34 bits only.
const INVERSE: u64 = {
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(MODULUS_WORDS[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse & LIMB_MASK
};

/// `−p⁻¹ mod 2⁴⁹`.
pub(super) const NEGATIVE_INVERSE: u64 = (1 << LIMB_BITS) - INVERSE;

/// `((2⁴⁹ − κ)p + 1) / 2⁴⁹`. Adding `t` times it to the limbs above replaces a lowest limb `t`.
pub(super) const FOLD: [u64; LIMBS] = to_limbs(&quotient(&product(NEGATIVE_INVERSE, true)));

/// `(κp − 1) / 2⁴⁹`, of 366 bits. Adding `u` times it to the limbs above replaces a lowest limb `−u`.
pub(super) const FOLD_SHORT: [u64; LIMBS] = to_limbs(&quotient(&product(INVERSE, false)));

/// `factor·p`, plus one or minus one, which must be a multiple of `2⁴⁹`.
const fn product(factor: u64, plus: bool) -> [u64; 7] {
    let mut product = [0_u64; 7];
    let mut carry = if plus { 1 } else { 0 };
    let mut index = 0;
    while index < 6 {
        carry += MODULUS_WORDS[index] as u128 * factor as u128;
        product[index] = low_word(carry);
        carry >>= 64;
        index += 1;
    }
    product[6] = low_word(carry);
    if !plus {
        product[0] -= 1;
    }
    assert!(product[0] & LIMB_MASK == 0, "an inverse");
    product
}

/// Divided by `2⁴⁹`.
const fn quotient(words: &[u64; 7]) -> [u64; 7] {
    let mut shifted = [0_u64; 7];
    let mut index = 0;
    while index < 7 {
        let above = if index < 6 { words[index + 1] } else { 0 };
        shifted[index] = words[index] >> LIMB_BITS | above << (64 - LIMB_BITS);
        index += 1;
    }
    shifted
}

/// One in Montgomery form.
pub(super) const ONE: [u64; LIMBS] = power_of_two(RADIX_BITS);
/// Multiplying by it brings an integer into Montgomery form.
pub(super) const FROM_INTEGER: [u64; LIMBS] = power_of_two(2 * RADIX_BITS);
/// The same for an integer times `2³⁸⁴`.
pub(super) const FROM_INTEGER_HIGH: [u64; LIMBS] = power_of_two(2 * RADIX_BITS + 384);
/// Multiplying by it turns blst's Montgomery form, by `2³⁸⁴`, into this one.
pub(super) const FROM_BLST: [u64; LIMBS] = power_of_two(2 * RADIX_BITS - 384);
/// And back: the integer `2³⁸⁴`.
pub(super) const TO_BLST: [u64; LIMBS] = power_of_two(384);
/// One half in Montgomery form.
pub(super) const HALF: [u64; LIMBS] = power_of_two(RADIX_BITS - 1);

/// What subtraction adds first, so that no limb becomes negative: 8 times the modulus, each limb but the
/// highest raised by 2⁴⁹ at the expense of the next.
pub(super) const BIAS_SMALL: [u64; LIMBS] = bias(3);
/// The same for subtrahends that are differences themselves: 16 times the modulus.
pub(super) const BIAS_MIDDLE: [u64; LIMBS] = bias(4);
/// The same for larger subtrahends: 64 times the modulus.
pub(super) const BIAS_LARGE: [u64; LIMBS] = bias(6);

/// The same for values of little more than `2p`: 4 times the modulus.
pub(super) const BIAS_TINY: [u64; LIMBS] = bias(2);

/// Multiples of the modulus, `MULTIPLES[limb][k]` of `k` times it.
pub(super) const MULTIPLES: [[u64; MULTIPLES_COUNT]; LIMBS] = {
    let mut multiples = [[0; MULTIPLES_COUNT]; LIMBS];
    let mut times = 0;
    while times < MULTIPLES_COUNT {
        let mut carry = 0;
        let mut index = 0;
        while index < LIMBS {
            let limb = carry + times as u64 * MODULUS[index];
            multiples[index][times] = if index < LIMBS - 1 { limb & LIMB_MASK } else { limb };
            carry = limb >> LIMB_BITS;
            index += 1;
        }
        times += 1;
    }
    multiples
};
/// How many multiples there are.
pub(super) const MULTIPLES_COUNT: usize = 16;
/// `⌊2⁵² / (h + 1)⌋`, with `h` the modulus' highest limb: estimates how many times the modulus goes into a value,
/// from the value's highest limb, at most one too low and never too high.
pub(super) const BY_HIGHEST_LIMB: u64 = (1 << 52) / (MODULUS[LIMBS - 1] + 1);

const fn bias(shift: usize) -> [u64; LIMBS] {
    let mut words = widen(&MODULUS_WORDS);
    let mut step = 0;
    while step < shift {
        words = double(&words);
        step += 1;
    }
    let mut limbs = to_limbs(&words);
    let mut index = 0;
    while index < LIMBS - 1 {
        limbs[index] += 1 << LIMB_BITS;
        limbs[index + 1] -= 1;
        index += 1;
    }
    limbs
}

#[expect(clippy::cast_possible_truncation, reason = "the low word is what is asked for")]
const fn low_word(value: u128) -> u64 {
    value as u64
}

const fn widen(words: &[u64; 6]) -> [u64; 7] {
    [words[0], words[1], words[2], words[3], words[4], words[5], 0]
}

const fn double(words: &[u64; 7]) -> [u64; 7] {
    let mut doubled = [0; 7];
    let mut carry = 0;
    let mut index = 0;
    while index < 7 {
        doubled[index] = words[index] << 1 | carry;
        carry = words[index] >> 63;
        index += 1;
    }
    doubled
}

/// `2^exponent mod p`.
const fn power_of_two(exponent: usize) -> [u64; LIMBS] {
    let modulus = widen(&MODULUS_WORDS);
    let mut value = [1, 0, 0, 0, 0, 0, 0];
    let mut step = 0;
    while step < exponent {
        value = double(&value);
        let mut difference = [0_u64; 7];
        let mut borrow = false;
        let mut index = 0;
        while index < 7 {
            let (partial, first) = value[index].overflowing_sub(modulus[index]);
            let (limb, second) = partial.overflowing_sub(borrow as u64);
            difference[index] = limb;
            borrow = first | second;
            index += 1;
        }
        if !borrow {
            value = difference;
        }
        step += 1;
    }
    to_limbs(&value)
}

/// Splits 448 bits, of which the highest 48 must be zero, into limbs.
pub(super) const fn to_limbs(words: &[u64; 7]) -> [u64; LIMBS] {
    let mut limbs = [0; LIMBS];
    let mut index = 0;
    while index < LIMBS {
        let (word, shift) = (index * LIMB_BITS / 64, index * LIMB_BITS % 64);
        let mut limb = words[word] >> shift;
        if shift > 64 - LIMB_BITS && word < 6 {
            limb |= words[word + 1] << (64 - shift);
        }
        limbs[index] = limb & LIMB_MASK;
        index += 1;
    }
    limbs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_inverse_is_short() {
        assert_eq!(INVERSE, 0x3_0003_0003);
        assert_eq!(MODULUS[0].wrapping_mul(INVERSE) & LIMB_MASK, 1);
        assert!(FOLD_SHORT[LIMBS - 1] < 1 << 23, "366 bits");
    }

    #[test]
    fn biases_cover_every_reduced_limb() {
        for bias in [BIAS_TINY, BIAS_SMALL, BIAS_MIDDLE, BIAS_LARGE] {
            for limb in &bias[..LIMBS - 1] {
                assert!((super::super::bound::REDUCED_LIMB_MAX..=super::super::bound::BIAS_LIMB_MAX).contains(limb));
            }
        }
    }
}
