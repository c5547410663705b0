//! Messages that clients send, to be answered and to be counted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::request("/v1/messages", "application/json", bytes);
    sluice_fuzz::request("/v1/messages/count_tokens", "application/json", bytes);
});
