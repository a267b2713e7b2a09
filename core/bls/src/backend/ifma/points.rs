//! What the tests of the curve's parts need: points of every kind, in the oracle's form.
#![allow(unsafe_code, reason = "the oracle is a C library")]
#![allow(clippy::cast_possible_truncation, reason = "random indices")]

use crate::backend::blst as oracle;
use crate::point::{G1, G1_BYTES, G2, G2_BYTES, Subgroup};
use ::blst as ffi;
use ::blst::{blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

/// What takes a point of the curve to one of order 3, 11 and 10177: the curve's order over 3, 11² and 10177² (its
/// parts of those orders are not cyclic).
const G1_SMALL: [&str; 3] = [
    "8ab05f8bdd54cde190937e76bc3e447cc27c3d6fbd7063fcd104635a790520c0a395554e5c6aaaad955555555558e39",
    "3704612471307385e8f4b11c0f6f71e98ebcebf11641bde11e05f8de12635b461258dc05b269c8ff0a941963702343",
    "4365bf803428bdeec60fd2e926108ec4349c3ed6101355fc141ebb62934a3754bcaa7f4893a24a99528dca02b",
];
/// And of the twist: its order over 13², 23² and 2713.
const G2_SMALL: [&str; 3] = [
    "4005449cda731a7136c440a0c65b728ba1c1fa6b6708356f3b9bdc84396cab33907d71557a7d33677f5d45f7cedb8cfdac10ff1fc5b48d6461e907737d78e96568f2d18c750b4b3ca5c33c3fd8ff8a70629888281914529f4e3380941cfdd",
    "1473e413236dd889cb5381880d0a576821c578a6e8c7952f26668aaed6d2623f6a2afa96b5e43f5d126da598b99dbb518655c33a8b236b990d5fbd2d9b42b21fe9e0346d3c23104b06fb96e09de2555c861790a3cc012b5540aa5804bb595",
    "3fcee61e74c25c987842842a1a26de4d74f74f14543213da8777344b8bfcf67fd34a2a90a45b3170df91252e784da8bcaa5cfea7bc15ce204c72df226dc50975962d2d53a875b1ef426ad51a2cbb2185cf414efe8a6ae0d520ee8ae8bc2d",
];

macro_rules! oracle_points {
    ($group:ident, $bytes:ident, $small:ident, $random:ident, $small_order:ident, $mixed:ident, $sum:ident,
     $decode:ident, $hash:ident, $negate:ident, $projective:ident, $affine:ident, $from_affine:ident, $to_affine:ident, $add:ident, $is_inf:ident) => {
        /// A point of the curve, hardly ever of the subgroup.
        pub(super) fn $random(rng: &mut ChaCha12Rng) -> $group {
            loop {
                let mut bytes = [0; $bytes];
                rng.fill_bytes(&mut bytes);
                bytes[0] = bytes[0] & 0x2f | 0x80;
                if $bytes > 48 {
                    bytes[$bytes - 48] &= 0x0f;
                }
                if let Ok(point) = oracle::$decode(&bytes, Subgroup::Skipped) {
                    return point;
                }
            }
        }

        /// The sum; `None` stands for infinity.
        pub(super) fn $sum(left: Option<$group>, right: Option<$group>) -> Option<$group> {
            let (Some(left), Some(right)) = (left, right) else { return left.or(right) };
            let (mut sum, mut affine) = ($projective::default(), $affine::default());
            // SAFETY: every pointer is to a value that lives here, and the library allows results to be operands.
            unsafe {
                ffi::$from_affine(&mut sum, &left.0);
                ffi::$add(&raw mut sum, &raw const sum, &right.0);
                if ffi::$is_inf(&sum) {
                    return None;
                }
                ffi::$to_affine(&mut affine, &sum);
            }
            Some($group(affine))
        }

        /// Points of every small order that there is a cofactor for here.
        pub(super) fn $small_order(rng: &mut ChaCha12Rng) -> Vec<$group> {
            $small
                .iter()
                .map(|multiplier| {
                    loop {
                        let point = $random(rng);
                        let mut product = None;
                        for digit in multiplier.chars() {
                            let digit = digit.to_digit(16).expect("hexadecimal");
                            for bit in (0..4).rev() {
                                product = $sum(product, product);
                                if digit >> bit & 1 == 1 {
                                    product = $sum(product, Some(point));
                                }
                            }
                        }
                        if let Some(product) = product {
                            break product;
                        }
                    }
                })
                .collect()
        }

        /// Points of the subgroup, of small orders, and of the rest of the curve, with opposites and repetitions,
        /// `count` of them.
        pub(super) fn $mixed(count: usize, seed: u64) -> Vec<$group> {
            let mut rng = ChaCha12Rng::seed_from_u64(seed);
            let mut few = $small_order(&mut rng);
            few.extend((0..4).map(|_| $random(&mut rng)));
            few.extend((0..8_u64).map(|index| oracle::$hash(&index.to_le_bytes(), b"points")));
            for index in 0..few.len() {
                few.push(oracle::$negate(&few[index]));
            }
            (0..count).map(|_| few[(rng.next_u64() % few.len() as u64) as usize]).collect()
        }
    };
}

oracle_points!(
    G1,
    G1_BYTES,
    G1_SMALL,
    g1_random,
    g1_small_order,
    g1_mixed,
    g1_plus,
    g1_decode,
    g1_hash,
    g1_negate,
    blst_p1,
    blst_p1_affine,
    blst_p1_from_affine,
    blst_p1_to_affine,
    blst_p1_add_or_double_affine,
    blst_p1_is_inf
);
oracle_points!(
    G2,
    G2_BYTES,
    G2_SMALL,
    g2_random,
    g2_small_order,
    g2_mixed,
    g2_plus,
    g2_decode,
    g2_hash,
    g2_negate,
    blst_p2,
    blst_p2_affine,
    blst_p2_from_affine,
    blst_p2_to_affine,
    blst_p2_add_or_double_affine,
    blst_p2_is_inf
);

/// The sizes of batches that tests take.
pub(super) const SIZES: [usize; 6] = [0, 1, 7, 8, 9, 1_000];
