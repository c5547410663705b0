//! Contents that clients send, to be answered, streamed and counted.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    for method in ["generateContent", "streamGenerateContent", "countTokens"] {
        sluice_fuzz::request(&format!("/v1beta/models/m:{method}"), "application/json", bytes);
    }
});
