//! The standards' vectors, on every backend that this processor runs.
#![allow(clippy::unwrap_used, reason = "clippy knows tests by their attribute only")]

use phalanx_bls::{BACKEND_NAMES, Backend, G1, G2, Scalar, Subgroup, Weights};
use serde_json::Value;

fn backends() -> impl Iterator<Item = Backend> {
    BACKEND_NAMES.iter().filter_map(|name| match Backend::select(name) {
        Ok(backend) => Some(backend),
        Err(error) => {
            eprintln!("SKIPPED: {error}");
            None
        }
    })
}

fn hex(text: &str) -> Vec<u8> {
    let text = text.trim_start_matches("0x");
    (0..text.len() / 2).map(|index| u8::from_str_radix(&text[2 * index..2 * index + 2], 16).unwrap()).collect()
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap()
}

/// A point of the curve from its coordinates; `None` of infinity, which is written as zeros. EIP-2537 adds points
/// outside the subgroup too.
fn g1(bytes: &[u8]) -> Option<G1> {
    assert_eq!(bytes.len() % 96, 0);
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let point = blst::min_pk::PublicKey::deserialize(bytes).unwrap();
    Some(Backend::Blst.g1_decode(&[&point.compress()], Subgroup::Skipped)[0].clone().unwrap())
}

fn g2(bytes: &[u8]) -> Option<G2> {
    assert_eq!(bytes.len() % 192, 0);
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let point = blst::min_pk::Signature::deserialize(bytes).unwrap();
    Some(Backend::Blst.g2_decode(&[&point.compress()], Subgroup::Skipped)[0].clone().unwrap())
}

/// EIP-2537 pads each coordinate to 64 bytes, and writes the real part of one of G2 first.
fn eip_g1(bytes: &[u8]) -> Option<G1> {
    let coordinates: Vec<u8> = bytes.chunks(64).flat_map(|part| part[16..].to_vec()).collect();
    g1(&coordinates)
}

fn eip_g2(bytes: &[u8]) -> Option<G2> {
    let parts: Vec<&[u8]> = bytes.chunks(64).map(|part| &part[16..]).collect();
    g2(&[parts[1], parts[0], parts[3], parts[2]].concat())
}

#[test]
fn rfc_9380_hashes() {
    let (first, second): (Value, Value) = (
        serde_json::from_str(include_str!("vectors/rfc9380-g1.json")).unwrap(),
        serde_json::from_str(include_str!("vectors/rfc9380-g2.json")).unwrap(),
    );
    for backend in backends() {
        for (file, in_g1) in [(&first, true), (&second, false)] {
            let vectors = file["vectors"].as_array().unwrap();
            assert_eq!(vectors.len(), 5);
            let messages: Vec<&[u8]> = vectors.iter().map(|vector| text(vector, "msg").as_bytes()).collect();
            let dst = text(file, "dst").as_bytes();
            let coordinates = vectors.iter().map(|vector| {
                ["x", "y"].map(|name| {
                    // The RFC writes the real part first, encodings the imaginary one.
                    let parts: Vec<Vec<u8>> = text(&vector["P"], name).split(',').rev().map(hex).collect();
                    parts.concat()
                })
            });
            let points: Vec<Vec<u8>> = coordinates.map(|both| both.concat()).collect();
            if in_g1 {
                let expected: Vec<G1> = points.iter().map(|point| g1(point).unwrap()).collect();
                assert_eq!(backend.g1_hash(&messages, dst), expected);
            } else {
                let expected: Vec<G2> = points.iter().map(|point| g2(point).unwrap()).collect();
                assert_eq!(backend.g2_hash(&messages, dst), expected);
            }
        }
    }
}

/// Checks `check(backend, input) = expected` of a file of EIP-2537.
fn eip_2537(file: &str, at_least: usize, check: impl Fn(Backend, &[u8], &[u8])) {
    let vectors: Value = serde_json::from_str(file).unwrap();
    let vectors = vectors.as_array().unwrap();
    assert!(vectors.len() >= at_least, "{} vectors", vectors.len());
    for backend in backends() {
        for vector in vectors {
            check(backend, &hex(text(vector, "Input")), &hex(text(vector, "Expected")));
        }
    }
}

#[test]
fn eip_2537_additions() {
    let ones = |count: usize| Weights::from_integers(&vec![(false, [1, 0, 0, 0]); count]);
    eip_2537(include_str!("vectors/eip2537-add-g1.json"), 5, |backend, input, expected| {
        let points: Vec<G1> = input.chunks(128).filter_map(eip_g1).collect();
        assert_eq!(backend.g1_sum(&points, &ones(points.len())), eip_g1(expected));
    });
    eip_2537(include_str!("vectors/eip2537-add-g2.json"), 5, |backend, input, expected| {
        let points: Vec<G2> = input.chunks(256).filter_map(eip_g2).collect();
        assert_eq!(backend.g2_sum(&points, &ones(points.len())), eip_g2(expected));
    });
}

#[test]
fn eip_2537_multiplications() {
    eip_2537(include_str!("vectors/eip2537-mul-g1.json"), 5, |backend, input, expected| {
        let (point, scalar) = input.split_at(128);
        let weights = Weights::from_scalars(&[Scalar::from_wide(scalar)]);
        if let Some(point) = eip_g1(point) {
            assert_eq!(backend.g1_sum(&[point], &weights), eip_g1(expected));
            assert_eq!(backend.g1_scale(&[point], &weights), [eip_g1(expected)]);
        }
    });
    eip_2537(include_str!("vectors/eip2537-mul-g2.json"), 5, |backend, input, expected| {
        let (point, scalar) = input.split_at(256);
        let weights = Weights::from_scalars(&[Scalar::from_wide(scalar)]);
        if let Some(point) = eip_g2(point) {
            assert_eq!(backend.g2_sum(&[point], &weights), eip_g2(expected));
        }
    });
}

#[test]
fn eip_2537_pairings() {
    eip_2537(include_str!("vectors/eip2537-pairing-check.json"), 10, |backend, input, expected| {
        let pairs = input.chunks(384).map(|pair| (eip_g1(&pair[..128]), eip_g2(&pair[128..])));
        let (left, right): (Vec<G1>, Vec<G2>) = pairs.filter_map(|(left, right)| left.zip(right)).unzip();
        assert_eq!(backend.product_is_one(&left, &right), expected[31] == 1);
    });
}
