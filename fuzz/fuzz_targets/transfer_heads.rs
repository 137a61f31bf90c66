#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| aiobpy_transfer::fuzzing::heads(data));
