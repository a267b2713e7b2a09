//! Hashing against the oracle: messages, and the maps alone at their exceptional elements.
#![allow(unsafe_code, reason = "vector code needs a processor with IFMA")]

use super::*;
use crate::backend::ifma::points::SIZES;
use crate::backend::ifma::tests::{edges, samples, samples2, skipped};
use ::blst::{blst_fp, blst_fp2, blst_p1, blst_p1_affine, blst_p2, blst_p2_affine};

const DST: &[u8] = b"PHALANX-TEST";

#[test]
fn messages_hash_as_by_the_oracle() {
    if skipped() {
        return;
    }
    let messages: Vec<Vec<u8>> = (0..1_000_usize).map(|length| vec![0xa5; length % 300]).collect();
    let messages: Vec<&[u8]> = messages.iter().map(Vec::as_slice).collect();
    let long = [0x5a; 300];
    for dst in [DST, b"", &long] {
        for size in SIZES {
            let size = size.min(if dst == DST { 1_000 } else { 9 });
            // SAFETY: the processor has IFMA.
            let (in_g1, in_g2) = unsafe { (g1_hash(&messages[..size], dst), g2_hash(&messages[..size], dst)) };
            assert_eq!(in_g1, messages[..size].iter().map(|item| oracle::g1_hash(item, dst)).collect::<Vec<_>>());
            assert_eq!(in_g2, messages[..size].iter().map(|item| oracle::g2_hash(item, dst)).collect::<Vec<_>>());
        }
    }
}

macro_rules! map_tests {
    ($test:ident, $check:ident, $mapped:ident, $curve:ident, $group:ident, $field:ident, $blst_field:ident,
     $projective:ident, $affine:ident, $map:ident, $to_affine:ident, $is_inf:ident, $to_blst:ident, $samples:expr) => {
        /// How many lanes were exceptional.
        #[target_feature(enable = "avx512ifma")]
        fn $check(first: &[$blst_field; LANES], second: &[$blst_field; LANES]) -> usize {
            let elements = [[$field::from_blst(first), $field::from_blst(second)]];
            let cleared: Vec<_> = $mapped(elements.into_iter()).iter().map(|point| point.cleared()).collect();
            let (point, exceptional) = $curve::normalized(&cleared)[0];
            let lanes = $to_blst(&point);
            for lane in 0..LANES {
                let (mut expected, mut affine) = ($projective::default(), $affine::default());
                // SAFETY: reads two elements and writes one point; then reads that and writes another.
                unsafe {
                    ffi::$map(&mut expected, &first[lane], &second[lane]);
                    ffi::$to_affine(&mut affine, &expected);
                }
                // SAFETY: reads one point.
                let infinite = unsafe { ffi::$is_inf(&expected) };
                assert!(exceptional >> lane & 1 == 1 || (!infinite && lanes[lane] == $group(affine)));
            }
            exceptional.count_ones() as usize
        }

        #[test]
        fn $test() {
            if skipped() {
                return;
            }
            let mut samples = $samples;
            let mut exceptional = 0;
            for _ in 0..40 {
                let (first, second) = (samples.next().expect("endless"), samples.next().expect("endless"));
                // SAFETY: the processor has IFMA.
                exceptional += unsafe { $check(&first, &second) };
                // SAFETY: the processor has IFMA.
                assert_eq!(unsafe { $check(&first, &first) }, LANES, "a sum of equal points is left to blst");
            }
            assert!(exceptional < 20, "and hardly any other: {exceptional}");
        }
    };
}

map_tests!(
    g1_maps_agree_with_the_oracle,
    g1_check,
    g1_mapped,
    curve1,
    G1,
    Fp,
    blst_fp,
    blst_p1,
    blst_p1_affine,
    blst_map_to_g1,
    blst_p1_to_affine,
    blst_p1_is_inf,
    g1_to_blst,
    with_poles(samples(11))
);
map_tests!(
    g2_maps_agree_with_the_oracle,
    g2_check,
    g2_mapped,
    curve2,
    G2,
    Fp2,
    blst_fp2,
    blst_p2,
    blst_p2_affine,
    blst_map_to_g2,
    blst_p2_to_affine,
    blst_p2_is_inf,
    g2_to_blst,
    samples2(12).enumerate().map(|(index, mut lanes)| {
        // Of the base field, and of neither.
        lanes[0].fp[1] = blst_fp::default();
        lanes[1].fp[0] = blst_fp::default();
        if index % 2 == 0 {
            lanes[2] = blst_fp2::default();
        }
        lanes
    })
);

/// With a root of `−1/11`, the pole of G1's map beside zero, in two lanes of every other item, and edges.
fn with_poles(samples: impl Iterator<Item = [blst_fp; LANES]>) -> impl Iterator<Item = [blst_fp; LANES]> {
    let mut pole = blst_fp::default();
    let eleven = [11_u64, 0, 0, 0, 0, 0];
    // SAFETY: reads six words of an array of six; every other pointer is to an element that lives here, and the
    // library allows results to be operands.
    let found = unsafe {
        ffi::blst_fp_from_uint64(&mut pole, eleven.as_ptr());
        ffi::blst_fp_eucl_inverse(&raw mut pole, &raw const pole);
        ffi::blst_fp_cneg(&raw mut pole, &raw const pole, true);
        ffi::blst_fp_sqrt(&raw mut pole, &raw const pole)
    };
    assert!(found, "neither −1 nor 11 is a square");
    edges().chain(samples).enumerate().map(move |(index, mut lanes)| {
        if index % 2 == 0 {
            lanes[1] = pole;
            lanes[5] = pole;
        }
        lanes
    })
}
