//! Chat completions that clients ask for.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::request("/v1/chat/completions", "application/json", bytes);
});
