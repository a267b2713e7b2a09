//! Threshold shares, recovery, and Verified<T>.
#![forbid(unsafe_code)]
