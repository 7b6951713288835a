#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| muxnc_fuzz::udp(data));
