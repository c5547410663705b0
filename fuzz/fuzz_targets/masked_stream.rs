//! Streams in the client's own dialect under redaction: the same bytes however they are cut, and text.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|bytes: &[u8]| {
    sluice_fuzz::masked("/v1/chat/completions", bytes);
    sluice_fuzz::masked("/v1/responses", bytes);
});
