//! libFuzzer's way into [`phalanx_fuzz::engine`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| phalanx_fuzz::engine(data));
