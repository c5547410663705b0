//! Responses that clients ask for.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::request("/v1/responses", "application/json", bytes);
    sluice_fuzz::decode("/v1/responses", bytes);
});
