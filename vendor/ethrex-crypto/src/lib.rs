//! Stands in for `ethrex-crypto`, of which `ethrex-trie` uses Keccak-256 and nothing else.
//!
//! The real crate carries every precompile of the EVM, and through its `std` feature a big-integer
//! library under LGPL-3.0, which a binary under MIT OR Apache-2.0 does not link. This one has the names
//! that `ethrex-trie` asks for and hashes with the workspace's own Keccak. Remove the `[patch]` entry of
//! the workspace and the real crate takes its place: nothing else changes. See
//! `docs/decisions/0003-state-trie.md`.
#![no_std]
#![forbid(unsafe_code)]

/// Where the trie gets its hash function from.
pub trait Crypto: Send + Sync {
    /// Keccak-256 of `input`.
    fn keccak256(&self, input: &[u8]) -> [u8; 32] {
        keccak::keccak_hash(input)
    }
}

/// The one implementation.
#[derive(Clone, Copy, Debug, Default)]
pub struct NativeCrypto;

impl Crypto for NativeCrypto {}

/// Keccak-256 as a function.
pub mod keccak {
    /// Keccak-256 of `input`.
    #[must_use]
    pub fn keccak_hash(input: impl AsRef<[u8]>) -> [u8; 32] {
        alloy_primitives::keccak256(input).0
    }
}
