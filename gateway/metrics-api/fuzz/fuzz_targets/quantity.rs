#![no_main]

#[path = "../../tests/corpus/check.rs"]
#[allow(dead_code, reason = "each target has a function of its own")]
mod check;

libfuzzer_sys::fuzz_target!(|input: &[u8]| check::quantity(input));
