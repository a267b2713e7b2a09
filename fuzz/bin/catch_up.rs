//! libFuzzer's way into [`phalanx_fuzz::catch_up`].
#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| phalanx_fuzz::catch_up(data));
