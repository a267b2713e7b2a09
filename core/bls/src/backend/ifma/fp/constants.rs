//! The modulus and what follows from it, computed by the compiler from the modulus alone.

/// Bits of a limb, as shifts take it.
pub(super) const LIMB_SHIFT: u32 = 50;
/// Bits of a limb.
pub(super) const LIMB_BITS: usize = LIMB_SHIFT as usize;
/// Limbs of an element.
pub(crate) const LIMBS: usize = 8;
/// The low [`LIMB_BITS`] bits.
pub(super) const LIMB_MASK: u64 = (1 << LIMB_BITS) - 1;

/// The modulus, in 64-bit words, the lowest first.
pub(super) const MODULUS_WORDS: [u64; 6] = [
    0xb9fe_ffff_ffff_aaab,
    0x1eab_fffe_b153_ffff,
    0x6730_d2a0_f6b0_f624,
    0x6477_4b84_f385_12bf,
    0x4b1b_a7b6_434b_acd7,
    0x1a01_11ea_397f_e69a,
];

/// The modulus `p`.
pub(super) const MODULUS: [u64; LIMBS] = to_limbs(&widen(&MODULUS_WORDS));

/// `κ = p⁻¹ mod 2⁵⁰`, by Newton's iteration. That it has 34 bits only is what makes `FOLD` short.
pub(super) const INVERSE: u64 = {
    let mut inverse = 1_u64;
    let mut step = 0;
    while step < 6 {
        inverse = inverse.wrapping_mul(2_u64.wrapping_sub(MODULUS_WORDS[0].wrapping_mul(inverse)));
        step += 1;
    }
    inverse & LIMB_MASK
};

/// `(κp − 1) / 2⁵⁰`: adding `u` times it to the limbs above replaces adding `uκp`, where `u` is the negative
/// of the lowest limb. It has 365 bits.
pub(super) const FOLD: [u64; LIMBS] = {
    let mut product = [0_u64; 7];
    let mut carry = 0_u128;
    let mut index = 0;
    while index < 6 {
        carry += MODULUS_WORDS[index] as u128 * INVERSE as u128;
        product[index] = low_word(carry);
        carry >>= 64;
        index += 1;
    }
    product[6] = low_word(carry);
    assert!(product[0] & LIMB_MASK == 1, "an inverse");
    let mut shifted = [0_u64; 7];
    let mut index = 0;
    while index < 7 {
        let above = if index < 6 { product[index + 1] } else { 0 };
        shifted[index] = product[index] >> LIMB_BITS | above << (64 - LIMB_BITS);
        index += 1;
    }
    to_limbs(&shifted)
};

/// `2⁴⁰⁰ mod p`, which is one in Montgomery form.
pub(super) const ONE: [u64; LIMBS] = power_of_two(400);
/// `2⁸⁰⁰ mod p`: multiplying by it brings an integer into Montgomery form.
pub(super) const FROM_INTEGER: [u64; LIMBS] = power_of_two(800);
/// Multiplying by it turns blst's Montgomery form, by `2³⁸⁴`, into this one, by `2⁴⁰⁰`.
pub(super) const FROM_BLST: [u64; LIMBS] = power_of_two(416);
/// And back: the integer `2³⁸⁴`.
pub(super) const TO_BLST: [u64; LIMBS] = power_of_two(384);
/// One half in Montgomery form.
pub(super) const HALF: [u64; LIMBS] = power_of_two(399);

/// What subtraction adds first, so that no limb becomes negative: 16 times the modulus, each limb but the
/// highest raised by 2⁵⁰ at the expense of the next.
pub(super) const BIAS_SMALL: [u64; LIMBS] = bias(4);
/// The same for larger subtrahends: 256 times the modulus.
pub(super) const BIAS_LARGE: [u64; LIMBS] = bias(8);

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
        assert!(FOLD[LIMBS - 1] < 1 << 15, "365 bits");
    }

    #[test]
    fn biases_cover_every_reduced_limb() {
        for bias in [BIAS_SMALL, BIAS_LARGE] {
            for limb in &bias[..LIMBS - 1] {
                assert!((super::super::bound::REDUCED_LIMB_MAX..=super::super::bound::BIAS_LIMB_MAX).contains(limb));
            }
        }
    }
}
