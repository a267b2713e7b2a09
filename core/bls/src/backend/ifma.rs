//! The eight-lane backend: AVX-512 IFMA, eight items of a batch at once.
//!
//! Layers, each in a file of its own: [`fp`], the base field, whose module page derives the representation
//! and says how values are bounded; [`fp2`] above it. A value of any of these types is eight independent
//! elements, one in each 64-bit lane of its registers; nothing crosses lanes unless its name says so.
//!
//! Public values only. Nothing here is meant to be constant time, and no secret comes here: signing and
//! key derivation are blst's.
//!
//! Every function that uses vector registers carries `#[target_feature(enable = "avx512ifma")]` and is safe
//! to call from another such function. Whoever calls one from ordinary code has asked [`available`] first,
//! and that is the reason each `unsafe` there gives.

/// Repeats a block with a constant in place of a loop's index: where the loop must be unrolled for its arrays
/// to live in registers.
macro_rules! each {
    ($index:ident in [$($value:literal)*] $body:block) => {
        $({
            let $index: usize = $value;
            $body
        })*
    };
}

pub(crate) mod fp;
pub(crate) mod fp12;
pub(crate) mod fp2;
pub(crate) mod fp6;

/// How many independent items one value holds.
pub(crate) const LANES: usize = 8;

/// One bit for each lane, the lowest for lane 0.
pub(crate) type Mask = u8;

/// Whether this processor runs the backend.
pub(crate) fn available() -> bool {
    std::arch::is_x86_feature_detected!("avx512f") && std::arch::is_x86_feature_detected!("avx512ifma")
}

#[cfg(test)]
mod tests;
