//! Catch-up by certificates.
#![forbid(unsafe_code)]
