//! Criterion suites; see `benches/`.
