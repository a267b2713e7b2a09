//! The protocol's invariants, apart from the code they check.
#![forbid(unsafe_code)]
