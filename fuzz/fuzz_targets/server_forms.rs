#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aiobpy_server::fuzzing::forms(data));
