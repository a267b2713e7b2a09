//! Transaction admission and ordering.
#![forbid(unsafe_code)]
