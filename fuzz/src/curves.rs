//! Both backends of BLS12-381 on the same bytes: eight lanes answer as blst does, whatever the encodings are.

use phalanx_bls::{Backend, G1, G1_BYTES, G2, G2_BYTES, MinPk, MinSig, Subgroup, Variant};
use std::sync::LazyLock;

/// More than two vectors of eight.
const ENCODINGS_MAX: usize = 17;
static LANES: LazyLock<Option<Backend>> = LazyLock::new(|| match Backend::select("ifma") {
    Ok(lanes) => Some(lanes),
    Err(error) => {
        eprintln!("SKIPPED: the eight-lane backend: {error}");
        None
    }
});

/// Encodings of points of G1 and G2, one after another, and messages to hash.
///
/// # Panics
/// When the backends differ.
pub fn curves(data: &[u8]) {
    let Some(lanes) = *LANES else { return };
    let Some((&first, bytes)) = data.split_first() else { return };
    let subgroup = if first & 1 == 0 { Subgroup::Checked } else { Subgroup::Skipped };
    match first >> 1 & 3 {
        0 => {
            let encodings: Vec<&[u8]> = bytes.chunks(G1_BYTES).take(ENCODINGS_MAX).collect();
            let expected = Backend::Blst.g1_decode(&encodings, subgroup);
            assert_eq!(lanes.g1_decode(&encodings, subgroup), expected);
            let points: Vec<G1> = expected.into_iter().flatten().collect();
            assert_eq!(lanes.g1_in_subgroup(&points), Backend::Blst.g1_in_subgroup(&points));
        }
        1 => {
            let encodings: Vec<&[u8]> = bytes.chunks(G2_BYTES).take(ENCODINGS_MAX).collect();
            let expected = Backend::Blst.g2_decode(&encodings, subgroup);
            assert_eq!(lanes.g2_decode(&encodings, subgroup), expected);
            let points: Vec<G2> = expected.into_iter().flatten().collect();
            assert_eq!(lanes.g2_in_subgroup(&points), Backend::Blst.g2_in_subgroup(&points));
        }
        2 => hashes::<MinSig>(lanes, bytes),
        _ => hashes::<MinPk>(lanes, bytes),
    }
}

fn hashes<V: Variant>(lanes: Backend, bytes: &[u8]) {
    let messages: Vec<&[u8]> = bytes.split(|byte| *byte == 0).take(ENCODINGS_MAX).collect();
    assert_eq!(V::hash(lanes, &messages), V::hash(Backend::Blst, &messages));
}
