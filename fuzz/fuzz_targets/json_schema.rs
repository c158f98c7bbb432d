#![no_main]

libfuzzer_sys::fuzz_target!(|data: &[u8]| gramask_fuzz::json_schema(data));
