//! BLS12-381 in batches behind one dispatcher.
//!
//! Invariants: a [`G1`] or [`G2`] is on the curve and not infinity, and in the prime-order subgroup unless
//! whoever decoded it asked to skip that check; a [`Scalar`] is below the group's order. Work comes in
//! slices and [`Backend`] chooses who does it; every backend gives the same bytes as the blst one, which is
//! the oracle. Signing is constant time in the secret; checking is not, and sees public values only.
//!
//! `unsafe` lives in `backend/` only. Left to others: what is signed, Shamir's sharing and who is to blame
//! (`phalanx-threshold`).
#![deny(unsafe_code)]

mod backend;
mod batch;
mod bisect;
mod error;
mod field;
mod point;
mod scalar;
mod secret;
mod variant;
mod weights;

pub use backend::{BACKEND_NAMES, Backend, PARALLEL_ITEMS_MIN};
pub use batch::{BATCH_ITEMS_MAX, Signed, check_messages_each, verify_distinct, verify_messages};
pub use bisect::bisect;
pub use error::BlsError;
pub use field::FieldWork;
pub use point::{G1, G1_BYTES, G2, G2_BYTES, Point, PreparedG2, Subgroup};
pub use scalar::{SCALAR_BYTES, Scalar};
pub use secret::SecretKey;
pub use variant::{MinPk, MinSig, Variant};
pub use weights::{COEFFICIENT_BITS, Weights};
