//! Encodings of every kind, good and spoilt, with the verdicts of the oracle.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]
#![allow(clippy::cast_possible_truncation, reason = "random bytes")]

use super::*;
use crate::backend::blst as oracle;
use crate::backend::ifma::points::{SIZES, g1_mixed, g2_mixed};
use crate::backend::ifma::tests::skipped;
use crate::point::Point;
use rand_chacha::ChaCha12Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};

const MODULUS: &str =
    "1a0111ea397fe69a4b1ba7b6434bacd764774b84f38512bf6730d2a0f6b0f6241eabfffeb153ffffb9feffffffffaaab";

/// Good encodings, and every way to spoil one, side by side.
fn spoilt(good: &[Vec<u8>], seed: u64) -> Vec<Vec<u8>> {
    let mut rng = ChaCha12Rng::seed_from_u64(seed);
    let modulus: Vec<u8> =
        (0..48).map(|index| u8::from_str_radix(&MODULUS[2 * index..2 * index + 2], 16).unwrap()).collect();
    good.iter()
        .map(|encoding| {
            let mut bytes = encoding.clone();
            let last = bytes.len() - 1;
            let coordinate = if rng.next_u32().is_multiple_of(2) { 0 } else { bytes.len() - 48 };
            match rng.next_u32() % 24 {
                0 => bytes[0] ^= 0x20,
                1 => bytes[0] ^= 0x40,
                2 => bytes[0] ^= 0x80,
                3 => bytes[last] ^= 1,
                4 => bytes[last] ^= rng.next_u32() as u8,
                5 => bytes.fill(0),
                6 => bytes.fill(0xff),
                7 => {
                    bytes.fill(0);
                    bytes[0] = 0xc0;
                }
                8 => {
                    bytes.fill(0);
                    bytes[0] = 0xe0;
                }
                9 => {
                    bytes.fill(0);
                    bytes[0] = 0xc0;
                    bytes[last] = 1;
                }
                10 => {
                    bytes.fill(0);
                    bytes[0] = 0x80;
                    bytes[last] = rng.next_u32() as u8;
                }
                11 => {
                    bytes.fill(0);
                    bytes[0] = 0xa0;
                }
                // p, p + 1 and p − 1 for a coordinate.
                case @ 12..15 => {
                    bytes[coordinate..coordinate + 48].copy_from_slice(&modulus);
                    bytes[coordinate + 47] = bytes[coordinate + 47].wrapping_add(case as u8).wrapping_sub(13);
                    bytes[0] |= 0x80;
                }
                15 => bytes.push(0),
                16 => {
                    bytes.pop();
                }
                17 => bytes.clear(),
                _ => {}
            }
            bytes
        })
        .collect()
}

/// Whether both answer alike, whatever the batch.
fn compare<T: PartialEq + core::fmt::Debug>(
    encodings: &[Vec<u8>],
    ours: impl Fn(&[&[u8]], Subgroup) -> Vec<Result<T, BlsError>>,
    theirs: impl Fn(&[u8], Subgroup) -> Result<T, BlsError>,
) {
    for subgroup in [Subgroup::Checked, Subgroup::Skipped] {
        for size in SIZES {
            let slices: Vec<&[u8]> = encodings[..size].iter().map(Vec::as_slice).collect();
            let answers = ours(&slices, subgroup);
            assert_eq!(answers.len(), size);
            for (answer, encoding) in answers.iter().zip(&slices) {
                assert_eq!(*answer, theirs(encoding, subgroup), "{encoding:02x?}");
            }
        }
    }
}

#[test]
fn g1_encodings_get_the_oracles_verdicts() {
    if skipped() {
        return;
    }
    let points = g1_mixed(1_000, 1);
    let encodings = spoilt(&points.iter().map(Point::to_bytes).collect::<Vec<_>>(), 2);
    // SAFETY: the processor has IFMA.
    compare(&encodings, |slices, subgroup| unsafe { g1_decode(slices, subgroup) }, oracle::g1_decode);
    // SAFETY: the processor has IFMA.
    let inside = unsafe { g1_in_subgroup(&points) };
    assert_eq!(inside, points.iter().map(oracle::g1_in_subgroup).collect::<Vec<_>>());
    assert!(inside.contains(&true) && inside.contains(&false));
}

#[test]
fn g2_encodings_get_the_oracles_verdicts() {
    if skipped() {
        return;
    }
    let points = g2_mixed(1_000, 3);
    let encodings = spoilt(&points.iter().map(Point::to_bytes).collect::<Vec<_>>(), 4);
    // SAFETY: the processor has IFMA.
    compare(&encodings, |slices, subgroup| unsafe { g2_decode(slices, subgroup) }, oracle::g2_decode);
    // SAFETY: the processor has IFMA.
    let inside = unsafe { g2_in_subgroup(&points) };
    assert_eq!(inside, points.iter().map(oracle::g2_in_subgroup).collect::<Vec<_>>());
    assert!(inside.contains(&true) && inside.contains(&false));
}
