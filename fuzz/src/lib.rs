//! Fuzz targets: what comes from outside never makes an operator panic, and what is decoded is what was encoded.
//!
//! Each target is a function of bytes, so that libFuzzer (feature `libfuzzer`, `.ci/fuzz`), the tests (which feed the
//! kept corpora to them) and a debugger can call it. A target panics when something is wrong, and only then.
//!
//! The targets of states (`engine`, `catch_up`, `journal`) read their bytes as a script: each step takes what it needs
//! from the front, and the script ends with the bytes.
#![forbid(unsafe_code)]

mod catch_up;
mod ceremony;
mod chain;
mod curves;
mod engine;
mod files;
mod journal;
mod payload;
mod transaction;
mod wire;

pub use catch_up::catch_up;
pub use ceremony::ceremony;
pub use curves::curves;
pub use engine::{engine, votes_of};
pub use files::files;
pub use journal::journal;
pub use payload::payload;
pub use transaction::transaction;
pub use wire::wire;

/// A target: it takes any bytes, and panics when something is wrong.
pub type Target = fn(&[u8]);

/// The targets, by the names of their corpora.
pub const TARGETS: [(&str, Target); 9] = [
    ("catch_up", catch_up),
    ("ceremony", ceremony),
    ("curves", curves),
    ("engine", engine),
    ("files", files),
    ("journal", journal),
    ("payload", payload),
    ("transaction", transaction),
    ("wire", wire),
];
